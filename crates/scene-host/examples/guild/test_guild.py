"""The guild server and a town, each played by a test: no daemon has to run."""

import ffext
import ffext.testing
import pytest

JOIN_GUILD, LEAVE_GUILD, MEMBERS = 200, 201, 202
JOIN, LEAVE, WHO, SAY = 1, 2, 3, 4


@pytest.fixture
def guilds():
    with ffext.testing.Scene("guilds.py", name="scene@2") as scene:
        yield scene


@pytest.fixture
def town():
    with ffext.testing.Scene("town.py", name="scene@0") as scene:
        yield scene


def of(player, guild=""):
    return {"player": player, "guild": guild}


def test_a_guild_has_members(guilds):
    assert guilds.call(JOIN_GUILD, of("hazel", "warren")) == {"guild": "warren", "members": ["hazel"]}
    assert guilds.call(JOIN_GUILD, of("hazel", "efrafa")) == {"refused": "you are in warren"}
    assert guilds.call(MEMBERS, of("hazel")) == {"guild": "warren", "members": ["hazel"]}
    assert guilds.call(LEAVE_GUILD, of("hazel")) == {"guild": "warren"}
    assert guilds.call(LEAVE_GUILD, of("hazel")) == {"refused": "you are in no guild"}


def test_a_guild_is_full_some_time(guilds):
    for number in range(guilds.module.MOST):
        guilds.call(JOIN_GUILD, of(f"rabbit {number}", "warren"))
    assert guilds.call(JOIN_GUILD, of("hazel", "warren")) == {"refused": "warren is full"}


def test_nonsense_is_an_error_of_the_kind_handler(guilds):
    with pytest.raises(ffext.CallError) as caught:
        guilds.call(JOIN_GUILD, {"player": "hazel"})
    assert caught.value.kind == "handler"
    guilds.expect_error(KeyError)


def test_guilds_outlive_a_restart(guilds):
    guilds.call(JOIN_GUILD, of("hazel", "warren"))
    guilds.restart()
    assert guilds.call(MEMBERS, of("hazel"))["members"] == ["hazel"]


def test_members_hear_each_other(town):
    town.serve("scene@2", MEMBERS, lambda message: {"guild": "warren", "members": ["hazel", "bigwig"]})
    hazel, bigwig = town.login("hazel"), town.login("bigwig")
    assert hazel.take(1)[-1] == "Welcome back. You are in warren."
    hazel.send(SAY, "hello")
    assert bigwig.take(1)[-1] == "hazel: hello"


def test_what_is_refused_is_told(town):
    town.serve("scene@2", MEMBERS, lambda message: {"guild": "", "members": []})
    town.serve("scene@2", JOIN_GUILD, lambda message: {"refused": "warren is full"})
    hazel = town.login("hazel")
    assert hazel.send(JOIN, "warren").take(1)[-1] == "No: warren is full."
    assert town.channel("guild warren") == set()


def test_a_town_without_a_guild_server_goes_on(town):
    hazel = town.login("hazel")
    assert hazel.take(1) == ["The guild hall is closed."]
    assert hazel.send(SAY, "anybody?").take(1) == ["The guild hall is closed."]


def test_a_guild_server_that_hangs_is_waited_for_two_seconds(town):
    async def for_ever(message):
        import asyncio

        await asyncio.sleep(3600)

    town.serve("scene@2", MEMBERS, for_ever)
    hazel = town.login("hazel")
    assert hazel.expect(1, within=3) == "The guild hall does not answer."
