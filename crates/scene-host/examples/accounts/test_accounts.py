"""The login scene and the game, each played by a test: no daemon has to run."""

import json

import ffext.testing
import pytest

LOGIN, GAME = "gate@0", "gate@1"
DIG = 1


@pytest.fixture
def login():
    with ffext.testing.Scene("login.py", name="scene@0", gates=[LOGIN, GAME]) as scene:
        yield scene


@pytest.fixture
def game(tmp_path):
    databases = {"sqlite://accounts.db": f"sqlite://{tmp_path}/accounts.db"}
    with ffext.testing.Scene("login.py", databases=databases) as scene:
        scene.login(says("hazel", "carrots", new=True))
    with ffext.testing.Scene("game.py", name="scene@1", databases=databases) as scene:
        yield scene


def says(name, password, **more):
    return json.dumps({"name": name, "password": password, **more})


def test_who_makes_an_account_gets_in_with_its_password_alone(login):
    assert not login.login(says("hazel", "carrots"), gate=LOGIN)
    assert login.login(says("hazel", "carrots", new=True), gate=LOGIN)
    assert login.login(says("hazel", "carrots"), gate=LOGIN).id == "hazel"
    assert not login.login(says("hazel", "turnips"), gate=LOGIN)
    assert not login.login(says("hazel", "turnips", new=True), gate=LOGIN)


def test_the_login_gate_gives_a_ticket_and_lets_go(login):
    hazel = login.login(says("hazel", "carrots", new=True), gate=LOGIN)
    assert hazel.closed
    assert hazel.reply["gate"] == login.module.GAME_GATE
    assert not login.login(says("hazel", "carrots"), gate=GAME), "passwords are for the login gate"
    assert not login.login(hazel.reply["ticket"], gate=LOGIN), "and tickets for the other"
    assert login.login(hazel.reply["ticket"], gate=GAME).id == "hazel"


def test_tickets_do_not_last(login):
    hazel = login.login(says("hazel", "carrots", new=True), gate=LOGIN)
    login.advance(login.module.TICKET_LASTS + 1)
    assert not login.login(hazel.reply["ticket"], gate=GAME)
    assert not login.login("made up", gate=GAME)


def test_tickets_outlive_a_reload(login):
    hazel = login.login(says("hazel", "carrots", new=True), gate=LOGIN)
    login.reload()
    assert login.login(hazel.reply["ticket"], gate=GAME)


def test_no_password_is_in_the_database(login):
    login.login(says("hazel", "carrots", new=True), gate=LOGIN)
    rows = login.run(lambda: login.module.db.fetch("SELECT * FROM account"))
    assert "carrots" not in str([tuple(row) for row in rows]) and len(rows) == 1


@pytest.mark.parametrize(
    "key", ["", "hazel", "[]", "null", '{"name": "hazel"}', says("", ""), says(["x"], "y"), says("x" * 65, "y"), says("x", 5)]
)
def test_nonsense_is_turned_away(login, key):
    assert not login.login(key, gate=LOGIN)


def test_coins_are_kept(game):
    hazel = game.arrive("hazel", "")
    assert hazel.expect(DIG).endswith("have 0 coins.")
    hazel.send(DIG)
    found = hazel.expect(DIG, within=1)
    hazel.close()
    again = game.arrive("hazel", "")
    coins = found.split()[-2]
    assert int(coins) >= 1 and again.expect(DIG).endswith(f"have {coins} coins.")
