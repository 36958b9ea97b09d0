"""Coroutines that are begun by the host, and the same ones as plain tasks: what
they see has to be the same. A message of any body runs all; the answer is a list
of differences."""

import asyncio
import contextvars
import re
import types
import weakref

import _ffext
import ffext

CASES = []
who = contextvars.ContextVar("who", default="nobody")
of_task = weakref.WeakKeyDictionary()


def case(function):
    CASES.append(function)
    return function


def own():
    return asyncio.current_task()


def loop():
    return asyncio.get_running_loop()


class Yields:
    """Awaits what tasks do not wait for."""

    def __init__(self, what):
        self.what = what

    def __await__(self):
        return (yield self.what)


@case
async def returns(trace):
    trace(own() is not None and not own().done())
    return 5


@case
async def marks_its_task(trace):
    trace(getattr(own(), "mark", "none"))
    own().mark = "mine"


@case
async def raises(trace):
    raise ValueError("no")


@case
async def raises_stop_iteration(trace):
    raise StopIteration(3)


@case
async def exits(trace):
    raise SystemExit(3)


@case
async def is_interrupted(trace):
    raise KeyboardInterrupt


@case
async def raises_generator_exit(trace):
    raise GeneratorExit


@case
async def raises_cancelled(trace):
    raise asyncio.CancelledError("by hand")


@case
async def exits_later(trace):
    await asyncio.sleep(0)
    raise SystemExit(4)


@case
async def returns_a_tuple_later(trace):
    await asyncio.sleep(0)
    return (1, 2)


@case
async def returns_an_exception_later(trace):
    await asyncio.sleep(0)
    return ValueError(7)


@case
async def raises_later(trace):
    await asyncio.sleep(0)
    raise ValueError("later")


@case
async def sleeps(trace):
    for number in range(3):
        await asyncio.sleep(0)
        trace(number)
    await asyncio.sleep(0.001)
    trace("slept")


@case
async def awaits_what_is_done(trace):
    future = loop().create_future()
    future.set_result(3)
    trace(await future)
    failed = loop().create_future()
    failed.set_exception(KeyError("done"))
    await failed


@case
async def awaits_itself(trace):
    await own()


@case
async def yields_nonsense(trace):
    try:
        await Yields(object())
    except RuntimeError as error:
        trace(str(error).startswith("Task got bad yield"))
    trace(await Yields(None))


@case
async def yields_a_future_without_asking(trace):
    await Yields(loop().create_future())


@case
async def awaits_a_future_of_another_loop(trace):
    other = asyncio.new_event_loop()
    try:
        await other.create_future()
    except RuntimeError as error:
        trace("attached to a different loop" in str(error))
    finally:
        other.close()


@case
async def awaits_an_old_coroutine(trace):
    @types.coroutine
    def old():
        yield
        return "old"

    trace(await old())


@case
async def time_is_out_at_once(trace):
    try:
        async with asyncio.timeout(0) as limit:
            trace("within")
            await asyncio.sleep(5)
    except TimeoutError:
        trace(("late", limit.expired(), own().cancelling()))


@case
async def time_is_out_before(trace):
    async with asyncio.timeout(-1):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(5)


@case
async def time_is_not_needed(trace):
    async with asyncio.timeout(0):
        trace("nothing to wait for")
    trace(own().cancelling())


@case
async def time_is_out_later(trace):
    async with asyncio.timeout(0.005):
        await asyncio.sleep(5)


@case
async def time_limits_within_each_other(trace):
    async with asyncio.timeout(5):
        try:
            async with asyncio.timeout(0.002):
                await asyncio.sleep(5)
        except TimeoutError:
            trace("inner")
    trace("outer")


@case
async def waits_for(trace):
    trace(await asyncio.wait_for(asyncio.sleep(0, "value"), 1))
    await asyncio.wait_for(asyncio.sleep(5), 0.002)


@case
async def waits_for_nothing(trace):
    await asyncio.wait_for(asyncio.sleep(5), 0)


@case
async def a_group(trace):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.sleep(0, number)) for number in range(3)]
    trace([task.result() for task in tasks])


@case
async def an_empty_group(trace):
    async with asyncio.TaskGroup():
        pass
    trace("empty")


@case
async def a_group_that_fails(trace):
    async def fail():
        raise ValueError("child")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(asyncio.sleep(5))
    except* ValueError as errors:
        trace([str(error) for error in errors.exceptions])
    trace(own().cancelling())


@case
async def a_group_whose_body_fails_at_once(trace):
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(5))
        raise ValueError("body")


@case
async def gathers(trace):
    trace(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0.001, 2)))
    trace(repr(await asyncio.gather(raises(trace), return_exceptions=True)))


@case
async def shields(trace):
    inner = loop().create_task(asyncio.sleep(0.005, "shielded"))
    loop().call_soon(own().cancel)
    try:
        await asyncio.shield(inner)
    except asyncio.CancelledError:
        trace("cancelled")
    trace(await inner)


@case
async def cancels_itself_and_waits(trace):
    own().cancel("why")
    trace(own().cancelling())
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError as error:
        trace(error.args)
        raise


@case
async def cancels_itself_and_yields(trace):
    own().cancel()
    later = []
    loop().call_soon(later.append, "another had its turn")
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        trace(later)
    return "went on"


@case
async def cancels_itself_and_awaits_what_is_done(trace):
    future = loop().create_future()
    future.set_result("done")
    own().cancel()
    trace(await future)
    await asyncio.sleep(0)


@case
async def cancels_itself_and_awaits_what_will_be_done(trace):
    future = loop().create_future()
    loop().call_soon(lambda: future.cancelled() or future.set_result(1))
    own().cancel("before")
    try:
        await future
    except asyncio.CancelledError as error:
        trace((error.args, future.cancelled()))


@case
async def cancels_itself_and_awaits_what_cannot_be_cancelled(trace):
    class Stubborn(asyncio.Future):
        def cancel(self, msg=None):
            trace(("asked", msg))
            return False

    future = Stubborn()
    loop().call_soon(future.set_result, "value")
    own().cancel("stop")
    try:
        trace(await future)
    except asyncio.CancelledError as error:
        trace(error.args)
    await asyncio.sleep(0)


@case
async def cancels_itself_and_yields_nonsense(trace):
    own().cancel("first")
    try:
        await Yields(object())
    except BaseException as error:
        trace(type(error).__name__)
    await asyncio.sleep(0)


@case
async def cancels_itself_and_returns(trace):
    own().cancel()
    return 5


@case
async def cancels_itself_and_raises(trace):
    own().cancel()
    raise ValueError("rather this")


@case
async def cancels_itself_and_changes_its_mind(trace):
    own().cancel()
    own().uncancel()
    trace(own().cancelling())
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        trace("still cancelled")


@case
async def cancels_itself_later(trace):
    await asyncio.sleep(0)
    own().cancel("later")
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError as error:
        trace(error.args)
        raise


@case
async def is_cancelled_as_soon_as_it_waits(trace):
    loop().call_soon(own().cancel, "soon")
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError as error:
        trace((error.args, own().cancelling(), own().uncancel()))
    await asyncio.sleep(0)
    trace("went on")


@case
async def is_cancelled_between_wake_up_and_step(trace):
    future = loop().create_future()
    task = own()

    def both():
        future.set_result("value")
        trace(task.cancel())

    loop().call_soon(both)
    try:
        trace(await future)
    except asyncio.CancelledError:
        trace("cancelled")


@case
async def is_cancelled_before_its_second_turn(trace):
    loop().call_soon(own().cancel)
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        trace("cancelled")
    await asyncio.sleep(0)


@case
async def is_cancelled_twice_and_cleans_up(trace):
    loop().call_soon(own().cancel)
    loop().call_later(0.002, own().cancel)
    try:
        await asyncio.sleep(5)
    finally:
        try:
            await asyncio.sleep(5)
        finally:
            await asyncio.sleep(0)
            trace("cleaned up")


@case
async def sets_context_variables(trace):
    trace(who.get())
    who.set("me")
    trace(contextvars.copy_context()[who])
    seen = []
    loop().call_soon(lambda: seen.append(who.get()))
    child = loop().create_task(reads_context_variables(trace))
    await asyncio.sleep(0)
    trace((who.get(), seen))
    await child


async def reads_context_variables(trace):
    trace(who.get())


@case
async def sets_context_variables_and_returns(trace):
    trace(who.get())
    who.set("me")


@case
async def sets_and_resets_context_variables(trace):
    token = who.set("me")
    who.reset(token)
    trace(who.get())


@case
async def finds_no_context_variables_of_others(trace):
    trace(who.get())


@case
async def has_a_name(trace):
    trace(own().get_name().startswith("Task-"))
    own().set_name("mine")
    trace(own().get_name())
    await asyncio.sleep(0)
    trace(own().get_name())


@case
async def has_a_name_and_returns(trace):
    trace(own().get_name().startswith("Task-"))
    own().set_name("mine")


@case
async def has_no_name_of_another(trace):
    trace(own().get_name().startswith("Task-"))


@case
async def is_called_back(trace):
    own().add_done_callback(lambda task: trace((task.done(), task.result())))
    return "value"


@case
async def is_called_back_in_a_context(trace):
    context = contextvars.copy_context()
    context.run(who.set, "then")
    own().add_done_callback(lambda task: trace(who.get()), context=context)
    await asyncio.sleep(0)


@case
async def is_not_called_back(trace):
    def back(task):
        trace("never")

    own().add_done_callback(back)
    trace(own().remove_done_callback(back))


@case
async def is_awaited_by_another(trace):
    task = own()

    async def other():
        trace(await task)

    loop().create_task(other())
    return "value"


@case
async def fails_awaited_by_another(trace):
    task = own()

    async def other():
        try:
            await task
        except ValueError as error:
            trace(str(error))

    loop().create_task(other())
    raise ValueError("told to another")


@case
async def keeps_something_by_task(trace):
    trace(of_task.get(own()))
    of_task[own()] = "kept"
    trace(of_task[own()])


@case
async def finds_nothing_kept_by_task(trace):
    trace(of_task.get(own()))


@case
async def is_among_all_tasks(trace):
    await asyncio.sleep(0)
    trace(own() in asyncio.all_tasks())
    task = own()
    told = []
    loop().call_soon(lambda: told.append(asyncio.current_task()))
    loop().call_soon(lambda: told.append([f.f_code.co_name for f in task.get_stack()]))
    loop().call_soon(lambda: told.append("is_among_all_tasks" in repr(task)))
    loop().call_soon(lambda: told.append(task.get_coro().__qualname__))
    loop().call_soon(lambda: told.append(asyncio.iscoroutine(task.get_coro())))
    await asyncio.sleep(0.001)
    trace(told)


@case
async def generates(trace):
    async def numbers():
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    trace([number async for number in numbers()])
    async for number in numbers():
        trace(number)
        break


@case
async def generates_without_waiting(trace):
    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            trace("closed")

    async for number in numbers():
        trace(number)


@case
async def locks(trace):
    lock, queue, event = asyncio.Lock(), asyncio.Queue(), asyncio.Event()

    async def other():
        async with lock:
            await queue.put("item")
            event.set()

    async with lock:
        task = loop().create_task(other())
        await asyncio.sleep(0)
        trace(queue.empty())
    await event.wait()
    trace(await queue.get())
    await task


@case
async def works_in_a_thread(trace):
    who.set("caller")
    trace(await asyncio.to_thread(who.get))


@case
async def begins_another(trace):
    inner = []
    before = own()
    task = _ffext.begin(sets_context_variables(inner.append), "test", "inner")
    trace((own() is before, task is not None, who.get(), inner))
    await task
    trace(inner)


@case
async def begins_another_that_returns(trace):
    inner = []
    before = own()
    trace(_ffext.begin(reads_context_variables(inner.append), "test", "inner"))
    trace((own() is before, inner))
    who.set("outer")
    trace(_ffext.begin(reads_context_variables(inner.append), "test", "inner"))
    trace(inner)


def outcome(task):
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    return f"returned {task.result()!r}" if error is None else shown(error)


def shown(error):
    """Without the numbers of tasks, which are never given twice."""
    return re.sub(r"'Task-\d+'", "", repr(error))


async def as_task(function):
    trace = []
    made = loop().create_future()
    begin = lambda: made.set_result(loop().create_task(function(trace.append)))
    loop().call_soon(begin, context=contextvars.Context())
    task = await made
    await asyncio.wait([task])
    await asyncio.sleep(0.001)
    return trace, outcome(task)


async def as_begun(function):
    trace = []
    done = loop().create_future()

    def begin():
        coroutine = function(trace.append)
        try:
            task = _ffext.begin(coroutine, "test", function.__name__)
        except asyncio.CancelledError:
            done.set_result("cancelled")
        except BaseException as error:
            done.set_result(shown(error))
        else:
            if task is None:
                done.set_result("returned")
            else:
                task.add_done_callback(lambda task: done.set_result(outcome(task)))

    loop().call_soon(begin, context=contextvars.Context())
    result = await done
    await asyncio.sleep(0.001)
    return trace, result


@ffext.session_call(1, bytes)
async def run(session, body):
    for times in range(3):
        for function in CASES:
            expected, ended = await as_task(function)
            seen, result = await as_begun(function)
            if result == "returned" and ended.startswith("returned"):
                ended = result
            if (expected, ended) != (seen, result):
                print(f"{function.__name__}: {expected}, {ended}; begun: {seen}, {result}")
                ffext.send_msg_session(session, 2, function.__name__)
    ffext.send_msg_session(session, 1, len(CASES))
