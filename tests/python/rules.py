"""Breaks every rule of proto/README.md and looks at what happens.

    rules.py MASTER_HOST:PORT

Ends with 0 when everything was as its table says. It uses the generated stubs
alone, not the node of the example, which cannot break these rules.
"""

import asyncio
import itertools
import os
import sys
import traceback

import grpc
from redrabbit.v1 import link_pb2, link_pb2_grpc, registry_pb2, registry_pb2_grpc, session_pb2

MASTER = sys.argv[1]
SECRET = os.environ.get("REDRABBIT_SECRET", "")
SERVICE = registry_pb2.Role.ROLE_SERVICE
READY = registry_pb2.NodeState.NODE_STATE_READY
Kind = link_pb2.EnvelopeKind
TOKEN = "redrabbit-token-bin"
indices = itertools.count()


class Member:
    """A member of the group that does what it is told and nothing more."""

    def __init__(self, channel):
        self.channel = channel
        self.registry = registry_pb2_grpc.RegistryStub(channel)
        self.stream = self.registry.Join()

    async def say(self, **request):
        await self.stream.write(registry_pb2.JoinRequest(**request))

    async def join(self):
        self.name = f"rule@{next(indices)}"
        await self.say(hello=hello(self.name))
        welcome = (await self.stream.read()).welcome
        self.id, self.token, self.epoch = welcome.node_id, welcome.token, welcome.epoch
        self.nodes = (await self.stream.read()).snapshot.nodes
        self.reports = True
        self.reporting = asyncio.create_task(self.report())
        return self

    async def report(self):
        try:
            while self.reports:
                await self.say(report=registry_pb2.Report(state=READY))
                await asyncio.sleep(0.2)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # The stream has ended with its rule.

    async def be_silent(self):
        # Not by cancelling: a write that is cancelled cancels its stream.
        self.reports = False
        await self.reporting

    def open(self, token=None):
        token = self.token if token is None else token
        return link_pb2_grpc.LinkStub(self.channel).Open(metadata=((TOKEN, token),))

    async def talk(self, *envelopes):
        """Opens a link and sends one batch."""
        link = self.open()
        await link.write(link_pb2.Batch(envelopes=envelopes))
        return link

    def envelope(self, destination, kind, **fields):
        return link_pb2.Envelope(destination=destination, source=self.id, kind=kind, **fields)


def hello(name, **fields):
    fields = {"role": SERVICE, "incarnation": next(indices) + 1, "secret": SECRET} | fields
    return registry_pb2.Hello(name=name, **fields)


async def end_of(stream):
    """How a stream ends: the code and the words."""
    try:
        while await stream.read() is not grpc.aio.EOF:
            pass
        return "OK", ""
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details()


async def hears(link, wanted):
    while True:
        for envelope in (await link.read()).envelopes:
            if envelope.kind == wanted:
                return envelope


rules = []


def rule(code, *words):
    """The status that breaking it gives, and what its text has to say."""

    def add(breaks):
        rules.append((breaks, code, words))
        return breaks

    return add


# --- Joining


def join_with(hello):
    async def breaks(channel):
        member = Member(channel)
        await member.say(hello=hello)
        return await end_of(member.stream)

    breaks.__name__ = f"join as {hello}".replace("\n", " ")[:100]
    return breaks


rule("UNAUTHENTICATED", "the secret is not this group's")(
    join_with(hello("rule@900", secret="guess"))
)
rule("INVALID_ARGUMENT", "`rule` is not a node's name", "scene@0")(join_with(hello("rule")))
rule("INVALID_ARGUMENT", "rule@901 says no role")(join_with(hello("rule@901", role=0)))
rule("INVALID_ARGUMENT", "rule@902 is a broker", "host:port")(
    join_with(hello("rule@902", role=registry_pb2.Role.ROLE_SLAVE))
)
rule("INVALID_ARGUMENT", "rule@903 tells too much", "at most 256 bytes")(
    join_with(hello("rule@903", methods=["m" * 257]))
)
rule("ALREADY_EXISTS", "the name scene@0 is held by node", "stop that node first")(
    join_with(hello("scene@0"))
)
rule("INVALID_ARGUMENT", "the held token is not this group's token of node 0.7")(
    join_with(hello("rule@904", held=registry_pb2.Held(node_id=7, epoch=1, token=b"guess")))
)


@rule("INVALID_ARGUMENT", "the first request has to be a hello")
async def report_before_hello(channel):
    member = Member(channel)
    await member.say(report=registry_pb2.Report(state=READY))
    return await end_of(member.stream)


@rule("DEADLINE_EXCEEDED", "no hello came on the stream")
async def say_nothing(channel):
    return await end_of(Member(channel).stream)


@rule("INVALID_ARGUMENT", "comes from epoch", "another master serves the group")
async def hold_the_future(channel):
    member = await Member(channel).join()
    held = registry_pb2.Held(node_id=member.id, epoch=member.epoch + 1, token=member.token)
    again = Member(channel)
    await again.say(hello=hello(member.name, held=held))
    return await end_of(again.stream)


@rule("OK")
async def stop_reporting(channel):
    member = await Member(channel).join()
    link = await member.talk(member.envelope(0, Kind.ENVELOPE_KIND_PING))
    await hears(link, Kind.ENVELOPE_KIND_PONG)
    await member.be_silent()
    ends = await asyncio.gather(end_of(member.stream), end_of(link))
    return ends[0] if ends[0] == ends[1] else ("both ways", str(ends))


# --- Asking


async def asks(channel, token=None, role=registry_pb2.Role.ROLE_SCENE):
    member = await Member(channel).join()
    token = member.token if token is None else token
    try:
        await member.registry.LeastLoaded(registry_pb2.LeastLoadedRequest(role=role, token=token))
        return "OK", ""
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details()


@rule("UNAUTHENTICATED", "the token is not one of this group's")
async def ask_without_a_token(channel):
    return await asks(channel, token=b"")


@rule("INVALID_ARGUMENT", "the request says no role")
async def ask_for_nothing(channel):
    return await asks(channel, role=0)


@rule("NOT_FOUND", "no gate is ready")
async def ask_for_nobody(channel):
    return await asks(channel, role=registry_pb2.Role.ROLE_GATE)


# --- Links


@rule("UNAUTHENTICATED", "the link's token is not one of this group's")
async def open_without_a_token(channel):
    member = await Member(channel).join()
    return await end_of(member.open(token=b""))


@rule("FAILED_PRECONDITION", "is not in the directory: join first")
async def open_after_leaving(channel):
    member = await Member(channel).join()
    await member.be_silent()
    await member.say(leave=registry_pb2.Leave())
    await end_of(member.stream)
    return await end_of(member.open())


@rule("OK")
async def open_a_second_link(channel):
    member = await Member(channel).join()
    ping = member.envelope(0, Kind.ENVELOPE_KIND_PING)
    first = await member.talk(ping)
    await hears(first, Kind.ENVELOPE_KIND_PONG)
    await hears(await member.talk(ping), Kind.ENVELOPE_KIND_PONG)
    return await end_of(first)


@rule("OK")
async def fall_silent_after_a_ping(channel):
    member = await Member(channel).join()
    link = await member.talk(member.envelope(0, Kind.ENVELOPE_KIND_PING))
    await hears(link, Kind.ENVELOPE_KIND_PONG)
    return await asyncio.wait_for(end_of(link), 6)


@rule("INVALID_ARGUMENT", "sent a batch that cannot be read", "the kind 0 is unknown")
async def send_no_kind(channel):
    member = await Member(channel).join()
    return await end_of(await member.talk(member.envelope(member.id, 0)))


@rule("INVALID_ARGUMENT", "sent in the name of node 0.5")
async def send_in_anothers_name(channel):
    member = await Member(channel).join()
    forged = link_pb2.Envelope(destination=1, source=5, kind=Kind.ENVELOPE_KIND_NOTIFY)
    return await end_of(await member.talk(forged))


@rule("INVALID_ARGUMENT", "field 2 stands there twice")
async def send_two_sources(channel):
    member = await Member(channel).join()
    honest = member.envelope(1, Kind.ENVELOPE_KIND_NOTIFY, call_id=1).SerializeToString()
    # Field 2 of type fixed64 once more, which no generated class would write.
    twice = honest + bytes([2 << 3 | 1]) + (5).to_bytes(8, "little")
    batch = bytes([1 << 3 | 2, len(twice)]) + twice
    open_raw = channel.stream_stream("/redrabbit.v1.Link/Open", bytes, link_pb2.Batch.FromString)
    link = open_raw(metadata=(("redrabbit-token-bin", member.token),))
    await link.write(batch)
    return await end_of(link)


@rule("INVALID_ARGUMENT", "at most 1048576 are allowed")
async def send_a_large_envelope(channel):
    member = await Member(channel).join()
    notify = Kind.ENVELOPE_KIND_NOTIFY
    return await end_of(await member.talk(member.envelope(1, notify, body=bytes(1 << 20))))


@rule("INVALID_ARGUMENT", "sent a batch of more than 2097152 bytes")
async def send_a_large_batch(channel):
    member = await Member(channel).join()
    notify = Kind.ENVELOPE_KIND_NOTIFY
    large = member.envelope(1, notify, body=bytes(900_000))
    return await end_of(await member.talk(large, large, large))


# --- Envelopes


@rule("no_route", "the broker has no link to node 0.99")
async def request_of_nobody(channel):
    member = await Member(channel).join()
    request = member.envelope(99, Kind.ENVELOPE_KIND_REQUEST, call_id=3, method="x")
    answer = await hears(await member.talk(request), Kind.ENVELOPE_KIND_ERROR)
    assert (answer.source, answer.call_id) == (0, 3), answer
    return error_in(answer)


@rule("NO_ROUTE", "from 1")
async def numbered_to_nobody(channel):
    member = await Member(channel).join()
    notify = Kind.ENVELOPE_KIND_NOTIFY
    numbered = [member.envelope(99, notify, sequence=number) for number in (1, 2)]
    answer = await hears(await member.talk(*numbered), Kind.ENVELOPE_KIND_REFUSED)
    refusal = link_pb2.Refusal.FromString(answer.body)
    assert (answer.source, refusal.destination) == (0, 99), answer
    reason = link_pb2.RefusalReason.Name(refusal.reason)
    return reason.removeprefix("REFUSAL_REASON_"), f"from {refusal.sequence}"


class Asker:
    """Asks a real scene, under numbers of its choice and in one batch."""

    @classmethod
    async def ask(cls, channel, method, sequences):
        self = cls()
        self.member = await Member(channel).join()
        nodes = self.member.nodes
        self.scene = next(node.node_id for node in nodes if node.name == "scene@0")
        # The link to the master alone: a foreign node may use one for everything.
        requests = [self.request(*it, method) for it in enumerate(sequences, 1)]
        self.link = await self.member.talk(*requests)
        return self

    def request(self, call_id, sequence, method):
        return self.member.envelope(
            self.scene,
            Kind.ENVELOPE_KIND_REQUEST,
            sequence=sequence,
            call_id=call_id,
            method=method,
            body=session_pb2.VerifyRequest(session_key="alice").SerializeToString(),
        )

    async def answers(self, *call_ids):
        """What has been answered when these have been, in whatever order."""
        answers = {}
        while not answers.keys() >= set(call_ids):
            for envelope in (await self.link.read()).envelopes:
                if envelope.call_id:
                    answers[envelope.call_id] = envelope
        return answers

    async def answered(self, *call_ids):
        """These are, and then a late one, so that a wrong one had its time."""
        answers = await self.answers(*call_ids)
        late = 99
        await self.link.write(
            link_pb2.Batch(envelopes=[self.request(late, 0, "session.verify")])
        )
        answers |= await self.answers(late)
        return "answered", " ".join(map(str, sorted(answers.keys() - {late})))


@rule("answered", "1 2 4")
async def repeat_a_number(channel):
    # The second `1` is dropped: the scene has taken it already.
    asker = await Asker.ask(channel, "session.verify", [1, 2, 1, 0])
    return await asker.answered(1, 2, 4)


@rule("answered", "1 3")
async def leave_a_number_out(channel):
    # 3 is dropped because 2 is missing; 0, no number, is taken.
    asker = await Asker.ask(channel, "session.verify", [1, 3, 0])
    return await asker.answered(1, 3)


@rule("unimplemented", "scene@0 has no method fly")
async def call_what_is_not_there(channel):
    asker = await Asker.ask(channel, "fly", [1])
    return error_in((await asker.answers(1))[1])


@rule("too_large", "a method's name of 257 bytes, at most 256 are allowed")
async def call_a_long_name(channel):
    asker = await Asker.ask(channel, "m" * 257, [1])
    return error_in((await asker.answers(1))[1])


def error_in(envelope):
    error = link_pb2.CallError.FromString(envelope.body)
    kind = link_pb2.ErrorKind.Name(error.kind).removeprefix("ERROR_KIND_").lower()
    return kind, error.message


async def check(breaks, code, words):
    async with grpc.aio.insecure_channel(MASTER) as channel:
        try:
            got, said = await asyncio.wait_for(breaks(channel), 20)
        except Exception:
            got, said = "exception", traceback.format_exc()
    if got == code and all(word in said for word in words):
        return True
    print(f"{breaks.__name__}: expected {code} {words}, got {got}: {said}", flush=True)
    return False


async def main():
    results = await asyncio.gather(*(check(*rule) for rule in rules))
    print(f"{sum(results)} of {len(results)} rules are as they should be")
    sys.exit(not all(results))


asyncio.run(main())
