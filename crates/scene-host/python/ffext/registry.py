"""What scripts have registered: handlers, callbacks, hooks, timers.

Everything belongs to the module whose import was running when it was
registered, and goes when that module is loaded again. What is registered later,
by a handler say, or by the constructor of a singleton, belongs to nobody and
stays.

While a module is being loaded, what it registers is staged: nothing of it is
in force until the load has succeeded.
"""

import asyncio
import contextvars
import sys
import types

import _ffext

from . import messages
from .log import printable

# Commands from here on are the gates' own.
LAST_COMMAND = 65533

CALLBACKS = ("verify", "enter", "leave", "offline")

# Whose timer is being run.
lineage = contextvars.ContextVar("ffext.lineage", default=None)


class Call:
    """A function that takes the frames of one command."""

    __slots__ = ("function", "label", "decoder", "concurrent")

    def __init__(self, function, decoder, concurrent):
        self.function = function
        self.label = label(function)
        self.decoder = decoder
        self.concurrent = concurrent


class Registrations:
    """What one module has registered in one load."""

    __slots__ = (
        "calls",
        "services",
        "callbacks",
        "listeners",
        "hooks",
        "keepers",
        "timers",
        "tasks",
        "retired",
    )

    def __init__(self):
        self.calls = {}
        self.services = {}
        self.callbacks = {}
        self.listeners = []
        self.hooks = []
        # Who takes the state at the end, and who is given it: a function, and what
        # belongs to it.
        self.keepers = {}
        self.timers = set()
        self.tasks = set()
        self.retired = False

    def replace(self, current):
        """Registers what stands for each function from now on instead of it."""
        for call in self.answerers():
            call.function = current(call.function)
        for listener in self.listeners:
            listener.function = current(listener.function)
        for kind, (function, text) in self.callbacks.items():
            self.callbacks[kind] = current(function), text
        self.hooks[:] = map(current, self.hooks)
        for kind, (function, with_it) in self.keepers.items():
            self.keepers[kind] = current(function), with_it
        for timer in self.timers:
            timer.replace(current)

    def answerers(self):
        """What takes frames, and what answers calls."""
        return [*self.calls.values(), *self.services.values()]

    def hand_over(self, heir):
        """All of it is ``heir``'s from now on, and will not be retired with this."""
        heir.calls.update(self.calls)
        heir.services.update(self.services)
        heir.listeners += self.listeners
        heir.callbacks.update(self.callbacks)
        heir.hooks += self.hooks
        heir.keepers.update(self.keepers)
        for timer in list(self.timers):
            timer.disown()
        self.tasks.clear()

    def retire(self):
        """Another load has taken the place of this one, or it has failed."""
        self.retired = True
        for listener in self.listeners:
            listener.retired = True
        for timer in list(self.timers):
            timer.cancel()
        for task in list(self.tasks):
            task.cancel()


class Registry:
    """The registrations of all modules."""

    def __init__(self):
        self._modules = {}
        self._staged = None
        # Who hears of each event; None until somebody asks.
        self.heard = None

    def stage(self, names):
        """From now on registrations are staged; the load is of these modules."""
        self._staged = {name: Registrations() for name in names}

    def rollback(self):
        """The load has failed: what was staged is forgotten."""
        staged, self._staged = self._staged, None
        for registrations in staged.values():
            registrations.retire()

    def replace(self, current):
        """Gives what is staged the functions that stand for the new ones."""
        for registrations in self._staged.values():
            registrations.replace(current)

    def commit(self, tasks):
        """The load has succeeded: what was staged is in force. ``tasks`` are those
        that each of its modules has started meanwhile."""
        staged, self._staged = self._staged, None
        timers = [timer for one in staged.values() for timer in one.timers]
        nobodys = staged.pop(None, None)
        nobodys_tasks = set() if nobodys is None else set(nobodys.tasks)
        if nobodys is not None:
            nobodys.hand_over(self._nobodys())
        for name, started in tasks.items():
            staged[name].tasks |= started - nobodys_tasks
        for module, registrations in staged.items():
            if module in self._modules:
                self._modules.pop(module).retire()
            self._modules[module] = registrations
        self.install()
        for timer in timers:
            timer.start()

    @property
    def staging(self):
        """Whether a load is under way."""
        return self._staged is not None

    def unowned(self, make):
        """Calls ``make``; what it registers and starts belongs to nobody."""
        token = lineage.set(None)
        before = all_tasks() if self.staging else set()
        try:
            # _importing() looks no further than this function.
            return make()
        finally:
            lineage.reset(token)
            if self.staging:
                self._nobodys().tasks |= all_tasks() - before

    def importing(self):
        """The registrations of the module that is being imported, if any."""
        name = _importing()
        if name is None:
            return None
        if self.staging:
            return self._staged.setdefault(name, Registrations())
        if name not in self._modules:
            self._modules[name] = Registrations()
            # By then its import has ended. One that has failed is not told of.
            loop = asyncio.get_running_loop()
            loop.call_soon(self._drop_failed, name, self._modules[name])
        return self._modules[name]

    def owner(self):
        """Whose a timer is that is made now, and whether it has to wait.

        It is the importing module's, or of whom the timer is whose call is
        being made, or nobody's (None).
        """
        owner = self.importing()
        if self.staging:
            return owner or self._nobodys(), True
        return owner or lineage.get(), False

    def register(self, change):
        """Applies ``change`` to the registrations that it belongs to."""
        _ffext.check_thread()
        owner = self.importing() or self._nobodys()
        change(owner)
        if not self.staging:
            self.install()

    def _nobodys(self):
        """What belongs to no module; while a load is under way, staged as all is."""
        modules = self._staged if self.staging else self._modules
        # To the end: of two functions for one command the latter is called.
        modules[None] = modules.pop(None, None) or Registrations()
        return modules[None]

    def _drop_failed(self, name, registrations):
        """Takes back what a module has registered whose import has failed."""
        if name not in sys.modules and self._modules.get(name) is registrations:
            self._modules.pop(name).retire()
            self.install()

    def listeners(self):
        """Who hears of events, in the order in which they were bound."""
        bound = [one for module in self._modules.values() for one in module.listeners]
        return sorted(bound, key=lambda listener: listener.number)

    def hooks(self):
        """The functions to call after a reload."""
        return [hook for module in self._modules.values() for hook in module.hooks]

    def keeper(self, kind):
        """Who takes the state (``"snapshot"``) or is given it (``"restore"``), and
        what belongs to it; (None, None) if nobody does."""
        found = None, None
        for module in self._modules.values():
            found = module.keepers.get(kind, found)
        return found

    def install(self):
        """Hands what is in force to the host."""
        calls, services, callbacks = {}, {}, {}
        for module in self._modules.values():
            calls.update(module.calls)
            services.update(module.services)
            callbacks.update(module.callbacks)
        _ffext.install(
            [
                (cmd, call.function, call.decoder, call.concurrent, call.label)
                for cmd, call in calls.items()
            ],
            callbacks,
            [
                (cmd, call.function, call.decoder, call.label)
                for cmd, call in services.items()
            ],
        )
        self.heard = None


registry = Registry()
owner = registry.owner


def all_tasks():
    """The tasks of this loop that have not ended."""
    return asyncio.all_tasks(asyncio.get_running_loop())


def _importing():
    """The module whose top level is being run by the caller, if any."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not Registry.unowned.__code__:
        if frame.f_code.co_name == "<module>":
            spec = frame.f_globals.get("__spec__")
            if getattr(spec, "_initializing", False):
                return frame.f_globals["__name__"]
        frame = frame.f_back
    return None


def label(function):
    """What a function is called in the log: ``main.process_chat``."""
    try:
        module = getattr(function, "__module__", None)
        name = getattr(function, "__qualname__", None) or type(function).__qualname__
        return printable(f"{module}.{name}" if module else name)
    except Exception:
        # It fails when it is asked, as some that stand in for others do.
        return printable(type(function).__qualname__)


def session_call(cmd, type="json", concurrent=False):
    """Registers a function for the frames of a command::

        @ffext.session_call(7, Say)
        def say(session_id, message):
            ffext.send_channel(message.channel, 7, message)

    ``cmd`` is a number from 0 to 65533. ``type`` says what the function gets of a
    frame's body:

    ===================== =======================================================
    ``'json'``            the value of a JSON text: the default. ``dict`` and
                          ``list`` mean the same
    ``bytes``             the body as it is; ``'raw'`` means the same
    a class of messages   an object of the class, which the compiler of Apache
                          thrift (binary protocol) or of protobuf has made
    ===================== =======================================================

    A body in thrift is the structure alone, with no head of a call before it.

    A body that is none of its type does not reach the function: it is counted
    (``redrabbit_bad_bodies_total``) and logged, once a session.

    A session's frames are handled one at a time, also by ``async`` functions; one
    that is registered with ``concurrent=True`` lets the session's later frames
    begin while it waits.

    Raises ``ValueError`` for any other ``cmd`` or ``type``.
    """
    refuse_bare("session_call", "1", cmd)
    if isinstance(cmd, bool) or not isinstance(cmd, int) or not 0 <= cmd <= LAST_COMMAND:
        raise ValueError(f"session_call() takes a number from 0 to {LAST_COMMAND}, not {cmd!r}")
    decoder = messages.decoder(type)

    def decorate(function):
        check_function(function)

        def change(owner):
            before = owner.calls.get(int(cmd))
            if before is not None and before.function is not function:
                _ffext.log(
                    30,
                    "ffext",
                    f"command {cmd} is registered twice: {label(function)} takes "
                    f"the place of {before.label}",
                )
            # A plain number: a member of an enumeration is another key.
            owner.calls[int(cmd)] = Call(function, decoder, bool(concurrent))

        registry.register(change)
        return function

    return decorate


def _callback(kind):
    def decorate(function):
        check_function(function)

        def change(owner):
            owner.callbacks[kind] = function, label(function)

        registry.register(change)
        return function

    return decorate


def check_function(function):
    """Fails for what cannot be called."""
    if not callable(function):
        raise TypeError(f"a function is registered, not {function!r}")


def refuse_bare(decorator, example, given):
    """Fails where a decorator stands over a function without its parentheses."""
    if isinstance(given, (types.FunctionType, types.MethodType)):
        raise ValueError(
            f"write @ffext.{decorator}({example}) above {given.__name__}(), say: "
            f"@ffext.{decorator} alone does not tell what the function is for"
        )


def _document(function, name, text):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return function


session_verify_callback = _document(
    _callback("verify"),
    "session_verify_callback",
    """Registers who decides whether a client is let in::

        @ffext.session_verify_callback
        async def verify(session_key, online_time, ip, gate_name):
            name, _, password = session_key.partition(':')
            return [name] if await right(name, password) else []

    ``f(session_key, online_time, ip, gate_name)`` returns ``[session_id]``,
    ``[session_id, reply]`` or ``[session_id, reply, gate]``; an empty list, None or
    False turns the client away. The reply is sent to the client: ``bytes`` and text as
    they are, anything else as JSON. ``online_time`` is when the client connected, Unix
    seconds. The client is sent to the gate that is named, such as ``'gate@1'``; without
    one it stays at its own, and a login gate sends it to the gate with the fewest.
    """,
)
session_enter_callback = _document(
    _callback("enter"),
    "session_enter_callback",
    """Registers who is told of a session that begins in this scene::

        @ffext.session_enter_callback
        def entered(session_id, from_scene, extra_data):
            ffext.send_msg_session(session_id, 1, 'welcome')

    ``f(session_id, from_scene, extra_data)``; ``from_scene`` is empty and
    ``extra_data`` is ``b''`` for a client that has just been let in. A session
    that was held while this scene was away comes from the scene's own name.
    """,
)
session_leave_callback = _document(
    _callback("leave"),
    "session_leave_callback",
    """Registers who is told of a session that moves to another scene::

        @ffext.session_leave_callback
        def left(session_id, to_scene, extra_data):
            return json.dumps(players.pop(session_id).save())

    ``f(session_id, to_scene, extra_data)`` is called when everything that the
    session has sent is handled; until it has returned, messages can be sent to
    the session. If it returns ``bytes`` or text, that goes along instead of
    ``extra_data``, which is ``bytes``. When this scene ends, its sessions leave
    for the scene that takes them, or for the scene's own name: they are held for
    its return, and enter it again with what was returned here.
    """,
)
session_offline_callback = _document(
    _callback("offline"),
    "session_offline_callback",
    """Registers who is told of a session that has ended::

        @ffext.session_offline_callback
        def went(session_id, online_time):
            players.pop(session_id, None)

    ``f(session_id, online_time)``, the latter as the verify callback had it. Not
    called for a session that has left: its offline is the other scene's.
    """,
)
