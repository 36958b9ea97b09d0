"""A scene that other groups call, and that calls them. HERE and THERE are its own
group and another, and are set by the test in front of this."""

import asyncio
import collections
import os

import ffext

rounds = 0


@ffext.reg_service(200)
def greet(name):
    return [HERE, os.getpid(), "hello " + name]


@ffext.reg_service(201)
def fail(message):
    raise ValueError("no " + message)


@ffext.reg_service(202)
def large(length):
    return "x" * length


@ffext.reg_service(203)
async def slow(seconds):
    await asyncio.sleep(seconds)
    return seconds


@ffext.reg_service(204)
def never_exported(message):
    return "this is for nobody abroad"


@ffext.reg_service(205)
async def circle(depth):
    """Asks the other group to ask this one, and so on, until somebody says no."""
    try:
        return await ffext.bridge_call(THERE, 205, depth + 1)
    except ffext.CallError as error:
        return [depth, error.kind, str(error)]


@ffext.reg_service(206)
def whirl(message):
    """The same, and nobody waits for anybody."""
    global rounds
    rounds += 1

    async def go_on():
        await asyncio.sleep(0)
        await ffext.bridge_call(THERE, 206)

    asyncio.get_running_loop().create_task(go_on())


@ffext.reg_service(207)
def count_rounds(message):
    return rounds


async def ending(call):
    try:
        return ["", await call]
    except ffext.CallError as error:
        return [error.kind, str(error)]


@ffext.reg_service(1)
async def cross(order):
    group, cmd, message = order
    return await ending(ffext.bridge_call(group, cmd, message))


@ffext.reg_service(2)
async def cross_to_service(order):
    group, name, cmd, message = order
    return await ending(ffext.bridge_call_service(group, name, cmd, message))


@ffext.reg_service(3)
async def cross_with_callbacks(order):
    """Both kinds of call, told by callbacks."""
    group, name, cmd, message = order
    told = asyncio.Queue()

    def tell(which):
        def callback(error, answer):
            told.put_nowait([which, error.kind if error else "", answer if not error else str(error)])

        return callback

    ffext.bridge_call(group, cmd, message, tell("by cmd"))
    ffext.bridge_call_service(group, name, cmd, message, callback=tell("by name"))
    return sorted([await told.get(), await told.get()])


@ffext.reg_service(4)
async def storm(order):
    """Makes many calls at once, half of them with callbacks, and counts how they end."""
    group, cmd, message, count = order
    ended = collections.Counter()
    told = []
    for _ in range(count // 2):
        ffext.bridge_call(group, cmd, message, lambda error, _: told.append(error.kind if error else ""))
    calls = [ending(ffext.bridge_call(group, cmd, message)) for _ in range(count // 2)]
    for kind, _ in await asyncio.gather(*calls):
        ended[kind or "ok"] += 1
    while len(told) < count // 2:
        await asyncio.sleep(0.005)
    ended.update(kind or "ok" for kind in told)
    return ended
