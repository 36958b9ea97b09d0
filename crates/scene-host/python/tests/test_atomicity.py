"""A load that fails changes nothing."""

import asyncio
import os
import sys

import ffext

from . import fake_host
from .case import SceneCase

GOOD = """
    import ffext
    greeting = 'hello'

    @ffext.session_call(1)
    def greet(session, message):
        return greeting

    class Room:
        size = 3
"""


class Atomicity(SceneCase):
    async def test_a_syntax_error_is_reported_with_file_and_line_and_changes_nothing(self):
        main = self.load(GOOD)
        before = dict(vars(main))
        reason = self.refuse("import ffext\n\ndef broken(:\n    pass\n")
        self.assertEqual(reason, "main.py, line 3: SyntaxError: invalid syntax")
        self.assertEqual(vars(main), before)
        self.assertEqual(ffext.version().version, 1)

    async def test_an_exception_half_way_changes_nothing(self):
        main = self.load(GOOD)
        before, size = dict(vars(main)), main.Room.size
        installed = dict(fake_host.installed)
        reason = self.refuse(
            """
            import ffext
            greeting = 'goodbye'

            @ffext.session_call(2)
            def other(session, message):
                return greeting

            class Room:
                size = 4

            ffext.once_timer(0, other)
            boom()
            """
        )
        self.assertEqual(
            reason, "main.py, line 13: NameError: name 'boom' is not defined"
        )
        self.assertEqual(vars(main), before)
        self.assertEqual(main.Room.size, size)
        self.assertEqual(fake_host.installed, installed)
        self.assertEqual(main.greet(None, None), "hello")
        await asyncio.sleep(0)
        self.assertEqual(fake_host.failures, [])

    async def test_an_error_within_the_package_names_the_line_of_the_script(self):
        # The package's own modules have such names in a scene.
        code = compile("def check():\n    1/0\n", "<ffext/registry.py>", "exec")
        exec(code, vars(ffext).setdefault("embedded", {}))
        self.addCleanup(lambda: delattr(ffext, "embedded"))
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        for folder in (self.folder, before):
            os.chdir(folder)
            for call in ("ffext.embedded['check']()", "exec('1/0')", "exec('def (')"):
                with self.subTest(call, folder=folder):
                    reason = self.refuse(f"import ffext\n\n{call}\n")
                    self.assertRegex(reason, "^main.py, line 3: (ZeroDivision|Syntax)Error: ")

    async def test_a_syntax_error_in_a_module_that_is_imported_names_that_module(self):
        self.write("a = 1\ndef (\n", "helper")
        self.assertRegex(self.refuse("import helper\n"), "^helper.py, line 2: SyntaxError: ")

    async def test_an_exit_while_loading_is_an_error_like_any_other(self):
        self.load(GOOD)
        for exit in ("raise SystemExit(3)", "raise KeyboardInterrupt", "import os; exit()"):
            with self.subTest(exit):
                self.refuse(exit)
        self.assertEqual(sys.modules["main"].greet(None, None), "hello")

    async def test_a_first_load_that_fails_can_be_tried_again(self):
        self.refuse("import helper_that_is_not_there")
        self.assertNotIn("main", sys.modules)
        self.assertEqual(ffext.version(), (0, ""))
        self.load(GOOD)
        self.assertEqual(ffext.version().version, 1)

    async def test_a_script_that_is_not_there_is_a_readable_error(self):
        result = ffext.reload()
        self.assertFalse(result)
        self.assertIn("No such file", str(result))

    async def test_modules_and_singletons_of_a_failed_load_are_forgotten(self):
        self.load(GOOD)
        self.write("import ffext\nclass Counter:\n    made = 0\n", "helper")
        self.refuse("import ffext, helper\nffext.singleton(helper.Counter)\n1/0\n")
        self.assertNotIn("helper", sys.modules)
        main = self.load("import ffext, helper\nfirst = ffext.singleton(helper.Counter)\n")
        self.assertIs(type(main.first), main.helper.Counter)

    async def test_a_task_of_a_failed_load_does_not_run(self):
        main = self.load(GOOD)
        main.seen = []
        self.refuse(
            """
            import asyncio, sys
            async def work():
                sys.modules['main'].seen.append(1)
            task = asyncio.get_running_loop().create_task(work())
            1/0
            """
        )
        await asyncio.sleep(0.01)
        self.assertEqual(main.seen, [])

    async def test_the_new_source_does_not_see_names_of_the_old_one(self):
        self.load("left_over = 1\n")
        self.assertIn("left_over", self.refuse("print(left_over)\n"))

    async def test_other_threads_never_see_a_half_loaded_module(self):
        main = self.load("def answer():\n    return VALUE\nVALUE = 1\n")
        wrong, stop = [], []

        def watch():
            while not stop:
                try:
                    main.answer()
                except NameError as error:
                    wrong.append(error)

        watcher = asyncio.get_running_loop().run_in_executor(None, watch)
        for value in range(20):
            self.load(
                f"import time\ntime.sleep(0.001)\n"
                f"def answer():\n    return VALUE\nVALUE = {value}\n"
            )
        stop.append(True)
        await watcher
        self.assertEqual(wrong, [])

    async def test_a_library_that_a_failed_load_has_imported_stays(self):
        library = self.folder / "env" / "site-packages"
        library.mkdir(parents=True)
        (library / "some_library.py").write_text("")
        self.load(GOOD)
        path = f"import sys; sys.path.append({str(library)!r})\n"
        self.refuse(path + "import some_library\n1/0\n")
        self.assertIn("some_library", sys.modules)
        self.assertIn("own modules", str(ffext.reload("some_library")))

    async def test_a_reload_within_a_load_is_refused(self):
        main = self.load("import ffext\ninner = ffext.reload()\n")
        self.assertFalse(main.inner)
        self.assertIn("under way", str(main.inner))

    async def test_a_script_named_like_a_module_of_python_is_refused(self):
        from ffext import loading

        loading.loader.configure(str(self.folder / "queue.py"), [str(self.folder)])
        self.write("", "queue")
        result = ffext.reload()
        self.assertFalse(result)
        self.assertIn("call it something else", str(result))

    async def test_only_modules_of_the_script_can_be_loaded_again(self):
        self.load(GOOD)
        self.assertIn("own modules", str(ffext.reload("asyncio")))
        self.assertIn("no module nothing is loaded", str(ffext.reload("nothing")))
