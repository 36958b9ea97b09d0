"""The script that the tests play with. Each command does one thing."""

import ffext

VERSION = "one"


class Room(object):
    def __init__(self):
        self.names = []
        self.heard = []


def room():
    return ffext.singleton(Room)


@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    if session_key == "mallory":
        return []
    if session_key == "nonsense":
        return 42
    if session_key == "boom":
        raise ValueError("verification fails on purpose")
    return [session_key, "welcome " + session_key]


@ffext.session_enter_callback
def enter(session_id, from_scene, extra_data):
    room().names.append(session_id)
    ffext.broadcast_msg_session(100, sorted(room().names))


@ffext.session_offline_callback
def offline(session_id, online_time):
    room().names.remove(session_id)
    ffext.broadcast_msg_session(101, [session_id, online_time])


@ffext.session_call(1)
def echo(session_id, msg):
    ffext.send_msg_session(session_id, 1, msg)


@ffext.session_call(2)
def say(session_id, msg):
    ffext.broadcast_msg_session(2, [session_id] + msg)


@ffext.session_call(3)
def whisper(session_id, msg):
    names, text = msg
    ffext.multi_send_msg_session(names, 3, [session_id, text])


@ffext.session_call(4)
def kick(session_id, msg):
    ffext.close_session(msg[0])


@ffext.session_call(5)
def fail(session_id, msg):
    raise RuntimeError("this handler fails on purpose")


@ffext.session_call(6)
def reload_script(session_id, msg):
    result = ffext.reload("main")
    ffext.send_msg_session(session_id, 6, [bool(result), str(result)])


@ffext.session_call(7)
def version(session_id, msg):
    ffext.send_msg_session(session_id, 7, [VERSION, ffext.version()[0]])


@ffext.session_call(8)
def names(session_id, msg):
    ffext.send_msg_session(session_id, 8, sorted(room().names))


@ffext.session_call(9, type="raw")
def raw(session_id, body):
    ffext.send_msg_session(session_id, 9, body[::-1])


@ffext.session_call(10)
def later(session_id, msg):
    ffext.once_timer(msg[0], lambda: ffext.send_msg_session(session_id, 10, "ding"))


@ffext.session_call(11)
async def slow(session_id, msg):
    import asyncio

    await asyncio.sleep(msg[0] / 1000)
    ffext.send_msg_session(session_id, 11, msg)


@ffext.reg_service(200)
def hello(name):
    return {"hello": name}


@ffext.reg_service(201)
async def relay(order):
    return await ffext.call_service(*order)
