"""What a scene runs while its script's work is measured. Whatever comes goes back."""

import asyncio
import gc
import os
import time

import ffext

NOTHING, RAW, JSON, ASYNC, ASYNC_JSON, WAITS, SERVICE, TIMER, DATABASE = 9, *range(1, 9)
ALONE = 20  # a number of times; answered with what functions take in a loop of Python's
HOLD = 21  # a number; answered with the longest pause while so many objects are held

send = ffext.send_msg_session


@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key]


@ffext.session_call(NOTHING, type=bytes)
def nothing(session_id, body):
    pass


@ffext.session_call(RAW, type=bytes)
def raw(session_id, body):
    send(session_id, RAW, body)


@ffext.session_call(JSON)
def json(session_id, message):
    send(session_id, JSON, message)


@ffext.session_call(ASYNC, type=bytes)
async def begun(session_id, body):
    send(session_id, ASYNC, body)


@ffext.session_call(ASYNC_JSON)
async def begun_json(session_id, message):
    send(session_id, ASYNC_JSON, message)


@ffext.session_call(WAITS, type=bytes)
async def waits(session_id, body):
    await asyncio.sleep(0)
    send(session_id, WAITS, body)


if hasattr(ffext, "reg_service"):

    @ffext.reg_service(SERVICE, type=bytes)
    def serve(body):
        return body

    @ffext.session_call(SERVICE, type=bytes)
    async def call(session_id, body):
        reply = await ffext.call_service("scene@1", SERVICE, body, type=bytes)
        send(session_id, SERVICE, reply)


@ffext.session_call(TIMER, type=bytes)
def timer(session_id, body):
    ffext.once_timer(1, lambda: send(session_id, TIMER, body))


for number in range(int(os.environ.get("BENCH_TIMERS") or 0)):
    ffext.once_timer(3_600_000 + number, print)

database = os.environ.get("BENCH_DATABASE")
if database and __name__ == "bench":
    if database == "sqlite":
        folder = os.path.dirname(os.path.abspath(__file__))
        database = f"sqlite://{folder}/bench-{os.getpid()}.db"
    db = ffext.ffdb_create(database)
    # Both scenes of the group run this.
    table = f"redrabbit_bench_{os.getpid()}"
    filled = asyncio.Event()

    async def fill():
        await db.fetch(f"CREATE TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY, body VARCHAR(64))")
        await db.fetch(f"DELETE FROM {table}")
        async with db.transaction() as own:
            for number in range(1000):
                await own.fetch(f"INSERT INTO {table} VALUES (?, ?)", [number, "x" * 64])
        filled.set()

    @ffext.session_enter_callback
    async def enter(session_id, from_scene, extra_data):
        await filled.wait()

    @ffext.session_call(DATABASE, type=bytes)
    async def ask(session_id, body):
        number = int.from_bytes(body[4:12], "little") % 1000
        await db.fetch(f"SELECT body FROM {table} WHERE id = ?", [number])
        send(session_id, DATABASE, body)

    ffext.once_timer(0, fill)


@ffext.session_call(ALONE)
def alone(session_id, times):
    """Nanoseconds for a call of each function, made by Python itself; what it sends
    goes nowhere."""
    global send
    real, send = send, "".format
    taken = {}
    body = b"x" * 64
    for cmd, function in ((NOTHING, nothing), (RAW, raw), (JSON, json), (ASYNC, begun)):
        begin = time.thread_time_ns()
        if function is begun:
            for _ in range(times):
                try:
                    function(session_id, body).send(None)
                except StopIteration:
                    pass
        else:
            for _ in range(times):
                function(session_id, body)
        taken[str(cmd)] = (time.thread_time_ns() - begin) / times
    send = real
    send(session_id, ALONE, taken)


class Player:
    def __init__(self, number, room):
        self.name = str(number)
        self.room = room
        self.items = [number]


held = []


@ffext.session_call(HOLD)
async def hold(session_id, number):
    """Players come, as objects that refer to each other, and then there is a lot
    of work that leaves garbage of the kind that only the collector finds."""
    longest, begun_at = 0, 0

    def watch(phase, info):
        nonlocal longest, begun_at
        if phase == "start":
            begun_at = time.perf_counter()
        else:
            longest = max(longest, time.perf_counter() - begun_at)

    gc.callbacks.append(watch)
    room = []
    # A player, the dict of its attributes and its list are three objects.
    while len(room) < number // 3:
        room.extend(Player(len(room) + one, room) for one in range(100))
        await asyncio.sleep(0)
    held.append(room)
    for _ in range(number // 100):
        for _ in range(100):
            ring = []
            ring.append(ring)
            Player(0, ring).room.append({"made": "and left"})
        await asyncio.sleep(0)
    gc.callbacks.remove(watch)
    send(session_id, HOLD, [longest * 1000])
