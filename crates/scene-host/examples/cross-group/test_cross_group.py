"""Both worlds, each played by a test that stands in for the other: no daemon has to run."""

import asyncio
import json

import ffext
import ffext.testing
import pytest

STEER, GO, SAY, TRAVEL, RENAME = 1, 2, 3, 4, 5
STATE, CHAT, BRIDGE, TICKET, TOLD = 10, 11, 12, 13, 14
ARRIVE, HEAR, LOOK = 200, 201, 202


@pytest.fixture
def north():
    with ffext.testing.Scene("north.py", group="North") as scene:
        import life  # of this scene: the next one loads it anew

        life.FRUITS = 0  # none but what a test puts there
        yield scene


@pytest.fixture
def south():
    with ffext.testing.Scene("south.py", group="South") as scene:
        import life

        life.FRUITS = 0
        yield scene


def login(scene, **wish):
    return scene.login(json.dumps(wish))


def world(scene):
    return scene.run(scene.module.world.world)


def luggage(**more):
    ann = {"id": "a1", "name": "Ann", "colour": 3, "bag": {"berries": 2}, "x": 100, "y": 50, "trip": 1}
    return ann | more


def arrive(scene, group="North", **more):
    return scene.call(ARRIVE, luggage(**more), by="scene@0", group=group)


def shown(player):
    """Who is in the world that a client sees."""
    return {each[0]: each for each in player.take(STATE)[-1]["rabbits"]}


def lines(player):
    """All that a client has ever been shown in the chat."""
    return [value["text"] for cmd, value in player.received if cmd == CHAT]


def bridge_out(kind):
    def fails(message):
        raise ffext.CallError(kind, "as the test has it")

    return fails


# Journeys


def test_who_travels_is_there_before_it_is_gone_here(north):
    ann = login(north, name="Ann")
    rabbit = world(north).rabbits[ann.id]
    rabbit.bag = {"berries": 5}
    handed_over = []

    def arrives(message):
        assert ann.id in world(north).rabbits, "it has not been let go yet"
        handed_over.append(message)
        return {"ticket": "t1"}

    north.serve("scene@0", ARRIVE, arrives, group="South")
    ann.send(TRAVEL)
    assert ann.expect(TICKET) == {"world": "South", "ticket": "t1"}
    assert ann.id not in world(north).rabbits
    [carried] = handed_over
    assert (carried["id"], carried["name"], carried["bag"]) == (ann.id, "Ann", {"berries": 5})
    assert (carried["x"], carried["y"]) == (rabbit.x, rabbit.y)
    ann.send(TRAVEL).send(STEER, [1, 0]).send(GO, [1, 1]).send(SAY, {"text": "still here"}).send(RENAME, "x")
    assert len(handed_over) == 1, "nobody goes twice"


@pytest.mark.parametrize("kind", ["unavailable", "not_found", "forbidden", "deadline_exceeded", "overloaded", "handler"])
def test_who_cannot_travel_stays_and_is_told_why(north, kind):
    ann = login(north, name="Ann")
    world(north).rabbits[ann.id].bag = {"berries": 5}
    north.serve("scene@0", ARRIVE, bridge_out(kind), group="South")
    ann.send(TRAVEL)
    assert ann.expect(TOLD).startswith("You stay in North: ")
    rabbit = world(north).rabbits[ann.id]
    assert rabbit.bag == {"berries": 5} and not rabbit.packing
    x = rabbit.x = 100
    ann.send(STEER, [1, 0])
    north.advance(0.5)
    assert rabbit.x > x, "it walks on"


def test_what_is_refused_over_there_is_told(north):
    ann = login(north, name="Ann")
    north.serve("scene@0", ARRIVE, lambda message: {"refused": "South is full"}, group="South")
    ann.send(TRAVEL)
    assert ann.expect(TOLD) == "You stay in North: South is full."
    assert ann.id in world(north).rabbits


def test_who_packs_stands_still_and_picks_up_nothing(north):
    async def slow(message):
        await asyncio.sleep(2)
        return {"ticket": "t1"}

    north.serve("scene@0", ARRIVE, slow, group="South")
    ann = login(north, name="Ann")
    ann.send(STEER, [1, 0]).send(TRAVEL)
    rabbit = world(north).rabbits[ann.id]
    x = rabbit.x
    world(north).fruits = {1: (rabbit.x, rabbit.y)}
    north.advance(1)
    assert (rabbit.x, rabbit.bag) == (x, {})
    assert ann.expect(TICKET, within=2)


def test_the_ticket_wakes_who_has_arrived_with_all_it_had(south):
    ticket = arrive(south)["ticket"]
    eve = login(south, watch=True)
    south.advance(0.1)
    assert "a1" not in shown(eve), "it sleeps until its player comes"
    ann = login(south, key=ticket)
    assert ann.id == "a1" and ann.reply["world"] == "South"
    south.advance(0.1)
    assert shown(eve)["a1"] == ["a1", "Ann", 3, 100, 50, {"berries": 2}, False, False]
    assert "Ann has come over from North." in lines(eve)


def test_a_late_arrival_takes_nobodys_place(south):
    ticket = arrive(south, trip=2)["ticket"]
    assert arrive(south, trip=1) == {"refused": "Ann is in South already"}
    assert login(south, key=ticket)
    assert arrive(south, trip=3) == {"refused": "Ann is in South already"}


def test_the_copy_that_a_lost_answer_leaves_never_wakes(south):
    lost = arrive(south, trip=1, bag={"berries": 2})["ticket"]
    ticket = arrive(south, trip=2, bag={"berries": 7})["ticket"]
    assert not login(south, key=lost)
    login(south, key=ticket)
    south.advance(0.1)
    assert [rabbit.bag for rabbit in world(south).rabbits.values() if rabbit.name == "Ann"] == [{"berries": 7}]


def test_who_loses_its_connection_while_it_travels_finds_its_ticket(north):
    async def slow(message):
        await asyncio.sleep(1)
        return {"ticket": "t1"}

    north.serve("scene@0", ARRIVE, slow, group="South")
    ann = login(north, name="Ann")
    ann.send(TRAVEL)
    north.advance(2)
    ann.close()
    again = login(north, key=ann.reply["key"])
    assert again.expect(TICKET) == {"world": "South", "ticket": "t1"}


def test_who_comes_back_is_not_sent_on(north):
    north.serve("scene@0", ARRIVE, lambda message: {"ticket": "t1"}, group="South")
    ann = login(north, name="Ann")
    ann.send(TRAVEL)
    ann.close()
    ticket = arrive(north, "South", id=ann.id, trip=2)["ticket"]
    back = login(north, key=ticket)
    assert back.id == ann.id and not back.take(TICKET)
    assert not login(north, key=ann.reply["key"]), "the old key is of no use"


def test_nonsense_from_afar_is_an_error_and_harms_nobody(south):
    for message in (None, {}, luggage(bag=5), luggage(x="far")):
        with pytest.raises(ffext.CallError) as caught:
            south.call(ARRIVE, message, by="scene@0", group="North")
        assert caught.value.kind == "handler"
        south.expect_error()
    assert "a1" not in world(south).rabbits


def test_a_world_is_full_some_time_and_forgets_who_sleeps_long(south):
    import life

    for number in range(life.MOST - len(world(south).rabbits)):
        assert "ticket" in arrive(south, id=f"r{number}")
    assert arrive(south) == {"refused": "South is full"}
    south.advance(life.SLEEP + 120)
    assert "ticket" in arrive(south)


# What is said


def test_what_is_said_to_both_worlds_crosses(north):
    heard = []
    north.serve("scene@0", HEAR, heard.append, group="South")
    ann = login(north, name="Ann")
    ann.send(SAY, {"text": "hello", "to": "both"}).send(SAY, {"text": "pst", "to": "here"})
    assert [line["text"] for line in heard] == ["Ann is in North now.", "hello"]
    assert [line["text"] for line in ann.take(CHAT)] == ["Ann is in North now.", "hello", "pst"]


def test_what_comes_is_marked_with_where_it_is_from(south):
    ann = login(south, name="Ann")
    line = {"text": "hello", "name": "Bob", "colour": 2, "id": "b", "from": "South"}
    ann.take()
    south.call(HEAR, line, by="scene@0", group="North")
    told = ann.expect(CHAT)
    assert told.pop("number"), "by which a page knows it"
    assert told == line | {"from": "North", "to": "both"}, "the bridge says so, whatever the line does"


def test_without_a_bridge_one_is_told_that_nobody_may_have_heard(north):
    ann = login(north, name="Ann")
    ann.take()
    ann.send(SAY, {"text": "hello", "to": "both"})
    said, failed = ann.take(CHAT)
    assert said["text"] == "hello" and said["from"] == "North"
    assert failed["failed"] and failed["text"].startswith("South may not have heard that")


# The bridge


def test_players_see_whether_the_bridge_carries(north):
    ann = login(north, name="Ann")
    north.advance(1)
    assert ann.take(BRIDGE)[-1]["open"] is False
    north.serve("scene@0", LOOK, lambda message: {}, group="South")
    north.advance(1)
    assert ann.take(BRIDGE)[-1]["open"] is True
    north.gone("scene@0", group="South")
    north.advance(1)
    assert ann.take(BRIDGE)[-1]["open"] is False


# The world


def test_fruit_is_picked_up_and_names_are_given_once(north):
    ann = login(north, name="  Ann ")
    other = login(north, name="Ann")
    rabbit = world(north).rabbits[ann.id]
    world(north).fruits = {1: (rabbit.x, rabbit.y)}
    north.advance(0.1)
    assert rabbit.bag == {"berries": 1}
    assert shown(other)[other.id][1] == "Ann 2"
    other.send(RENAME, "Bob")
    north.advance(0.1)
    assert shown(other)[other.id][1] == "Bob"


def test_who_is_away_sleeps_and_wakes_with_what_it_had(north):
    ann = login(north, name="Ann")
    world(north).rabbits[ann.id].bag = {"berries": 5}
    ann.close()
    assert not world(north).rabbits[ann.id].awake
    again = login(north, key=ann.reply["key"])
    assert again.id == ann.id and world(north).rabbits[ann.id].bag == {"berries": 5}


def test_a_reload_keeps_the_world(north):
    ann = login(north, name="Ann")
    residents = sum(rabbit.resident for rabbit in world(north).rabbits.values())
    north.reload()
    assert world(north).rabbits[ann.id].awake
    assert sum(rabbit.resident for rabbit in world(north).rabbits.values()) == residents
    ann.take()
    north.advance(1)
    assert 13 <= len(ann.take(STATE)) <= 16, "one clock ticks, not two"


@pytest.mark.parametrize("cmd", [STEER, GO, SAY, RENAME])
@pytest.mark.parametrize("message", [None, 5, [1], ["x", 0], {"a": 1}, [1e300, -1e300]])
def test_nonsense_of_a_client_harms_nobody(north, cmd, message):
    ann = login(north, name="Ann")
    ann.send(cmd, message)
    north.errors.clear()
    north.advance(0.5)
    assert ann.take(STATE)


@pytest.mark.parametrize("key", ["", "5", "[]", "{}", "nonsense", '{"key": "none"}', '{"key": null}'])
def test_who_says_nothing_of_use_is_not_let_in(north, key):
    assert not north.login(key)
    north.errors.clear()
