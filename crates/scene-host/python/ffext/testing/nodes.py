"""The other nodes of the group, and other groups, as far as the test stands in for
them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from _ffext import arguments

if TYPE_CHECKING:
    from .stage import Stage

#: How long a call waits that says nothing else, in seconds.
CALL_TIMEOUT = 5.0
_ROLES = ("gate", "scene", "master", "slave", "bridge")


class Node:
    """A node that the test stands in for."""

    def __init__(self, name: str, load: int = 0, state: str = "ready") -> None:
        self.name = name
        self.load = load
        self.state = state
        #: The functions that answer calls, by cmd; each with what decodes messages.
        self.services: dict[int, tuple[Callable[[Any], Any], Any]] = {}

    @property
    def role(self) -> str:
        """What stands before the ``@``."""
        return self.name.partition("@")[0]


class Nodes:
    """The directory of the group."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._nodes: dict[str, Node] = {}
        #: The nodes of other groups, by the groups' names.
        self._groups: dict[str, dict[str, Node]] = {}

    def take_over(self, other: Nodes) -> None:
        """The nodes of a scene that was restarted."""
        self._nodes, self._groups = other._nodes, other._groups

    def add(self, name: str, group: str | None = None, **what: Any) -> Node:
        """The node of this name, from now on with this load and state; without a
        group, one of the scene's own."""
        if error := arguments.what_is_wrong_with(name):
            raise ValueError(error)
        nodes = self._nodes
        if group is not None:
            nodes = self._groups.setdefault(arguments.read_group(group, self._stage.group), {})
        node = nodes.setdefault(name, Node(name))
        for key, value in what.items():
            setattr(node, key, value)
        return node

    def remove(self, name: str, group: str | None = None) -> None:
        """The node has left its group."""
        nodes = self._nodes if group is None else self._groups.get(group, {})
        nodes.pop(name, None)

    def is_ready(self, name: str) -> bool:
        """Whether a node of this name takes calls."""
        node = self._nodes.get(name)
        return name == self._stage.name or (node is not None and node.state == "ready")

    def lookup(self, wanted: str) -> asyncio.Future[Any]:
        """What the directory says of a node, or of the least-loaded of a role."""

        async def found() -> Any:
            from ffext.services import NodeInfo  # type: ignore[import-not-found,unused-ignore]

            own = Node(self._stage.name)
            nodes = {own.name: own} | self._nodes
            node = nodes.get(wanted)
            if "@" not in wanted:
                ready = [one for one in nodes.values() if one.role == wanted and one.state == "ready"]
                node = min(ready, key=lambda one: one.load, default=None)
            if node is None:
                return None
            version = (0, "")
            if node.name == own.name:
                version = self._stage.version()
            role = node.role if node.role in _ROLES else "service"
            return NodeInfo(node.name, role, node.state, node.load, *version)

        return self._stage.asks.ask(found())

    def call(
        self, name: str, cmd: int, body: bytes, decoder: Any, timeout: float | None
    ) -> asyncio.Future[Any]:
        """Calls a service, for the script."""
        wait = CALL_TIMEOUT if timeout is None else timeout
        return self._stage.asks.ask(
            self._called(name, lambda: self._answer(name, cmd, body, wait), body, decoder, wait)
        )

    def call_across(
        self,
        group: str,
        name: str | None,
        cmd: int,
        body: bytes,
        decoder: Any,
        timeout: float | None,
    ) -> asyncio.Future[Any]:
        """Calls a service of another group, for the script."""
        wait = CALL_TIMEOUT if timeout is None else timeout
        callee = group if name is None else f"{name} of {group}"
        return self._stage.asks.ask(
            self._called(
                callee, lambda: self._answer_across(group, name, cmd, body), body, decoder, wait
            )
        )

    async def _called(
        self, callee: str, answering: Callable[[], Awaitable[bytes]], body: bytes, decoder: Any, wait: float
    ) -> Any:
        """How a call of ``callee`` ends that ``answering`` is the other end of."""
        if len(body) > arguments.MAX_BODY_BYTES:
            raise call_error(
                "too_large",
                f"a message of {len(body)} bytes, at most {arguments.MAX_BODY_BYTES} are allowed",
            )
        try:
            async with asyncio.timeout(wait):
                answer = await answering()
        except TimeoutError:
            raise call_error("deadline_exceeded", "no answer came in time") from None
        try:
            return read_or_none(answer, decoder)
        except ValueError as error:
            message = f"the answer of {callee} cannot be read: {error}"
            raise call_error("handler", message) from None

    async def _answer(self, name: str, cmd: int, body: bytes, wait: float) -> bytes:
        if name == self._stage.name:
            return await self._stage.serve(cmd, body, wait, (None, name))
        node = self._nodes.get(name)
        if node is None or node.state != "ready":
            raise call_error("not_found", f"there is no {name} in the group")
        service = node.services.get(cmd)
        if service is None:
            raise call_error("unimplemented", f"{name} does not serve command {cmd}")
        function, decoder = service
        return await self._stage.play(function, read_or_none(body, decoder))


    async def _answer_across(self, group: str, name: str | None, cmd: int, body: bytes) -> bytes:
        nodes = self._groups.get(group)
        hint = f"scene.serve({name or 'scene@0'!r}, {cmd}, f, group={group!r})"
        if nodes is None:
            error = call_error("not_found", f"no bridge of this group joins {group}")
            error.add_note(f"In a test, {hint} stands in for a service there.")
            raise error
        ready = [node for node in nodes.values() if node.state == "ready"]
        if not any(cmd in node.services for node in nodes.values()):
            # What nobody has is not exported, either.
            error = call_error("forbidden", f"{group} does not export service.{cmd} to this group")
            error.add_note(f"In a test, what is served is exported: {hint}.")
            raise error
        offering = [
            node for node in ready if cmd in node.services and name in (None, node.name)
        ]
        node = min(offering, key=lambda one: one.load, default=None)
        if node is None and name is None:
            raise call_error("not_found", f"nobody in {group} serves service.{cmd}")
        if node is None:
            if any(one.name == name for one in ready):
                raise call_error("unimplemented", f"{name} does not serve command {cmd}")
            raise call_error("not_found", f"there is no {name} in {group}")
        function, decoder = node.services[cmd]
        return await self._stage.play(function, read_or_none(body, decoder))


async def finished(value: Any) -> Any:
    """What a function has returned, awaited if that is to be awaited."""
    return await value if inspect.isawaitable(value) else value


def read(body: bytes, decoder: Any) -> Any:
    """The value of a body; ``ValueError`` if it has none."""
    from _ffext import json_text

    if decoder is None:
        return body
    return json_text.decode(body) if decoder == "json" else decoder(body)


def read_or_none(body: bytes, decoder: Any) -> Any:
    """As ``read()``, but nothing is None where nothing has no meaning of its own."""
    try:
        return read(body, decoder)
    except ValueError:
        if body:
            raise
        return None


def call_error(kind: str, message: str) -> Exception:
    """What a call fails with."""
    from ffext import CallError

    return CallError(kind, message)
