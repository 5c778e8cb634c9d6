"""Connections of a network namespace, listed by conntrack after real packets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from martello.adapters.flows.capture import follow_conntrack, list_conntrack
from martello.core.errors import BadInput, NotPermitted, Unreachable

RULES = """
table inet t {
  chain out {
    type nat hook output priority -100;
    ip daddr 10.99.0.9 tcp dport 80 dnat ip to 10.99.0.2:8080
  }
  chain seen { type filter hook input priority 0; ct state established accept; }
}
"""
TALK = """
import socket
def talk(family, here, there, port, named, named_port):
    with socket.socket(family) as server, socket.socket(family) as client:
        server.bind((there, port)); server.listen(); client.bind((here, 0))
        client.connect((named, named_port)); server.accept()[0].close()
talk(socket.AF_INET, "10.99.0.1", "10.99.0.2", 8080, "10.99.0.9", 80)
talk(socket.AF_INET6, "fd99::1", "fd99::2", 53, "fd99::2", 53)
"""


@pytest.fixture
def netns() -> Iterator[str]:
    """A network namespace with two addresses a family, a translated service and tracking."""
    if os.geteuid():
        pytest.skip("needs root")
    for program, package in (("ip", "iproute2"), ("nft", "nftables"), ("conntrack", "conntrack")):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program} (Debian: {package})")
    name = f"mtlflow{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
        pytest.skip("needs network namespaces")
    try:
        _run("ip", "-n", name, "link", "set", "lo", "up")
        for address in ("10.99.0.1/32", "10.99.0.2/32", "10.99.0.9/32"):
            _run("ip", "-n", name, "addr", "add", address, "dev", "lo")
        for address in ("fd99::1/128", "fd99::2/128"):
            _run("ip", "-n", name, "addr", "add", address, "dev", "lo", "nodad")
        _run("ip", "netns", "exec", name, "nft", "-f", "-", given=RULES)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def _run(*words: str, given: str = "") -> None:
    subprocess.run(words, input=given, text=True, check=True, capture_output=True)


def test_real_connections_are_listed(netns: str) -> None:
    _run("ip", "netns", "exec", netns, sys.executable, "-c", TALK)
    flows = {flow.destination.ip: flow for flow in list_conntrack(netns)}
    four, six = flows["10.99.0.9"], flows["fd99::2"]
    assert (four.source.ip, four.port, four.translated) == ("10.99.0.1", 80, ("10.99.0.2", 8080))
    assert (six.source.ip, six.port, six.translated) == ("fd99::1", 53, None)
    assert {four.protocol, six.protocol} == {"TCP"}
    assert four.witness.startswith(f"conntrack@{netns}:")
    by_path = {flow.destination.ip for flow in list_conntrack(f"/run/netns/{netns}")}
    assert by_path == set(flows)


def test_connections_are_followed(netns: str) -> None:
    found = follow_conntrack(netns)
    talking = f"import time; time.sleep(0.5)\n{TALK}"
    with subprocess.Popen(["ip", "netns", "exec", netns, sys.executable, "-c", talking]):
        flow = next(found)
    assert (flow.destination.ip, flow.translated) == ("10.99.0.9", ("10.99.0.2", 8080))
    assert flow.at > 1_700_000_000
    found.close()  # type: ignore[attr-defined]


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unreachable) as error:
        list(list_conntrack())
    assert error.value.next == "install it (Debian: apt install conntrack)"
    program = tmp_path / "conntrack"
    said = "conntrack v1.4.7: Operation failed: \x1b[31mOperation not permitted"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(NotPermitted) as refused:
        list(list_conntrack())
    assert refused.value.why.isprintable()


def test_a_namespace_that_is_not_there(netns: str) -> None:
    for wrong in (f"{netns}-not", f"/run/netns/{netns}-not"):
        with pytest.raises(Unreachable, match="network namespace"):
            list(list_conntrack(wrong))
    with pytest.raises(BadInput):
        list(list_conntrack("-x"))
