"""The login scene, scene@0. It is asked by both gates who a client is, and it alone
ever sees a password.

At the login gate a client says its name and password, and is given a ticket. With
that it goes to the game gate, as often as it likes within half a minute.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
import time

import ffext

LOGIN_GATE = "gate@0"
GAME_GATE = "127.0.0.1:10252"  # where clients are sent
TICKET_LASTS = 30  # seconds

# With one connection, statements are carried out in the order in which they are made.
db = ffext.ffdb_create("sqlite://accounts.db", pool=1)


def made(result) -> None:
    if not result:
        ffext.LOGFATAL("login", f"no accounts: {result.error}")


db.query(
    "CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY, salt BLOB NOT NULL, key BLOB NOT NULL,"
    " since DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, coins INTEGER NOT NULL DEFAULT 0)",
    made,
)


class Tickets:
    def __init__(self):
        self.tickets: dict[str, tuple[str, float]] = {}  # ticket -> whose, and until when

    def give(self, name: str) -> str:
        now = time.monotonic()
        self.tickets = {key: kept for key, kept in self.tickets.items() if kept[1] > now}
        ticket = secrets.token_urlsafe(24)
        self.tickets[ticket] = name, now + TICKET_LASTS
        return ticket

    def whose(self, ticket: str) -> str:
        name, until = self.tickets.get(ticket, ("", 0))
        return name if until > time.monotonic() else ""


@ffext.session_verify_callback
async def verify(key: str, online_time: int, ip: str, gate_name: str) -> list:
    tickets = ffext.singleton(Tickets)
    if gate_name != LOGIN_GATE:
        name = tickets.whose(key)
        return [name] if name else []
    try:
        login = json.loads(key)
        name, password, is_new = login["name"], login["password"], login.get("new", False)
    except (ValueError, KeyError, TypeError):
        return []
    if not all(isinstance(text, str) and 0 < len(text) <= 64 for text in (name, password)):
        return []
    if not await (register(name, password) if is_new else check(name, password)):
        return []
    return [name, {"ticket": tickets.give(name), "gate": GAME_GATE}]


@ffext.session_enter_callback
def entered(name: str, from_scene: str, extra_data: bytes) -> None:
    """Only clients of the login gate enter this scene. They have what they came for."""
    ffext.close_session(name)


async def register(name: str, password: str) -> bool:
    salt = secrets.token_bytes(16)
    key = await derive(password, salt)
    sql = "INSERT OR IGNORE INTO account (name, salt, key) VALUES (?, ?, ?)"
    return (await db.fetch(sql, [name, salt, key])).affected == 1


async def check(name: str, password: str) -> bool:
    row = await db.fetch_one("SELECT salt, key FROM account WHERE name = ?", [name])
    # A name that nobody has takes as long as a wrong password.
    salt, key = row or (b"nobody", b"")
    return hmac.compare_digest(await derive(password, salt), key)


async def derive(password: str, salt: bytes) -> bytes:
    """Takes a while on purpose, so a thread does it: the scene goes on meanwhile."""
    return await asyncio.to_thread(hashlib.scrypt, password.encode(), salt=salt, n=2**14, r=8, p=1)
