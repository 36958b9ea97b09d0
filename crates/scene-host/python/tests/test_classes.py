"""Classes are replaced under their objects."""

import gc
import sys

import ffext

from .case import SceneCase


class Classes(SceneCase):
    async def test_live_objects_run_new_methods(self):
        main = self.load(
            """
            class Player:
                kind = 'old'
                def __init__(self, name):
                    self.name = name
                def greet(self):
                    return 'hi ' + self.name
                def goes(self):
                    pass
            """
        )
        player, cls = main.Player("ann"), main.Player
        greet = player.greet
        self.load(
            """
            class Player:
                kind = 'new'
                def __init__(self, name):
                    self.name = name
                def greet(self):
                    return 'hello ' + self.name
                @property
                def title(self):
                    return self.name.title()
                @staticmethod
                def rules():
                    return 1
                @classmethod
                def make(cls):
                    return cls('made')
            """
        )
        self.assertIs(main.Player, cls)
        self.assertEqual((player.greet(), greet()), ("hello ann", "hello ann"))
        self.assertEqual((player.title, player.kind, player.rules()), ("Ann", "new", 1))
        self.assertIs(type(player.make()), cls)
        self.assertFalse(hasattr(player, "goes"))
        self.assertEqual(self.result.kept, ())

    async def test_properties_and_static_and_class_methods_are_replaced(self):
        source = """
            class A:
                @property
                def p(self): return {0}
                @p.setter
                def p(self, value): self.set = {0}
                @staticmethod
                def s(): return {0}
                @classmethod
                def c(cls): return {0}
        """
        main = self.load(source.format(1))
        a = main.A()
        s, c = a.s, a.c
        self.load(source.format(2))
        a.p = None
        self.assertEqual((a.p, a.set, a.s(), a.c(), s(), c()), (2,) * 6)

    async def test_a_method_may_begin_to_use_super_under_a_held_bound_method(self):
        main = self.load(
            "class B:\n    def f(self): return 'b'\n"
            "class A(B):\n    def f(self): return 'a'\n"
        )
        held = main.A().f
        self.load(
            "class B:\n    def f(self): return 'B'\n"
            "class A(B):\n    def f(self): return 'A' + super().f()\n"
            "    def g(self): return __class__\n"
        )
        self.assertEqual(held(), "AB")
        self.assertIs(main.A().g(), main.A)
        self.assertEqual(self.result.kept, ())

    async def test_a_new_base_class_reaches_live_objects(self):
        main = self.load("class A:\n    def f(self): return 'a'\n")
        a, held = main.A(), main.A().f
        self.load(
            "class Base:\n    def g(self): return 'g'\n"
            "class A(Base):\n    def f(self): return 'A' + self.g() + super().g()\n"
        )
        self.assertIs(type(a), main.A)
        self.assertEqual((a.f(), held()), ("Agg", "Agg"))
        self.assertIsInstance(a, main.Base)
        self.assertEqual(self.result.kept, ())
        self.load("class A:\n    def f(self): return 'alone'\n")
        self.assertEqual((a.f(), held()), ("alone", "alone"))
        self.assertIs(type(a), main.A)

    async def test_other_modules_and_subclasses_see_a_class_whose_base_changed(self):
        self.write("import main\nclass Theirs(main.A):\n    pass\nfrom main import A\n", "helper")
        main = self.load("class A:\n    def f(self): return 'a'\n")
        import helper

        theirs = helper.Theirs()
        self.load(
            "class Base:\n    def g(self): return 'g'\n"
            "class A(Base):\n    def f(self): return self.g()\n"
        )
        self.assertIs(helper.A, main.A)
        self.assertIsInstance(theirs, main.A)
        self.assertEqual(theirs.f(), "g")

    async def test_a_base_that_is_exchanged_is_exchanged_in_place(self):
        bases = "class B:\n    def f(self): return 'b'\nclass C:\n    def f(self): return 'c'\n"
        main = self.load(bases + "class A(B): pass\n")
        a, cls = main.A(), main.A
        self.load(bases + "class A(C): pass\n")
        self.assertIs(main.A, cls)
        self.assertEqual(a.f(), "c")

    async def test_new_subclasses_have_the_base_that_stays(self):
        main = self.load("class A:\n    pass\n")
        cls = main.A
        self.load("class A:\n    pass\nclass B(A):\n    pass\nclass C(B):\n    pass\n")
        self.assertEqual(main.C.__mro__, (main.C, main.B, cls, object))
        self.assertEqual(cls.__subclasses__(), [main.B])

    async def test_a_discarded_class_is_no_subclass_of_a_foreign_base(self):
        self.write("class Plugin:\n    pass\n", "helper")
        main = self.load("from helper import Plugin\nclass Mine(Plugin):\n    pass\n")
        self.load("from helper import Plugin\nclass Mine(Plugin):\n    x = 1\n")
        self.assertEqual(main.Plugin.__subclasses__(), [main.Mine])

    async def test_objects_and_containers_made_while_loading_are_of_the_class_that_stays(self):
        source = """
            class Item:
                def __init__(self, value): self.value = value
            default = Item({0})
            types = {{'item': Item}}
            kinds = (Item, [Item])
            by_class = {{Item: {0}}}
            def make(cls=Item): return cls({0})
            class Holder:
                cls = Item
                def __init__(self): self.item = Item
            holder = Holder()
        """
        main = self.load(source.format(1))
        item = main.Item
        self.load(source.format(2))
        self.assertIs(main.Item, item)
        self.assertIs(type(main.default), item)
        self.assertIs(main.types["item"], item)
        self.assertIs(main.kinds[0], item)
        self.assertIs(main.kinds[1][0], item)
        self.assertEqual(main.by_class[item], 2)
        self.assertIs(type(main.make()), item)
        self.assertIs(main.Holder.cls, item)
        self.assertIs(main.holder.item, item)
        self.assertEqual(self.result.kept, ())

    async def test_singletons_keep_their_state(self):
        source = """
            import ffext
            class Rooms:
                def __init__(self): self.rooms = []
                def count(self): return {}
            def rooms(): return ffext.singleton(Rooms)
        """
        main = self.load(source.format("len(self.rooms)"))
        rooms = main.rooms()
        rooms.rooms.append("hall")
        self.load(source.format("len(self.rooms) * 10"))
        self.assertIs(main.rooms(), rooms)
        self.assertEqual(main.rooms().count(), 10)

    async def test_singletons_of_classes_of_one_name_are_two(self):
        self.write("class Thing:\n    pass\n", "helper")
        main = self.load("import helper\nclass Thing:\n    class Thing:\n        pass\n")
        one = ffext.singleton(main.Thing)
        other = ffext.singleton(main.helper.Thing)
        inner = ffext.singleton(main.Thing.Thing)
        self.assertEqual(len({id(one), id(other), id(inner)}), 3)
        self.assertIs(type(one), main.Thing)
        with self.assertRaises(TypeError):
            ffext.singleton("main.Thing")

    async def test_slots_that_stay_are_replaced_in_place(self):
        source = "class P:\n    __slots__ = ('x', 'y')\n    def f(self): return {}\n"
        main = self.load(source.format(1))
        p = main.P()
        p.x = 5
        self.load(source.format("self.x"))
        self.assertEqual(p.f(), 5)
        self.assertIs(type(p), main.P)

    async def test_slots_that_changed_keep_live_objects_as_they_were(self):
        main = self.load("class P:\n    __slots__ = ('x',)\n    def f(self): return 'old'\n")
        p = main.P()
        self.load("class P:\n    __slots__ = ('x', 'y')\n    def f(self): return self.y\n")
        self.assertEqual(p.f(), "old")
        self.assertEqual(self.result.kept, ("P (live objects keep the old class)",))
        fresh = main.P()
        fresh.y = 1
        self.assertEqual(fresh.f(), 1)

    async def test_slots_that_changed_matter_not_where_there_are_no_objects(self):
        self.load("class P:\n    __slots__ = ('x',)\n")
        self.load("class P:\n    __slots__ = ('x', 'y')\n")
        self.assertEqual(self.result.kept, ())

    async def test_dataclasses_get_new_fields(self):
        source = """
            from dataclasses import dataclass, field
            @dataclass
            class Item:
                name: str
                {}
        """
        main = self.load(source.format("price: int = 1"))
        item, cls = main.Item("a"), main.Item
        self.load(source.format("price: int = 1\n                weight: int = 5"))
        self.assertIs(main.Item, cls)
        self.assertEqual(repr(main.Item("b")), "Item(name='b', price=1, weight=5)")
        self.assertEqual(item.weight, 5)
        self.assertEqual(main.Item("a"), item)
        self.assertEqual(self.result.kept, ())

    async def test_slotted_and_frozen_dataclasses_are_replaced(self):
        source = """
            from dataclasses import dataclass
            @dataclass(frozen=True, slots=True)
            class Point:
                x: int
                y: int = 0
                def sum(self): return self.x + self.y + {}
        """
        main = self.load(source.format(0))
        point = main.Point(1)
        self.load(source.format(100))
        self.assertEqual(point.sum(), 101)
        self.assertEqual(main.Point(1), point)

    async def test_enumerations_keep_their_members_and_get_new_ones(self):
        main = self.load(
            """
            import enum
            class State(enum.Enum):
                IDLE = 1
                GONE = 2
                MOVED = 3
                def loud(self): return self.name
            """
        )
        idle, state = main.State.IDLE, main.State
        self.load(
            """
            import enum
            class State(enum.Enum):
                BUSY = 0
                IDLE = 1
                MOVED = 4
                def loud(self): return self.name + '!'
            default = State.IDLE
            names = {State.IDLE: 'idle', State.BUSY: 'busy'}
            def f(state=State.IDLE): return state
            """
        )
        self.assertIs(main.State, state)
        self.assertIs(main.State.IDLE, idle)
        self.assertIs(main.default, idle)
        self.assertIs(main.f(), idle)
        self.assertEqual(main.names[idle], "idle")
        self.assertEqual(idle.loud(), "IDLE!")
        self.assertIs(main.State(1), idle)
        self.assertIs(main.State(0), main.State.BUSY)
        self.assertIsInstance(main.State.BUSY, state)
        self.assertEqual([one.name for one in main.State], ["BUSY", "IDLE", "MOVED"])
        self.assertFalse(hasattr(main.State, "GONE"))
        self.assertEqual(self.result.kept, ("State.MOVED (its value changed)",))

    async def test_number_enumerations_and_flags_get_new_members(self):
        source = """
            import enum
            class Cmd(enum.IntEnum):
                CHAT = 1
                {0}
            class Right(enum.Flag):
                READ = 1
                WRITE = 2
                {1}
        """
        main = self.load(source.format("", ""))
        chat, both = main.Cmd.CHAT, main.Right.READ | main.Right.WRITE
        self.load(source.format("MOVE = 2", "ALL = 4"))
        self.assertIs(main.Cmd(1), chat)
        self.assertEqual(main.Cmd.MOVE, 2)
        self.assertIsInstance(main.Cmd.MOVE, main.Cmd)
        self.assertIs(main.Right.READ | main.Right.WRITE, both)
        self.assertIn(main.Right.READ, both | main.Right.ALL)
        self.assertEqual(self.result.kept, ())

    async def test_metaclasses_are_replaced_too(self):
        source = """
            class Meta(type):
                def tag(cls): return {}
            class A(metaclass=Meta):
                def f(self): return {}
        """
        main = self.load(source.format(1, 1))
        a, cls = main.A(), main.A
        self.load(source.format(2, 2))
        self.assertIs(main.A, cls)
        self.assertEqual((a.f(), cls.tag()), (2, 2))
        self.assertEqual(self.result.kept, ())

    async def test_abstract_classes_stay_abstract(self):
        source = """
            import abc
            class Base(abc.ABC):
                @abc.abstractmethod
                def f(self): ...
                {}
            class A(Base):
                def f(self): return {}
        """
        main = self.load(source.format("", 1))
        a = main.A()
        self.load(source.format("def g(self): return 'g'", 2))
        self.assertEqual((a.f(), a.g()), (2, "g"))
        self.assertIsInstance(a, main.Base)
        with self.assertRaises(TypeError):
            main.Base()

    async def test_classes_inside_classes_are_replaced(self):
        source = "class A:\n    class B:\n        def f(self): return {}\n"
        main = self.load(source.format(1))
        b = main.A.B()
        self.load(source.format(2))
        self.assertEqual(b.f(), 2)
        self.assertIs(type(b), main.A.B)

    async def test_named_tuples_are_replaced(self):
        source = """
            from typing import NamedTuple
            class P(NamedTuple):
                x: int
                def f(self): return {}
        """
        main = self.load(source.format(1))
        p = main.P(1)
        self.load(source.format("self.x * 2"))
        self.assertEqual(p.f(), 2)
        self.assertEqual(main.P(3).f(), 6)

    async def test_attributes_set_later_on_a_class_are_removed_only_if_defined(self):
        main = self.load("class A:\n    x = 1\n    y = 1\n")
        self.load("class A:\n    x = 2\n")
        self.assertEqual(main.A.x, 2)
        self.assertFalse(hasattr(main.A, "y"))

    async def test_attributes_that_the_script_has_set_on_a_class_stay(self):
        source = "class Room:\n    class Inner: pass\n    limit = {}\n{}"
        main = self.load(source.format(1, "    gone = 1\n"))
        main.Room.db = main.Room.Inner.db = "connection"
        main.Room.check = staticmethod(lambda: "checked")
        for turn in (2, 3):
            self.load(source.format(turn, ""))
            self.assertEqual((main.Room.db, main.Room.Inner.db), ("connection",) * 2)
            self.assertEqual((main.Room.limit, main.Room.check()), (turn, "checked"))
            self.assertFalse(hasattr(main.Room, "gone"))

    async def test_attributes_that_were_set_on_a_class_that_is_exchanged_stay(self):
        main = self.load("class P:\n    __slots__ = ('x',)\n    gone = 1\n")
        main.P.db = "connection"
        before = main.P
        self.load("class P:\n    __slots__ = ('x', 'y')\n")
        self.assertIsNot(main.P, before)
        self.assertEqual(main.P.db, "connection")
        self.assertFalse(hasattr(main.P, "gone"))

    async def test_attributes_of_a_class_that_was_only_imported_before_stay(self):
        self.write("class Room:\n    def goes(self): pass\n    limit = 1\n", "helper")
        room = self.load("import helper\n").helper.Room
        room.db = "connection"
        self.load("class Room:\n    limit = 2\n", "helper")
        self.assertEqual((room.db, room.limit), ("connection", 2))
        self.assertFalse(hasattr(room, "goes"))

    async def test_classes_that_others_import_are_not_touched(self):
        self.write("class Theirs:\n    def f(self): return 'theirs'\n", "helper")
        main = self.load("from helper import Theirs\n")
        theirs = main.Theirs()
        self.load("class Theirs:\n    def f(self): return 'mine'\n")
        self.assertEqual(theirs.f(), "theirs")
        self.assertEqual(main.Theirs().f(), "mine")

    async def test_loading_a_hundred_times_leaves_nothing_behind(self):
        source = """
            import ffext, enum, dataclasses, functools
            class A:
                def f(self): return {0}
            class B(A):
                def f(self): return super().f()
            class State(enum.Enum):
                X = 1
            @dataclasses.dataclass
            class D:
                x: int = {0}
            @ffext.session_call(1)
            def f(session, message): return {0}
            table = {{'f': f, 'a': A}}
        """
        main = self.load(source.format(0))
        a = main.B()

        def count():
            gc.collect()
            gc.unfreeze()
            return len(gc.get_objects())

        for turn in range(10):
            self.load(source.format(turn))
        before = count()
        for turn in range(100):
            self.load(source.format(turn))
            self.assertEqual(a.f(), turn)
        self.assertLess(count() - before, 120)
