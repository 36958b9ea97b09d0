"""Functions without a name of their own that wait while their source changes."""

from .case import SceneCase


class Closures(SceneCase):
    def made_before(self, before, after):
        """What ``make`` makes of one source, under another one."""
        source = "def make(log=None):\n    return [{}]\n"
        made = self.load(source.format(before)).make([])
        self.load(source.format(after))
        return made

    def returned(self, before, after):
        return [made() for made in self.made_before(before, after)]

    async def test_one_that_moved_runs_its_own_code_and_one_that_went_is_kept(self):
        said = self.returned("lambda: 'save', lambda: 'kick'", "lambda: 'kick', lambda: 'note'")
        self.assertEqual(said, ["save", "kick"])
        self.assertEqual(self.result.kept, ("make.<locals>.<lambda>",))

    async def test_those_that_changed_places_run_their_own_code(self):
        said = self.returned("lambda: 'save', lambda: 'kick'", "lambda: 'kick', lambda: 'save'")
        self.assertEqual(said, ["save", "kick"])
        self.assertEqual(self.result.kept, ())

    async def test_one_that_changed_in_its_place_runs_new_code(self):
        said = self.returned(
            "lambda: 'a', lambda: 'b', lambda: 'c'", "lambda: 'a', lambda: 'B', lambda: 'c'"
        )
        self.assertEqual(said, ["a", "B", "c"])
        self.assertEqual(self.result.kept, ())

    async def test_one_that_changed_beside_one_that_was_added_is_known_by_its_place(self):
        said = self.returned(
            "lambda: 'a', lambda: 'b'", "lambda: 'A', lambda: 'b', lambda: 'c'"
        )
        self.assertEqual(said, ["A", "b"])
        self.assertEqual(self.result.kept, ())

    async def test_one_that_takes_other_arguments_now_is_kept_and_reported(self):
        for before, after, arguments in (
            ("lambda a, b=1: (a, b)", "lambda a, b, c=2: (a, b, c)", (0,)),
            ("lambda a: a", "lambda a, b: b", (0,)),
            ("lambda a: [a]", "lambda b: (b,)", (0,)),
            ("lambda *a: a", "lambda a: (a,)", (0, 1)),
        ):
            with self.subTest(before):
                made, = self.made_before(before, after)
                self.assertEqual(made(*arguments), eval(before)(*arguments))
                self.assertEqual(self.result.kept, ("make.<locals>.<lambda>",))

    async def test_a_function_that_an_earlier_reload_gave_away_may_take_other_arguments(self):
        self.write("calls = []\n", "helper")
        source = "import helper\ndef f(a, {}):\n    return (a, {})\nhelper.calls.append(f)\n"
        main = self.load(source.format("b=1", "b"))
        self.load(source.format("b=2", "b"))
        self.load(source.format("b=3, *, c=4", "b, c"))
        self.assertEqual([call(0) for call in main.helper.calls], [(0, 3, 4)] * 3)
        self.assertEqual(self.result.kept, ())

    async def test_functions_of_one_source_with_defaults_of_their_own_keep_them(self):
        source = "made = []\nfor n in range(3):\n    def f({}):\n        return ({})\n    made.append(f)\n"
        made = self.load(source.format("n=n", "1, n")).made
        self.load(source.format("n=n", "2, n"))
        self.assertEqual([f() for f in made], [(2, 0), (2, 1), (2, 2)])
        self.load(source.format("n=n, m=0", "3, n, m"))
        self.assertEqual([f() for f in made], [(2, 0), (2, 1), (3, 2, 0)])
        self.assertEqual(self.result.kept, ("f",))

    async def test_a_function_by_name_may_take_other_arguments(self):
        main = self.load("def f(a, b=1):\n    return (a, b)\n")
        held = main.f
        self.load("def f(a, b, c=2, *, d=3):\n    return (a, b, c, d)\n")
        self.assertEqual(held(0, 1), (0, 1, 2, 3))
        self.assertEqual(self.result.kept, ())
