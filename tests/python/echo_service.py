"""A service that answers `echo`, and asks a scene who a client is.

    echo_service.py MASTER_HOST:PORT NAME

The group's secret, if it has one, is in REDRABBIT_SECRET. It is the example of proto/README.md, which says how to make the module
`redrabbit` that it needs.
"""

import asyncio
import logging
import os
import signal
import sys

from node import Node, text_of
from redrabbit.v1 import session_pb2


async def main(master, name):
    async def echo(source, body):
        return body

    async def whois(source, body):
        """Asks the scene about the session key in the body."""
        question = session_pb2.VerifyRequest(session_key=body.decode())
        scene = node.find("scene@0")
        answer = await node.call(scene, "session.verify", question.SerializeToString())
        answer = session_pb2.VerifyResponse.FromString(answer)
        if answer.WhichOneof("outcome") == "accepted":
            return answer.accepted.session_id.encode()
        raise ValueError(f"the scene refuses: {answer.refused}")

    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    methods = {"echo": echo, "whois": whois}
    node = Node(master, name, methods, secret=environment_secret())
    async with node:
        print(f"{name} is node {text_of(node.id)}", flush=True)
        await stopped.wait()


def environment_secret():
    return os.environ.get("REDRABBIT_SECRET", "")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(*sys.argv[1:]))
