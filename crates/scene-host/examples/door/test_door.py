"""The two rooms, played by a test: no daemon has to run."""

import json

import ffext.testing
import pytest

SAY, TAKE, GO = 1, 2, 3


@pytest.fixture
def garden():
    with ffext.testing.Scene("garden.py", name="scene@0", scenes=["scene@1"]) as scene:
        yield scene


@pytest.fixture
def cellar():
    with ffext.testing.Scene("cellar.py", name="scene@1", scenes=["scene@0"]) as scene:
        yield scene


def test_who_comes_in_sees_the_room(garden):
    hazel = garden.login("hazel")
    assert hazel.take(SAY) == [
        "You are in the garden. You see a carrot, a watering can, and a door in the hedge.",
        "You carry nothing, and have gone through 0 doors.",
    ]


def test_what_is_taken_is_gone_and_goes_through_the_door(garden):
    hazel, bigwig = garden.login("hazel"), garden.login("bigwig")
    hazel.send(TAKE, "a carrot")
    bigwig.send(TAKE, "a carrot")
    assert bigwig.take(SAY)[-1] == "There is no a carrot here."
    hazel.send(GO)
    name, to_scene, carried = garden.moves[-1]
    assert (name, to_scene) == ("hazel", "scene@1")
    assert json.loads(carried) == {"name": "hazel", "bag": ["a carrot"], "doors": 1}
    assert bigwig.take(SAY)[-1] == "hazel leaves"


def test_who_comes_through_the_door_has_what_it_had(cellar):
    carried = json.dumps({"name": "hazel", "bag": ["a carrot"], "doors": 1})
    hazel = cellar.arrive("hazel", "scene@0", carried)
    assert hazel.take(SAY)[-1] == "You carry a carrot, and have gone through 1 doors."


def test_a_door_to_nowhere_does_not_open(garden):
    hazel = garden.login("hazel")
    garden.gone("scene@1")
    hazel.send(GO)
    assert hazel.take(SAY)[-1] == "The door does not open."
    assert hazel.send(SAY, "still here").take(SAY) == ["hazel: still here"]


def test_players_keep_their_bags_when_the_scene_is_restarted(garden):
    hazel = garden.login("hazel")
    hazel.send(TAKE, "a carrot").take()
    garden.restart()
    hazel = garden.sessions["hazel"]
    assert hazel.take(SAY)[-1] == "You carry a carrot, and have gone through 0 doors."
