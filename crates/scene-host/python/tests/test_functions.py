"""Functions run their new code wherever they are held."""

import asyncio
import sys

import ffext

from . import fake_host
from .case import SceneCase


class Functions(SceneCase):
    async def test_a_function_is_the_same_object_with_new_code(self):
        main = self.load("def f(a, b=1, *, c=2):\n    'old'\n    return a + b + c\n")
        held = main.f
        self.load("def f(a, b=10, *, c=20):\n    'new'\n    return (a, b, c)\n")
        self.assertIs(main.f, held)
        self.assertEqual(held(0), (0, 10, 20))
        self.assertEqual(held.__doc__, "new")
        self.assertIs(held.__globals__, vars(main))

    async def test_module_data_is_bound_anew_and_seen_by_old_and_new_functions(self):
        main = self.load("limit = 1\ndef old():\n    return limit\n")
        held = main.old
        self.load("limit = 2\ndef old():\n    return limit\ndef new():\n    return limit\n")
        self.assertEqual((held(), main.new()), (2, 2))
        main.limit = 3
        self.assertEqual((held(), main.new()), (3, 3))

    async def test_a_global_statement_of_new_code_changes_the_module(self):
        main = self.load("count = 0\n")
        self.load("count = 0\ndef step():\n    global count\n    count += 1\n")
        main.step()
        self.assertEqual(main.count, 1)

    async def test_names_that_vanished_are_removed_and_names_added_later_stay(self):
        main = self.load("a = 1\ndef b(): pass\n")
        main.added = 5
        self.load("c = 1\n")
        self.assertFalse(hasattr(main, "a") or hasattr(main, "b"))
        self.assertEqual((main.c, main.added), (1, 5))

    async def test_imported_functions_are_not_touched(self):
        self.write("def shared():\n    return 'theirs'\n", "helper")
        main = self.load("from helper import shared\nfrom os import getcwd\n")
        theirs = main.shared
        self.load("def shared():\n    return 'mine'\n")
        self.assertEqual(theirs(), "theirs")
        self.assertEqual(sys.modules["helper"].shared(), "theirs")
        self.assertEqual(main.shared(), "mine")

    async def test_a_helper_is_loaded_again_under_those_who_imported_from_it(self):
        self.write("def rule():\n    return 1\ngone = 1\ndef goes(): pass\n", "helper")
        main = self.load("from helper import rule\nimport helper\n")
        self.load("def rule():\n    return 2\n", "helper")
        self.assertEqual((main.rule(), main.helper.rule()), (2, 2))
        self.assertFalse(hasattr(main.helper, "goes"))
        self.assertEqual(self.result.module, "helper")
        self.assertEqual(self.result.version, 2)

    async def test_decorated_functions_run_new_code_under_old_references(self):
        source = """
            import functools
            def twice(function):
                @functools.wraps(function)
                def wrapper(*arguments):
                    return ({0}, function(*arguments), function(*arguments))
                return wrapper

            @twice
            def f(x):
                return x * {1}
        """
        main = self.load(source.format(1, 1))
        held = main.f
        self.assertEqual(held(3), (1, 3, 3))
        self.load(source.format(2, 10))
        self.assertIs(main.f, held)
        self.assertEqual(held(3), (2, 30, 30))
        self.assertEqual(self.result.kept, ())

    async def test_decorators_of_other_modules_may_come_and_go(self):
        self.write(
            """
            import functools
            def loud(function):
                @functools.wraps(function)
                def wrapper(*arguments):
                    return function(*arguments).upper()
                return wrapper
            """,
            "helper",
        )
        plain = "from helper import loud\ndef f():\n    return '{}'\n"
        decorated = "from helper import loud\n@loud\ndef f():\n    return '{}'\n"
        main = self.load(plain.format("a"))
        held = main.f
        self.load(decorated.format("b"))
        self.assertEqual((held(), main.f()), ("B", "B"))
        inner = main.f.__wrapped__
        self.load(plain.format("c"))
        self.assertEqual((held(), main.f(), inner()), ("c", "c", "c"))
        self.load(decorated.format("d"))
        self.assertEqual((held(), main.f(), inner()), ("D", "D", "d"))

    async def test_cached_functions_start_anew_and_old_ones_run_new_code(self):
        source = "import functools\n@functools.lru_cache\ndef f(x):\n    return {}\n"
        main = self.load(source.format(1))
        held = main.f
        held(0)
        self.load(source.format(2))
        self.assertEqual(main.f(0), 2)
        self.assertEqual(held(1), 2)

    async def test_lambdas_that_wait_run_new_code(self):
        source = """
            def make(x):
                return lambda: (x, {})
            pick = lambda: {}
        """
        main = self.load(source.format(1, 1))
        waiting, pick = main.make(5), main.pick
        self.load(source.format(2, 3))
        self.assertEqual(waiting(), (5, 2))
        self.assertEqual(pick(), 3)
        self.assertEqual(self.result.kept, ())

    async def test_a_closure_with_other_free_variables_is_kept_and_reported(self):
        main = self.load("def make(x, y):\n    return lambda: x\n")
        waiting = main.make(1, 2)
        self.load("def make(x, y):\n    return lambda: (x, y)\n")
        self.assertEqual(waiting(), 1)
        self.assertEqual(self.result.kept, ("make.<locals>.<lambda>",))
        self.assertIn("make.<locals>.<lambda>", str(self.result))
        self.assertEqual(main.make(1, 2)(), (1, 2))

    async def test_of_several_lambdas_those_that_stayed_the_same_are_known(self):
        main = self.load("def make():\n    return [lambda: 'a', lambda: 'b']\n")
        first, second = main.make()
        self.load("\n\ndef make():\n    return [lambda: 'a', lambda: 'x', lambda: 'b']\n")
        self.assertEqual((first(), second()), ("a", "b"))
        self.assertEqual(self.result.kept, ())
        self.load("def make():\n    return [lambda: 'c']\n")
        self.assertEqual((first(), second()), ("a", "b"))
        self.assertEqual(self.result.kept, ("make.<locals>.<lambda>",))

    async def test_aliases_and_swapped_names_do_not_mix_functions_up(self):
        main = self.load("def a(): return 'a'\ndef b(): return 'b'\nx = a\ny = b\n")
        a, b = main.a, main.b
        self.load("def a(): return 'A'\ndef b(): return 'B'\nx = b\ny = a\n")
        self.assertEqual((a(), b(), main.x(), main.y()), ("A", "B", "B", "A"))
        self.assertIs(main.x, b)

    async def test_containers_of_the_new_source_hold_the_functions_that_stay(self):
        source = """
            def look(): return {0}
            def walk(): return {0}
            commands = {{'look': look, 'both': [look, (walk, look)]}}
            def run(action=look): return action
        """
        main = self.load(source.format(1))
        look, walk = main.look, main.walk
        self.load(source.format(2))
        self.assertIs(main.look, look)
        self.assertIs(main.commands["look"], look)
        self.assertIs(main.commands["both"][0], look)
        self.assertIs(main.commands["both"][1][0], walk)
        self.assertIs(main.run(), look)

    async def test_a_suspended_coroutine_finishes_as_old_code(self):
        source = """
            import asyncio
            async def handle(gate):
                await gate.wait()
                return {}
            def answer():
                return {}
        """
        main = self.load(source.format("'old', answer()", 1))
        gate = asyncio.Event()
        task = asyncio.ensure_future(main.handle(gate))
        await asyncio.sleep(0)
        self.load(source.format("'new', answer()", 2))
        gate.set()
        self.assertEqual(await task, ("old", 2))
        self.assertEqual(await main.handle(gate), ("new", 2))

    async def test_a_reload_from_within_finishes_the_running_frame_as_old_code(self):
        main = self.load("import ffext\ndef f():\n    return ffext.reload('main'), 'old'\n")
        self.write("def f():\n    return 'new'\n")
        result, text = main.f()
        self.assertTrue(result)
        self.assertEqual((text, main.f()), ("old", "new"))

    async def test_handlers_are_registered_by_the_object_that_stays(self):
        source = "import ffext\n@ffext.session_call({})\ndef f(session, message):\n    return {}\n"
        main = self.load(source.format(1, 1))
        held = main.f
        self.assertIs(fake_host.installed[1], held)
        self.load(source.format(2, 2))
        self.assertNotIn(1, fake_host.installed)
        self.assertIs(fake_host.installed[2], held)

    async def test_handlers_of_other_modules_stay_registered(self):
        self.write("import ffext\n@ffext.session_call(9)\ndef f(s, m): pass\n", "helper")
        self.load("import helper\n")
        self.load("import helper\n# again\n")
        self.assertIn(9, fake_host.installed)
        self.load("import ffext\n@ffext.session_call(8)\ndef f(s, m): pass\n", "helper")
        self.assertEqual(list(fake_host.installed), [8])

    async def test_handlers_that_a_handler_registers_stay(self):
        main = self.load("import ffext\ndef f(s, m): pass\ndef late():\n    ffext.session_call(7)(f)\n")
        main.late()
        self.load("import ffext\ndef f(s, m): return 2\n")
        self.assertEqual(fake_host.installed[7](1, 1), 2)

    async def test_the_result_says_version_and_hash(self):
        self.load("a = 1\n")
        self.load("a = 2\n")
        self.assertRegex(str(self.result), r"^ok: main version 2 \([0-9a-f]{12}\)$")
        self.assertEqual((self.result.version, self.result.hash), tuple(ffext.version()))
        self.assertEqual(fake_host.loads[-1][:3], ("main", 2, self.result.hash))

    async def test_hooks_are_called_after_a_reload_and_may_fail(self):
        main = self.load("calls = []\n")
        calls = main.calls
        source = """
            import ffext, builtins
            @ffext.on_reload
            def bad(result):
                1/0
            @ffext.on_reload
            def good(result):
                ffext.seen = str(result)
        """
        self.load(source)
        self.addCleanup(lambda: delattr(ffext, "seen"))
        self.assertEqual(ffext.seen, str(self.result))
        self.assertEqual([kind for kind, *_ in fake_host.failures], ["hook"])
        self.assertTrue(self.result)

    async def test_hooks_are_not_called_after_the_first_load(self):
        source = """
            import ffext
            calls = []
            @ffext.on_reload
            def hook(result):
                calls.append(result)
        """
        main = self.load(source)
        self.assertEqual(main.calls, [])
        self.load(source)
        self.assertEqual(main.calls, [self.result])

    async def test_a_coroutine_started_while_loading_is_reported_and_then_replaced(self):
        source = """
            import asyncio
            seen = []
            async def work():
                while True:
                    seen.append({})
                    await asyncio.sleep(0)
            task = asyncio.get_running_loop().create_task(work())
        """
        main = self.load(source.format(1))
        first = main.task
        await self.settle(lambda: 1 in main.seen)
        self.load(source.format(2))
        self.assertEqual(self.result.kept, ("work (was started while it was being loaded)",))
        await self.settle(lambda: 2 in main.seen)
        self.assertTrue(first.cancelled())
        self.assertNotIn(1, main.seen)
        self.load("seen = []\n")
        await asyncio.sleep(0.01)
        self.assertEqual(main.seen, [])

    async def test_objects_that_lie_about_their_class_are_data_like_any_other(self):
        source = """
            class Proxy:
                @property
                def __class__(self): raise RuntimeError('unbound')
                def __getattr__(self, name): raise RuntimeError('unbound')
            proxy = Proxy()
            held = [proxy, Proxy]
            version = {}
        """
        main = self.load(source.format(1))
        proxy = main.proxy
        self.load(source.format(2))
        self.assertEqual(main.version, 2)
        self.assertIs(type(proxy), main.Proxy)
        self.assertIs(main.held[1], main.Proxy)
        self.assertEqual(self.result.kept, ())
