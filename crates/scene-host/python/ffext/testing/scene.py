"""A scene without a daemon, and what a test does with it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import _ffext
from _ffext import arguments

from .clock import BEGINNING, Clock
from .databases import Databases
from .loop import Restless, VirtualLoop
from .nodes import CALL_TIMEOUT, read_or_none
from .records import LogEntry, ScriptError
from .session import Refused, Session
from .stage import VERIFY_TIMEOUT, Stage
from .state import Kept


class Scene:
    """Loads a script and plays what is around it: clients, gates, other nodes, time.

    ::

        with ffext.testing.Scene('main.py') as scene:
            ann = scene.login('ann')
            ann.send(1, ['hello'])
            assert ann.expect(1)['text'] == 'hello'

    ``script`` is found beside the file of the test, or is a path. ``name`` is the
    scene's; ``scenes`` and ``gates`` are others that are in the group; ``python_path``
    are folders to import from. What the script does happens before a method returns,
    as far as it can at that moment: only :meth:`advance`, and what waits for an
    answer, lets time pass.

    An error of the script that the test has not looked for with
    :meth:`expect_error` fails the test at the end. There is one scene at a time.

    Time is the scene's own, and begins at 2026-01-01: timers, ``asyncio.sleep()``,
    ``time.time()`` and ``time.monotonic()`` follow it.

    Databases are SQLite's: each file is a new one of the test's, and outlives reloads
    and :meth:`restart`. ``databases`` says otherwise: ``{'mysql': 'sqlite::memory:'}``
    has SQLite stand in for all of MySQL's, ``{'sqlite://a.db': 'sqlite:///tmp/b.db'}``
    names a file for one URL.

    ``group`` is the name of the scene's group, which the script may not call as another
    one. Other groups are there as soon as :meth:`serve` or :meth:`node` names them.
    """

    def __init__(
        self,
        script: str | os.PathLike[str],
        name: str = "scene@0",
        *,
        scenes: Iterable[str] = (),
        gates: Iterable[str] = ("gate@0",),
        python_path: Iterable[str | os.PathLike[str]] = (),
        databases: dict[str, str] | None = None,
        group: str | None = None,
    ) -> None:
        if error := arguments.what_is_wrong_with(name):
            raise ValueError(error)
        caller = sys._getframe(1).f_globals.get("__file__") or ""
        self._script = _find(script, Path(caller).parent)
        self._folders = [str(self._script.parent), *(os.path.abspath(one) for one in python_path)]
        self._gates = list(gates)
        self._scenes = list(scenes)
        #: The name of its group, if the test says it.
        self.group = group
        self._databases = Databases(databases or {}, self._script.parent)
        self._kept = Kept()
        self._last_login = 0
        #: The scene's own name.
        self.name = name
        #: The module that the script is.
        self.module: ModuleType

    # The beginning and the end.

    def __enter__(self) -> Scene:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        errors = [] if kind else list(self.errors)
        self.stop()
        self._databases.forget()
        if errors:
            raise AssertionError(
                "the script has failed, and the test has not expected it:\n\n"
                + "\n\n".join(map(str, errors))
            )

    def start(self) -> None:
        """Loads the script; ``AssertionError`` with the traceback if that fails."""
        if _ffext.stage is not None:
            raise RuntimeError("a scene of another test has not been stopped")
        self._loop = VirtualLoop()
        self._stage = Stage(
            self.name, self._loop, set(self._gates), self._kept.last_id, self.group
        )
        self._stage.databases = self._databases
        for node in (*self._scenes, *self._gates):
            self._stage.nodes.add(node)
        self._modules = set(sys.modules)
        self._collector = gc.get_threshold()
        sys.path[:0] = self._folders
        _ffext.stage = self._stage
        self._databases.begin()
        self._clock = Clock(self._loop.time)
        self._clock.start()
        self._prepare()
        result = self._do(lambda: self._load())
        if not result:
            text = self._stage.load_error or str(result)
            self.stop()
            raise AssertionError(f"the script has not loaded:\n{text}")
        self.module = sys.modules[self._script.stem]

    def stop(self) -> None:
        """Ends the script's tasks, and forgets its modules."""
        if _ffext.stage is None:
            return
        from ffext import sources

        try:
            self._loop._outside = 0
            self._end_tasks()
        finally:
            _ffext.stage = None
            self._clock.stop()
            self._databases.end()
            logging.root.removeHandler(self._log_handler)
            logging.root.setLevel(self._log_level)
            sources.watch_imports(lambda path: False, lambda *what: None)
            for folder in self._folders:
                sys.path.remove(folder)
            self._forget_modules()
            self._loop.close()
            gc.unfreeze()
            gc.set_threshold(*self._collector)

    def restart(self) -> None:
        """Restarts the scene on purpose: its sessions leave, it hands its state over,
        a new one begins with that, and the sessions enter it again."""
        here = [client for client in self._stage.clients.values() if client.scene == self.name]
        for client in here:
            client.leave(self.name)
        self._kept.last_id = self._stage.last_id
        self._kept.take(self._loop)
        errors, logs = self._stage.errors, self._stage.logs
        clients, nodes = self._stage.clients, self._stage.nodes
        self.stop()
        self.start()
        self._stage.errors[:0] = errors
        self._stage.logs[:0] = logs
        self._stage.clients = clients
        self._stage.nodes.take_over(nodes)
        for client in here:
            self._do(lambda: self._stage.enter(client, self.name, client.extra_data))

    def reload(self, name: str | None = None) -> Any:
        """Loads the script, or a module of it, once more, as ``ffext.reload()`` does.
        Returns its result, which is false if it has failed."""
        import ffext

        return self._do(lambda: ffext.reload(name))

    # Clients.

    def login(
        self,
        key: str,
        *,
        ip: str = "192.0.2.1",
        gate: str = "gate@0",
        online_time: int | None = None,
        extra_data: bytes = b"",
    ) -> Session | Refused:
        """A client connects to a gate and says its key: the verify callback is asked,
        and if it lets the client in, the enter callback runs. Time passes while the
        verify callback waits for something, up to 10 s."""
        if gate not in self._stage.gates:
            raise ValueError(f"there is no {gate}; Scene(…, gates=[…]) says which there are")
        online = BEGINNING + int(self._loop.time()) if online_time is None else online_time
        verdict = self._do(lambda: self._stage.verify(key, online, ip, gate))
        self._let_pass(verdict.done, VERIFY_TIMEOUT)
        if not verdict.done():
            return Refused("verification timed out")
        answer = verdict.result()
        if isinstance(answer, Refused):
            return answer
        session_id, reply, named = answer
        if named is not None and named not in self._stage.gates:
            return Refused("no_gate")
        gate = named or gate
        session = self._session(session_id, gate, ip, online)
        session.read_reply(reply)
        self._do(lambda: self._stage.enter(session, "", extra_data))
        return session

    def arrive(
        self,
        session_id: str,
        from_scene: str,
        extra_data: bytes | str = b"",
        *,
        gate: str = "gate@0",
        ip: str = "192.0.2.1",
    ) -> Session:
        """A session comes from another scene: the enter callback runs."""
        online = BEGINNING + int(self._loop.time())
        session = self._session(session_id, gate, ip, online)
        self._do(
            lambda: self._stage.enter(session, from_scene, arguments.read_extra(extra_data))
        )
        return session

    def come_back(self, session: Session, extra_data: bytes | str = b"") -> Session:
        """A session that went to another scene comes back from there."""
        from_scene = session.scene
        self._do(
            lambda: self._stage.enter(session, from_scene, arguments.read_extra(extra_data))
        )
        return session

    def _session(self, session_id: str, gate: str, ip: str, online: int) -> Session:
        self._last_login += 1
        session = Session(self, session_id, self._last_login, gate, ip)
        session.online_time = online
        self._stage.clients[session.login] = session
        return session

    @property
    def sessions(self) -> dict[str, Session]:
        """The sessions that are in this scene, by their ids."""
        seats = self._stage.seats.items()
        return {name: seat.client for name, seat in seats if seat.client is not None}

    @property
    def moves(self) -> list[tuple[str, str, bytes]]:
        """Who has gone to another scene: ``(session_id, to_scene, extra_data)``."""
        return self._stage.moves

    def channel(self, name: str) -> set[str]:
        """The ids of the sessions that have joined a channel, in whichever scene."""
        return {one.id for one in self._stage.clients.values() if name in one.channels}

    # Other nodes.

    def node(
        self, name: str, *, load: int = 0, state: str = "ready", group: str | None = None
    ) -> None:
        """A node is in the group, or in another one, from now on with this load and
        state."""
        self._stage.nodes.add(name, group, load=load, state=state)
        if group is None and name.startswith("gate@"):
            self._stage.gates.add(name)

    def gone(self, name: str, *, group: str | None = None) -> None:
        """A node has left the group, or another one."""
        self._stage.nodes.remove(name, group)
        if group is None:
            self._stage.gates.discard(name)

    def serve(
        self,
        name: str,
        cmd: int,
        function: Callable[[Any], Any],
        type: Any = "json",
        *,
        group: str | None = None,
    ) -> None:
        """Stands in for a node that the script calls::

            scene.serve('scene@1', 200, lambda message: ['ann', 'ben'])

        ``function(message)``, plain or async, answers the calls of that service. It raises
        ``ffext.CallError(kind, text)`` to fail as it likes.

        With a ``group`` it is a service of that one, which bridges reach, and which it lets
        be called::

            scene.serve('scene@0', 210, lambda message: 'heard', group='GroupB')

        A call of a group that has no service of the test's ends as ``not_found``, one of
        a command that nobody there has as ``forbidden``."""
        from ffext import messages

        node = self._stage.nodes.add(name, group)
        node.services[arguments.read_service(cmd)] = function, messages.decoder(type)

    def call(
        self,
        cmd: int,
        message: Any = None,
        *,
        type: Any = "json",
        timeout: float = CALL_TIMEOUT,
        by: str = "scene@1",
        group: str | None = None,
    ) -> Any:
        """Another node calls a service of the script::

            assert scene.call(200, {'guild': 7}) == ['ann', 'ben']
            scene.call(210, {'text': 'hello'}, by='scene@0', group='GroupB')

        ``by`` is the node's name, ``group`` the group that it is in, if that is another
        one: what ``ffext.caller()`` tells the script.

        Returns the answer, read as ``type``; raises ``ffext.CallError``. Time passes
        while the script waits."""
        from ffext import messages

        body = b"" if message is None else arguments.write(message)
        decoder = messages.decoder(type)
        if error := arguments.what_is_wrong_with(by):
            raise ValueError(error)
        if group is not None:
            group = arguments.read_group(group, self.group)
        work = self._stage.serve(cmd, body, timeout, (group, by))
        task = self._do(lambda: self._loop.create_task(work))
        self._let_pass(task.done, timeout)
        if not task.done():
            from ffext import CallError

            task.cancel()
            self._settle()
            raise CallError("deadline_exceeded", "no answer came in time")
        return read_or_none(task.result(), decoder)

    # Time, errors, the log.

    @property
    def time(self) -> float:
        """How many seconds have passed since the scene was started."""
        return self._loop.time()

    def advance(self, seconds: float) -> None:
        """Lets time pass: whatever is due within it happens, in its order."""
        if not seconds >= 0:
            raise ValueError(f"time passes forwards, not by {seconds!r} s")
        self._loop.pass_time(seconds)
        self._check()

    def run(self, what: Callable[[], Any]) -> Any:
        """Runs a function, plain or async, as the script would: in the scene's event
        loop, where ``ffext``'s functions work. Returns its result::

            rows = scene.run(lambda: scene.module.db.fetch('SELECT * FROM player'))
        """
        made = self._do(what)
        if not inspect.isawaitable(made):
            return made

        async def wait() -> Any:
            return await made

        task = self._do(lambda: self._loop.create_task(wait()))
        self._let_pass(task.done, 3600)
        if not task.done():
            task.cancel()
            self._settle()
            raise AssertionError(f"{what!r} waits for what never comes")
        return task.result()

    @property
    def errors(self) -> list[ScriptError]:
        """What has failed in the script and was not expected."""
        return self._stage.errors

    def expect_error(self, what: type[BaseException] | str = "") -> ScriptError:
        """Takes the oldest error of the script that is of this type, or whose text has
        this in it; ``AssertionError`` if there is none."""
        for error in self.errors:
            if isinstance(what, str) and what in str(error):
                break
            if isinstance(what, type) and isinstance(error.error, what):
                break
        else:
            name = what if isinstance(what, str) else what.__name__
            found = "\n\n".join(map(str, self.errors)) or "it has not failed at all"
            raise AssertionError(f"the script has not failed with {name}: {found}")
        self.errors.remove(error)
        return error

    @property
    def logs(self) -> list[LogEntry]:
        """What the script and the scene have written into the log: ``(level, module,
        text)``. What is printed is pytest's, as ever."""
        return self._stage.logs

    # How it is done.

    def _prepare(self) -> None:
        """The package as a new scene finds it."""
        from ffext import loading, log, registry, singletons, tasks

        registry.registry.__init__()  # type: ignore[misc]
        singletons.restore({})
        loading.loader.__init__()  # type: ignore[misc]
        loading.loader.configure(str(self._script), self._folders)
        self._loop.set_exception_handler(tasks._failed)
        self._log_handler = log.LogHandler()
        self._log_level = logging.root.level
        logging.root.addHandler(self._log_handler)
        logging.root.setLevel(logging.INFO)

    def _load(self) -> Any:
        import ffext

        result = ffext.reload()
        if result:
            self._kept.give()
        return result

    def _do(self, what: Callable[[], Any]) -> Any:
        """Does something in the event loop, and all that follows from it."""
        if asyncio._get_running_loop() is self._loop:
            # A function of the test that the script has called.
            return what()
        outcome: list[Any] = []

        def do() -> None:
            try:
                outcome.append((what(), None))
            except BaseException as error:
                outcome.append((None, error))

        self._loop.call_soon(do)
        self._settle()
        value, error = outcome[0]
        if error is not None:
            raise error
        return value

    def _settle(self) -> None:
        self._loop.settle()
        self._check()

    def _let_pass(self, done: Callable[[], bool], limit: float) -> None:
        if asyncio._get_running_loop() is not self._loop:
            self._loop.pass_until(done, limit)
            self._check()

    def _check(self) -> None:
        """An assertion of the test that has failed within a call of the script."""
        error, self._stage.test_error = self._stage.test_error, None
        if error is not None:
            raise error

    def _end_tasks(self) -> None:
        own = self._stage.asks.tasks
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                self._loop.finish(asyncio.wait(tasks, timeout=1))
        except Restless:
            # Something does not end; it is left alone.
            pass
        for task in tasks - own:
            if task.done() and not task.cancelled() and (error := task.exception()):
                self._stage.failed("task", task.get_name(), "", error)
        self._loop.finish(self._loop.shutdown_asyncgens())

    def _forget_modules(self) -> None:
        roots = tuple(os.path.join(os.path.realpath(folder), "") for folder in self._folders)
        for name in set(sys.modules) - self._modules:
            path = getattr(sys.modules[name], "__file__", None)
            if name == self._script.stem or (path and os.path.realpath(path).startswith(roots)):
                del sys.modules[name]


def _find(script: str | os.PathLike[str], beside: Path) -> Path:
    """The script's file: beside that of the test, or where the path says."""
    for path in (beside / script, Path(script)):
        if path.is_file():
            return path.resolve()
    raise FileNotFoundError(f"there is no {os.fspath(script)}, neither in {beside} nor here")

