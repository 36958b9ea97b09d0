"""What is due again and again."""

import asyncio
import contextvars
from unittest import mock

import ffext
from ffext import timers

from . import fake_host
from .case import SceneCase


class Clock:
    """Stands in for the event loop: time passes when a test says so."""

    def __init__(self):
        self.now = 1_000_000.1
        self.due = []

    def time(self):
        return self.now

    def call_at(self, when, function, context):
        handle = mock.Mock(cancelled=False)
        handle.cancel = lambda: setattr(handle, "cancelled", True)
        self.due.append((when, handle, lambda: context.run(function)))
        return handle

    def passes(self, until):
        """What is due until then is called, each at its time, or as soon as can be."""
        while self.due and min(when for when, *_ in self.due) <= until:
            when, handle, call = self.due.pop(0)
            self.now = max(self.now, when)
            if not handle.cancelled:
                call()
        self.now = max(self.now, until)


class Intervals(SceneCase):
    def clock(self):
        clock = Clock()
        patch = mock.patch.object(timers.asyncio, "get_running_loop", lambda: clock)
        patch.start()
        self.addCleanup(patch.stop)
        return clock

    def test_calls_do_not_drift_however_long_they_take(self):
        clock = self.clock()
        begin, at = clock.now, []

        def tick():
            at.append(clock.now - begin)
            clock.now += 0.007

        ticks = ffext.interval(10, tick)
        clock.passes(begin + 60.0001)
        self.assertEqual(len(at), 6_000)
        self.assertEqual(ticks.skipped, 0)
        for number, moment in enumerate(at, 1):
            self.assertAlmostEqual(moment, number * 0.01, delta=1e-6)

    def test_calls_that_are_late_are_left_out_and_counted_and_never_pile_up(self):
        clock = self.clock()
        begin, at = clock.now, []

        def tick():
            at.append(round((clock.now - begin) * 1000))
            if len(at) == 2:
                clock.now += 0.055

        ticks = ffext.interval(10, tick)
        clock.passes(begin + 0.1001)
        # Of those at 30, 40, 50, 60 and 70 one is made, at once.
        self.assertEqual(at, [10, 20, 75, 80, 90, 100])
        self.assertEqual(ticks.skipped, 4)

    def test_a_call_that_comes_a_little_early_is_none_too_many(self):
        clock = self.clock()
        begin, calls = clock.now, []
        ffext.interval(10, lambda: calls.append(1))
        for number in range(1, 101):
            when, _, call = clock.due.pop()
            clock.now = when - 1e-9
            call()
            self.assertEqual(len(calls), number)
        self.assertAlmostEqual(clock.now - begin, 1.0, places=6)

    async def test_an_async_call_is_not_begun_while_one_runs(self):
        runs, most, ended = 0, 0, 0

        async def tick():
            nonlocal runs, most, ended
            runs += 1
            most = max(most, runs)
            await asyncio.sleep(0.012)
            runs -= 1
            ended += 1

        ticks = ffext.interval(2, tick)
        await self.settle(lambda: ended >= 4)
        ticks.cancel()
        self.assertEqual(most, 1)
        self.assertGreaterEqual(ticks.skipped, 4)

    async def test_it_ends_when_it_is_cancelled_also_by_itself(self):
        calls = []

        def tick():
            calls.append(1)
            if len(calls) == 3:
                ticks.cancel()

        ticks = ffext.interval(1, tick)
        await self.settle(lambda: not ticks.active)
        ticks.cancel()
        await asyncio.sleep(0.01)
        self.assertEqual(len(calls), 3)

    async def test_a_call_that_fails_is_logged_and_the_next_is_made(self):
        calls = []

        def tick():
            calls.append(1)
            if len(calls) == 1:
                raise SystemExit
            if len(calls) == 2:
                return asyncio.sleep("not a time")

        ticks = ffext.interval(1, tick)
        await self.settle(lambda: len(calls) >= 4)
        ticks.cancel()
        kinds = [(kind, type(error).__name__) for kind, _, error in fake_host.failures]
        self.assertEqual(kinds, [("timer", "SystemExit"), ("timer", "TypeError")])

    async def test_what_a_call_sets_in_a_context_variable_the_next_one_does_not_see(self):
        variable, seen = contextvars.ContextVar("variable"), []
        variable.set("before")

        def tick():
            seen.append(variable.get())
            variable.set("within")

        ticks = ffext.interval(1, tick)
        variable.set("after")
        await self.settle(lambda: len(seen) >= 3)
        ticks.cancel()
        self.assertEqual(set(seen), {"before"})

    async def test_one_of_an_import_ends_with_its_load_and_others_run_new_code(self):
        source = """
            import ffext
            ticks, others = [], []
            def tick(): ticks.append({0})
            def other(): others.append({0})
            ffext.interval(1, tick)
            def begin(): return ffext.interval(1, other)
        """
        main = self.load(source.format(1))
        other = main.begin()
        await self.settle(lambda: main.ticks and main.others)
        for turn in range(2, 12):
            self.load(source.format(turn))
        await self.settle(lambda: main.ticks and 11 in main.others)
        self.assertEqual(set(main.ticks), {11})
        owner = ffext.registry.registry._modules["main"]
        self.assertEqual(len(owner.timers), 1)
        self.load("import ffext\nticks = []\n")
        await asyncio.sleep(0.01)
        self.assertEqual(main.ticks, [])
        self.assertTrue(other.active)
        other.cancel()

    async def test_one_of_a_load_that_fails_never_begins(self):
        main = self.load("calls = []\n")
        self.refuse("import ffext, main\nffext.interval(1, lambda: main.calls.append(1))\n1 / 0\n")
        await asyncio.sleep(0.01)
        self.assertEqual(main.calls, [])

    async def test_what_is_no_time_or_no_function_is_refused(self):
        for ms in (0, 0.5, -1, float("nan"), float("inf"), "soon", None):
            with self.subTest(ms), self.assertRaises((ValueError, TypeError)):
                ffext.interval(ms, print)
        with self.assertRaises(TypeError):
            ffext.interval(10, "print")
