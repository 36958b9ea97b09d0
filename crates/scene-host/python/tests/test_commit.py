"""A load that has succeeded is completed, whatever the script's objects do."""

import asyncio

import ffext

from . import fake_host
from .case import SceneCase

HOSTILE = """
    import ffext
    class Hostile:
        def __call__(self, session, message):
            return 'called'
        def __getattr__(self, name):
            {}
    @ffext.session_call(3)
    def g(session, message):
        pass
    ffext.session_call(1)(Hostile())
    ffext.session_offline_callback(Hostile())
    ffext.on_reload(Hostile())
    ffext.once_timer(0, Hostile())
"""


class Commit(SceneCase):
    async def test_a_handler_that_cannot_be_named_is_registered_all_the_same(self):
        for fails in ("return getattr(self.impl, name)", "raise ValueError", "return '\\ud800'"):
            with self.subTest(fails):
                main = self.load("a = 1\n")
                self.load(HOSTILE.format(fails))
                self.assertEqual(fake_host.installed[1](None, None), "called")
                self.assertFalse(hasattr(main, "a"))
                ffext.session_call(9)(main.g)
                self.assertIs(fake_host.installed[9], main.g)

    async def test_labels_are_text_that_the_host_can_take(self):
        seen = []
        install = fake_host._native.install
        fake_host._native.install = lambda calls, *rest: seen.extend(calls)
        self.addCleanup(setattr, fake_host._native, "install", install)
        self.load(HOSTILE.format("return '\\ud800'"))
        labels = {cmd: label for cmd, *_, label in seen}
        self.assertEqual(labels, {3: "main.g", 1: r"main.\ud800"})

    async def test_a_step_that_fails_after_the_merge_is_reported_and_does_not_stop_the_rest(self):
        self.load("class A:\n    x = 1\n")
        main = self.load(
            """
            import ffext
            class Named:
                def __set_name__(self, cls, name):
                    if cls.loaded:
                        raise KeyboardInterrupt
            class A:
                loaded = 0
                x = Named()
            A.loaded = 1
            @ffext.session_call(2)
            def f(session, message):
                return 2
            """
        )
        self.assertEqual(fake_host.installed[2](None, None), 2)
        self.assertEqual(len(self.result.kept), 1)
        self.assertFalse(ffext.registry.registry.staging)
        self.load("a = 1\n")
        self.assertFalse(hasattr(main, "A"))

    async def test_other_threads_never_run_new_code_without_its_names(self):
        main = self.load("def answer():\n    return 1\n")
        wrong, stop = [], []

        def watch():
            while not stop:
                try:
                    main.answer()
                except (NameError, TypeError) as error:
                    wrong.append(error)

        watcher = asyncio.get_running_loop().run_in_executor(None, watch)
        names = ""
        # Enough to look through that the other thread has its turn meanwhile.
        ballast = [{turn: [turn]} for turn in range(50_000)]
        for turn in range(10):
            names += f"NEW{turn} = 1\n"
            self.load(f"class K: pass\ndef answer():\n    return NEW{turn}\n{names}")
        stop.append(True)
        await watcher
        self.assertEqual(wrong, [])
        del ballast

    async def test_a_command_that_an_enumeration_names_is_one_with_its_number(self):
        main = self.load(
            """
            import enum, ffext
            class Cmd(enum.IntEnum):
                CHAT = 1
            @ffext.session_call(1)
            def early(session, message): pass
            @ffext.session_call(Cmd.CHAT)
            def late(session, message): pass
            """
        )
        registrations = ffext.registry.registry._modules["main"]
        self.assertEqual([call.function for call in registrations.calls.values()], [main.late])
