"""What the scene runs while its gate is measured. Clients speak raw bytes."""

import ffext

ECHO = 1  # comes back as it is
BROADCAST = 2  # a number, and what everybody is sent so often
COUNT = 3  # how many sessions have entered so far
PUSH = 4  # a number, and the session that is sent so many pages; answered with `gone`

PARTS = tuple(number.to_bytes(4, "little") for number in range(1024))
PAGE = bytes(4096)

entered = 0
gone = 0  # readers that were closed


@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key]


@ffext.session_enter_callback
def enter(session_id, from_scene, extra_data):
    global entered
    entered += 1


@ffext.session_offline_callback
def offline(session_id, online_time):
    global gone
    gone += session_id.startswith("reader-")


@ffext.session_call(ECHO, type=bytes)
def echo(session_id, body):
    ffext.send_msg_session(session_id, ECHO, body)


@ffext.session_call(BROADCAST, type=bytes)
def broadcast(session_id, body):
    tail = body[4:]
    for part in PARTS[: int.from_bytes(body[:4], "little")]:
        ffext.broadcast_msg_session(BROADCAST, part + tail)


@ffext.session_call(COUNT, type=bytes)
def count(session_id, body):
    ffext.send_msg_session(session_id, COUNT, entered.to_bytes(8, "little"))


@ffext.session_call(PUSH, type=bytes)
def push(session_id, body):
    target = body[4:].decode()
    for _ in range(int.from_bytes(body[:4], "little")):
        ffext.send_msg_session(target, PUSH, PAGE)
    ffext.send_msg_session(session_id, PUSH, gone.to_bytes(8, "little"))
