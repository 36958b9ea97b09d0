#!/usr/bin/env python3
"""Plays any of these examples in a terminal: it says who you are, sends what you
type and prints what comes.

    python3 crates/scene-host/examples/play.py NAME [--gate 127.0.0.1:10242]

A line that you type is a number and a JSON value, such as `1 "hello"`; so is a line
that it prints. All of the protocol is in proto/clients.md; this needs little of it.
"""

import argparse
import json
import socket
import struct
import sys
import threading
import time

HEAD = struct.Struct("<IHH")  # size of the body, cmd, flags
PING = 65535
THE_END = 1  # the flag of a frame that says why the connection ends


def main() -> None:
    arguments = argparse.ArgumentParser(description="play an example in a terminal")
    arguments.add_argument("name", help="who you are, as the game wants it")
    arguments.add_argument("--gate", default="127.0.0.1:10242", help="where a gate listens for TCP")
    options = arguments.parse_args()
    host, _, port = options.gate.rpartition(":")
    try:
        gate = socket.create_connection((host, int(port)))
    except OSError as error:
        sys.exit(f"no gate at {options.gate}: {error}; is the group up?")
    send(gate, 0, options.name.encode())
    threading.Thread(target=listen, args=(gate,), daemon=True).start()
    threading.Thread(target=stay, args=(gate,), daemon=True).start()
    for line in sys.stdin:
        cmd, _, value = line.strip().partition(" ")
        try:
            if cmd:
                send(gate, int(cmd), json.dumps(json.loads(value or "null")).encode())
        except ValueError:
            print('type a number and a JSON value, such as: 1 "hello"')


def listen(gate: socket.socket) -> None:
    """Prints what comes, until the gate says why it ends."""
    stream = gate.makefile("rb")
    while head := stream.read(HEAD.size):
        size, cmd, flags = HEAD.unpack(head)
        body = stream.read(size).decode()
        if cmd == 0 and flags == THE_END:
            print(f"the end: {body}", flush=True)
        elif cmd == 0:
            print(f"welcome {body}".strip(), flush=True)
        elif cmd != PING:
            print(cmd, json.dumps(json.loads(body), ensure_ascii=False), flush=True)
    gate.close()


def stay(gate: socket.socket) -> None:
    """Who says nothing for a minute is taken to be gone."""
    while True:
        time.sleep(20)
        send(gate, PING, b"")


def send(gate: socket.socket, cmd: int, body: bytes) -> None:
    gate.sendall(HEAD.pack(len(body), cmd, 0) + body)


if __name__ == "__main__":
    main()
