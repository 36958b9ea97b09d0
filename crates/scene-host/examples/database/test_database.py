"""The game and the database server, each played by a test: no daemon has to run, and
no MariaDB. What only that understands is tried when this README is."""

import ffext
import ffext.testing
import pytest

LOAD, ADD, GIVE, TOP = 300, 301, 302, 303
DIG, HAND, BEST = 1, 2, 3
DB = "scene@1"


@pytest.fixture
def game():
    with ffext.testing.Scene("game.py", name="scene@0") as scene:
        scene.serve(DB, LOAD, lambda name: {"coins": 7, "since": "01 May 2026"})
        yield scene


@pytest.fixture
def db():
    with ffext.testing.Scene("db.py", name=DB, databases={"mysql": "sqlite::memory:"}) as scene:
        yield scene


def test_who_comes_is_told_what_was_kept(game):
    hazel = game.login("hazel")
    assert hazel.expect(1) == "You are here since 01 May 2026 and have 7 coins."


def test_what_is_found_is_kept_first_and_told_then(game):
    game.serve(DB, ADD, lambda message: 7 + message["coins"])
    hazel = game.login("hazel")
    assert hazel.send(DIG).take(1)[-1] == "You find 5 and have 12 coins."


def test_a_gift_is_told_to_both(game):
    game.serve(DB, GIVE, lambda message: {"left": 7 - message["coins"]})
    hazel, bigwig = game.login("hazel"), game.login("bigwig")
    hazel.send(HAND, ["bigwig", 3])
    assert hazel.take(1)[-1] == "You give bigwig 3 and have 4 left."
    assert bigwig.take(1)[-1] == "hazel gives you 3."


def test_without_a_database_server_the_bank_is_closed(game):
    hazel = game.login("hazel")
    game.gone(DB)
    assert hazel.send(DIG).take(1)[-1] == "The bank is closed. Come back later."


def test_sums_are_the_databases(db):
    assert db.call(TOP) == []
    for name, coins in (("hazel", 5), ("bigwig", 9)):
        db.run(lambda: db.module.db.fetch("INSERT INTO player (name) VALUES (?)", [name]))
        assert db.call(ADD, {"name": name, "coins": coins}) == coins
    assert db.call(ADD, {"name": "hazel", "coins": 1}) == 6
    assert db.call(TOP) == [["bigwig", 9], ["hazel", 6]]


def test_an_error_of_the_database_is_one_of_the_call(db):
    with pytest.raises(ffext.CallError) as caught:
        db.call(ADD, {"name": "nobody", "coins": "many"})
    assert caught.value.kind == "handler"
    db.expect_error()
