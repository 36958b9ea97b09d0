"""Messages of thrift and protobuf, in tests of scripts. The classes are those that
`./tests/run` has the compilers make."""

import chat_pb2
import ffext.testing
import pytest
from chat.ttypes import Say

SCRIPT = """
import ffext
import chat_pb2
from chat.ttypes import Say

@ffext.session_call(1, Say)
def thrift(session, say):
    ffext.send_msg_session(session, 1, say)

@ffext.session_call(2, chat_pb2.Say)
async def protobuf(session, say):
    answer = await ffext.call_service('scene@1', 7, say, type=chat_pb2.Say)
    ffext.send_msg_session(session, 2, answer)

@ffext.reg_service(3, Say)
def echo(say):
    return say
"""


@pytest.fixture
def scene(tmp_path):
    (tmp_path / "main.py").write_text(SCRIPT)
    with ffext.testing.Scene(tmp_path / "main.py") as scene:
        yield scene


def test_messages_of_thrift_come_back(scene):
    ann = scene.arrive("ann", "")
    body = ann.send(1, Say(channel="hello")).expect(1)
    assert scene.run(lambda: ffext.decode_buff(Say, body)).channel == "hello"
    assert scene.call(3, Say(channel="a call"), type=Say).channel == "a call"


def test_messages_of_protobuf_cross_to_other_nodes(scene):
    def answer(say):
        return chat_pb2.Say(channel=say.channel.upper())

    scene.serve("scene@1", 7, answer, type=chat_pb2.Say)
    body = scene.arrive("ann", "").send(2, chat_pb2.Say(channel="hello")).expect(2)
    assert chat_pb2.Say.FromString(body).channel == "HELLO"


def test_what_is_no_message_is_logged_and_does_not_reach_the_handler(scene):
    ann = scene.arrive("ann", "").send(1, b"\xff")
    assert ann.received == []
    assert "not a Say" in scene.logs[-1].text
