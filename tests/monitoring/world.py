"""A script that gives everything something to count: players who are answered, calls
within the group and to another one, refusals, and errors."""

import ffext



@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key, ""]


@ffext.session_call(2, type="raw")
def echo(session_id, body):
    ffext.send_msg_session(session_id, 2, body)


@ffext.reg_service(200)
def greet(name):
    return "hello " + name


@ffext.reg_service(201)
def never_exported(name):
    return name


def told(*answer):
    pass


def call():
    ffext.call_service("scene@0", 200, "neighbour", told)
    for cmd in (200, 201):
        ffext.bridge_call("arena", cmd, "friend", told)


def fail():
    raise ValueError("on purpose, to be counted")


ffext.interval(100, call)
ffext.interval(500, fail)
