"""talk.py URL KEY MESSAGES [WIDTH]: sends so many numbers as cmd 1, and ends with 0 when each
has come back once and in order. Prints how often the connection was lost. With a WIDTH the
numbers are padded to so many bytes, and both sides may compress them."""

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from redrabbit_client import GateError, Session, login  # noqa: E402

losses = 0


def away() -> None:
    global losses
    losses += 1


def fresh(lost: int) -> None:
    sys.exit("the gate does not have the session any more")


async def begin(url: str, key: str, compress: bool) -> Session:
    # A connection may be cut before its login is answered: that is the application's to
    # try again.
    while True:
        try:
            return await login(url, key, compress=compress, on_away=away, on_fresh=fresh)
        except GateError as error:
            if error.reason != "socket_error":
                raise


async def main(url: str, key: str, messages: int, width: int) -> None:
    async with await begin(url, key, width > 0) as session:

        async def send() -> None:
            for number in range(1, messages + 1):
                await session.send(1, str(number).ljust(width))

        sending = asyncio.create_task(send())
        for number in range(1, messages + 1):
            message = await session.recv()
            if message != (1, str(number).ljust(width).encode()):
                sys.exit("%r came in the place of %d" % (message, number))
        await sending
    print(json.dumps({"losses": losses}))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int((sys.argv[4:] or ["0"])[0])))
