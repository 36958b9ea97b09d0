#!/usr/bin/python3 -IS
"""Stands in for a daemon: does what NAME.json beside it says, and writes down
in `events` what happens to it."""
import json, os, signal, socket, subprocess, sys, time

folder = os.path.dirname(os.path.abspath(sys.argv[0]))
name = sys.argv[sys.argv.index("--name") + 1]


def event(what):
    with open(f"{folder}/events", "a") as file:
        file.write(f"{what} {name}\n")


def wait_for(file):
    while file and not os.path.exists(f"{folder}/{file}"):
        time.sleep(0.01)


def terminate(*_):
    event("asked")
    if conduct.get("stubborn"):
        return
    wait_for(conduct.get("stops_with"))
    event("stopped")
    sys.exit(0)


signal.signal(signal.SIGTERM, terminate)
signal.signal(signal.SIGHUP, lambda *_: event("hung up"))
signal.signal(signal.SIGINT, lambda *_: event("interrupted"))
try:
    with open(f"{folder}/{name}.json") as file:
        conduct = json.load(file)
except FileNotFoundError:
    conduct = {}

event("started")
with open(f"{folder}/pids", "a") as file:
    file.write(f"{os.getpid()}\n")
    if conduct.get("offspring"):
        file.write(f"{subprocess.Popen(['sleep', '1000']).pid}\n")
for text in conduct.get("says", []):
    sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()
for text in conduct.get("complains", []):
    sys.stderr.buffer.write(text.encode())
    sys.stderr.flush()
if "exits" in conduct:
    sys.exit(conduct["exits"])
wait_for(conduct.get("waits_for"))
event("ready")
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.sendto(b"STATUS=here\nREADY=1\n", os.environ["NOTIFY_SOCKET"])
if conduct.get("tells_arguments"):
    print("arguments", sys.argv[1:], flush=True)
if conduct.get("tells_environment"):
    print("environment", sorted(os.environ), flush=True)
# Not `signal.pause`: a signal that comes just before it would be waited out.
while True:
    time.sleep(0.05)
