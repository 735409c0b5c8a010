#!/usr/bin/env python3
"""A trigger that speaks protocol 1 and serves nothing. Its type is in its own name: trigger-TYPE.

It behaves as well as the first entry of its type in the manifest says:

    value = "one"          what it says it serves
    features = ["reload"]  what its hello has; without this, reload and status
    start = "never-ready"  it says hello and no more on its channel
    prepare = "reject"     or "die", or "wait" until somebody writes to the pipe `gate` beside the manifest
    retire = "wait"        for the same pipe, before it says that the old generation is retired
    status = "never"       no answer; or "unready"

What `--launch-metadata-only` prints is in the file trigger-TYPE.json beside it. Without it, there is no answer.
"""

import json
import os
import signal
import socket
import sys
import threading

TYPE = os.path.basename(sys.argv[0]).removeprefix("trigger-")
APP_DIR = os.environ.get("SPIN_LOCAL_APP_DIR", "")
lock = threading.Lock()
channel = None


def tell(text):
    """A line for the person, whole."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(name, **fields):
    """A message for the host."""
    with lock:
        channel.sendall(json.dumps({name: fields}).encode() + b"\n")


def load(url):
    """The entry of ours in a lock."""
    with open(url.removeprefix("file://"), encoding="utf-8") as file:
        app = json.load(file)
    entries = [trigger for trigger in app["triggers"] if trigger["trigger_type"] == TYPE]
    return entries[0]["trigger_config"]


def behind_gate(then):
    """Does something as soon as somebody writes to the gate; everything else goes on."""

    def wait():
        with open(os.path.join(APP_DIR, "gate"), encoding="utf-8") as gate:
            gate.read()
        then()

    threading.Thread(target=wait, daemon=True).start()


def end(*_):
    tell("ends in order")
    os._exit(0)


class Stub:
    def __init__(self, entry):
        self.entry = entry
        self.next = None

    def prepare(self, message):
        self.next = load(message["locked_url"])
        number, how = message["id"], self.next.get("prepare", "")
        tell(f"prepares {number}: {self.next['value']}")
        if how == "reject":
            say("rejected", id=number, code="stub::rejected", message=f"{self.next['value']} is not to my liking")
        elif how == "die":
            os._exit(3)
        elif how == "wait":
            behind_gate(lambda: say("prepared", id=number))
        else:
            say("prepared", id=number)

    def commit(self, message):
        number, self.entry = message["id"], self.next
        tell(f"serves {number}: {self.entry['value']}")
        say("committed", id=number)
        if self.entry.get("retire") == "wait":
            behind_gate(lambda: say("retired", id=number))
        else:
            say("retired", id=number)

    def status(self, message):
        how = self.entry.get("status", "")
        if how != "never":
            metric = {
                "name": "spin_events_total",
                "type": "counter",
                "labels": {"component": self.entry["component"], "trigger": "forged"},
                "value": 12,
            }
            say("status", id=message["id"], ready=how != "unready", metrics=[metric])

    def hear(self, name, message):
        if name == "reload":
            self.prepare(message)
        elif name == "commit":
            self.commit(message)
        elif name == "abort":
            tell(f"forgets {message['id']}")
        elif name == "status":
            self.status(message)
        elif name == "drain":
            end()


def main():
    global channel
    if "--launch-metadata-only" in sys.argv:
        with open(sys.argv[0] + ".json", encoding="utf-8") as file:
            print(file.read())
        return
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end)
    stub = Stub(load(os.environ["SPIN_LOCKED_URL"]))
    channel = socket.socket(socket.AF_UNIX)
    channel.connect(os.environ["SPIN_CONTROL"].removeprefix("unix:"))
    features = stub.entry.get("features", ["reload", "status"])
    say("hello", protocols=[1], type=TYPE, version="0.1.0", features=features)
    lines = channel.makefile("r", encoding="utf-8")
    json.loads(lines.readline())["welcome"]
    if stub.entry.get("start") == "never-ready":
        tell("is welcome")
    else:
        say("ready", endpoints=[])
        tell("serves: " + " ".join([stub.entry.get("value", "nothing"), *sys.argv[1:]]))
    for line in lines:
        for name, message in json.loads(line).items():
            stub.hear(name, message)


main()
