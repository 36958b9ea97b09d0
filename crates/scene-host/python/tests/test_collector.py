"""What loads leave to the garbage collector."""

import gc
import weakref

from .case import SceneCase


class Collector(SceneCase):
    async def test_what_is_alive_is_set_aside_after_every_load(self):
        main = self.load("a = 1\n")
        first = gc.get_freeze_count()
        self.load("a = 2\n")
        second = gc.get_freeze_count()
        self.refuse("1/0\n")
        third = gc.get_freeze_count()
        for count in (second, third):
            self.assertGreater(count, first * 0.9)
        self.assertEqual(main.a, 2)

    async def test_garbage_of_what_was_set_aside_goes_with_the_next_load(self):
        main = self.load("class Room: pass\nrooms = []\n")
        room = main.Room()
        room.itself = room
        gone = weakref.ref(room)
        self.load("class Room: pass\nrooms = []\n")
        del room
        self.load("class Room: pass\nrooms = []\n")
        self.assertIsNone(gone())

    async def test_classes_of_a_failed_load_are_no_subclasses_of_a_foreign_base(self):
        self.write("class Plugin:\n    pass\n", "helper")
        main = self.load("from helper import Plugin\nclass Mine(Plugin):\n    pass\n")
        failed = "from helper import Plugin\nclass Mine(Plugin): pass\nclass Other(Plugin): pass\n"
        for end in ("1/0\n", "try:\n    1/0\nexcept Exception as error:\n    held = error\nheld.a()\n"):
            self.refuse(failed + end)
            self.assertEqual(main.Plugin.__subclasses__(), [main.Mine])

    async def test_a_failed_load_within_a_handled_error_leaves_nothing_either(self):
        self.write("class Plugin:\n    pass\n", "helper")
        main = self.load("from helper import Plugin\n")
        try:
            raise ValueError
        except ValueError:
            self.refuse("from helper import Plugin\nclass Other(Plugin): pass\n1/0\n")
            self.assertEqual(main.Plugin.__subclasses__(), [])
