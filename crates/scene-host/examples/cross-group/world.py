"""What both worlds are made of. Each is a group of its own: it has its own players,
and reaches the other by bridge calls alone.

Three commands cross the bridge. ARRIVE hands a rabbit over, HEAR what is said to both
worlds, LOOK asks whether anybody is there.
"""

import json
import random
import secrets
import time

import ffext
from life import COLOURS, MOST, SIZE, TICKS, Rabbit, World, clamp, clean, somewhere

STEER, GO, SAY, TRAVEL, RENAME = 1, 2, 3, 4, 5  # clients send these
STATE, CHAT, BRIDGE, TICKET, TOLD = 10, 11, 12, 13, 14  # and are sent these
ARRIVE, HEAR, LOOK = 200, 201, 202  # the other world calls these: see [exports]

Failure = ffext.CallError | ffext.ErrorText  # as it is raised, and as a callback gets it


# Journeys -----------------------------------------------------------------------


@ffext.session_call(TRAVEL)
async def travels(session: str, message: None) -> None:
    """A rabbit goes to the other world: that one has it before this one lets it go."""
    here = world()
    rabbit = here.rabbits.get(session)
    if not rabbit:
        return
    rabbit.trip += 1
    rabbit.packing = True  # until there is an answer it stands still and picks up nothing
    try:
        answer = await ffext.bridge_call(here.other, ARRIVE, rabbit.luggage(), timeout=3)
    except ffext.CallError as error:
        # It stays. `unavailable` and `deadline_exceeded` leave open whether it was done;
        # if it was, a copy sleeps over there under a ticket that nobody was ever told:
        # it never wakes, the next journey takes its place, or it is forgotten.
        tell(session, f"You stay in {here.name}: {reason(error)}.")
        return
    finally:
        rabbit.packing = False
    if "refused" in answer:
        tell(session, f"You stay in {here.name}: {answer['refused']}.")
        return
    # From here on it is there and no longer here. Whoever loses its connection right
    # now finds the ticket with its old key: see entered().
    del here.rabbits[session]
    here.left[session] = (rabbit.key, answer["ticket"], time.time())
    ffext.send_msg_session(session, TICKET, {"world": here.other, "ticket": answer["ticket"]})
    chat(f"{rabbit.name} has left for {here.other}.")


@ffext.reg_service(ARRIVE)
def arrives(luggage: dict) -> dict:
    """The other world hands a rabbit over. It sleeps until its player comes with the
    ticket, which is its key from now on."""
    here = world()
    rabbit = Rabbit(
        id=str(luggage["id"]), name=clean(luggage["name"], 16), colour=int(luggage["colour"]) % COLOURS,
        bag={str(fruit): int(number) for fruit, number in luggage["bag"].items()},
        x=clamp(float(luggage["x"]), 0, SIZE[0]), y=clamp(float(luggage["y"]), 0, SIZE[1]),
        trip=int(luggage["trip"]),
    )  # fmt: skip
    before = here.rabbits.get(rabbit.id)
    if before and (before.awake or before.trip >= rabbit.trip):
        return {"refused": f"{rabbit.name} is in {here.name} already"}
    if not before and len(here.rabbits) >= MOST:
        return {"refused": f"{here.name} is full"}
    rabbit.origin = ffext.caller().group or here.name
    here.rabbits[rabbit.id] = rabbit
    here.left.pop(rabbit.id, None)
    return {"ticket": rabbit.key}


# What is said -------------------------------------------------------------------


@ffext.session_call(SAY)
def said(session: str, message: dict) -> None:
    rabbit, text = world().rabbits.get(session), clean(message["text"], 200)
    if rabbit and text:
        chat(text, rabbit, to_both=message.get("to") == "both")


def chat(text: str, rabbit: Rabbit | None = None, to_both: bool = False) -> None:
    """Somebody says something, or, without a rabbit, something has happened."""
    here = world()
    line = {"text": text, "name": rabbit and rabbit.name, "colour": rabbit and rabbit.colour}
    line |= {"id": rabbit and rabbit.id, "to": "both" if to_both else "here"}
    tell_all(line | {"from": here.name})
    if not to_both:
        return

    def told(error: ffext.ErrorText, answer: None) -> None:
        if error:
            found(error)
            text = f"{here.other} may not have heard that: {reason(error)}."
            tell_all({"from": here.name, "text": text, "failed": True})

    ffext.bridge_call(here.other, HEAR, line, told, timeout=2)


@ffext.reg_service(HEAR)
def heard(line: dict) -> None:
    """Somebody in the other world has said something. Which world that is says the
    bridge, not the line."""
    known = {key: line.get(key) for key in ("text", "name", "colour", "id")}
    tell_all(known | {"from": ffext.caller().group, "to": "both"})


def tell_all(line: dict) -> None:
    """A page that is about to play here looks on until it does, and so may get a line
    twice: it knows it by its number."""
    ffext.broadcast_msg_session(CHAT, line | {"number": str(ffext.alloc_id())})


# The bridge ---------------------------------------------------------------------


@ffext.reg_service(LOOK)
def looked_at(message: None) -> dict:
    return {"awake": len(world().awake())}


async def look() -> None:
    """Is anybody there? Players see what is found."""
    here, begun = world(), time.perf_counter()
    if not here.name:
        return
    try:
        await ffext.bridge_call(here.other, LOOK, timeout=1)
        here.bridge = {"open": True, "ms": round((time.perf_counter() - begun) * 1000, 1)}
        ffext.broadcast_msg_session(BRIDGE, here.bridge, latest=True)
    except ffext.CallError as error:
        found(error)


def found(error: Failure) -> None:
    """A bridge call has failed."""
    here = world()
    here.bridge = {"open": False, "why": reason(error), "kind": error.kind}
    ffext.broadcast_msg_session(BRIDGE, here.bridge, latest=True)


def reason(error: Failure) -> str:
    """What each kind of error means to players."""
    there = world().other
    return {
        "not_found": f"nobody knows a way to {there}",
        "unavailable": f"{there} is out of reach",
        "deadline_exceeded": f"nobody in {there} answers",
        "overloaded": "the bridge is crowded",
        "forbidden": f"{there} lets nobody in",
    }.get(error.kind, f"something is wrong in {there}")


# Players ------------------------------------------------------------------------


@ffext.session_verify_callback
def verify(text: str, online_time: int, ip: str, gate_name: str) -> list:
    """A client says who it is: {"key": …} has a rabbit, {"name": …} wants one, and
    {"watch": true} looks on."""
    here, wish = world(), json.loads(text)
    welcome = {"world": here.name, "other": here.other, "fruit": here.fruit, "size": SIZE, "bridge": here.bridge}
    if wish.get("watch"):
        return [f"watch {secrets.token_hex(8)}", welcome]
    if "key" in wish:
        keys = {rabbit.key: rabbit.id for rabbit in here.rabbits.values()}
        keys |= {key: id for id, (key, _, _) in here.left.items()}
        id = keys.get(wish["key"])
        return [id, welcome | {"id": id, "key": wish["key"]}] if id else []
    if len(here.rabbits) >= MOST:
        return []
    colours = [rabbit.colour for rabbit in here.rabbits.values() if not rabbit.resident]
    colour = min(random.sample(range(COLOURS), COLOURS), key=colours.count)
    rabbit = Rabbit(secrets.token_hex(8), clean(wish["name"], 16), colour, {}, *somewhere())
    here.rabbits[rabbit.id] = rabbit
    return [rabbit.id, welcome | {"id": rabbit.id, "key": rabbit.key}]


@ffext.session_enter_callback
def entered(session: str, from_scene: str, extra_data: bytes) -> None:
    here = world()
    if rabbit := here.rabbits.get(session):
        rabbit.name = here.free_name(rabbit.name)
        rabbit.awake = True
        if rabbit.origin:
            chat(f"{rabbit.name} has come over from {rabbit.origin}.")
        elif rabbit.origin is None:
            chat(f"{rabbit.name} has woken up.")
        else:
            chat(f"{rabbit.name} is in {here.name} now.", to_both=True)
        rabbit.origin = None
    elif session in here.left:
        ffext.send_msg_session(session, TICKET, {"world": here.other, "ticket": here.left[session][1]})


@ffext.session_offline_callback
def went(session: str, online_time: int) -> None:
    if rabbit := world().rabbits.get(session):
        rabbit.awake, rabbit.asleep_since = False, time.time()
        rabbit.stick, rabbit.goal = (0.0, 0.0), None
        chat(f"{rabbit.name} has fallen asleep.")


@ffext.session_call(STEER)
def steered(session: str, message: list) -> None:
    """With the keys: into this direction, from now on."""
    if rabbit := world().rabbits.get(session):
        x, y = message
        rabbit.stick, rabbit.goal = (clamp(float(x), -1, 1), clamp(float(y), -1, 1)), None


@ffext.session_call(GO)
def sent(session: str, message: list) -> None:
    """With a click: to that place."""
    if rabbit := world().rabbits.get(session):
        x, y = message
        rabbit.stick, rabbit.goal = (0.0, 0.0), (clamp(float(x), 0, SIZE[0]), clamp(float(y), 0, SIZE[1]))


@ffext.session_call(RENAME)
def renamed(session: str, name: str) -> None:
    here = world()
    if (rabbit := here.rabbits.get(session)) and (name := clean(name, 16)) and name != rabbit.name:
        before, rabbit.name = rabbit.name, here.free_name(name)
        chat(f"{before} is {rabbit.name} now.")


def tell(session: str, text: str) -> None:
    ffext.send_msg_session(session, TOLD, text)


# All there is -------------------------------------------------------------------


def world() -> World:
    return ffext.singleton(World)


def settle(name: str, other: str, fruit: str, residents: list[str]) -> None:
    """Says which world this is; to be called by the scene's own script."""
    here = world()
    here.name, here.other, here.fruit = name, other, fruit
    here.rabbits = {id: rabbit for id, rabbit in here.rabbits.items() if not rabbit.resident}
    for number, resident in enumerate(residents):
        rabbit = Rabbit(f"resident {number}", resident, number, {}, *somewhere())
        rabbit.awake = rabbit.resident = True
        here.rabbits[rabbit.id] = rabbit


def tick() -> None:
    world().step(1 / TICKS)
    # Each of these is the whole world, so that whoever is slow may miss some.
    ffext.broadcast_msg_session(STATE, world().picture(), latest=True)


ffext.interval(1000 / TICKS, tick)
ffext.interval(500, look)
ffext.interval(60_000, lambda: world().forget())
