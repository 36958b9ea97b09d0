"""Tasks that fail where nobody looks, and what is done once a second."""

import asyncio
import gc
import weakref

from . import fake_host
from .case import SceneCase

from ffext import tasks


class Uncaught(SceneCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(tasks._failed)

    async def failures(self, count):
        gc.collect()
        await self.settle(lambda: len(fake_host.failures) >= count)
        return [(kind, name, str(error)) for kind, name, error in fake_host.failures]

    async def test_a_task_is_named_with_its_coroutine_and_its_place(self):
        main = self.load("async def lost():\n    raise ValueError('gone')\n")
        await asyncio.gather(
            asyncio.create_task(main.lost(), name="mine"), return_exceptions=True
        )
        asyncio.create_task(main.lost(), name="mine")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.assertEqual(
            await self.failures(1), [("task", "lost (main.py, line 1)", "gone")]
        )

    async def test_a_future_and_a_callback_are_told_of(self):
        def callback():
            raise ValueError("called")

        loop = asyncio.get_running_loop()
        loop.create_future().set_exception(KeyError("never looked at"))
        loop.call_soon(callback)
        (first, second) = await self.failures(2)
        self.assertEqual(first, ("future", "Future", "'never looked at'"))
        self.assertEqual(second[0::2], ("callback", "called"))
        self.assertTrue(second[1].endswith("<locals>.callback"), second)

    async def test_what_is_no_error_is_logged(self):
        tasks._failed(asyncio.get_running_loop(), {"message": "odd", "task": object()})
        self.assertIn("odd", fake_host.logged[-1][2])

    async def test_debug_mode_says_where_a_task_was_made(self):
        async def fail():
            raise ValueError("x")

        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        self.addCleanup(loop.set_debug, False)
        asyncio.create_task(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ((_, name, _),) = await self.failures(1)
        self.assertIn("made in test_tasks.py, line ", name)


class Chores(SceneCase):
    async def test_many_tasks_are_told_of_once(self):
        async def forever():
            await asyncio.get_running_loop().create_future()

        self.addCleanup(setattr, tasks, "_many", tasks._many)
        tasks._many = 50
        kept = [asyncio.create_task(forever()) for _ in range(60)]
        await asyncio.sleep(0)
        for _ in range(3):
            self.assertGreaterEqual(tasks.chores(False), 60)
        told = [text for _, _, text in fake_host.logged if "have not ended" in text]
        self.assertEqual(len(told), 1)
        self.assertIn("60 of Chores.test_many_tasks", told[0])
        for task in kept:
            task.cancel()

    async def test_garbage_that_has_grown_old_goes_when_the_scene_is_quiet(self):
        self.load("a = 1\n")

        class Player:
            pass

        player = Player()
        player.itself = player
        gone = weakref.ref(player)
        gc.collect(1)
        del player
        gc.collect(1)
        tasks.chores(False)
        self.assertIsNotNone(gone())
        tasks.chores(True)
        self.assertIsNone(gone())
