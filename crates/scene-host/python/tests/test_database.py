"""What the Python half makes of a database's answers."""

import asyncio

import ffext
from ffext import database

from . import fake_host
from .case import SceneCase


class Native:
    """Stands in for a database: each statement is answered by ``answer``."""

    def __init__(self):
        self.ran = []
        self.ended = []
        self.answer = lambda sql: database.Rows([(1,)], ("n",), 1, 7)

    def run(self, sql, params, as_result):
        self.ran.append((sql, params))
        future = asyncio.get_running_loop().create_future()
        try:
            rows = self.answer(sql)
            future.set_result(database.Result(True, rows) if as_result else rows)
        except ffext.CallError as error:
            if as_result and isinstance(error, ffext.DatabaseError):
                future.set_result(database._failed(error.kind, error.message))
            else:
                future.set_exception(error)
        return future

    async def begin(self, limit):
        self.ran.append(("begin", limit))
        return self

    async def commit(self):
        self.ended.append("commit")

    async def roll_back(self):
        self.ended.append("roll_back")

    def let_go(self):
        self.ended.append("let_go")


class Databases(SceneCase):
    def setUp(self):
        super().setUp()
        self.native = Native()
        self.db = database.Database(self.native)

    def fail(self, kind="refused"):
        def answer(sql):
            raise ffext.DatabaseError(kind, "it was refused")

        self.native.answer = answer

    async def test_parameters_are_optional_before_a_callback(self):
        results = []
        self.assertIsNone(self.db.query("a", results.append))
        self.assertIsNone(self.db.query("b", [5], results.append))
        self.assertIsNone(self.db.query("c", callback=results.append))
        await self.settle(lambda: len(results) == 3)
        self.assertEqual(self.native.ran, [("a", None), ("b", [5]), ("c", None)])
        for result in results:
            self.assertTrue(result)
            self.assertEqual((result.result, result.column), ([(1,)], ("n",)))
            self.assertEqual((result.affected, result.last_id, result.error), (1, 7, ""))

    async def test_a_query_gives_errors_and_fetch_raises_them(self):
        self.fail("constraint")
        result = await self.db.query("a")
        self.assertFalse(result.flag)
        self.assertEqual((result.error, result.error.kind), ("it was refused", "constraint"))
        self.assertEqual((result.result, result.column), ([], ()))
        with self.assertRaises(ffext.DatabaseError) as raised:
            await self.db.fetch("a")
        self.assertEqual(raised.exception.kind, "constraint")

    async def test_a_callback_hears_of_it_when_the_script_waits_for_too_much(self):
        def answer(sql):
            raise ffext.CallError("overloaded", "the script waits for too much")

        self.native.answer = answer
        results = []
        self.db.query("a", results.append)
        await self.settle(lambda: results)
        self.assertEqual(results[0].error.kind, "overloaded")

    async def test_a_callback_that_raises_is_logged(self):
        def fails(result):
            raise ValueError("mine")

        self.db.query("a", fails)
        await self.settle(lambda: fake_host.failures)
        (kind, label, error) = fake_host.failures[0]
        self.assertEqual((kind, str(error)), ("callback", "mine"))
        self.assertIn("fails", label)

    async def test_what_is_no_callback_is_refused_before_anything_runs(self):
        with self.assertRaises(TypeError):
            self.db.query("a", [], 5)
        self.assertEqual(self.native.ran, [])

    async def test_fetch_one_gives_the_first_row_or_none(self):
        self.assertEqual(await self.db.fetch_one("a"), (1,))
        self.native.answer = lambda sql: database.Rows()
        self.assertIsNone(await self.db.fetch_one("a"))

    async def test_a_block_commits_and_an_exception_rolls_back(self):
        async with self.db.transaction(timeout=3) as tx:
            await tx.fetch("a", [1])
        self.assertEqual(self.native.ran, [("begin", 3), ("a", [1])])
        self.assertEqual(self.native.ended, ["commit"])
        with self.assertRaises(KeyError):
            async with self.db.transaction():
                raise KeyError
        self.assertEqual(self.native.ended, ["commit", "let_go", "roll_back", "let_go"])

    async def test_a_transaction_is_used_once_and_within_its_block(self):
        tx = self.db.transaction()
        with self.assertRaises(RuntimeError):
            tx.fetch("a")
        async with tx:
            pass
        with self.assertRaises(RuntimeError):
            async with tx:
                pass


class Escapes(SceneCase):
    def test_what_would_end_a_quote_is_escaped(self):
        self.assertEqual(ffext.escape("a'b\"c\\d\n\r\0\x1a"), "a\\'b\\\"c\\\\d\\n\\r\\0\\Z")
        self.assertEqual(ffext.escape(5), "5")

    def test_a_url_is_text(self):
        with self.assertRaises(TypeError):
            ffext.ffdb_create(5)
