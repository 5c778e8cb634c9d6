"""Run inside a pod's namespace by the tests of filters; plain sockets, lines on stdout.

`serve PORT` answers every connection and echoes; `stream HOST PORT` sends a number every 5 ms and
wants it back; `loop HOST PORT` connects again and again. Both end at end of input, and then print
how many worked, how many did not, and the longest wait in seconds.
"""

from __future__ import annotations

import select
import socket
import sys
import threading
import time


def serve(port: int) -> None:
    """Echo what comes."""
    with socket.create_server(("", port), backlog=512) as server:
        print("ready", flush=True)
        while True:
            one, _ = server.accept()
            threading.Thread(target=_echo, args=(one,), daemon=True).start()


def stream(host: str, port: int) -> None:
    """One connection that must not be cut."""
    good, longest = 0, 0.0
    with socket.create_connection((host, port), timeout=5) as one:
        print("ready", flush=True)
        while not _over():
            began = time.monotonic()
            one.sendall(b"%08d" % good)
            if one.recv(8, socket.MSG_WAITALL) != b"%08d" % good:
                break
            longest = max(longest, time.monotonic() - began)
            good += 1
            time.sleep(0.005)
    print(good, 0, f"{longest:.3f}", flush=True)


def loop(host: str, port: int, patience: float) -> None:
    """New connections, one after the other."""
    good, bad, longest = 0, 0, 0.0
    print("ready", flush=True)
    while not _over():
        began = time.monotonic()
        try:
            with socket.create_connection((host, port), timeout=patience):
                good += 1
        except OSError:
            bad += 1
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.001)
    print(good, bad, f"{longest:.3f}", flush=True)


def _over() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def _echo(one: socket.socket) -> None:
    with one:
        while data := one.recv(4096):
            one.sendall(data)


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    if verb == "serve":
        serve(int(words[0]))
    elif verb == "stream":
        stream(words[0], int(words[1]))
    else:
        loop(words[0], int(words[1]), float(words[2]))
