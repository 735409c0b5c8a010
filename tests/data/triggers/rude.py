#!/usr/bin/env python3
"""A trigger that breaks the rules of the control channel: it sends the bytes that its entry in the manifest has, then
ends or says nothing more.

    says = '{"hello":'     with the escapes of Python; or "endless": a line that never ends
    then = "ends"          or "waits"
"""

import json
import os
import signal
import socket

with open(os.environ["SPIN_LOCKED_URL"].removeprefix("file://"), encoding="utf-8") as file:
    entry = next(t["trigger_config"] for t in json.load(file)["triggers"] if t["trigger_type"] == "rude")
channel = socket.socket(socket.AF_UNIX)
channel.connect(os.environ["SPIN_CONTROL"].removeprefix("unix:"))
try:
    if entry["says"] == "endless":
        for _ in range(1 << 14):
            channel.sendall(b"x" * (1 << 16))
    else:
        channel.sendall(entry["says"].encode().decode("unicode_escape").encode("latin-1"))
    while entry["then"] == "waits" and channel.recv(4096):
        pass
except OSError:
    pass
# The host hangs up on the rude; whoever doesn't hear that is killed.
while entry["then"] == "waits":
    signal.pause()
