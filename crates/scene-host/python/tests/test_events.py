"""Events within a scene."""

import asyncio
import contextvars

import ffext

from . import fake_host
from .case import SceneCase


class Events(SceneCase):
    async def test_those_who_are_bound_are_called_at_once_and_in_their_order(self):
        heard = []

        class Player:
            def hears(self, text):
                heard.append(("player", text))
                ffext.post("inner")

        ffext.bind_event("said")(lambda text: heard.append(("first", text)))
        ffext.bind_event("said")(Player().hears)
        ffext.bind_event("inner")(lambda: heard.append("inner"))
        ffext.bind_event("said")(lambda text: heard.append(("last", text)))
        self.assertEqual(ffext.post("said", text="hello"), 3)
        self.assertEqual(heard, [("first", "hello"), ("player", "hello"), "inner", ("last", "hello")])
        self.assertEqual(ffext.post("other"), 0)

    async def test_an_event_is_whatever_can_be_a_key(self):
        heard = []
        ffext.bind_event(("left", 7))(lambda: heard.append(1))
        ffext.post(("left", 7))
        self.assertEqual(heard, [1])
        for wrong in (lambda: ffext.bind_event([]), lambda: ffext.post([])):
            with self.assertRaises(TypeError):
                wrong()
        with self.assertRaises(TypeError):
            ffext.bind_event("said")("no function")

    async def test_one_that_fails_is_logged_and_the_others_are_called(self):
        heard = []

        def leave():
            raise SystemExit

        async def later():
            raise ValueError

        for function in (leave, later, lambda: 1 / 0, lambda: heard.append(1)):
            ffext.bind_event("said")(function)
        self.assertEqual(ffext.post("said"), 4)
        self.assertEqual(heard, [1])
        await self.settle(lambda: len(fake_host.failures) == 3)
        kinds = sorted((kind, type(error).__name__) for kind, _, error in fake_host.failures)
        names = ("SystemExit", "ValueError", "ZeroDivisionError")
        self.assertEqual(kinds, [("bus", name) for name in names])

    async def test_those_that_post_each_other_without_end_fail_together(self):
        calls = []
        for _ in range(3):
            ffext.bind_event("again")(lambda: (calls.append(1), ffext.post("again")))
        ffext.post("again")
        # As many as there are functions, and not as there are ways among them.
        self.assertEqual(len(fake_host.failures), 3)
        self.assertLess(len(calls), 3_000)

    async def test_what_they_set_in_a_context_variable_is_their_own(self):
        variable, seen = contextvars.ContextVar("variable", default=0), []

        def one():
            seen.append(variable.get())
            variable.set(2)

        ffext.bind_event("said")(one)
        ffext.bind_event("said")(one)
        variable.set(1)
        ffext.post("said")
        self.assertEqual((seen, variable.get()), ([1, 1], 1))

    async def test_they_go_with_their_module_and_those_of_handlers_stay(self):
        source = """
            import ffext
            heard = []
            @ffext.bind_event('said')
            def first(): heard.append({0})
            def late(): heard.append({0} * 10)
            def handler(): ffext.bind_event('said')(late)
        """
        main = self.load(source.format(1))
        main.handler()
        ffext.post("said")
        self.assertEqual(main.heard, [1, 10])
        for turn in (2, 3):
            self.load(source.format(turn))
        ffext.post("said")
        self.assertEqual(sorted(main.heard), [3, 30])
        self.refuse(source.format(4) + "\n1 / 0\n")
        main.heard.clear()
        ffext.post("said")
        self.assertEqual(sorted(main.heard), [3, 30])
        self.load("heard = []\ndef late(): heard.append(50)\n")
        ffext.post("said")
        self.assertEqual(main.heard, [50])

    async def test_one_that_takes_the_others_away_is_the_last(self):
        main = self.load(
            """
            import ffext
            heard = []
            @ffext.bind_event('said')
            def first():
                ffext.reload()
            @ffext.bind_event('said')
            def second(): heard.append('old')
            """
        )
        heard = main.heard
        self.write("heard = []\n")
        self.assertEqual(ffext.post("said"), 1)
        self.assertEqual((heard, main.heard), ([], []))

    async def test_async_ones_have_begun_and_go_on_by_themselves(self):
        heard = []

        async def later():
            heard.append("begun")
            await asyncio.sleep(0)
            heard.append("done")

        ffext.bind_event("said")(later)
        ffext.post("said")
        await self.settle(lambda: heard == ["begun", "done"])
