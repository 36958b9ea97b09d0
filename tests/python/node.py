"""A node of a RedRabbit group, made of grpcio and what protoc makes of proto/.

It is the example of proto/README.md, whose chapters have the names used here:
Membership, Links, Pairs, Calls. Everything runs on one asyncio loop.
"""

import asyncio
import collections
import itertools
import logging
import random
import time

import grpc
from redrabbit.v1 import link_pb2, link_pb2_grpc, registry_pb2, registry_pb2_grpc

log = logging.getLogger("node")

# The numbers of proto/README.md, in seconds and bytes.
PING = 0.25  # a ping so often,
SILENCE = 1.0  # and a broker that says nothing for so long is left.
RESEND = 0.2  # What is not acknowledged goes again, later each time,
LONGEST_RESEND = 2.0  # and at least so often.
ACKNOWLEDGE = 0.01  # What has arrived is acknowledged after so long,
AT_ONCE = 256, 256 << 10  # or at once, when it is so many envelopes or bytes.
LINKING = 1.0  # A node is ready when it has all links, or after so long.
NO_ROUTE = 0.2  # A broker without a route is passed over for so long.
NO_ROOM = 0.005  # A broker without room is left alone for so long.
KEPT_BYTES = 4 << 20  # No more than this is kept for one node.
BODY_BYTES = (1 << 20) - 4096  # A body that surely fits an envelope.
BATCH_BYTES = 128 << 10  # A batch is not made larger than this.
RUNNING = 1000  # Requests that may be in their handlers at once.

MASTER = 0  # Stands for the master in the table of links.
TOKEN = "redrabbit-token-bin"
CHANNEL = [
    # gRPC would wait for up to two minutes before it tries a broker again.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Otherwise the stream of the membership and the link share a connection,
    # and a large batch delays a report.
    ("grpc.use_local_subchannel_pool", 1),
]

Kind = link_pb2.EnvelopeKind
Error = link_pb2.ErrorKind
State = registry_pb2.NodeState
Role = registry_pb2.Role


class CallFailed(Exception):
    """A call ended without a response; `kind` is what a program acts on."""

    def __init__(self, kind, message):
        super().__init__(f"{Error.Name(kind).removeprefix('ERROR_KIND_').lower()}: {message}")
        self.kind = kind
        self.message = message


class Pair:
    """What this node and one other have to do with each other."""

    def __init__(self):
        self.next = 1  # The number of the next envelope.
        self.kept = collections.deque()  # Sent or to be sent, not acknowledged.
        self.kept_bytes = 0
        self.sent = 0  # How many of them are on their way.
        self.moved = time.monotonic()  # When something was acknowledged.
        self.failures = 0  # How often nothing has been, in a row.
        self.paused = 0.0  # Nothing is sent before then.
        self.broker = None  # Who carries it.
        self.avoided = {}  # Brokers without a route, and until when.
        self.delivered = 0  # The last number that was taken.
        self.owed = 0  # Envelopes that are not acknowledged yet,
        self.owed_bytes = 0  # and their bytes.

    def acknowledged(self, number):
        if number >= self.next:
            return  # It was never given: nonsense.
        while self.kept and self.kept[0].sequence <= number:
            self.kept_bytes -= self.kept.popleft().ByteSize()
            self.sent = max(0, self.sent - 1)
            self.moved, self.failures = time.monotonic(), 0

    def acknowledging(self):
        self.owed = self.owed_bytes = 0
        return self.delivered

    def go_back(self, number=0):
        """Everything from this number on has to go again."""
        first = self.kept[0].sequence if self.kept else self.next
        self.sent = min(self.sent, max(0, number - first))


class Link:
    """An open stream to one broker."""

    def __init__(self):
        self.waiting = collections.deque()
        self.wake = asyncio.Event()

    def put(self, envelope):
        self.waiting.append(envelope)
        self.wake.set()


class Node:
    """A member of a group: `async with Node(...) as node`, then `call`."""

    def __init__(self, master, name, methods, *, role=Role.ROLE_SERVICE, secret=""):
        self.master = master  # host:port
        self.name = name  # role@index, unique in the group
        self.methods = methods  # name to `async def handler(source, body) -> bytes`
        self.role = role
        self.secret = secret
        self.incarnation = random.getrandbits(64)
        self.id = 0
        self.token = b""
        self.epoch = 0  # The master's run that `revision` is of.
        self.run = 0  # The one of the latest welcome.
        self.lease = 3.0
        self.state = State.NODE_STATE_JOINING
        self.is_ready = asyncio.Event()
        self.nodes = None  # The directory: id to NodeRecord. None before the first.
        self.linked_by = 0.0  # When a new node is ready in any case.
        self.revision = 0
        self.to_master = asyncio.Queue()
        self.links = {}  # Those that work.
        self.link_tasks = {}
        self.pairs = {}
        self.pending = {}  # call_id to (future, destination)
        self.call_ids = itertools.count(1)
        self.running = 0
        self.tasks = set()

    async def __aenter__(self):
        self.membership = asyncio.create_task(self._stay_a_member())
        self._start(self._look_at_the_time())
        await self.is_ready.wait()
        return self

    async def __aexit__(self, *_):
        """Waits a little for what is on its way, then says good-bye."""
        for _ in range(100):
            if not any(pair.kept for pair in self.pairs.values()):
                break
            await asyncio.sleep(0.01)
        self.to_master.put_nowait(registry_pb2.JoinRequest(leave=registry_pb2.Leave()))
        await asyncio.wait([self.membership], timeout=1)
        for task in [self.membership, *self.link_tasks.values(), *self.tasks]:
            task.cancel()

    # --- Membership

    async def _stay_a_member(self):
        pause = 0.05
        async with grpc.aio.insecure_channel(self.master, CHANNEL) as channel:
            registry = registry_pb2_grpc.RegistryStub(channel)
            while True:
                try:
                    async for response in registry.Join(self._says()):
                        self._hear(response)
                        pause = 0.05
                    if self.state == State.NODE_STATE_UNSPECIFIED:
                        return  # It has left.
                except grpc.aio.AioRpcError as error:
                    log.warning("master: %s: %s", error.code().name, error.details())
                    refusals = (grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.INVALID_ARGUMENT)
                    if error.code() in refusals:
                        self._end_everything()
                # Not all nodes of a group at the same moment.
                await asyncio.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, 2.0)

    async def _says(self):
        """What the node says on one Join stream."""
        hello = registry_pb2.Hello(
            name=self.name,
            role=self.role,
            incarnation=self.incarnation,
            methods=sorted(self.methods),
            secret=self.secret,
            build="node.py",
        )
        if self.id:
            held = registry_pb2.Held(
                node_id=self.id, epoch=self.epoch, revision=self.revision, token=self.token
            )
            hello.held.CopyFrom(held)
        yield registry_pb2.JoinRequest(hello=hello)
        while True:
            try:
                request = await asyncio.wait_for(self.to_master.get(), self.lease / 4)
            except asyncio.TimeoutError:
                request = self._report()
            yield request
            if request.HasField("leave"):
                self.state = State.NODE_STATE_UNSPECIFIED
                return

    def _report(self):
        report = registry_pb2.Report(state=self.state, load=self.running)
        return registry_pb2.JoinRequest(report=report)

    def _hear(self, response):
        which = response.WhichOneof("response")
        if which == "welcome":
            welcome = response.welcome
            if self.id != welcome.node_id:
                # A new node, though it may be the same process.
                self._end_everything()
                self.id = welcome.node_id
            self.token, self.lease = welcome.token, welcome.lease_ms / 1000
            # Until its directory is here, `revision` is of an earlier run.
            self.run = welcome.epoch
            self.to_master.put_nowait(self._report())
        elif which == "renewal":
            self.token = response.renewal.token
        elif which == "snapshot":
            nodes = {node.node_id: node for node in response.snapshot.nodes}
            if self.nodes is None:
                self.linked_by = time.monotonic() + LINKING
            for gone in set(self.nodes or ()) - set(nodes):
                self._gone(gone)
            self.nodes, self.revision = nodes, response.snapshot.revision
            self.epoch = self.run
        elif which == "delta" and self.nodes is not None:
            delta = response.delta
            if delta.revision != self.revision + 1:
                resync = registry_pb2.JoinRequest(resync=registry_pb2.Resync())
                self.to_master.put_nowait(resync)
                return
            self.revision = delta.revision
            if delta.WhichOneof("change") == "removed":
                self.nodes.pop(delta.removed, None)
                self._gone(delta.removed)
            elif delta.HasField("upserted"):
                self.nodes[delta.upserted.node_id] = delta.upserted
        if self.nodes is not None:
            self._follow_brokers()

    def _gone(self, node):
        """The node will never be back: what was pending on it ends at once."""
        self.pairs.pop(node, None)
        for future, destination in list(self.pending.values()):
            if destination == node and not future.done():
                error = CallFailed(Error.ERROR_KIND_UNAVAILABLE, f"node {text_of(node)} is gone")
                future.set_exception(error)

    def _end_everything(self):
        """The node is nobody any more; it joins as a new one."""
        for node in list(self.pairs):
            self._gone(node)
        for task in self.link_tasks.values():
            task.cancel()
        self.link_tasks, self.links, self.nodes = {}, {}, None
        self.id, self.incarnation = 0, random.getrandbits(64)
        self.state = State.NODE_STATE_JOINING
        self.is_ready.clear()

    # --- Links

    def _slaves(self):
        return {id: node for id, node in self.nodes.items() if node.role == Role.ROLE_SLAVE}

    def _follow_brokers(self):
        """A link to the master, and to every slave of the directory."""
        wanted = {MASTER: self.master}
        wanted |= {id: slave.address for id, slave in self._slaves().items()}
        for broker in set(self.link_tasks) - set(wanted):
            self.link_tasks.pop(broker).cancel()
        for broker in set(wanted) - set(self.link_tasks):
            task = asyncio.create_task(self._keep_a_link(broker, wanted[broker]))
            self.link_tasks[broker] = task
        self._links_changed()

    def _links_changed(self):
        brokers = {MASTER, *(id for id, slave in self._slaves().items() if is_ready(slave))}
        is_late = self.links and time.monotonic() >= self.linked_by
        linked = is_late or brokers <= set(self.links)
        if self.state == State.NODE_STATE_JOINING and linked:
            # Now whoever reads this in the directory can reach the node.
            self.state = State.NODE_STATE_READY
            self.to_master.put_nowait(self._report())
            self.is_ready.set()
        for destination in list(self.pairs):
            self._transmit(destination)

    async def _keep_a_link(self, broker, address):
        while True:
            link = Link()
            try:
                async with grpc.aio.insecure_channel(address, CHANNEL) as channel:
                    stub = link_pb2_grpc.LinkStub(channel)
                    batches = stub.Open(self._batches(link), metadata=((TOKEN, self.token),))
                    while True:
                        batch = await asyncio.wait_for(batches.read(), SILENCE)
                        if batch is grpc.aio.EOF:
                            break
                        for envelope in batch.envelopes:
                            try:
                                self._arrived(broker, link, envelope)
                            except Exception:
                                # Some node sends nonsense; the others do not.
                                log.exception("envelope dropped")
            except asyncio.TimeoutError:
                log.warning("broker %s says nothing", address)
            except grpc.aio.AioRpcError as error:
                log.warning("broker %s: %s: %s", address, error.code().name, error.details())
            finally:
                if self.links.get(broker) is link:
                    del self.links[broker]
            # What was on its way there is lost, even if it is back at once.
            for pair in self.pairs.values():
                if pair.broker == broker:
                    pair.broker = None
            self._links_changed()
            await asyncio.sleep(random.uniform(0.05, 0.2))

    async def _batches(self, link):
        """What the node sends on one link: all that waits, in one batch."""
        ping_at = 0.0
        while True:
            now = time.monotonic()
            if now >= ping_at:
                ping = Kind.ENVELOPE_KIND_PING
                link.waiting.appendleft(link_pb2.Envelope(source=self.id, kind=ping))
                ping_at = now + PING
            batch, size = link_pb2.Batch(), 0
            while link.waiting and (size == 0 or size < BATCH_BYTES):
                envelope = link.waiting.popleft()
                pair = self.pairs.get(envelope.destination)
                if pair:
                    envelope.acknowledged = pair.acknowledging()
                batch.envelopes.append(envelope)
                size += envelope.ByteSize()
            if size:
                yield batch
                continue
            link.wake.clear()
            try:
                await asyncio.wait_for(link.wake.wait(), ping_at - now)
            except asyncio.TimeoutError:
                pass

    # --- Pairs

    def _choose(self, pair):
        """Any ready slave with a link; the master where there is none."""
        now = time.monotonic()
        slaves = (id for id, slave in sorted(self._slaves().items()) if is_ready(slave))
        usable = [broker for broker in (*slaves, MASTER) if broker in self.links]
        usable = [broker for broker in usable if pair.avoided.get(broker, 0) < now]
        if pair.broker in usable and (pair.broker != MASTER or usable == [MASTER]):
            return pair.broker
        return usable[0] if usable else None

    def _send(self, destination, **fields):
        pair = self.pairs.setdefault(destination, Pair())
        if not pair.kept:
            pair.moved = time.monotonic()
        envelope = link_pb2.Envelope(
            destination=destination, source=self.id, sequence=pair.next, **fields
        )
        pair.next += 1
        pair.kept.append(envelope)
        pair.kept_bytes += envelope.ByteSize()
        self._transmit(destination)
        return envelope

    def _transmit(self, destination):
        """Puts on the link what is not on its way."""
        pair = self.pairs[destination]
        broker = self._choose(pair)
        if broker != pair.broker:
            # The new way knows nothing of what went the old one.
            pair.broker = broker
            pair.go_back()
        if broker is None or time.monotonic() < pair.paused:
            return
        for envelope in itertools.islice(pair.kept, pair.sent, None):
            self.links[broker].put(envelope)
        pair.sent = len(pair.kept)

    async def _look_at_the_time(self):
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            if self.state == State.NODE_STATE_JOINING and self.nodes is not None:
                self._links_changed()
            for destination, pair in list(self.pairs.items()):
                if not pair.kept or now < pair.paused:
                    continue
                link = self.links.get(pair.broker)
                patience = min(RESEND * 2**pair.failures, LONGEST_RESEND)
                if link and pair.sent and now - pair.moved > patience and not link.waiting:
                    pair.go_back()
                    pair.moved, pair.failures = now, min(pair.failures + 1, 8)
                if pair.sent < len(pair.kept):
                    self._transmit(destination)

    def _refused(self, broker, refusal):
        pair = self.pairs.get(refusal.destination)
        if pair is None or pair.broker != broker:
            return  # It is about what has gone another way since.
        pair.go_back(refusal.sequence)
        if refusal.reason == link_pb2.RefusalReason.REFUSAL_REASON_NO_ROUTE:
            pair.avoided[broker] = time.monotonic() + NO_ROUTE
        else:
            pair.paused = time.monotonic() + NO_ROOM * 2 ** min(pair.failures, 5)
            pair.failures += 1
        self._transmit(refusal.destination)

    def _arrived(self, broker, link, envelope):
        if envelope.source == 0:
            return self._broker_says(broker, link, envelope)
        if envelope.source not in self.nodes:
            return  # Gone, or newer than this node's directory: it sends again.
        pair = self.pairs.setdefault(envelope.source, Pair())
        pair.acknowledged(envelope.acknowledged)
        if envelope.sequence:
            if envelope.sequence > pair.delivered + 1:
                return  # Something before it is missing; it comes again behind that.
            pair.owed += 1
            pair.owed_bytes += len(envelope.body)
            if pair.owed == 1:
                loop = asyncio.get_running_loop()
                loop.call_later(ACKNOWLEDGE, self._acknowledge, envelope.source)
            if pair.owed >= AT_ONCE[0] or pair.owed_bytes >= AT_ONCE[1]:
                self._acknowledge(envelope.source)
            if envelope.sequence <= pair.delivered:
                return  # It has been taken already.
            pair.delivered = envelope.sequence
        self._take(envelope)

    def _acknowledge(self, source):
        pair = self.pairs.get(source)
        if pair and pair.owed:
            broker = self._choose(pair)
            if broker is not None:
                ack = Kind.ENVELOPE_KIND_ACK
                envelope = link_pb2.Envelope(destination=source, source=self.id, kind=ack)
                self.links[broker].put(envelope)

    def _broker_says(self, broker, link, envelope):
        if envelope.kind == Kind.ENVELOPE_KIND_PONG and self.links.get(broker) is not link:
            self.links[broker] = link
            self._links_changed()
        elif envelope.kind == Kind.ENVELOPE_KIND_REFUSED:
            self._refused(broker, link_pb2.Refusal.FromString(envelope.body))

    # --- Calls

    def find(self, name):
        """The id of the node of this name, if it is ready."""
        for id, node in (self.nodes or {}).items():
            if node.name == name and is_ready(node):
                return id
        raise CallFailed(Error.ERROR_KIND_NOT_FOUND, f"there is no {name} in the group")

    async def call(self, destination, method, body, timeout=5.0):
        """Calls a method of a node and returns the answer's body."""
        if len(body) > BODY_BYTES:
            message = f"a body of {len(body)} bytes, at most {BODY_BYTES} are allowed"
            raise CallFailed(Error.ERROR_KIND_TOO_LARGE, message)
        if destination not in self.nodes:
            raise CallFailed(Error.ERROR_KIND_UNAVAILABLE, f"node {text_of(destination)} is gone")
        pair = self.pairs.setdefault(destination, Pair())
        if pair.kept and pair.kept_bytes + len(body) > KEPT_BYTES:
            message = f"as much as may be is on its way to node {text_of(destination)}"
            raise CallFailed(Error.ERROR_KIND_OVERLOADED, message)
        call_id = next(self.call_ids)
        future = asyncio.get_running_loop().create_future()
        self.pending[call_id] = future, destination
        request = self._send(
            destination,
            kind=Kind.ENVELOPE_KIND_REQUEST,
            call_id=call_id,
            method=method,
            deadline_ms=max(1, int(timeout * 1000)),
            body=body,
        )
        try:
            return await asyncio.wait_for(future, timeout)
        except asyncio.TimeoutError:
            message = f"no answer within {timeout} s"
            raise CallFailed(Error.ERROR_KIND_DEADLINE_EXCEEDED, message) from None
        finally:
            del self.pending[call_id]
            self._take_back(pair, request)

    def _take_back(self, pair, request):
        """What nobody waits for any more keeps its number and nothing else."""
        if pair.kept and request.sequence >= pair.kept[0].sequence:
            pair.kept_bytes -= request.ByteSize()
            request.kind = Kind.ENVELOPE_KIND_ACK
            for field in ("call_id", "method", "deadline_ms", "body"):
                request.ClearField(field)
            pair.kept_bytes += request.ByteSize()

    def _take(self, envelope):
        if envelope.kind == Kind.ENVELOPE_KIND_REQUEST:
            self._start(self._answer(envelope))
        elif envelope.kind in (Kind.ENVELOPE_KIND_RESPONSE, Kind.ENVELOPE_KIND_ERROR):
            future, destination = self.pending.get(envelope.call_id, (None, None))
            if future is None or future.done() or destination != envelope.source:
                return  # Nobody waits for it, or not for this node.
            if envelope.kind == Kind.ENVELOPE_KIND_RESPONSE:
                future.set_result(envelope.body)
            else:
                error = link_pb2.CallError.FromString(envelope.body)
                future.set_exception(CallFailed(error.kind, error.message))

    async def _answer(self, request):
        """Answers a request, exactly once whatever happens."""
        self.running += 1
        try:
            body = await asyncio.wait_for(self._handle(request), request.deadline_ms / 1000 or 5)
            if len(body) > BODY_BYTES:
                raise CallFailed(Error.ERROR_KIND_TOO_LARGE, "the answer is too large")
            kind = Kind.ENVELOPE_KIND_RESPONSE
        except Exception as reason:
            kind, body = Kind.ENVELOPE_KIND_ERROR, error_of(reason).SerializeToString()
        finally:
            self.running -= 1
        # Its caller may be gone meanwhile, and so may this node.
        if request.source in self.pairs and request.destination == self.id:
            self._send(request.source, kind=kind, call_id=request.call_id, body=body)

    async def _handle(self, request):
        if self.running > RUNNING:
            message = f"{self.name} has as many requests as it may have"
            raise CallFailed(Error.ERROR_KIND_OVERLOADED, message)
        handler = self.methods.get(request.method)
        if handler is None:
            message = f"{self.name} has no method {request.method}"
            raise CallFailed(Error.ERROR_KIND_UNIMPLEMENTED, message)
        return await handler(request.source, request.body)

    def _start(self, work):
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def text_of(id):
    """A node's id as logs and errors have it: the master's epoch, and a number."""
    return f"{id >> 32}.{id & 0xFFFFFFFF}"


def is_ready(node):
    return node.state == State.NODE_STATE_READY


def error_of(reason):
    if isinstance(reason, CallFailed):
        return link_pb2.CallError(kind=reason.kind, message=reason.message)
    if isinstance(reason, asyncio.TimeoutError):
        kind, message = Error.ERROR_KIND_DEADLINE_EXCEEDED, "the handler did not end in time"
        return link_pb2.CallError(kind=kind, message=message)
    return link_pb2.CallError(kind=Error.ERROR_KIND_HANDLER, message=str(reason))
