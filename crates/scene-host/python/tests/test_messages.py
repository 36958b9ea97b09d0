"""Messages of each kind, as scripts make, send and get them."""

import random
import resource
import sys
import unittest

from . import fake_host, libraries
from .case import SceneCase

import chat_pb2
from chat import ttypes as chat_thrift
from thrift.protocol.TBinaryProtocol import TBinaryProtocol, TBinaryProtocolAccelerated
from thrift.transport.TTransport import TMemoryBuffer

import ffext
from ffext import messages


def say_in_thrift():
    return chat_thrift.Say(
        channel="world ☃",
        lines=[chat_thrift.Line("hello", 5, chat_thrift.Mood.ANGRY), chat_thrift.Line("", -1)],
        scores={"ann": 0.5, "": -1e300},
        marks={1, -5},
        blob=bytes(range(256)),
        quoted=chat_thrift.Say(channel="inner"),
    )


def say_in_protobuf():
    return chat_pb2.Say(
        channel="world ☃",
        lines=[chat_pb2.Line(text="hello", at=5, mood=chat_pb2.ANGRY), chat_pb2.Line(text="")],
        scores={"ann": 0.5, "": -1e300},
        marks=[1, -5],
        blob=bytes(range(256)),
        quoted=chat_pb2.Say(channel="inner"),
    )


SAYS = {chat_thrift.Say: say_in_thrift(), chat_pb2.Say: say_in_protobuf()}


class MessagesCase(unittest.TestCase):
    def assert_not_a(self, kind, body):
        with self.assertRaises(ValueError) as raised:
            ffext.decode_buff(kind, body)
        self.assertLess(len(str(raised.exception)), 400)
        return str(raised.exception)


class WhatIsSent(MessagesCase):
    def test_what_is_encoded_is_decoded_by_its_type(self):
        for kind, say in SAYS.items():
            body = ffext.to_str(say)
            self.assertIs(type(body), bytes)
            for form in (body, bytearray(body), memoryview(body)):
                self.assertEqual(ffext.decode_buff(kind, form), say)
        place = chat_thrift.Place(3, -4)
        self.assertEqual(ffext.decode_buff(chat_thrift.Place, ffext.to_str(place)), place)

    def test_thrift_on_the_wire_is_its_binary_protocol(self):
        line = chat_thrift.Line("hi", 1, None)
        expected = b"\x0b\0\x01\0\0\0\x02hi" b"\x0a\0\x02\0\0\0\0\0\0\0\x01" b"\0"
        self.assertEqual(ffext.to_str(line), expected)

    def test_bytes_are_sent_as_they_are(self):
        for value in (b"\0\xff", bytearray(b"\0\xff"), memoryview(b"\0\xff")):
            body = ffext.to_str(value)
            self.assertEqual((type(body), body), (bytes, b"\0\xff"))

    def test_anything_else_is_json(self):
        self.assertEqual(ffext.to_str({"hp": [5, "☃"]}), '{"hp":[5,"☃"]}'.encode())
        self.assertEqual(ffext.to_str("text"), b'"text"')
        for text in ('{"hp": 5}', b'{"hp": 5}', bytearray(b'{"hp": 5}')):
            self.assertEqual(ffext.json_to_value(text), {"hp": 5})
            self.assertEqual(ffext.decode_buff("json", text), {"hp": 5})
        with self.assertRaises(ValueError):
            ffext.json_to_value("{")
        with self.assertRaises(TypeError):
            ffext.json_to_value(5)

    def test_a_message_that_cannot_be_encoded_is_a_type_error_that_says_why(self):
        circle = chat_thrift.Say("x")
        circle.quoted = circle
        for value, why in (
            (chat_thrift.Line(), "Line TProtocolException: Required field text is unset"),
            (chat_thrift.Say(channel=5), "Say TypeError"),
            (chat_thrift.Say("x", lines=5), "Say TypeError"),
            (chat_thrift.Say("x", lines=[object()]), "Say "),
            (chat_thrift.Say("x", marks={2**40}), "Say OverflowError"),
            (chat_thrift.Say("\ud800"), "Say UnicodeEncodeError"),
            (circle, "Say "),
            (chat_pb2.Line(), "Line EncodeError: "),
        ):
            with self.assertRaises(TypeError) as raised:
                ffext.to_str(value)
            self.assertIn(f"cannot be sent: a {why}", str(raised.exception))

    def test_classes_are_not_messages(self):
        for kind in (chat_thrift.Say, chat_pb2.Say, chat_thrift.Mood, chat_pb2.Mood):
            self.assertIsNone(messages.pack(kind))


class WhatArrives(MessagesCase):
    def test_types_are_told_by_what_they_are(self):
        for kind in ("json", dict, list):
            self.assertEqual(messages.decoder(kind), "json")
        for kind in ("raw", "bytes", bytes):
            self.assertIsNone(messages.decoder(kind))
        for kind in SAYS:
            self.assertTrue(callable(messages.decoder(kind)))

        class Dialect:
            thrift_spec = {}
            read = write = None

        for nonsense in (
            None, "", "xml", str, int, 5, [], {}, object(), say_in_thrift(),
            chat_thrift.Mood, chat_pb2.Mood, chat_thrift, Dialect,
        ):
            with self.assertRaises(ValueError) as raised:
                messages.decoder(nonsense)
            self.assertIn("a type of messages is 'json', bytes, or a class", str(raised.exception))

    def test_a_body_that_lacks_what_is_required_is_none_of_the_type(self):
        self.assertIn("text is unset", self.assert_not_a(chat_thrift.Line, b"\0"))
        self.assertIn("without text", self.assert_not_a(chat_pb2.Line, b""))

    def test_what_follows_a_message_is_not_overlooked(self):
        body = ffext.to_str(say_in_thrift())
        self.assertIn("3 bytes follow", self.assert_not_a(chat_thrift.Say, body + b"\0\0\0"))

    def test_every_part_of_a_message_is_none(self):
        body = ffext.to_str(say_in_thrift())
        for length in range(len(body)):
            self.assert_not_a(chat_thrift.Say, body[:length])

    def test_what_a_length_claims_is_not_allocated(self):
        huge = b"\x7f\xff\xff\xff"
        with limited_memory(64 << 20):
            for claim in (
                b"\x0b\0\x01" + huge,  # text
                b"\x0b\0\x05" + huge,  # bytes
                b"\x0f\0\x02\x0c" + huge,  # list
                b"\x0e\0\x04\x08" + huge,  # set
            ):
                body = claim + bytes(100)
                self.assertIn(f"limit: {len(body)}", self.assert_not_a(chat_thrift.Say, body))
                less = claim[:-4] + b"\xff\xff\xff\xff" + bytes(100)
                self.assertIn("negative", self.assert_not_a(chat_thrift.Say, less))
            for claim in (
                b"\x0d\0\x03\x0b\x04" + huge,  # map
                b"\x0b\0\x63" + huge,  # in a field that is not known, and read over
                b"\x0f\0\x63\x02" + huge,
            ):
                self.assert_not_a(chat_thrift.Say, claim + bytes(100))
            for field in (1, 2, 3, 4, 5, 6, 99):
                head = varint(field << 3 | 2)
                self.assert_not_a(chat_pb2.Say, head + b"\xff\xff\xff\xff\x07" + bytes(100))

    def test_what_is_nested_without_end_is_refused(self):
        for field in (6, 99):
            deep = (b"\x0c\0" + bytes([field])) * 300_000
            self.assert_not_a(chat_thrift.Say, deep)
            self.assert_not_a(chat_thrift.Say, deep + bytes(300_001))
        lists = b"\x0f\0\x63" + b"\x0f\0\0\0\1" * 200_000
        self.assert_not_a(chat_thrift.Say, lists)
        body = b"\x0a\x01x"
        for _ in range(2_000):
            body = b"\x0a\x01x\x32" + varint(len(body)) + body
        self.assert_not_a(chat_pb2.Say, body)

    def test_no_bytes_do_more_than_be_refused(self):
        seed = random.randrange(2**32)
        print("seed", seed, file=sys.stderr)
        chance = random.Random(seed)
        for kind, say in SAYS.items():
            whole = ffext.to_str(say)
            for turn in range(3_000):
                if turn % 2:
                    body = chance.randbytes(chance.randrange(64))
                else:
                    body = bytearray(whole)
                    for _ in range(chance.randint(1, 4)):
                        body[chance.randrange(len(body))] = chance.randrange(256)
                try:
                    self.assertIsInstance(ffext.decode_buff(kind, body), kind)
                except ValueError as error:
                    self.assertTrue(str(error).startswith("not a Say: "), (seed, body, error))

    def test_a_library_that_would_crash_is_used_without_its_fast_part(self):
        class Reckless(TBinaryProtocolAccelerated):
            def __init__(self, *arguments, **options):
                super().__init__(*arguments, **options)
                self._fast_decode = lambda *arguments: None

        thrift = messages._Thrift(TMemoryBuffer, Reckless, TBinaryProtocol)
        self.assertIs(thrift._protocol, TBinaryProtocol)
        self.assertIs(messages._thrift()._protocol, TBinaryProtocolAccelerated)


class Handlers(SceneCase):
    async def test_types_that_are_none_are_refused_when_they_are_registered(self):
        error = self.refuse("import ffext\n@ffext.session_call(1, 5)\ndef f(s, m): ...\n")
        self.assertIn("a type of messages is 'json', bytes, or a class", error)

    async def test_a_handler_goes_on_with_a_type_whose_module_is_loaded_again(self):
        self.write(TYPES, "types_of_ours")
        self.load(
            """
            import ffext
            from types_of_ours import Word
            @ffext.session_call(1, Word)
            def f(session, word): ...
            """
        )
        decode = fake_host.decoders[1]
        body = b"\x0b\0\x01\0\0\0\x02hi\0"
        self.assertEqual(decode(body).text, "hi")
        self.write(TYPES.replace("text", "word"), "types_of_ours")
        self.assertTrue(ffext.reload("types_of_ours"))
        self.assertEqual(fake_host.decoders[1](body).word, "hi")
        # One that was handed out before, too.
        self.assertEqual(decode(body).word, "hi")

    async def test_a_handler_goes_on_with_a_type_of_the_script_itself(self):
        script = TYPES + """
import ffext
@ffext.session_call(1, Word)
def f(session, word): ...
"""
        body = b"\x0b\0\x01\0\0\0\x02hi\0"
        self.load(script)
        before = fake_host.decoders[1]
        main = self.load(script.replace("text", "word"))
        for decode in (before, fake_host.decoders[1]):
            word = decode(body)
            self.assertEqual((word.word, type(word)), ("hi", main.Word))

    async def test_a_handler_follows_a_type_that_is_replaced_by_another(self):
        self.write(TYPES, "types_of_ours")
        self.load(
            """
            import ffext
            from types_of_ours import Word
            @ffext.session_call(1, Word)
            def f(session, word): ...
            """
        )
        # With slots it is of another shape, and cannot be the same class.
        slots = "class Word:\n    __slots__ = ('text', 'extra')"
        self.write(TYPES.replace("class Word:", slots), "types_of_ours")
        result = ffext.reload("types_of_ours")
        self.assertTrue(result, str(result))
        word = fake_host.decoders[1](b"\x0b\0\x01\0\0\0\x02hi\0")
        self.assertEqual(word.text, "hi")
        self.assertIs(type(word), sys.modules["types_of_ours"].Word)

    async def test_a_module_of_protobuf_is_loaded_again(self):
        source = (libraries._venv / "messages" / "chat_pb2.py").read_text()
        self.write(source.replace("'chat_pb2'", "'hall_pb2'"), "hall_pb2")
        self.load(
            """
            import ffext
            from hall_pb2 import Say
            @ffext.session_call(1, Say)
            def f(session, say): ...
            """
        )
        body = ffext.to_str(say_in_protobuf())
        result = ffext.reload("hall_pb2")
        self.assertTrue(result, str(result))
        self.assertEqual(fake_host.decoders[1](body).channel, "world ☃")


# What the compiler of thrift makes, in short.
TYPES = '''
from thrift.Thrift import TType
from thrift.TRecursive import fix_spec

class Word:
    def __init__(self, text=None):
        self.text = text

    def read(self, iprot):
        iprot._fast_decode(self, iprot, [self.__class__, self.thrift_spec])

    def write(self, oprot):
        oprot.trans.write(oprot._fast_encode(self, [self.__class__, self.thrift_spec]))

Word.thrift_spec = (None, (1, TType.STRING, "text", "UTF8", None))
fix_spec([Word])
'''


def varint(number):
    """A number as protobuf writes it."""
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


class limited_memory:
    """Fails what allocates much more than it needs."""

    def __init__(self, more):
        self.more = more

    def __enter__(self):
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        self.before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + self.more, self.before[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_AS, self.before)
