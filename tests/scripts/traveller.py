"""Sessions that count their messages, and take the count along wherever they go.

What happens to sessions is written, a line each, to a journal of this process.
"""

import os

import ffext

journal = open(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "journal.%d" % os.getpid()),
    "a",
    buffering=1,
)
# By session, the number of its next message; None until the first has come.
counts = {}


def note(*words):
    journal.write(" ".join(str(word) for word in words) + "\n")


@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key, ""]


@ffext.session_enter_callback
def enter(session_id, from_scene, extra_data):
    if session_id in counts:
        note("wrong", session_id, "enters twice")
    counts[session_id] = int(extra_data) if extra_data else None
    note("enter", session_id, from_scene or "-")


@ffext.session_leave_callback
def leave(session_id, to_scene, extra_data):
    count = counts.pop(session_id)
    note("leave", session_id, to_scene)
    return "" if count is None else str(count)


@ffext.session_offline_callback
def offline(session_id, online_time):
    if session_id not in counts:
        note("wrong", session_id, "goes offline and is not here")
    counts.pop(session_id, None)
    note("offline", session_id)


@ffext.session_call(1, type="raw")
def count(session_id, body):
    number, expected = int(body), counts[session_id]
    if expected not in (None, number):
        note("wrong", session_id, "sends %d after %d" % (number, expected - 1))
    counts[session_id] = number + 1
    ffext.send_msg_session(session_id, 1, b"%d %d" % (number, os.getpid()))


@ffext.session_call(2, type="raw")
def go(session_id, body):
    if not ffext.change_session_scene(session_id, body.decode()):
        note("stays", session_id, body.decode())
