"""The game, scene@0: it asks the database server for whatever has to be kept."""

import ffext

DB = "scene@1"
LOAD, ADD, GIVE, TOP = 300, 301, 302, 303  # its services, as in db.py

DIG, HAND, BEST = 1, 2, 3  # clients send these; all that they are sent is text, as 1


def tell(player: str, text: str) -> None:
    ffext.send_msg_session(player, 1, text)


async def ask(player: str, service: int, message):
    """What the database server answers; None if it does not, and the player knows."""
    try:
        return await ffext.call_service(DB, service, message)
    except ffext.CallError as error:
        ffext.LOGWARN("game", f"the database server does not answer: {error.kind}: {error}")
        tell(player, "The bank is closed. Come back later.")
        return None


@ffext.session_verify_callback
def verify(name: str, online_time: int, ip: str, gate_name: str) -> list:
    return [name] if 0 < len(name) <= 24 else []


@ffext.session_enter_callback
async def entered(player: str, from_scene: str, extra_data: bytes) -> None:
    if kept := await ask(player, LOAD, player):
        tell(player, f"You are here since {kept['since']} and have {kept['coins']} coins.")


@ffext.session_call(DIG)
async def digs(player: str, message: None) -> None:
    coins = await ask(player, ADD, {"name": player, "coins": 5})
    if coins is not None:
        tell(player, f"You find 5 and have {coins} coins.")


@ffext.session_call(HAND)
async def hands(player: str, message: list) -> None:
    other, coins = str(message[0]), int(message[1])
    answer = await ask(player, GIVE, {"from": player, "to": other, "coins": coins})
    if answer is None:
        return
    if "refused" in answer:
        return tell(player, f"No: {answer['refused']}.")
    tell(player, f"You give {other} {coins} and have {answer['left']} left.")
    tell(other, f"{player} gives you {coins}.")


@ffext.session_call(BEST)
async def best(player: str, message: None) -> None:
    if (names := await ask(player, TOP, None)) is not None:
        tell(player, ", ".join(f"{name} {coins}" for name, coins in names))
