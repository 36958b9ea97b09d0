"""Stands in for the native half of the package: what a scene would be told is
kept in lists. Functions are grafted by the native half where there is one, and
with ctypes where there is not."""

import asyncio
import ctypes
import json
import sys
import types

logged = []
failures = []
installed = {}
served = {}
decoders = {}
loads = []
own_files = {}
bridge_calls = []

# Where a function object of CPython 3.11 keeps what no attribute can change.
_GLOBALS, _CLOSURE = 16, 72


def _store(function, offset, value):
    slot = ctypes.c_void_p.from_address(id(function) + offset)
    if value is not None:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
    slot.value = None if value is None else id(value)


def graft_with_ctypes(function, code, names, closure):
    assert type(function) is types.FunctionType and type(names) is dict
    before = function.__closure__
    # The names that it had are never let go: a frame may still use them.
    _store(function, _GLOBALS, names)
    _store(function, _CLOSURE, closure)
    function.__code__ = code
    if before is not None:
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(before))


try:
    from _ffext import graft
except ImportError:
    graft = graft_with_ctypes


def install(calls, callbacks, services=()):
    installed.clear()
    served.clear()
    served.update({cmd: function for cmd, function, *_ in services})
    decoders.clear()
    decoders.update({cmd: decoder for cmd, _, decoder, *_ in calls})
    installed.update({cmd: function for cmd, function, *_ in calls})
    installed.update({kind: function for kind, (function, _) in callbacks.items()})


def forget():
    """Back to the beginning."""
    for kept in (logged, failures, installed, served, decoders, loads, bridge_calls):
        kept.clear()


def bridge_call(*arguments):
    """Keeps what is called; the call ends as the test says, by the future."""
    future = asyncio.get_running_loop().create_future()
    bridge_calls.append((arguments, future))
    return future


def encode(value):
    from ffext import messages

    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    packed = messages.pack(value)
    if packed is not None:
        return packed
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


_native = types.ModuleType("_ffext")
_native.encode = encode
_native.bridge_call = bridge_call
_native.caller = lambda: None
_native.decode_json = json.loads
_native.graft = graft
_native.install = install
_native.log = lambda level, module, text: logged.append((level, module, text))
_native.log_level = lambda: 20
_native.failed = lambda kind, label, error: failures.append((kind, label, error))
_native.failed_elsewhere = lambda kind, name, text: failures.append((kind, name, text))
_native.begin = lambda awaitable, kind, label: asyncio.ensure_future(awaitable)
_native.Begun = type("Begun", (), {})
_native.loaded = lambda *load: loads.append(load)
_native.load_failed = lambda name, reason, traceback: loads.append((name, reason))
_native.check_thread = lambda: None
_native.own_files = lambda files, folders: own_files.update(files=files, folders=folders)
_native.entered = lambda kind, label: None
_native.give_up = lambda ask: None
_native.is_exist = lambda name: False
_native.left = lambda: None
for _name in (
    "broadcast_msg_gate",
    "broadcast_msg_session",
    "change_session_scene",
    "close_session",
    "join_channel",
    "leave_channel",
    "multi_send_msg_session",
    "send_channel",
    "send_msg_session",
):
    setattr(_native, _name, lambda *arguments: True)
sys.modules["_ffext"] = _native
