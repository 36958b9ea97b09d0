"""Singletons keep what they are, and what they have started."""

import asyncio
import sys

import ffext

from . import fake_host
from .case import SceneCase

WORLD = """
    import asyncio, ffext
    class World:
        def __init__(self):
            self.ticks = 0
            {start}
        def tick(self):
            self.ticks += 1
            ffext.once_timer(1, self.tick)
        async def run(self):
            while True:
                self.ticks += 1
                await asyncio.sleep(0.001)
    world = ffext.singleton(World)
    load = {load}
"""
TIMER = "ffext.once_timer(1, self.tick)"
TASK = "self.task = asyncio.get_running_loop().create_task(self.run())"


class Singletons(SceneCase):
    async def goes_on(self, world):
        before = world.ticks
        await self.settle(lambda: world.ticks > before + 3)

    async def test_a_timer_that_a_singleton_has_started_survives_every_reload(self):
        main = self.load(WORLD.format(start=TIMER, load=1))
        for load in (2, 3):
            await self.goes_on(main.world)
            self.load(WORLD.format(start=TIMER, load=load))
        await self.goes_on(main.world)

    async def test_a_task_that_a_singleton_has_started_survives_every_reload(self):
        main = self.load(WORLD.format(start=TASK, load=1))
        for load in (2, 3):
            await self.goes_on(main.world)
            self.load(WORLD.format(start=TASK, load=load))
        await self.goes_on(main.world)
        main.world.task.cancel()

    async def test_a_singleton_that_is_made_in_a_reload_keeps_its_timer_too(self):
        main = self.load("world = None\n")
        for load in (1, 2):
            self.load(WORLD.format(start=TIMER, load=load))
        await self.goes_on(main.world)

    async def test_a_singleton_that_a_timer_of_the_import_makes_keeps_what_it_starts(self):
        source = """
            import ffext
            class World:
                def __init__(self):
                    self.ticks = 0
                    ffext.once_timer(1, self.tick)
                def tick(self):
                    self.ticks += 1
                    ffext.once_timer(1, self.tick)
            worlds = []
            ffext.once_timer(0, lambda: worlds.append(ffext.singleton(World)))
            load = {}
        """
        main = self.load(source.format(1))
        await self.settle(lambda: main.worlds)
        world = main.worlds[0]
        self.load(source.format(2))
        await self.goes_on(world)

    async def test_a_handler_that_a_singleton_has_registered_survives_a_reload(self):
        source = """
            import ffext
            class World:
                def __init__(self):
                    ffext.session_call(4)(self.move)
                def move(self, session, message):
                    return {}
            world = ffext.singleton(World)
        """
        self.load(source.format(1))
        self.load(source.format(2))
        self.assertEqual(fake_host.installed[4](None, None), 2)

    async def test_what_a_singleton_of_a_failed_load_has_started_is_taken_back(self):
        main = self.load("seen = []\n")
        self.refuse(
            """
            import asyncio, ffext, sys
            seen = sys.modules['ffext'].seen = []
            class World:
                def __init__(self):
                    ffext.once_timer(0, lambda: seen.append('timer'))
                    self.task = asyncio.get_running_loop().create_task(self.run())
                    ffext.session_call(4)(self.move)
                async def run(self):
                    seen.append('task')
                def move(self, session, message):
                    pass
            ffext.singleton(World)
            1/0
            """
        )
        self.addCleanup(lambda: delattr(ffext, "seen"))
        await asyncio.sleep(0.02)
        self.assertEqual(ffext.seen, [])
        self.assertEqual(fake_host.installed, {})
        self.assertIs(sys.modules["main"], main)

    async def test_other_timers_of_the_import_still_end_with_their_load(self):
        source = """
            import ffext
            class World:
                pass
            world = ffext.singleton(World)
            ticks = []
            ffext.once_timer(20, lambda: ticks.append({}))
        """
        main = self.load(source.format(1))
        self.load(source.format(2))
        await self.settle(lambda: main.ticks)
        await asyncio.sleep(0.03)
        self.assertEqual(main.ticks, [2])

    async def test_timers_of_a_hook_stay_where_a_timer_of_the_import_has_reloaded(self):
        source = """
            import ffext
            seen = []
            @ffext.on_reload
            def hook(result):
                ffext.once_timer(0, lambda: seen.append(1))
            {}
        """
        main = self.load(source.format("ffext.once_timer(0, ffext.reload)"))
        self.write(source.format(""))
        await self.settle(lambda: main.seen)
