"""The game, scene@1: who comes here is known, and keeps its coins in the database."""

import random

import ffext

DIG = 1  # clients send this; they are sent text, as 1

db = ffext.ffdb_create("sqlite://accounts.db")


def tell(name: str, text: str) -> None:
    ffext.send_msg_session(name, DIG, text)


@ffext.session_enter_callback
async def entered(name: str, from_scene: str, extra_data: bytes) -> None:
    [row] = await db.fetch("SELECT since, coins FROM account WHERE name = ?", [name])
    tell(name, f"Welcome, {name}. You are here since {row['since']:%d %B %Y} and have {row['coins']} coins.")


@ffext.session_call(DIG)
async def digs(name: str, message: None) -> None:
    """A session's messages are handled one at a time, also while this waits."""
    found = random.randint(1, 3)
    sql = "UPDATE account SET coins = coins + ? WHERE name = ? RETURNING coins"
    [row] = await db.fetch(sql, [found, name])
    tell(name, f"You find {found} and have {row['coins']} coins.")
