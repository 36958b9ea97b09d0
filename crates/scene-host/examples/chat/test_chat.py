"""The chat, played by a test: no daemon has to run."""

import ffext.testing
import pytest

CHAT, ECHO = 1, 2


@pytest.fixture
def scene():
    with ffext.testing.Scene("main.py") as scene:
        yield scene


def test_everybody_sees_who_is_here(scene):
    ann = scene.login("ann")
    assert ann.take(CHAT) == [
        {"kind": "online", "names": ["ann"]},
        {"kind": "notice", "text": "ann has joined"},
    ]
    ben = scene.login("ben")
    assert ann.expect(CHAT)["names"] == ["ann", "ben"]
    ben.close()
    assert ann.take(CHAT)[-2:] == [
        {"kind": "online", "names": ["ann"]},
        {"kind": "notice", "text": "ben has left"},
    ]


def test_what_is_said_reaches_everybody(scene):
    ann, ben = scene.login("ann"), scene.login(" ben ")
    ben.send(CHAT, ["hello"])
    for one in (ann, ben):
        line = one.take(CHAT)[-1]
        assert (line["kind"], line["from"], line["text"]) == ("chat", "ben", "hello")


def test_long_lines_are_cut(scene):
    ann = scene.login("ann")
    ann.send(CHAT, ["x" * 600])
    assert ann.take(CHAT)[-1]["text"] == "x" * 500


@pytest.mark.parametrize("name", ["", "   ", "x" * 25])
def test_a_name_that_is_none_is_turned_away(scene, name):
    assert not scene.login(name)


def test_bots_are_not_announced_and_get_back_what_they_send(scene):
    ann = scene.login("ann")
    ann.take()
    bot = scene.login("bot-1")
    assert bot.send(ECHO, [1, {"two": 2}]).expect(ECHO) == [1, {"two": 2}]
    bot.close()
    assert ann.take() == []


def test_the_room_outlives_a_reload(scene):
    ann = scene.login("ann")
    ann.send(CHAT, ["reload"])
    assert ann.take(CHAT)[-1]["text"].startswith("reload by ann: ok")
    scene.login("ben")
    assert ann.expect(CHAT)["names"] == ["ann", "ben"]


def test_what_is_no_list_is_logged_and_harms_nobody(scene):
    ann = scene.login("ann")
    ann.send(CHAT, 5).send(CHAT, ["still here"])
    assert ann.take(CHAT)[-1]["text"] == "still here"
    error = scene.expect_error(TypeError)
    assert (error.handler, error.session) == ("main.said", "ann")
