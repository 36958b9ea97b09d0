"""What the design promises of a reload: each promise is a test of its name."""

import asyncio
import builtins
import functools
import textwrap

from . import fake_host
from .case import SceneCase

import ffext
from ffext.asks import finish
from ffext.registry import registry


class Guarantees(SceneCase):
    def again(self, source, first, second):
        """Loads a script twice, with another text in the place of ``@@``; returns
        what its function ``hold()`` has returned in between."""
        source = "import ffext\n" + textwrap.dedent(source)
        main = self.load(source.replace("@@", first))
        self.held = main.hold()
        self.load(source.replace("@@", second))
        self.main = main
        return self.held

    def nothing_kept(self):
        self.assertEqual(self.result.kept, ())

    async def test_a_bound_method_held_by_a_pending_timer_runs_the_new_code(self):
        self.again(
            """
            said = []
            class Boss:
                def roar(self): said.append('@@')
            def hold():
                ffext.once_timer(1, Boss().roar)
            """,
            "old",
            "new",
        )
        self.main.said.clear()
        await self.settle(lambda: self.main.said)
        self.assertEqual(self.main.said, ["new"])

    async def test_a_closure_queued_before_the_reload_runs_the_new_code(self):
        held = self.again(
            """
            def hold(name='ann'):
                return lambda: name + ' @@'
            """,
            "old",
            "new",
        )
        self.assertEqual(held(), "ann new")
        self.nothing_kept()

    async def test_a_closure_whose_free_variables_differ_is_kept_and_reported(self):
        held = self.again(
            """
            def hold(name='ann', title='Dr'):
                return lambda: (@@)
            """,
            "name",
            "title, name",
        )
        self.assertEqual(held(), "ann")
        self.assertEqual(self.result.kept, ("hold.<locals>.<lambda>",))

    async def test_an_instance_created_before_has_the_new_methods(self):
        held = self.again(
            """
            class Player:
                def __init__(self): self.hits = 3
                @@
            def hold(): return Player()
            """,
            "pass",
            "def heal(self): return self.hits + 1",
        )
        self.assertEqual(held.heal(), 4)
        self.nothing_kept()

    async def test_handlers_that_the_source_does_not_have_any_more_are_gone(self):
        self.load("import ffext\n@ffext.session_call(1)\ndef f(s, m): pass\n")
        self.load("import ffext\n@ffext.session_call(2)\ndef f(s, m): pass\n")
        self.assertEqual(list(fake_host.installed), [2])

    async def test_a_class_that_changes_its_base_has_it_in_its_objects(self):
        held = self.again(
            """
            class Walker:
                def move(self): return 'walks'
            class Flyer:
                def move(self): return 'flies'
            class Bird(@@): pass
            def hold(): return Bird()
            """,
            "Walker",
            "Flyer",
        )
        self.assertEqual(held.move(), "flies")
        self.assertIs(type(held), self.main.Bird)
        self.nothing_kept()

    async def test_a_class_that_gets_a_base_or_loses_it_moves_its_objects(self):
        source = """
            class Named:
                def name(self): return 'named'
            class Thing(@@): pass
            def hold(): return Thing()
        """
        self.assertEqual(self.again(source, "object", "Named").name(), "named")
        self.assertIs(type(self.held), self.main.Thing)
        self.nothing_kept()
        held = self.again(source, "Named", "object")
        self.assertFalse(hasattr(held, "name"))

    async def test_timers_of_the_import_run_once_after_ten_reloads(self):
        source = "import ffext, builtins\ndef tick(): builtins.ticks += 1\n"
        source += "ffext.once_timer(5, tick)\nended = []\nffext.once_timer(30, lambda: ended.append(1))\n"
        builtins.ticks = 0
        self.addCleanup(delattr, builtins, "ticks")
        for n in range(11):
            main = self.load(source + f"n = {n}\n")
        await self.settle(lambda: main.ended)
        self.assertEqual(builtins.ticks, 1)

    async def test_an_interval_of_the_import_runs_once_after_ten_reloads(self):
        source = "import ffext, builtins\nffext.interval(4, lambda: builtins.ticks.append({0}))\n"
        builtins.ticks = []
        self.addCleanup(delattr, builtins, "ticks")
        for n in range(11):
            self.load(source.format(n))
        await self.settle(lambda: len(builtins.ticks) >= 3)
        self.assertEqual(set(builtins.ticks), {10})

    async def test_an_interval_of_a_handler_runs_the_new_code(self):
        self.again(
            """
            said = []
            def tick(): said.append('@@')
            def hold(): return ffext.interval(2, tick)
            """,
            "old",
            "new",
        )
        self.main.said.clear()
        await self.settle(lambda: len(self.main.said) > 1)
        self.held.cancel()
        self.assertEqual(set(self.main.said), {"new"})

    async def test_a_callback_of_something_asked_runs_the_new_code(self):
        self.again(
            """
            said = []
            def hold():
                def done(error, value): said.append((str(error), value, '@@'))
                return done
            """,
            "old",
            "new",
        )
        asked = asyncio.get_running_loop().create_future()
        finish(asked, self.held)
        asked.set_result(7)
        await self.settle(lambda: self.main.said)
        self.assertEqual(self.main.said, [("", 7, "new")])

    async def test_listeners_of_events_run_the_new_code_and_old_ones_are_gone(self):
        source = """
            import ffext
            said = []
            @ffext.bind_event('hit')
            def on_hit(points): said.append((points, {0}))
        """
        main = self.load(source.format(1))
        main = self.load(source.format(2))
        ffext.post("hit", 5)
        await asyncio.sleep(0)
        self.assertEqual(main.said, [(5, 2)])
        self.load("import ffext\nsaid = []\n")
        ffext.post("hit", 5)
        await asyncio.sleep(0)
        self.assertEqual(main.said, [])

    async def test_a_listener_that_a_handler_has_bound_runs_the_new_code(self):
        self.again(
            """
            said = []
            def hold():
                class Room:
                    def on_hit(self, points): said.append((points, '@@'))
                room = Room()
                ffext.bind_event('room hit')(room.on_hit)
                return room
            """,
            "old",
            "new",
        )
        ffext.post("room hit", 1)
        await asyncio.sleep(0)
        # The class was made by a call: only its functions can be told apart.
        self.assertEqual(self.main.said, [(1, "new")])

    async def test_a_service_runs_the_new_code_and_one_that_was_removed_is_gone(self):
        def served():
            return {
                cmd: call.function
                for module in registry._modules.values()
                for cmd, call in module.services.items()
            }

        source = "import ffext\n@ffext.reg_service({})\ndef f(message): return {}\n"
        main = self.load(source.format(200, 1))
        held = main.f
        self.load(source.format(200, 2))
        self.assertIs(served()[200], held)
        self.assertEqual(held(None), 2)
        self.load(source.format(201, 3))
        self.assertEqual(list(served()), [201])

    async def test_an_async_generator_that_is_under_way_goes_on_as_old_code(self):
        held = self.again(
            """
            def word(): return '@@'
            async def words():
                while True:
                    yield '@@', word()
            def hold(): return words()
            """,
            "old",
            "new",
        )
        # What it calls is new; it itself is in the middle of old code, as any
        # function that is running.
        self.assertEqual(await anext(held), ("old", "new"))
        self.assertEqual(await anext(self.main.words()), ("new", "new"))

    async def test_a_generator_that_has_begun_calls_new_functions(self):
        held = self.again(
            """
            def word(): return '@@'
            def words():
                while True: yield word()
            def hold():
                begun = words()
                next(begun)
                return begun
            """,
            "old",
            "new",
        )
        self.assertEqual(next(held), "new")

    async def test_decorated_functions_with_arguments_run_the_new_code(self):
        held = self.again(
            """
            import functools
            def times(count):
                def decorate(function):
                    @functools.wraps(function)
                    def wrapper(*arguments): return [function(*arguments)] * count
                    return wrapper
                return decorate
            @times(@@)
            def f(): return '@@'
            def hold(): return f
            """,
            "2",
            "3",
        )
        self.assertEqual(held(), ["3"] * 3)
        self.nothing_kept()

    async def test_a_decorator_that_is_a_class_calls_the_new_code(self):
        held = self.again(
            """
            class Counted:
                def __init__(self, function): self.function, self.count = function, 0
                def __call__(self): self.count += 1; return self.function()
            @Counted
            def f(): return '@@'
            def hold(): f(); return f
            """,
            "old",
            "new",
        )
        # The object of before is held by others; its function is the same one.
        self.assertEqual((held(), self.main.f()), ("new", "new"))

    async def test_partials_call_the_new_code_with_their_arguments(self):
        held = self.again(
            """
            import functools
            class Player:
                def say(self, text): return f'{text} @@'
            def f(a, b): return a, b, '@@'
            def hold():
                return functools.partial(f, 1, b=2), functools.partial(Player().say, 'hi')
            """,
            "old",
            "new",
        )
        self.assertEqual((held[0](), held[1]()), ((1, 2, "new"), "hi new"))
        self.nothing_kept()

    async def test_a_partial_of_a_class_makes_objects_of_the_class_of_now(self):
        source = "import functools\nclass P:\n    __slots__ = {0}\n"
        source += "def hold(*classes): return functools.partial(list, classes)\n"
        main = self.load(source.format("('a',)"))
        held = [functools.partial(main.P), functools.partial(isinstance, None, main.P)]
        # Other slots: the class cannot take it over, and another takes its place.
        self.load(source.format("('a', 'b')"))
        self.assertIs(held[0].func, main.P)
        self.assertIs(held[1].args[1], main.P)

    async def test_dataclasses_have_new_methods_and_new_fields_have_their_defaults(self):
        held = self.again(
            """
            import dataclasses
            @dataclasses.dataclass
            class Item:
                name: str = 'sword'
                @@
                def show(self): return f'{self.name} @@'
            def hold(): return Item('axe')
            """,
            "weight: int = 1",
            "price: int = 5",
        )
        self.assertEqual(held.show(), "axe price: int = 5")
        self.assertEqual((held.price, held.weight), (5, 1))
        self.assertEqual(self.main.Item("bow", 2).price, 2)
        self.assertEqual(repr(held), "Item(name='axe', price=5)")
        self.nothing_kept()

    async def test_frozen_dataclasses_with_slots_are_kept_or_moved_by_name(self):
        source = """
            import dataclasses
            @dataclasses.dataclass(frozen=True, slots=True)
            class Point:
                x: int
                def show(self): return f'{self.x} @@'
            def hold(): return Point(1)
        """
        held = self.again(source, "old", "new")
        self.assertEqual(held.show(), "1 new")
        self.assertIs(type(held), self.main.Point)
        self.nothing_kept()

    async def test_members_of_enumerations_stay_who_they_are(self):
        held = self.again(
            """
            import enum
            class Kind(enum.Enum):
                ORC = 1
                ELF = 2
                @@
                def greet(self): return f'{self.name} @@'
            def hold(): return {Kind.ORC: 'held'}
            """,
            "",
            "DWARF = 3",
        )
        Kind = self.main.Kind
        self.assertEqual(held[Kind.ORC], "held")
        self.assertEqual(next(iter(held)).greet(), "ORC DWARF = 3")
        self.assertEqual([kind.name for kind in Kind], ["ORC", "ELF", "DWARF"])
        self.assertIs(Kind(3), Kind.DWARF)
        self.nothing_kept()

    async def test_properties_static_and_class_methods_run_the_new_code(self):
        held = self.again(
            """
            class Thing:
                @property
                def state(self): return '@@'
                @staticmethod
                def make(): return '@@'
                @classmethod
                def kind(cls): return cls.__name__ + ' @@'
            def hold():
                thing = Thing()
                return thing, thing.make, thing.kind, Thing.make
            """,
            "old",
            "new",
        )
        thing, make, kind, of_class = held
        seen = thing.state, make(), kind(), of_class(), thing.kind()
        self.assertEqual(seen, ("new", "new", "Thing new", "new", "Thing new"))
        self.nothing_kept()

    async def test_a_property_that_becomes_a_method_and_the_reverse(self):
        source = """
            class Thing:
                @@
                def state(self): return 1
            def hold(): return Thing()
        """
        self.assertEqual(self.again(source, "@property", "").state(), 1)
        self.assertEqual(self.again(source, "", "@property").state, 1)

    async def test_objects_with_slots_have_the_new_methods(self):
        held = self.again(
            """
            class Point:
                __slots__ = ('x',)
                def __init__(self): self.x = 1
                def show(self): return self.x, '@@'
            def hold(): return Point()
            """,
            "old",
            "new",
        )
        self.assertEqual(held.show(), (1, "new"))
        self.nothing_kept()

    async def test_objects_whose_slots_change_are_kept_and_reported(self):
        held = self.again(
            """
            class Point:
                __slots__ = @@
                def show(self): return @@
            def hold(): return Point()
            """,
            "('x',)",
            "('x', 'y')",
        )
        self.assertIsNot(type(held), self.main.Point)
        self.assertEqual(self.result.kept, ("Point (live objects keep the old class)",))
        self.assertEqual(held.show(), ("x",))

    async def test_super_finds_the_method_of_the_base_of_now(self):
        held = self.again(
            """
            class Old:
                def name(self): return 'old'
            class New:
                def name(self): return 'new'
            class Thing(@@):
                def name(self): return 'thing of ' + super().name()
                def cls(self): return __class__
            def hold():
                thing = Thing()
                return thing, thing.name
            """,
            "Old",
            "New",
        )
        thing, name = held
        self.assertEqual((thing.name(), name()), ("thing of new",) * 2)
        self.assertIs(thing.cls(), self.main.Thing)
        self.nothing_kept()

    async def test_super_that_is_new_in_a_method_works_in_methods_that_are_held(self):
        held = self.again(
            """
            class Base:
                def name(self): return 'base'
            class Thing(Base):
                def name(self): return @@
            def hold(): return Thing().name
            """,
            "'plain'",
            "'super ' + super().name()",
        )
        self.assertEqual(held(), "super base")

    async def test_a_snapshot_function_that_is_held_is_the_one_of_now(self):
        source = "import ffext\n@ffext.snapshot(version={0})\ndef save(): return {0}\n"
        main = self.load(source.format(1))
        held = main.save
        self.load(source.format(2))
        self.assertEqual(registry.keeper("snapshot"), (held, 2))
        self.assertEqual(held(), 2)
        self.load("import ffext\n")
        self.assertEqual(registry.keeper("snapshot"), (None, None))
