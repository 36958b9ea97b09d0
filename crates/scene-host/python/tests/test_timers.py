"""Timers, and whose they are."""

import asyncio

import ffext

from . import fake_host
from .case import SceneCase


class Timers(SceneCase):
    async def test_a_timer_is_called_once_and_can_be_taken_back(self):
        calls = []
        ffext.once_timer(1, lambda: calls.append("a"))
        cancelled = ffext.once_timer(1, lambda: calls.append("b"))
        self.assertTrue(cancelled.active)
        cancelled.cancel()
        cancelled.cancel()
        self.assertFalse(cancelled.active)
        await self.settle(lambda: calls)
        await asyncio.sleep(0.01)
        self.assertEqual(calls, ["a"])

    async def test_what_is_no_time_or_no_function_is_refused(self):
        for ms in (-1, float("nan"), "soon", None):
            with self.subTest(ms), self.assertRaises((ValueError, TypeError)):
                ffext.once_timer(ms, print)
        with self.assertRaises(TypeError):
            ffext.once_timer(1, "print")

    async def test_a_timer_that_raises_is_logged_and_harms_nothing(self):
        calls = []

        def leave():
            raise SystemExit

        async def fail():
            raise ValueError

        for function in (leave, fail, lambda: 1 / 0):
            ffext.once_timer(0, function)
        ffext.once_timer(5, lambda: calls.append(1))
        await self.settle(lambda: calls)
        kinds = sorted(type(error).__name__ for _, _, error in fake_host.failures)
        self.assertEqual(kinds, ["SystemExit", "ValueError", "ZeroDivisionError"])

    async def test_an_async_timer_runs(self):
        calls = []

        async def work():
            await asyncio.sleep(0)
            calls.append(1)

        ffext.once_timer(0, work)
        await self.settle(lambda: calls)

    async def test_a_pending_timer_of_a_handler_runs_new_code(self):
        source = """
            import ffext
            calls = []
            def tick(): calls.append({0})
            class Player:
                def tick(self): calls.append({0} * 10)
            def handler():
                ffext.once_timer(20, tick)
                ffext.once_timer(20, Player().tick)
                ffext.once_timer(20, lambda: calls.append({0} * 100))
        """
        main = self.load(source.format(1))
        main.handler()
        self.load(source.format(2))
        await self.settle(lambda: len(main.calls) == 3)
        self.assertEqual(sorted(main.calls), [2, 20, 200])

    async def test_timers_of_the_previous_import_are_gone(self):
        main = self.load("import ffext\ncalls = []\nffext.once_timer(20, lambda: calls.append(1))\n")
        self.load("import ffext\ncalls = []\nffext.once_timer(20, lambda: calls.append(2))\n")
        await self.settle(lambda: main.calls)
        await asyncio.sleep(0.05)
        self.assertEqual(main.calls, [2])

    async def test_a_chain_of_timers_begun_at_import_does_not_run_twice(self):
        source = """
            import ffext
            ticks = []
            def tick():
                ticks.append({})
                ffext.once_timer(1, tick)
            ffext.once_timer(1, tick)
        """
        main = self.load(source.format(1))
        await self.settle(lambda: len(main.ticks) > 2)
        for turn in (2, 3, 4):
            self.load(source.format(turn))
        owner = ffext.registry.registry._modules["main"]
        await self.settle(lambda: len(main.ticks) > 2)
        self.assertEqual(set(main.ticks), {4})
        self.assertEqual(len(owner.timers), 1)
        self.load("import ffext\nticks = []\n")
        await asyncio.sleep(0.02)
        self.assertEqual(main.ticks, [])

    async def test_a_chain_that_reloads_from_within_ends(self):
        main = self.load(
            """
            import ffext
            ticks = []
            def tick():
                ticks.append(1)
                ffext.reload()
                ffext.once_timer(0, tick)
            ffext.once_timer(0, tick)
            """
        )
        ticks = main.ticks
        self.write("ticks = []\ndef tick():\n    ticks.append(2)\n")
        await self.settle(lambda: ticks)
        await asyncio.sleep(0.02)
        self.assertEqual((ticks, main.ticks), ([1], []))

    async def test_timers_of_handlers_stay(self):
        main = self.load("import ffext\ncalls = []\ndef later():\n    ffext.once_timer(10, done)\ndef done():\n    calls.append(1)\n")
        main.later()
        self.load("import ffext\ncalls = []\ndef done():\n    calls.append(2)\n")
        await self.settle(lambda: main.calls)
        self.assertEqual(main.calls, [2])
