"""A client of a RedRabbit gate, for asyncio.

    async with await login("tcp://127.0.0.1:10242", "ann") as session:
        await session.send(101, ["hello"])
        async for message in session:
            print(message.cmd, message.json())

A connection that is lost is replaced by another one, and no message is lost or comes
twice, if the gate offers that.
"""

from .errors import Closed, GateError, ProtocolBroken, Refused
from .frames import Frame, FrameDecoder, encode_frame
from .session import Message, Session, login

__all__ = [
    "Closed",
    "Frame",
    "FrameDecoder",
    "GateError",
    "Message",
    "ProtocolBroken",
    "Refused",
    "Session",
    "encode_frame",
    "login",
]
