"""Services: who serves what, and calls."""

import enum

import ffext

from . import fake_host
from .case import SceneCase


class Services(SceneCase):
    async def test_functions_are_served_and_go_with_their_module(self):
        main = self.load(
            """
            import ffext
            @ffext.reg_service(200)
            def one(message): return 1
            @ffext.reg_service(0, bytes)
            async def raw(body): return body
            """
        )
        self.assertEqual(fake_host.served, {200: main.one, 0: main.raw})
        one = main.one
        self.load("import ffext\n@ffext.reg_service(201)\ndef one(message): return 2\n")
        self.assertEqual(fake_host.served, {201: one})
        self.assertEqual(one(None), 2)
        self.refuse("import ffext\nffext.reg_service(202)(print)\n1 / 0\n")
        self.assertEqual(fake_host.served, {201: one})

    async def test_commands_of_frames_are_others(self):
        main = self.load(
            """
            import ffext
            @ffext.reg_service(7)
            def service(message): pass
            @ffext.session_call(7)
            def frame(session, message): pass
            """
        )
        self.assertEqual(fake_host.served, {7: main.service})
        self.assertEqual(fake_host.installed, {7: main.frame})

    async def test_a_member_of_an_enumeration_is_its_number(self):
        class Command(enum.IntEnum):
            GREET = 9

        ffext.reg_service(Command.GREET)(print)
        self.assertEqual([*map(type, fake_host.served)], [int])

    async def test_one_command_for_two_is_told_of(self):
        self.load(
            """
            import ffext
            @ffext.reg_service(7)
            def one(message): pass
            @ffext.reg_service(7)
            def two(message): pass
            """
        )
        self.assertIn("main.two takes the place of main.one", fake_host.logged[-1][2])

    async def test_what_is_no_command_no_type_or_no_function_is_refused(self):
        for cmd in (-1, 65536, True, "200", 2.0, None):
            with self.subTest(cmd), self.assertRaises(ValueError):
                ffext.reg_service(cmd)
        with self.assertRaises(ValueError):
            ffext.reg_service(1, "xml")
        with self.assertRaises(TypeError):
            ffext.reg_service(1)("print")

    async def test_decorators_without_parentheses_say_what_to_write(self):
        def greet(message):
            pass

        for decorator in (ffext.reg_service, ffext.session_call, ffext.bind_event):
            with self.assertRaises(ValueError) as raised:
                decorator(greet)
            self.assertIn(f"write @ffext.{decorator.__name__}(", str(raised.exception))
            self.assertIn("above greet()", str(raised.exception))

    async def test_another_group_is_called_with_or_without_a_name(self):
        awaited = ffext.bridge_call("GroupB", 7, [1], timeout=2)
        told = []
        callback = lambda *arguments: told.append(arguments)
        self.assertIsNone(ffext.bridge_call_service("GroupB", "db@0", 8, None, callback, bytes))
        (first, answer), (second, refusal) = fake_host.bridge_calls
        self.assertEqual(first, ("GroupB", None, 7, [1], "json", 2))
        self.assertEqual(second, ("GroupB", "db@0", 8, None, None, None))
        answer.set_result("done")
        refusal.set_exception(ffext.CallError("forbidden", "not yours"))
        self.assertEqual(await awaited, "done")
        await self.settle(lambda: told)
        self.assertEqual([(str(error), error.kind, answer) for error, answer in told],
                         [("not yours", "forbidden", None)])
        self.assertIsNone(ffext.caller())
        with self.assertRaises(ValueError):
            ffext.bridge_call_service("GroupB", None, 8)
        with self.assertRaises(ValueError):
            ffext.bridge_call("GroupB", 1, None, None, "xml")
