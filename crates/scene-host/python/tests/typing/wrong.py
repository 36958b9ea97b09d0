"""What mypy has to find: each line that is marked, and no other."""

from typing import Any

import ffext


@ffext.session_verify_callback  # wrong
def verify(key: str, ip: str) -> list[str]:
    return [key]


@ffext.session_enter_callback  # wrong
def enter(session: int, from_scene: str, extra_data: bytes) -> None: ...


@ffext.session_leave_callback  # wrong
def leave(session: str, to_scene: str, extra_data: bytes) -> int:
    return 5


@ffext.session_offline_callback  # wrong
def offline(session: str) -> None: ...


@ffext.session_call(1)  # wrong
def chat(message: Any) -> None: ...


@ffext.session_call(2, bytes)  # wrong
def raw(session: str, body: int) -> None: ...


@ffext.session_call("3")  # wrong
def text(session: str, body: Any) -> None: ...


ffext.send_msg_session(1, 1, "hello")  # wrong
ffext.send_msg_session("ann", "1", "hello")  # wrong
ffext.send_msg_session("ann", 1)  # wrong
ffext.once_timer(10, lambda session: None)  # wrong
ffext.once_timer("10", print)  # wrong
ffext.singleton(5)  # wrong
ffext.change_session_scene("ann", "scene@1", 5)  # wrong
ffext.call_service("scene@1", 1, None, lambda answer: None)  # wrong
ffext.bridge_call("GroupB", "1")  # wrong
ffext.bridge_call_service("GroupB", 1, 2)  # wrong
ffext.no_such_name()  # wrong


async def forgets() -> None:
    names: list[str] = ffext.call_service("scene@1", 1)  # wrong
    db = ffext.ffdb_create("sqlite::memory:")
    db.fetch("SELECT ?", "text")  # wrong
    rows = await db.fetch("SELECT 1")
    rows.columns  # wrong
