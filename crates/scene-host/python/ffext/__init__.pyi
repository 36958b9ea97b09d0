"""The types of what scripts use. Held equal to what there is by mypy.stubtest."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from types import ModuleType
from typing import Any, Literal, NamedTuple, Type, TypeVar, overload

from .database import escape as escape
from .database import ffdb_create as ffdb_create
from .errors import CallError as CallError
from .errors import DatabaseError as DatabaseError
from .errors import ErrorText as ErrorText
from .outcome import Reload, Version
from .timers import interval as interval
from .timers import once_timer as once_timer

_M = TypeVar("_M")
_Bytes = bytes | bytearray | memoryview

# Sessions

_Verify = Callable[[str, int, str, str], Sequence[object] | Awaitable[Sequence[object] | None | Literal[False]] | None | Literal[False]]
_Enter = Callable[[str, str, bytes], None | Awaitable[None]]
_Leave = Callable[[str, str, bytes], bytes | str | None | Awaitable[bytes | str | None]]
_Offline = Callable[[str, int], None | Awaitable[None]]
_Handled = None | Awaitable[None]

_V = TypeVar("_V", bound=_Verify)
_E = TypeVar("_E", bound=_Enter)
_L = TypeVar("_L", bound=_Leave)
_O = TypeVar("_O", bound=_Offline)
_JsonCall = TypeVar("_JsonCall", bound=Callable[[str, Any], _Handled])
_RawCall = TypeVar("_RawCall", bound=Callable[[str, bytes], _Handled])
_Any = TypeVar("_Any", bound=Callable[..., Any])
_Plain = TypeVar("_Plain", bound=Callable[[], object])

_Json = Literal["json"] | type[dict[Any, Any]] | type[list[Any]]
_Raw = Literal["raw", "bytes"] | type[bytes]

def session_verify_callback(function: _V) -> _V: ...
def session_enter_callback(function: _E) -> _E: ...
def session_leave_callback(function: _L) -> _L: ...
def session_offline_callback(function: _O) -> _O: ...
@overload
def session_call(
    cmd: int, type: _Json = "json", concurrent: bool = False
) -> Callable[[_JsonCall], _JsonCall]: ...
@overload
def session_call(
    cmd: int, type: _Raw, concurrent: bool = False
) -> Callable[[_RawCall], _RawCall]: ...
@overload
def session_call(
    cmd: int, type: Type[_M], concurrent: bool = False
) -> Callable[[Callable[[str, _M], _Handled]], Callable[[str, _M], _Handled]]: ...

# To clients

def send_msg_session(session_id: str, cmd: int, value: object, latest: bool | None = None) -> bool: ...
def multi_send_msg_session(
    session_ids: Iterable[str], cmd: int, value: object, latest: bool | None = None
) -> int: ...
def broadcast_msg_session(cmd: int, value: object, latest: bool | None = None) -> bool: ...
def broadcast_msg_gate(
    gate_name: str, cmd: int, value: object, latest: bool | None = None
) -> bool: ...
def send_channel(channel: str, cmd: int, value: object, latest: bool | None = None) -> bool: ...
def join_channel(session_id: str, channel: str) -> bool: ...
def leave_channel(session_id: str, channel: str) -> bool: ...
def close_session(session_id: str) -> bool: ...
def change_session_scene(
    session_id: str, to_scene: str, extra_data: bytes | str | None = None
) -> bool: ...

# Services

class NodeInfo(NamedTuple):
    name: str
    role: str
    state: str
    load: int
    version: int
    hash: str

class Caller(NamedTuple):
    group: str | None
    name: str

def reg_service(cmd: int, type: object = None) -> Callable[[_Any], _Any]: ...
@overload
def call_service(
    name: str, cmd: int, message: object = None, callback: None = None,
    type: Type[_M] | Literal["json", "raw", "bytes"] = "json", timeout: float | None = None,
) -> Awaitable[Any]: ...
@overload
def call_service(
    name: str, cmd: int, message: object, callback: Callable[[ErrorText, Any], object],
    type: object = "json", timeout: float | None = None,
) -> None: ...
@overload
def call_service(
    name: str, cmd: int, message: object = None, *, callback: Callable[[ErrorText, Any], object],
    type: object = "json", timeout: float | None = None,
) -> None: ...
@overload
def bridge_call(
    group: str, cmd: int, message: object = None, callback: None = None,
    type: Type[_M] | Literal["json", "raw", "bytes"] = "json", timeout: float | None = None,
) -> Awaitable[Any]: ...
@overload
def bridge_call(
    group: str, cmd: int, message: object, callback: Callable[[ErrorText, Any], object],
    type: object = "json", timeout: float | None = None,
) -> None: ...
@overload
def bridge_call(
    group: str, cmd: int, message: object = None,
    *, callback: Callable[[ErrorText, Any], object],
    type: object = "json", timeout: float | None = None,
) -> None: ...
@overload
def bridge_call_service(
    group: str, name: str, cmd: int, message: object = None, callback: None = None,
    type: Type[_M] | Literal["json", "raw", "bytes"] = "json", timeout: float | None = None,
) -> Awaitable[Any]: ...
@overload
def bridge_call_service(
    group: str, name: str, cmd: int, message: object, callback: Callable[[ErrorText, Any], object],
    type: object = "json", timeout: float | None = None,
) -> None: ...
@overload
def bridge_call_service(
    group: str, name: str, cmd: int, message: object = None,
    *, callback: Callable[[ErrorText, Any], object],
    type: object = "json", timeout: float | None = None,
) -> None: ...
# None where no service runs; a service need not ask whether it is one.
def caller() -> Caller | Any: ...
def is_exist(name: str) -> bool: ...
@overload
def lookup(name_or_role: str, callback: None = None) -> Awaitable[NodeInfo | None]: ...
@overload
def lookup(
    name_or_role: str, callback: Callable[[ErrorText, NodeInfo | None], object]
) -> None: ...

# Messages

def to_str(value: object) -> bytes: ...
def json_to_value(text: str | _Bytes) -> Any: ...
@overload
def decode_buff(type: _Raw, body: str | _Bytes) -> bytes: ...
@overload
def decode_buff(type: _Json, body: str | _Bytes) -> Any: ...
@overload
def decode_buff(type: Type[_M], body: str | _Bytes) -> _M: ...

# State

def singleton(cls: Type[_M]) -> _M: ...
def alloc_id() -> int: ...
def bind_event(event: Hashable) -> Callable[[_Any], _Any]: ...
def post(event: Hashable, *args: object, **kwargs: object) -> int: ...
@overload
def snapshot(function: _Plain, *, version: int | None = None) -> _Plain: ...
@overload
def snapshot(
    function: None = None, *, version: int | None = None
) -> Callable[[_Plain], _Plain]: ...
def restore(function: _Any) -> _Any: ...

# Code

_Hook = TypeVar("_Hook", bound=Callable[[Reload], object])

def reload(name: str | ModuleType | None = None) -> Reload: ...
def on_reload(function: _Hook) -> _Hook: ...
def version() -> Version: ...

# The log

def LOGTRACE(module: object, text: object) -> None: ...
def LOGDEBUG(module: object, text: object) -> None: ...
def LOGINFO(module: object, text: object) -> None: ...
def LOGWARN(module: object, text: object) -> None: ...
def LOGERROR(module: object, text: object) -> None: ...
def LOGFATAL(module: object, text: object) -> None: ...
def ERROR(*parts: object) -> None: ...
def dump_stdout_to_log() -> None: ...

__all__ = [
    "CallError",
    "Caller",
    "DatabaseError",
    "ERROR",
    "ErrorText",
    "LOGDEBUG",
    "LOGERROR",
    "LOGFATAL",
    "LOGINFO",
    "LOGTRACE",
    "LOGWARN",
    "NodeInfo",
    "alloc_id",
    "bind_event",
    "bridge_call",
    "bridge_call_service",
    "broadcast_msg_gate",
    "broadcast_msg_session",
    "call_service",
    "caller",
    "change_session_scene",
    "close_session",
    "decode_buff",
    "dump_stdout_to_log",
    "escape",
    "ffdb_create",
    "interval",
    "is_exist",
    "join_channel",
    "json_to_value",
    "leave_channel",
    "lookup",
    "multi_send_msg_session",
    "on_reload",
    "once_timer",
    "post",
    "reg_service",
    "reload",
    "restore",
    "send_channel",
    "send_msg_session",
    "session_call",
    "session_enter_callback",
    "session_leave_callback",
    "session_offline_callback",
    "session_verify_callback",
    "singleton",
    "snapshot",
    "to_str",
    "version",
]
