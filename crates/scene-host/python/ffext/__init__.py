"""What a scene's script is written with.

A script registers functions for what happens to sessions, and sends messages
to them::

    import ffext

    @ffext.session_verify_callback
    def verify(session_key, online_time, ip, gate_name):
        return [session_key]

    @ffext.session_call(1)
    def chat(session_id, message):
        ffext.broadcast_msg_session(1, message[0])

A session goes to another scene with ``change_session_scene(session_id,
'scene@1')``. It may join channels, and ``send_channel()`` reaches all who have,
whichever scene they are in.

Functions may be plain or ``async def``. Everything here is used from the
scene's own thread, except the log, which may be written from any.
"""

from _ffext import (
    broadcast_msg_gate,
    broadcast_msg_session,
    change_session_scene,
    close_session,
    join_channel,
    leave_channel,
    multi_send_msg_session,
    send_channel,
    send_msg_session,
)

from .database import escape, ffdb_create
from .errors import CallError, DatabaseError, ErrorText
from .events import bind_event, post
from .ids import alloc_id
from .loading import on_reload, reload, version
from .log import (
    ERROR,
    LOGDEBUG,
    LOGERROR,
    LOGFATAL,
    LOGINFO,
    LOGTRACE,
    LOGWARN,
    dump_stdout_to_log,
)
from .messages import decode_buff, json_to_value, to_str
from .registry import (
    session_call,
    session_enter_callback,
    session_leave_callback,
    session_offline_callback,
    session_verify_callback,
)
from .services import (
    Caller,
    NodeInfo,
    bridge_call,
    bridge_call_service,
    call_service,
    caller,
    is_exist,
    lookup,
    reg_service,
)
from .singletons import singleton
from .snapshots import restore, snapshot
from .timers import interval, once_timer

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
