"""Databases in tests of scripts."""

import datetime
import decimal

import ffext.testing
import pytest

SCRIPT = """
import asyncio
import ffext

db = ffext.ffdb_create('sqlite://world.db')
memory = ffext.ffdb_create('sqlite::memory:')
db.query('CREATE TABLE IF NOT EXISTS item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, made DATETIME,'
         ' worn BOOLEAN)', lambda result: print(result.error))
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "main.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def scene(script):
    with ffext.testing.Scene(script) as scene:
        yield scene


def test_values_come_back_as_they_were_declared(scene):
    db = scene.module.db
    made = datetime.datetime(2026, 1, 2, 3, 4, 5)
    insert = "INSERT INTO item (name, made, worn) VALUES (?, ?, ?)"
    done = scene.run(lambda: db.fetch(insert, ["sword", made, True]))
    assert (done.affected, done.last_id, list(done)) == (1, 1, [])
    (row,) = scene.run(lambda: db.fetch("SELECT * FROM item"))
    assert row == (1, "sword", made, True) and row["name"] == "sword"
    assert dict(row)["worn"] is True


def test_what_goes_wrong_has_a_kind(scene):
    db = scene.module.db
    scene.run(lambda: db.fetch("INSERT INTO item (name) VALUES ('a')"))
    for sql, params, kind in [
        ("INSERT INTO item (name) VALUES ('a')", [], "constraint"),
        ("SELECT nothing", [], "refused"),
        ("SELECT ?", [], "refused"),
        ("SELECT ?", [datetime.timedelta(1)], "refused"),
    ]:
        with pytest.raises(ffext.DatabaseError) as caught:
            scene.run(lambda: db.fetch(sql, params))
        assert caught.value.kind == kind
    result = scene.run(lambda: db.query("SELECT nothing"))
    assert not result.flag and result.error.kind == "refused"
    with pytest.raises(TypeError, match="parameter 1: a value of type object"):
        scene.run(lambda: db.fetch("SELECT ?", [object()]))
    assert scene.run(lambda: db.fetch("SELECT ?", [decimal.Decimal("1.50")])) == [("1.50",)]


@pytest.mark.parametrize("name", ["db", "memory"])
def test_a_transaction_is_done_or_undone(scene, name):
    db = getattr(scene.module, name)

    async def create():
        await db.fetch("CREATE TABLE IF NOT EXISTS item (name TEXT)")

    async def add(fails):
        async with db.transaction() as tx:
            await tx.fetch("INSERT INTO item (name) VALUES ('b')")
            if fails:
                raise KeyError
            await tx.fetch("INSERT INTO item (name) VALUES ('c')")

    scene.run(create)
    with pytest.raises(KeyError):
        scene.run(lambda: add(True))
    assert scene.run(lambda: db.fetch("SELECT name FROM item")) == []
    scene.run(lambda: add(False))
    assert scene.run(lambda: db.fetch("SELECT name FROM item")) == [("b",), ("c",)]


def test_a_file_is_not_written_beside_the_script_and_outlives_a_restart(scene, script):
    scene.run(lambda: scene.module.db.fetch("INSERT INTO item (name) VALUES ('a')"))
    scene.restart()
    assert scene.run(lambda: scene.module.db.fetch("SELECT name FROM item")) == [("a",)]
    assert [path.name for path in script.parent.iterdir()] == ["main.py"]


def test_a_server_has_to_be_stood_in_for(tmp_path):
    path = tmp_path / "main.py"
    path.write_text("import ffext\ndb = ffext.ffdb_create('mysql://me:secret@host/game')\n")
    with pytest.raises(AssertionError, match=r"databases=\{'mysql': 'sqlite::memory:'\}"):
        with ffext.testing.Scene(path):
            pass
    with ffext.testing.Scene(path, databases={"mysql": "sqlite::memory:"}) as scene:
        assert scene.run(lambda: scene.module.db.fetch("SELECT ? + 1", [1])) == [(2,)]
        assert "secret" not in repr(scene.module.db)
