"""A service that does what a test asks it to, with the node of the example.

    driven_service.py MASTER_HOST:PORT NAME
"""

import asyncio
import json
import logging
import sys

from echo_service import environment_secret
from node import BODY_BYTES, CallFailed, Node


async def main(master, name):
    last = 0
    faults = []

    async def echo(source, body):
        nonlocal last
        # A test numbers its calls: none may be missing, repeated or out of turn.
        if body.startswith(b"call "):
            number = int(body.split()[1])
            if number != last + 1:
                faults.append(f"{number} after {last}")
            last = number
        return body

    async def echoed(source, body):
        return json.dumps({"last": last, "faults": faults[:10]}).encode()

    async def whoami(source, body):
        return str(node.id).encode()

    async def fail(source, body):
        raise ValueError(body.decode())

    async def sleep(source, body):
        await asyncio.sleep(float(body))
        return b"late"

    async def huge(source, body):
        return bytes(BODY_BYTES + 1)

    async def drive(source, body):
        """Calls a method many times, so many at once, and looks at each answer."""
        order = json.loads(body)
        numbers = iter(range(order["calls"]))

        async def calls():
            for number in numbers:
                body = b"%d of %s " % (number, name.encode()) + bytes(number % 1500)
                answer = await node.call(source, order["method"], body)
                if answer != body[::-1]:
                    raise ValueError(f"call {number}: {answer!r}")

        await asyncio.gather(*(calls() for _ in range(order["at_once"])))
        return b"%d" % order["calls"]

    async def outcome(source, body):
        """Calls a node and tells how that ended."""
        order = json.loads(body)
        try:
            destination = order.get("id") or node.find(order["name"])
            body = order.get("text", "").encode() or bytes(order.get("bytes", 0))
            timeout = order.get("timeout", 5.0)
            answer = await node.call(destination, order["method"], body, timeout)
            return b"answer: %d bytes" % len(answer)
        except CallFailed as error:
            return str(error).encode()

    methods = [echo, echoed, whoami, fail, sleep, huge, drive, outcome]
    methods = {method.__name__: method for method in methods}
    # What scripts call as `ffext.call_service(name, 200)`.
    methods["service.200"] = echo
    node = Node(master, name, methods, secret=environment_secret())
    async with node:
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(*sys.argv[1:]))
