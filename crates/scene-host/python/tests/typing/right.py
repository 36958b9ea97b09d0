"""A script that uses all of ffext as it is meant to be used: mypy has nothing to say."""

import asyncio
from dataclasses import dataclass
from typing import Any

import ffext


class Say:
    text: str = ""


@dataclass
class World:
    names: list[str]

    def __init__(self) -> None:
        self.names = []


@ffext.session_verify_callback
def verify(key: str, online_time: int, ip: str, gate: str) -> list[str]:
    return [key] if key else []


@ffext.session_enter_callback
async def enter(session: str, from_scene: str, extra_data: bytes) -> None:
    ffext.singleton(World).names.append(session)
    ffext.join_channel(session, "all")
    ffext.send_channel("all", 1, {"enters": session})


@ffext.session_leave_callback
def leave(session: str, to_scene: str, extra_data: bytes) -> bytes | None:
    return b"hp=5" if to_scene else None


@ffext.session_offline_callback
def offline(session: str, online_time: int) -> None:
    ffext.leave_channel(session, "all")


@ffext.session_call(1)
def chat(session: str, message: Any) -> None:
    ffext.broadcast_msg_session(1, message[0])
    ffext.broadcast_msg_gate("gate@0", 1, message)
    sent: int = ffext.multi_send_msg_session(["a", "b"], 1, message, latest=True)
    ffext.LOGINFO("chat", f"{sent}")


@ffext.session_call(2, bytes)
async def raw(session: str, body: bytes) -> None:
    ffext.send_msg_session(session, 2, body[::-1])


@ffext.session_call(3, Say, concurrent=True)
async def say(session: str, message: Say) -> None:
    text: str = message.text
    answer = await ffext.call_service("scene@1", 200, {"text": text}, timeout=1)
    node = await ffext.lookup("scene")
    if node is not None and ffext.is_exist(node.name):
        ffext.change_session_scene(session, node.name, ffext.to_str(answer))


def told(error: ffext.ErrorText, answer: Any) -> None:
    if error:
        ffext.LOGERROR("guild", f"{error.kind}: {error}")


@ffext.reg_service(200)
def double(message: Any) -> Any:
    ffext.call_service("scene@1", 200, message, told)
    ffext.call_service("scene@1", 200, callback=told)
    ffext.bridge_call("GroupB", 1, message, told)
    ffext.bridge_call_service("GroupB", "scene@1", 1, callback=told)
    ffext.LOGINFO("world", ffext.caller().group or ffext.caller().name.upper())
    return ffext.json_to_value("1"), ffext.decode_buff(Say, b"").text


@ffext.bind_event("level_up")
def level_up(session: str, level: int) -> None:
    ffext.post("level_up", session, level=level + 1)


db = ffext.ffdb_create("sqlite://world.db")


async def buy(session: str) -> int:
    async with db.transaction() as tx:
        await tx.fetch("UPDATE player SET gold = gold - ?", [5])
    rows = await db.fetch("SELECT id, name FROM player")
    names = [row["name"] for row in rows]
    row = await db.fetch_one("SELECT 1")
    db.query("SELECT 1", lambda result: print(result.flag, result.error.kind, result.column))
    db.query("SELECT ?", [1], lambda result: print(result.result))
    outcome = await db.query("SELECT 1")
    assert outcome, outcome.error
    return len(names) + (0 if row is None else len(row))


tick = ffext.interval(50, lambda: None)
ffext.once_timer(10, lambda: tick.cancel())
ffext.once_timer(10, lambda: asyncio.sleep(1))


@ffext.snapshot(version=2)
def save() -> dict[str, Any]:
    return {"names": ffext.singleton(World).names, "id": ffext.alloc_id()}


@ffext.restore
def load(value: Any, version: int | None) -> None:
    ffext.singleton(World).names = value["names"]


@ffext.on_reload
def reloaded(result: object) -> None:
    print(ffext.version().hash, ffext.reload().kept, ffext.close_session("ann"))


def fail() -> None:
    raise ffext.CallError("forbidden", ffext.escape("it's not allowed"))
