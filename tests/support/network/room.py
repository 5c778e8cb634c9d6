"""Network namespaces for tests of filters: an empty one, or a node with two pods behind it."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.support.network.lab import missing

from martello.adapters.nft import Tool

_NUMBERS = itertools.count()

__all__ = ["bridged", "inside", "missing", "room", "routed"]


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
    with ExitStack() as rooms:
        node = rooms.enter_context(room("mfn"))
        _run("ip", "netns", "exec", node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        pods = [rooms.enter_context(room("mfp")) for _ in addresses]
        for at, (address, pod) in enumerate(zip(addresses, pods, strict=True)):
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


@contextmanager
def bridged(addresses: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """A node whose pods share a bridge, as the plugin `bridge` makes it; the node is .254 there."""
    gateway = f"{addresses[0].rpartition('.')[0]}.254"
    with ExitStack() as rooms:
        node = rooms.enter_context(room("mfb"))
        _run("ip", "netns", "exec", node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        _run("ip", "-n", node, "link", "add", "pods", "type", "bridge")
        _run("ip", "-n", node, "addr", "add", f"{gateway}/24", "dev", "pods")
        _run("ip", "-n", node, "link", "set", "pods", "up")
        pods = [rooms.enter_context(room("mfp")) for _ in addresses]
        for at, (address, pod) in enumerate(zip(addresses, pods, strict=True)):
            _run("ip", "link", "add", f"v{at}", "netns", node, "type", "veth",
                 "peer", "name", "eth0", "netns", pod)  # fmt: skip
            _run("ip", "-n", node, "link", "set", f"v{at}", "master", "pods", "up")
            _run("ip", "-n", pod, "addr", "add", f"{address}/24", "dev", "eth0")
            _run("ip", "-n", pod, "link", "set", "eth0", "up")
            _run("ip", "-n", pod, "route", "add", "default", "via", gateway)
        yield node, pods


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)
