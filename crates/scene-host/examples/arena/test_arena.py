"""The arena, played by a test: no daemon has to run, and time is the test's."""

import ffext.testing
import pytest

STEER, STATE, NEWS, RULES = 1, 2, 3, 4


@pytest.fixture
def scene():
    with ffext.testing.Scene("main.py") as scene:
        scene.module.BOTS = scene.module.CARROTS = 0
        yield scene


def rabbit(scene, name):
    return scene.run(scene.module.world).rabbits[name]


def place(scene, name, x, y, angle=0.0):
    one = rabbit(scene, name)
    one.x, one.y, one.angle, one.vx, one.vy = x, y, angle, 0.0, 0.0
    return one


def test_the_world_is_told_twenty_times_a_second(scene):
    ann = scene.login("ann")
    ann.take()
    scene.advance(1)
    pictures = ann.take(STATE)
    assert 19 <= len(pictures) <= 21
    assert [each[0] for each in pictures[-1]["rabbits"]] == ["ann"]


def test_a_slow_client_gets_the_newest_picture_alone(scene):
    ann = scene.login("ann")
    scene.advance(0.2)
    ann.take()
    ann.pause()
    scene.advance(1)
    ann.resume()
    assert len(ann.take(STATE)) == 1


def test_a_rabbit_flies_where_it_is_steered(scene):
    ann = scene.login("ann")
    place(scene, "ann", 500, 500)
    ann.send(STEER, [0, 1, False])
    scene.advance(1)
    one = rabbit(scene, "ann")
    assert one.y > 600 and abs(one.x - 500) < 100
    ann.send(STEER, [0, 0, False])
    scene.advance(5)
    assert abs(one.vy) < 1, "it glides to a stop"


def test_nobody_leaves_the_world(scene):
    ann = scene.login("ann")
    place(scene, "ann", 50, 50)
    ann.send(STEER, [-1, -1, False])
    scene.advance(3)
    assert rabbit(scene, "ann").x >= 0 and rabbit(scene, "ann").y >= 0


def test_carrots_are_picked_up(scene):
    ann = scene.login("ann")
    place(scene, "ann", 500, 500)
    scene.run(lambda: scene.module.world().drop_carrot(510, 500))
    scene.advance(0.1)
    assert rabbit(scene, "ann").carrots == 1
    assert ann.take(STATE)[-1]["carrots"] == []


def test_who_is_hit_often_enough_drops_half_and_comes_back(scene):
    ann, ben = scene.login("ann"), scene.login("ben")
    place(scene, "ann", 500, 500)
    place(scene, "ben", 700, 500).carrots = 20
    scene.module.KICK = 0
    ann.send(STEER, [0, 0, True])
    scene.advance(0.7)
    assert ben.expect(NEWS, within=1)
    assert {"out": "ben", "by": "ann"} in ann.take(NEWS)
    ann.send(STEER, [0, 0, False])
    assert rabbit(scene, "ben").carrots == 10
    assert len(scene.run(scene.module.world).carrots) == 10
    scene.advance(scene.module.PAUSE + 0.5)
    assert rabbit(scene, "ben").away <= 0
    scene.advance(scene.module.ROT)
    assert not scene.run(scene.module.world).carrots, "what nobody wants rots"


def test_bots_come_and_go_as_the_number_says(scene):
    scene.login("ann")
    for bots in (4, 10, 1):
        scene.module.BOTS = bots
        scene.advance(0.1)
        assert sum(one.bot for one in scene.run(scene.module.world).rabbits.values()) == bots


def test_bots_play(scene):
    ann = scene.login("ann")
    scene.module.BOTS, scene.module.CARROTS = 6, 50
    scene.advance(30)
    scores = [each[5] for each in ann.take(STATE)[-1]["rabbits"]]
    assert sum(scores) > 10


def test_names_are_given_once(scene):
    assert scene.login(" ann ").reply["name"] == "ann"
    assert scene.login("ann").reply["name"] == "ann 2"
    assert not scene.login("   ")


def test_a_reload_changes_the_rules_under_those_who_play(scene):
    ann = scene.login("ann")
    rabbit(scene, "ann").carrots = 7
    ann.take()
    scene.reload()
    assert ann.expect(RULES)["size"] == scene.module.SIZE
    # Now: the bots that the file asks for throw things, and she might lose some.
    assert rabbit(scene, "ann").carrots == 7
    scene.advance(1)
    assert 19 <= len(ann.take(STATE)) <= 21, "one clock ticks, not two"


@pytest.mark.parametrize("message", [None, 5, [1], ["x", 0, 0], [1, 2, 3, 4], {"a": 1}])
def test_nonsense_harms_nobody(scene, message):
    ann = scene.login("ann")
    ann.send(STEER, message).send(STEER, [1e300, -1e300, True])
    scene.advance(0.5)
    scene.expect_error()
    assert ann.take(STATE)
