"""A load of everything that has changed, as one."""

import importlib.util
import os
import py_compile
import sys

from . import fake_host
from .case import SceneCase

import ffext
from ffext import loading


class Several(SceneCase):
    def all(self):
        result = ffext.reload()
        self.assertTrue(result, str(result))
        self.result = result
        return result

    def package(self, **files):
        (self.folder / "shop").mkdir(exist_ok=True)
        for name, source in files.items():
            self.write(source, f"shop/{name}")

    async def test_all_that_has_changed_is_loaded_and_nothing_else(self):
        for name in ("one", "two"):
            self.write("loads = []\ndef f():\n    return 1\n", name)
        main = self.load("from one import f\nimport two\none_f, two_f = f, two.f\n")
        one, two = sys.modules["one"], main.two
        one.loads.append("first")
        two.loads.append("first")
        self.write("loads = []\ndef f():\n    return 2\n", "one")
        self.all()
        self.assertEqual(self.result.modules, ("one", "main"))
        self.assertEqual((self.result.module, self.result.version), ("main", 2))
        self.assertIn(", with one", str(self.result))
        self.assertEqual((main.f(), main.one_f(), main.two_f()), (2, 2, 1))
        self.assertEqual((one.loads, two.loads), ([], ["first"]))
        self.all()
        self.assertEqual(self.result.modules, ("main",))
        self.assertEqual(fake_host.loads[-2][0], "one, main")

    async def test_the_hash_is_of_all_own_modules(self):
        self.write("PRICE = 1\n", "one")
        self.load("import one\n")
        first = ffext.version().hash
        self.write("PRICE = 2\n", "one")
        self.all()
        self.assertNotEqual(ffext.version().hash, first)
        self.assertEqual(self.result.hash, ffext.version().hash)
        self.write("PRICE = 1\n", "one")
        self.all()
        self.assertEqual(ffext.version().hash, first)

    async def test_modules_are_loaded_after_those_that_they_import(self):
        names = ("a", "b", "c")
        chain = {"a": "import b\n", "b": "from c import order\n", "c": "order = []\n"}
        for name in names:
            self.write(chain[name], name)
        self.load("import a\n")
        for name in names:
            self.write(chain[name] + f"import c\nc.order.append('{name}')\n", name)
        self.write("import a, c\n")
        result = ffext.reload()
        self.assertEqual(result.modules, ("c", "b", "a", "main"))
        self.assertEqual(sys.modules["c"].order, ["c", "b", "a"])

    async def test_modules_that_import_each_other_are_loaded(self):
        self.write("import right\ndef f():\n    return 1\n", "left")
        self.write("import left\ndef f():\n    return left.f()\n", "right")
        main = self.load("import left, right\n")
        self.write("import right\ndef f():\n    return 2\n", "left")
        self.write("import left\ndef f():\n    return left.f() * 10\n", "right")
        self.all()
        self.assertEqual(main.right.f(), 20)
        self.assertIs(main.right.left, main.left)

    async def test_one_that_fails_leaves_all_as_they_were(self):
        source = "import ffext\nvalue = {0}\ndef f():\n    return {0}\n"
        source += "@ffext.session_call({0})\ndef handle(s, m):\n    return {0}\n"
        for name in ("a", "b"):
            self.write(source.format(1 if name == "a" else 2), name)
        main = self.load("import a, b\nfrom a import f\n")
        installed = dict(fake_host.installed)
        self.write(source.format(11), "a")
        self.write("import a\nassert a.value == 11\nboom\n", "b")
        failed = ffext.reload()
        self.assertFalse(failed)
        self.assertIn("b.py, line 3: NameError", failed.error)
        self.assertEqual((main.a.value, main.f(), main.b.value), (1, 1, 2))
        self.assertIs(sys.modules["a"], main.a)
        self.assertEqual(fake_host.installed, installed)
        # Neither counts as loaded.
        self.write(source.format(12), "b")
        self.all()
        self.assertEqual(self.result.modules, ("a", "b", "main"))
        self.assertEqual((main.f(), main.b.f()), (11, 12))

    async def test_a_script_that_fails_takes_back_what_its_modules_did(self):
        self.write("def f():\n    return 1\n", "helper")
        main = self.load("from helper import f\n")
        self.write("def f():\n    return 2\n", "helper")
        self.write("from helper import f\nassert f() == 2\n1 / 0\n")
        self.assertIn("ZeroDivisionError", ffext.reload().error)
        self.assertEqual(main.f(), 1)

    async def test_a_base_class_in_one_module_and_its_heirs_in_another_change_together(self):
        self.write("class Base:\n    def name(self): return 'base 1'\n", "helper")
        source = "from helper import Base\nclass Heir(Base):\n    def own(self): return {}\n"
        main = self.load(source.format(1))
        held, cls = main.Heir(), main.Heir
        self.write(
            "class Root:\n    def root(self): return 'root'\n"
            "class Base(Root):\n    def name(self): return 'base 2'\n",
            "helper",
        )
        self.write(source.format(2))
        self.all()
        self.assertEqual((held.name(), held.own(), held.root()), ("base 2", 2, "root"))
        self.assertIs(type(held), main.Heir)
        self.assertIs(main.Heir, cls)
        self.assertIs(main.Heir.__mro__[1], sys.modules["helper"].Base)
        self.assertIs(main.Base, sys.modules["helper"].Base)
        self.assertEqual(self.result.kept, ())

    async def test_a_decorator_and_what_it_decorates_change_together(self):
        helper = """
            import functools
            def loud(function):
                @functools.wraps(function)
                def wrapper(): return (VOICE, function(), {0})
                return wrapper
            VOICE = {0}
        """
        self.write(helper.format(1), "helper")
        source = "from helper import loud\n@loud\ndef f():\n    return {}\n"
        main = self.load(source.format(1))
        held = main.f
        self.write(helper.format(2), "helper")
        self.write(source.format(20))
        self.all()
        self.assertEqual((held(), main.f()), ((2, 20, 2), (2, 20, 2)))
        sys.modules["helper"].VOICE = "live"
        self.assertEqual(held()[0], "live")

    async def test_a_package_with_several_files_is_loaded_as_one(self):
        self.package(
            __init__="from .prices import price\nfrom . import stock\nname = 'shop 1'\n",
            prices="from .stock import count\ndef price():\n    return 10 * count()\n",
            stock="def count():\n    return 1\n",
        )
        main = self.load("import shop\nimport shop.prices\nfrom shop import price\n")
        held = main.price
        self.assertEqual(held(), 10)
        self.package(
            __init__="from .prices import price\nfrom . import stock, extra\nname = 'shop 2'\n",
            stock="def count():\n    return 2\n",
            extra="def more():\n    return 'more'\n",
        )
        self.all()
        self.assertEqual(self.result.modules, ("shop.stock", "shop", "main"))
        self.assertEqual((held(), main.shop.name, main.shop.extra.more()), (20, "shop 2", "more"))
        for name in ("shop", "shop.prices", "shop.stock"):
            self.assertEqual(sys.modules[name].__name__, name)
        self.assertIs(main.shop, sys.modules["shop"])
        self.assertIs(main.shop.stock, sys.modules["shop.stock"])
        self.assertIs(main.shop.prices, sys.modules["shop.prices"])
        self.package(prices="def price():\n    return 'free'\n")
        self.all()
        self.assertEqual(self.result.modules, ("shop.prices", "main"))
        self.assertEqual((held(), main.shop.price()), ("free", "free"))

    async def test_a_package_and_all_its_files_may_fail_together(self):
        self.package(__init__="from . import stock\nn = 1\n", stock="n = 1\n")
        main = self.load("import shop\n")
        shop, stock = main.shop, main.shop.stock
        self.package(__init__="from . import stock\nn = 2\n", stock="n = 2\n")
        self.write("import shop\nassert (shop.n, shop.stock.n) == (2, 2)\n1 / 0\n")
        self.assertFalse(ffext.reload())
        self.assertEqual((shop.n, stock.n), (1, 1))
        self.assertIs(shop.stock, stock)
        self.assertIs(sys.modules["shop.stock"], stock)
        self.write("import shop\n")
        self.all()
        self.assertEqual((shop.n, stock.n), (2, 2))
        self.assertIs(shop.stock, stock)

    async def test_a_module_whose_file_is_gone_stays_as_it_is(self):
        self.write("def f():\n    return 1\n", "helper")
        main = self.load("import helper\n")
        (self.folder / "helper.py").unlink()
        self.all()
        self.assertEqual((self.result.modules, main.helper.f()), (("main",), 1))

    async def test_a_module_that_a_handler_has_imported_is_followed(self):
        self.write("def f():\n    return 1\n", "late")
        main = self.load("def handle():\n    import late\n    return late.f()\n")
        self.assertEqual(main.handle(), 1)
        self.assertIn(str(self.folder / "late.py"), fake_host.own_files["files"])
        self.write("def f():\n    return 2\n", "late")
        self.all()
        self.assertEqual((self.result.modules, main.handle()), (("late", "main"), 2))

    async def test_a_module_by_name_is_loaded_alone(self):
        self.write("def f():\n    return 1\n", "helper")
        main = self.load("from helper import f\nmarks = []\n")
        main.marks.append(1)
        self.write("def f():\n    return 2\n", "helper")
        result = ffext.reload("helper")
        self.assertEqual((result.modules, main.f(), main.marks), (("helper",), 2, [1]))

    async def test_only_what_has_changed_since_it_was_tried_is_loaded_for_a_watcher(self):
        self.write("n = 1\n", "helper")
        self.load("import helper\n")
        self.assertIsNone(loading.reload_changed())
        self.write("1 / 0\n", "helper")
        self.assertFalse(loading.reload_changed())
        # It would fail in the same way.
        self.assertIsNone(loading.reload_changed())
        self.write("import missing\n", "helper")
        self.assertFalse(loading.reload_changed())
        self.assertIsNone(loading.reload_changed())
        self.write("there = True\n", "missing")
        self.assertEqual(loading.reload_changed().modules, ("helper", "main"))
        self.assertIsNone(loading.reload_changed())

    async def test_handlers_and_timers_of_each_module_go_with_its_own_load(self):
        source = "import ffext\nticks = []\n@ffext.session_call({0})\ndef f(s, m): return {1}\n"
        source += "ffext.once_timer(2, lambda: ticks.append({1}))\n"
        self.write(source.format(1, 1), "a")
        self.write(source.format(2, 1), "b")
        main = self.load("import a, b\n")
        self.write(source.format(3, 2), "a")
        self.all()
        self.assertEqual(sorted(fake_host.installed), [2, 3])
        await self.settle(lambda: main.a.ticks and main.b.ticks)
        self.assertEqual((main.a.ticks, main.b.ticks), ([2], [1]))

    async def test_compiled_code_of_another_source_beside_a_module_is_not_used(self):
        self.write("def f():\n    return 1\n", "helper")
        path = self.folder / "helper.py"
        compiled = py_compile.compile(str(path), importlib.util.cache_from_source(str(path)))
        self.assertTrue(compiled)
        times = path.stat()
        self.write("def f():\n    return 2\n", "helper")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.assertEqual(self.load("import helper\n").helper.f(), 2)
