"""What ``sys.modules`` says while a source is run, and after it has failed."""

import asyncio
import sys

import ffext

from . import fake_host
from .case import SceneCase


class Modules(SceneCase):
    async def test_a_module_that_the_new_source_imports_finds_the_new_source(self):
        main = self.load("a = 1\n")
        self.write("import main\nfrom main import Base, f\nclass X(main.Base): pass\n", "helper")
        self.load("class Base: pass\ndef f(): return 1\nimport helper\n")
        helper = main.helper
        self.assertIs(sys.modules["main"], main)
        self.assertIs(helper.main, main)
        self.assertIs(helper.Base, main.Base)
        self.assertIs(helper.f, main.f)
        self.assertIsInstance(helper.X(), main.Base)
        base = main.Base
        self.load("class Base:\n    x = 2\ndef f(): return 2\nimport helper\n")
        self.assertIs(main.Base, base)
        self.assertEqual((helper.X().x, helper.f(), helper.main.f()), (2, 2, 2))

    async def test_a_module_that_imports_itself_has_itself(self):
        main = self.load("a = 1\n")
        self.load("import main as me\nheld = [me]\ndef f(): return me\n")
        self.assertIs(main.me, main)
        self.assertIs(main.held[0], main)
        self.assertIs(main.f(), main)

    async def test_dataclasses_look_names_up_in_the_new_source(self):
        main = self.load("a = 1\n")
        self.load(
            """
            from __future__ import annotations
            from dataclasses import dataclass
            from typing import ClassVar
            @dataclass
            class A:
                x: int
                all: ClassVar[dict] = {}
            """
        )
        self.assertEqual(repr(main.A(1)), "A(x=1)")

    async def test_a_failed_load_leaves_the_module_in_its_place(self):
        main = self.load("a = 1\n")
        self.refuse("import main\nassert not hasattr(main, 'a')\n1/0\n")
        self.assertIs(sys.modules["main"], main)

    async def test_a_module_in_a_package_stays_its_packages_own(self):
        (self.folder / "rules").mkdir()
        self.write("", "rules/__init__")
        self.write("a = 1\n", "rules/chat")
        main = self.load("import rules.chat\n")
        chat = main.rules.chat
        self.write("import rules.chat\nfrom rules import chat as me\na = me.b = 2\n", "rules/chat")
        self.assertTrue(ffext.reload("rules.chat"))
        self.assertIs(main.rules.chat, chat)
        self.assertIs(sys.modules["rules.chat"], chat)
        self.assertEqual((chat.a, chat.b), (2, 2))

    async def test_a_module_that_a_failed_load_has_imported_anew_is_the_one_before(self):
        (self.folder / "rules").mkdir()
        self.write("", "rules/__init__")
        handler = "import ffext\n@ffext.session_call({})\ndef f(s, m): pass\n"
        self.write(handler.format(5), "helper")
        self.write(handler.format(6), "rules/chat")
        main = self.load("import helper, rules.chat\n")
        helper, chat = main.helper, main.rules.chat
        self.refuse(
            """
            import sys
            del sys.modules['helper'], sys.modules['rules.chat']
            import helper, rules.chat
            1/0
            """
        )
        self.assertIs(sys.modules["helper"], helper)
        self.assertIs(sys.modules["rules.chat"], chat)
        self.assertIs(main.rules.chat, chat)
        self.assertEqual(fake_host.installed, {5: helper.f, 6: chat.f})

    async def test_a_module_that_a_failed_load_has_thrown_out_is_back(self):
        self.write("", "helper")
        main = self.load("import helper\n")
        self.refuse("import sys\ndel sys.modules['helper']\n1/0\n")
        self.assertIs(sys.modules["helper"], main.helper)

    async def test_handlers_of_a_module_whose_import_fails_in_a_handler_are_taken_back(self):
        lazy = """
            import ffext
            @ffext.session_call(5)
            def f(s, m): pass
            ffext.once_timer(10, lambda: ffext.session_call(6)(f))
            {}
        """
        self.write(lazy.format("1/0"), "lazy")
        main = self.load("def handler():\n    import lazy\n")
        with self.assertRaises(ZeroDivisionError):
            main.handler()
        await asyncio.sleep(0.03)
        self.assertEqual(fake_host.installed, {})
        self.write(lazy.format(""), "lazy")
        main.handler()
        await self.settle(lambda: 6 in fake_host.installed)
        self.assertIn(5, fake_host.installed)

    async def test_a_module_that_was_exchanged_for_something_else_is_refused(self):
        main = self.load("import sys\nsys.modules['main'] = 5\n")
        self.assertIn("is no module", self.refuse("a = 1\n"))
        self.assertFalse(ffext.registry.registry.staging)
        self.assertFalse(hasattr(main, "a"))
