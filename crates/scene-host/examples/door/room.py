"""What both rooms are made of. A player walks from one process into another, and
takes along what it carries."""

import json
from collections.abc import Sequence

import ffext

SAY, TAKE, GO = 1, 2, 3  # clients send these; all that they are sent is text, as 1


class Player:
    def __init__(self, name: str, bag: Sequence[str] = (), doors: int = 0):
        self.name, self.bag, self.doors = name, list(bag), doors


class Room:
    """The room of this scene. It outlives every reload."""

    def __init__(self):
        self.name = self.door = self.door_looks = ""
        self.things: list[str] = []
        self.players: dict[str, Player] = {}


def room() -> Room:
    return ffext.singleton(Room)


def furnish(name: str, things: list[str], door: str, door_looks: str) -> None:
    """Says what this room is like; to be called by the scene's own script."""
    here = room()
    if not here.name:  # not again by a reload: some of them have been taken
        here.things = list(things)
    here.name, here.door, here.door_looks = name, door, door_looks


def tell(name: str, text: str) -> None:
    ffext.send_msg_session(name, SAY, text)


def tell_all(text: str) -> None:
    ffext.multi_send_msg_session(list(room().players), SAY, text)


@ffext.session_verify_callback
def verify(name: str, online_time: int, ip: str, gate_name: str) -> list:
    return [name] if 0 < len(name) <= 24 else []


@ffext.session_enter_callback
def entered(name: str, from_scene: str, extra_data: bytes) -> None:
    """Somebody comes in: from the other room with what `left` returned there."""
    player = Player(**json.loads(extra_data)) if extra_data else Player(name)
    here = room()
    tell_all(f"{name} comes in")
    here.players[name] = player
    tell(name, f"You are in {here.name}. You see {listed(here.things)}, and {here.door_looks}.")
    tell(name, f"You carry {listed(player.bag)}, and have gone through {player.doors} doors.")


@ffext.session_leave_callback
def left(name: str, to_scene: str, extra_data: bytes) -> str:
    """Somebody goes to another scene: all that they have sent has been handled, and
    what is returned here is the `extra_data` of the enter callback there."""
    player = room().players.pop(name)
    tell_all(f"{name} leaves")
    return json.dumps(vars(player))


@ffext.session_offline_callback
def went(name: str, online_time: int) -> None:
    if room().players.pop(name, None):
        tell_all(f"{name} is gone")


@ffext.session_call(SAY)
def said(name: str, text: str) -> None:
    tell_all(f"{name}: {text}")


@ffext.session_call(TAKE)
def took(name: str, thing: str) -> None:
    here = room()
    if thing not in here.things:
        return tell(name, f"There is no {thing} here.")
    here.things.remove(thing)
    here.players[name].bag.append(thing)
    tell_all(f"{name} takes {thing}")


@ffext.session_call(GO)
def goes(name: str, message: None) -> None:
    player, here = room().players[name], room()
    player.doors += 1
    if not ffext.change_session_scene(name, here.door):
        player.doors -= 1
        tell(name, "The door does not open.")


def listed(things: list[str]) -> str:
    return ", ".join(things) or "nothing"
