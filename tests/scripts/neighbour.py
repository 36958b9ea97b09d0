"""A scene that calls its neighbours, says how that went, and gives ids."""

import asyncio
import collections

import ffext

waiting = 0


@ffext.reg_service(1)
def greet(name):
    return "hello " + name


@ffext.reg_service(2)
async def wait(message):
    """Never answers."""
    global waiting
    waiting += 1
    await asyncio.Event().wait()


@ffext.reg_service(3)
def count_waiting(message):
    return waiting


@ffext.reg_service(4)
async def storm(order):
    """Makes many calls at once, half of them with callbacks, and counts how they end."""
    name, cmd, count = order
    ended = collections.Counter()
    told = []
    for _ in range(count // 2):
        ffext.call_service(name, cmd, None, lambda error, _: told.append(error.kind), timeout=30)
    calls = [ffext.call_service(name, cmd, timeout=30) for _ in range(count // 2)]
    for ending in await asyncio.gather(*calls, return_exceptions=True):
        ended[getattr(ending, "kind", "answered")] += 1
    while len(told) < count // 2:
        await asyncio.sleep(0.01)
    # None of them is told a second time, by the time that later ones are answered.
    for _ in range(10):
        await ffext.lookup("scene@0")
    ended.update(told)
    return ended


@ffext.reg_service(5)
async def call(order):
    try:
        return ["", await ffext.call_service(*order)]
    except ffext.CallError as error:
        return [error.kind, error.message]


@ffext.reg_service(6)
def ids(count):
    return [ffext.alloc_id() for _ in range(count)]


@ffext.reg_service(7)
async def find(role):
    return [(await ffext.lookup(role)).name for _ in range(10)]
