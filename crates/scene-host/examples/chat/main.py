"""A chat room. This file is all of its server.

Change something, save, and say "reload" in the chat: the new code is live, and
nobody was disconnected. What is in the Room stays, too.
"""

import time

import ffext

CHAT = 1  # clients send ["text"]; they are sent objects with a "kind"
ECHO = 2  # what `redrabbit bots` sends comes back to it as it is


class Room:
    """Who is here. There is one, and it outlives every reload."""

    def __init__(self):
        self.names = []

    def enter(self, name):
        self.names.append(name)
        self.tell("online", names=self.names)

    def leave(self, name):
        self.names.remove(name)
        self.tell("online", names=self.names)

    def tell(self, kind, **what):
        ffext.broadcast_msg_session(CHAT, {"kind": kind, **what})


def room():
    return ffext.singleton(Room)


def is_bot(name):
    """A thousand bots are let in, and nobody in the room hears of it."""
    return name.startswith("bot-")


@ffext.session_verify_callback
def verify(name, online_time, ip, gate_name):
    """The first thing that a client sends is its name."""
    name = name.strip()
    return [name] if 0 < len(name) <= 24 else []  # an empty list turns it away


@ffext.session_enter_callback
def entered(name, from_scene, extra_data):
    if is_bot(name):
        return
    room().enter(name)
    room().tell("notice", text=f"{name} has joined")


@ffext.session_offline_callback
def went(name, online_time):
    if is_bot(name):
        return
    room().leave(name)
    room().tell("notice", text=f"{name} has left")


@ffext.session_call(CHAT)
def said(name, message):
    text = str(message[0])[:500]
    if text == "reload":
        # For this demo only, never to be shipped: it lets anybody who can chat
        # run whatever is in this file now.
        room().tell("notice", text=f"reload by {name}: {ffext.reload()}")
        return
    now = time.strftime("%H:%M:%S")
    room().tell("chat", text=text, time=now, **{"from": name})


@ffext.session_call(ECHO)
def echoed(name, message):
    ffext.send_msg_session(name, ECHO, message)
