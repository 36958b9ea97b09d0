"""A town, scene@0 and scene@1: players are here, and their guilds are elsewhere."""

import ffext

GUILDS = "scene@2"
JOIN_GUILD, LEAVE_GUILD, MEMBERS = 200, 201, 202  # its services, as in guilds.py

JOIN, LEAVE, WHO, SAY = 1, 2, 3, 4  # clients send these; all that they are sent is text, as 1


def tell(player: str, text: str) -> None:
    ffext.send_msg_session(player, 1, text)


async def ask(player: str, service: int, guild: str = "") -> dict | None:
    """What the guild server answers; None if it does not, and the player knows why."""
    message = {"player": player, "guild": guild}
    try:
        answer = await ffext.call_service(GUILDS, service, message, timeout=2)
    except ffext.CallError as error:
        # Each of these is another thing to do: wait for it, ask again, or mend it.
        reasons = {
            "not_found": "The guild hall is closed.",
            "unavailable": "The guild hall has just closed. Better look whether that was done.",
            "deadline_exceeded": "The guild hall does not answer.",
        }
        tell(player, reasons.get(error.kind, "Something is wrong at the guild hall."))
        return None
    if "refused" in answer:
        tell(player, f"No: {answer['refused']}.")
        return None
    return answer


def channel(guild: str) -> str:
    return f"guild {guild}"


@ffext.session_verify_callback
def verify(name: str, online_time: int, ip: str, gate_name: str) -> list:
    return [name] if 0 < len(name) <= 24 else []


@ffext.session_enter_callback
async def entered(player: str, from_scene: str, extra_data: bytes) -> None:
    answer = await ask(player, MEMBERS)
    if answer and answer["guild"]:
        ffext.join_channel(player, channel(answer["guild"]))
        tell(player, f"Welcome back. You are in {answer['guild']}.")
    elif answer:
        tell(player, "Welcome. You are in no guild.")


@ffext.session_call(JOIN)
async def join(player: str, guild: str) -> None:
    if not isinstance(guild, str) or not 0 < len(guild) <= 24:
        return tell(player, "A guild's name has 1 to 24 letters.")
    if answer := await ask(player, JOIN_GUILD, guild):
        # Who has joined a channel is reached in whatever scene they are.
        ffext.join_channel(player, channel(guild))
        ffext.send_channel(channel(guild), 1, f"{player} joins {guild}: {', '.join(answer['members'])}")


@ffext.session_call(LEAVE)
async def leave(player: str, message: None) -> None:
    if answer := await ask(player, LEAVE_GUILD):
        ffext.leave_channel(player, channel(answer["guild"]))
        tell(player, f"You have left {answer['guild']}.")


@ffext.session_call(WHO)
async def who(player: str, message: None) -> None:
    if answer := await ask(player, MEMBERS):
        tell(player, f"{answer['guild'] or 'no guild'}: {', '.join(answer['members'])}")


@ffext.session_call(SAY)
async def said(player: str, text: str) -> None:
    answer = await ask(player, MEMBERS)
    if answer and answer["guild"]:
        ffext.send_channel(channel(answer["guild"]), 1, f"{player}: {text}")
