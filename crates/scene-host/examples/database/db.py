"""The database server, scene@1. No client ever comes here: other scenes call it, and
it alone knows that there is a MariaDB."""

import os

import ffext

LOAD, ADD, GIVE, TOP = 300, 301, 302, 303  # services

URL = os.environ.get("GAME_DATABASE", "mysql://game:carrots@127.0.0.1:3306/game")
db = ffext.ffdb_create(URL, pool=8, timeout=3)


class Schema:
    is_there = False


async def database():
    """The database; its table is made by whoever needs it first."""
    if not ffext.singleton(Schema).is_there:
        await db.fetch(
            "CREATE TABLE IF NOT EXISTS player (name VARCHAR(24) PRIMARY KEY,"
            " coins BIGINT NOT NULL DEFAULT 0, since DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP)"
        )
        ffext.singleton(Schema).is_there = True
    return db


# An error of the database is an error of the call: whoever has called gets a
# CallError of the kind "handler" which says what it was.


@ffext.reg_service(LOAD)
async def load(name: str) -> dict:
    db = await database()
    await db.fetch("INSERT IGNORE INTO player (name) VALUES (?)", [name])
    row = await db.fetch_one("SELECT coins, since FROM player WHERE name = ?", [name])
    return {"coins": row["coins"], "since": f"{row['since']:%d %B %Y}"}


@ffext.reg_service(ADD)
async def add(message: dict) -> int:
    db = await database()
    name, coins = message["name"], message["coins"]
    async with db.transaction() as tx:
        await tx.fetch("UPDATE player SET coins = coins + ? WHERE name = ?", [coins, name])
        row = await tx.fetch_one("SELECT coins FROM player WHERE name = ?", [name])
    return row["coins"]


@ffext.reg_service(GIVE)
async def give(message: dict) -> dict:
    """From one player to another: both, or neither."""
    db = await database()
    giver, taker, coins = message["from"], message["to"], message["coins"]
    try:
        async with db.transaction() as tx:
            # Rows are locked in one order, so that two who give to each other at
            # the same time do not wait for each other.
            rows = await tx.fetch(
                "SELECT name, coins FROM player WHERE name IN (?, ?) ORDER BY name FOR UPDATE",
                [giver, taker],
            )
            has = dict(rows)
            if taker not in has or taker == giver:
                raise Refused(f"there is no {taker} to give to")
            if coins <= 0 or has.get(giver, 0) < coins:
                raise Refused("you do not have so many")
            for name, change in ((giver, -coins), (taker, coins)):
                await tx.fetch("UPDATE player SET coins = coins + ? WHERE name = ?", [change, name])
    except Refused as refused:
        return {"refused": str(refused)}
    return {"left": has[giver] - coins}


@ffext.reg_service(TOP)
async def top(message: None) -> list:
    db = await database()
    rows = await db.fetch("SELECT name, coins FROM player ORDER BY coins DESC, name LIMIT 3")
    return [[name, coins] for name, coins in rows]


class Refused(Exception):
    """It rolls the transaction back."""
