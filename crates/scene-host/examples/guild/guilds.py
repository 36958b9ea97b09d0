"""The guild server, scene@2: no client ever comes here. Other scenes call it."""

import ffext

JOIN, LEAVE, MEMBERS = 200, 201, 202  # services: {"player": …, "guild": …} -> an answer
MOST = 5  # members that a guild has


class Guilds:
    """All guilds of all towns. It outlives every reload."""

    def __init__(self):
        self.members: dict[str, list[str]] = {}

    def of(self, player: str) -> str:
        return next((guild for guild, names in self.members.items() if player in names), "")


def guilds() -> Guilds:
    return ffext.singleton(Guilds)


@ffext.snapshot
def save() -> dict:
    """What the next process begins with, when this one is restarted on purpose."""
    return guilds().members


@ffext.restore
def load(members: dict) -> None:
    guilds().members = members


# What a caller may well ask for and not get is an answer, too. A function that
# raises is a mistake: its caller gets a CallError of the kind "handler", and the log
# has the traceback.


@ffext.reg_service(JOIN)
def join(message: dict) -> dict:
    player, guild = message["player"], message["guild"]
    if now := guilds().of(player):
        return {"refused": f"you are in {now}"}
    names = guilds().members.setdefault(guild, [])
    if len(names) >= MOST:
        return {"refused": f"{guild} is full"}
    names.append(player)
    return {"guild": guild, "members": names}


@ffext.reg_service(LEAVE)
def leave(message: dict) -> dict:
    guild = guilds().of(message["player"])
    if not guild:
        return {"refused": "you are in no guild"}
    guilds().members[guild].remove(message["player"])
    return {"guild": guild}


@ffext.reg_service(MEMBERS)
def members(message: dict) -> dict:
    guild = guilds().of(message["player"])
    return {"guild": guild, "members": guilds().members.get(guild, [])}
