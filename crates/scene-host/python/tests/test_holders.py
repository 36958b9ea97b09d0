"""Who holds what a load has made, wherever that is."""

import gc
import sys
import types

from .case import SceneCase

from ffext import references


class Holders(SceneCase):
    def setUp(self):
        super().setUp()
        # A library, which is not loaded again.
        self.library = types.ModuleType("library")
        self.library.plugins = []
        self.library.by_name = {}
        sys.modules["library"] = self.library

    SOURCE = """
        import library
        class Base:
            pass
        class Plugin(Base):
            number = {0}
            def __init__(self): super().__init__()
        library.plugins.append(Plugin)
        library.by_name['plugin'] = (1, [Plugin])
        library.plugins.append((Plugin, 'in a tuple'))
    """

    async def test_what_libraries_were_given_while_loading_is_what_stays(self):
        main = self.load(self.SOURCE.format(1))
        held = main.Plugin
        self.load(self.SOURCE.format(2))
        self.assertIs(main.Plugin, held)
        plugins = self.library.plugins
        self.assertEqual([plugins[0], plugins[2]], [held, held])
        self.assertEqual([plugins[1][0], plugins[3][0]], [held, held])
        self.assertIs(self.library.by_name["plugin"][1][0], held)

    async def test_nothing_else_is_looked_at_where_only_the_run_itself_holds_it(self):
        source = "import ffext\n" + "".join(
            f"class A{n}:\n    x = {{0}}\n    def f(self): return super().f, {{0}}\n"
            f"class B{n}(A{n}): pass\nheld{n} = {{{{'a': [A{n}, (B{n}, A{n})]}}}}\n"
            for n in range(20)
        )
        main = self.load(source.format(1))
        looked = []
        collector = types.SimpleNamespace(**vars(gc))
        collector.get_referrers = lambda *ones: looked.append(len(ones)) or gc.get_referrers(*ones)
        references.gc = collector
        self.addCleanup(setattr, references, "gc", gc)
        self.load(source.format(2))
        # Once, for the functions that old code has made.
        self.assertLessEqual(looked.count(1), 2, looked)
        self.assertLess(sum(looked), 5, looked)
        self.assertIs(main.held0["a"][1][0], main.B0)
        self.assertIs(main.B0.__mro__[1], main.A0)
