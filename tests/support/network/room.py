"""Network namespaces for tests of filters: an empty one, or a node with two pods behind it."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.support.network.lab import missing

from martello.adapters.nft import Tool

_NUMBERS = itertools.count()

__all__ = ["inside", "missing", "room", "routed"]


def inside(name: str) -> Tool:
    """How programs are run in a namespace."""
    return Tool(("ip", "netns", "exec", name))


@contextmanager
def room(prefix: str = "mfw") -> Iterator[str]:
    """An empty namespace with loopback; it is removed in any case. Gives its name."""
    name = f"{prefix}{os.getpid()}-{next(_NUMBERS)}"
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@contextmanager
def routed(addresses: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """A node, and a pod for each IPv4 address, routed by it. Gives the names of both."""
    with room("mfn") as node:
        pods: list[str] = []
        rooms = []
        try:
            _run("ip", "netns", "exec", node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            for at, address in enumerate(addresses):
                one = room("mfp")
                pod = one.__enter__()
                rooms.append(one)
                pods.append(pod)
                dev = f"v{at}"
                _run("ip", "link", "add", dev, "netns", node, "type", "veth",
                     "peer", "name", "eth0", "netns", pod)  # fmt: skip
                _run("ip", "-n", node, "addr", "add", "169.254.1.1/32", "dev", dev)
                _run("ip", "-n", node, "link", "set", dev, "up")
                _run("ip", "-n", node, "route", "add", f"{address}/32", "dev", dev)
                _run("ip", "-n", pod, "addr", "add", f"{address}/32", "dev", "eth0")
                _run("ip", "-n", pod, "link", "set", "eth0", "up")
                _run("ip", "-n", pod, "route", "add", "169.254.1.1", "dev", "eth0")
                _run("ip", "-n", pod, "route", "add", "default", "via", "169.254.1.1")
            yield node, pods
        finally:
            for one in rooms:
                one.__exit__(None, None, None)


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)
