"""What the host and ffext.testing have to agree on: see cases.txt beside this."""

import asyncio
import datetime
import decimal
import enum
import uuid

import ffext

EVAL, AWAIT, JSON, RAW, SLOW, BESIDE, FAILS = 1, 2, 3, 4, 5, 6, 7


class Text(str):
    pass


class Color(enum.IntEnum):
    RED = 3


class Odd:
    def __repr__(self):
        return "<Odd>"


def show(session, make):
    try:
        text = repr(make())
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
    ffext.send_msg_session(session, EVAL, text)


@ffext.session_verify_callback
def verify(key, online_time, ip, gate):
    return eval(key)


@ffext.session_enter_callback
def enter(session, from_scene, extra_data):
    ffext.send_msg_session(session, 100, ["enter", from_scene, extra_data.decode()])


@ffext.session_leave_callback
def leave(session, to_scene, extra_data):
    sent = ffext.send_msg_session(session, 101, ["leave", to_scene, extra_data.decode()])
    assert sent
    if extra_data == b"nonsense":
        return 5
    return b"returned" if extra_data == b"return" else None


@ffext.session_offline_callback
def offline(session, online_time):
    ffext.broadcast_msg_session(102, ["offline", session, ffext.send_msg_session(session, 1, 1)])


@ffext.session_call(EVAL)
def evaluate(session, text):
    show(session, lambda: eval(text))


@ffext.session_call(AWAIT)
async def evaluate_async(session, text):
    try:
        made = repr(await eval(text))
    except Exception as error:
        made = f"{type(error).__name__}: {error}"
    ffext.send_msg_session(session, AWAIT, made)


@ffext.session_call(JSON)
def take_json(session, value):
    ffext.send_msg_session(session, JSON, repr(value))


@ffext.session_call(RAW, bytes)
def take_raw(session, body):
    ffext.send_msg_session(session, RAW, body)


@ffext.session_call(SLOW)
async def slow(session, value):
    ffext.send_msg_session(session, SLOW, ["begins", value])
    await asyncio.sleep(0.02)
    ffext.send_msg_session(session, SLOW, ["ends", value])


@ffext.session_call(BESIDE, concurrent=True)
async def beside(session, value):
    ffext.send_msg_session(session, BESIDE, ["begins", value])
    await asyncio.sleep(0.02)
    ffext.send_msg_session(session, BESIDE, ["ends", value])


@ffext.session_call(FAILS)
def fails(session, text):
    raise ValueError(text)


@ffext.session_call(8)
async def fails_later(session, text):
    await asyncio.sleep(0)
    raise KeyError(text)


@ffext.session_call(9)
async def in_order(session, value):
    """Whose first step comes when."""

    async def later():
        told("async timer")

    def told(what):
        order.append(what)
        if len(order) == 4:
            done.set_result(None)

    order, done = [], asyncio.get_running_loop().create_future()
    ffext.once_timer(0, later)
    ffext.once_timer(0, lambda: told("plain timer"))
    asyncio.get_running_loop().call_soon(told, "soon")
    told("at once")
    await done
    ffext.send_msg_session(session, 9, order)


async def ticks(times):
    """How often an interval calls until it is cancelled."""
    done, seen = asyncio.get_running_loop().create_future(), []

    def tick():
        seen.append(len(seen))
        if len(seen) == times:
            timer.cancel()
            done.set_result(None)

    timer = ffext.interval(2, tick)
    await done
    return seen


async def by_callback(call):
    """What a callback is told: the error, its kind, and the answer."""
    told = asyncio.get_running_loop().create_future()
    assert call(lambda error, answer: told.set_result((str(error), error.kind, answer))) is None
    return await told


async def ended(call):
    """How a call has failed; how JSON is wrong, two libraries say in two ways."""
    try:
        return await call()
    except ffext.CallError as error:
        return error.kind, str(error).partition(": not JSON")[0]


def posted():
    """What an event does."""
    heard = []
    ffext.bind_event("event")(heard.append)
    return ffext.post("event", 5), heard, ffext.post("another")


db = ffext.ffdb_create("sqlite::memory:")


async def transact(fails):
    """A transaction that is committed, or rolled back."""
    async with db.transaction() as tx:
        await tx.fetch("INSERT INTO item (name) VALUES ('in a transaction')")
        if fails:
            raise KeyError("fails")


async def query(sql, params=None):
    """How a statement went, in a callback's and in an awaited result."""
    told = asyncio.get_running_loop().create_future()
    assert db.query(sql, params, told.set_result) is None
    return [
        (one.flag, one.error.kind, one.result, one.column)
        for one in (await told, await db.query(sql, params))
    ]


@ffext.reg_service(200)
def double(message):
    return {"doubled": message * 2}


@ffext.reg_service(201, bytes)
async def reverse(message):
    await asyncio.sleep(0)
    return message[::-1]


@ffext.reg_service(202)
def nothing(message):
    assert message is None, "a message"


@ffext.reg_service(203)
def unsendable(message):
    return object()


@ffext.reg_service(204)
def who_calls(message):
    return repr(ffext.caller())


@ffext.reg_service(205)
async def who_calls_later(message):
    """What it begins knows it, too, and what it calls is called by this scene."""

    async def task():
        await asyncio.sleep(0)
        return ffext.caller().group

    fired = asyncio.get_running_loop().create_future()
    ffext.once_timer(1, lambda: fired.set_result(ffext.caller().name))
    seen = [await fired, await asyncio.create_task(task())]
    seen.append(await ffext.call_service("scene@0", 204))
    return [message, *seen, repr(ffext.caller())]
