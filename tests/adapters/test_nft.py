"""Our table in a real kernel: loaded whole or not at all, listed, removed; no other is touched."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from tests.support.network.room import inside, missing, room

from martello.adapters import nft
from martello.adapters.nft import Tool
from martello.core.errors import Refused, Unreachable

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
OURS = """table inet martello {
\tset m_a {
\t\ttype ipv4_addr . inet_proto . inet_service
\t\tflags interval
\t\telements = { 10.0.0.1 . tcp . 80-90 }
\t}
\tchain m_f {
\t\ttype filter hook forward priority filter; policy accept;
\t\tip saddr . meta l4proto . th dport @m_a accept
\t}
}
"""
FOREIGN = """table ip kube {
\tchain kfwd { type filter hook forward priority 10; policy accept; meta mark 0x4000 accept; }
}
table inet other {
\tset martello { type ipv4_addr; elements = { 10.0.0.9 } }
\tchain c { ip saddr @martello counter drop; }
}
"""


@pytest.fixture(scope="module")
def tool() -> Iterator[Tool]:
    with room() as name:
        yield inside(name)


def _all(tool: Tool) -> str:
    said = subprocess.run(tool.argv("nft", "list", "ruleset"), capture_output=True, check=True)
    return said.stdout.decode()


def test_what_is_listed_can_be_loaded_again(tool: Tool) -> None:
    nft.load(OURS, tool)
    first = nft.listed(tool=tool)
    assert "80-90" in first
    nft.restore(first, tool=tool)
    assert nft.listed(tool=tool) == first
    nft.restore("", tool=tool)
    assert nft.listed(tool=tool) == ""


def test_f1_other_tables_stay_byte_for_byte(tool: Tool) -> None:
    nft.load(FOREIGN, tool)
    before = _all(tool)
    nft.restore(OURS, tool=tool)
    nft.restore(OURS, tool=tool)
    nft.remove(tool=tool)
    nft.remove(tool=tool)
    assert _all(tool) == before


def test_f1_a_fault_changes_nothing_and_is_told(tool: Tool) -> None:
    nft.restore(OURS, tool=tool)
    before = nft.listed(tool=tool)
    with pytest.raises(Refused, match="nothing was changed") as refused:
        nft.load("add table inet martello\ndelete table inet martello\nadd rule inet x y z\n", tool)
    assert refused.value.exit_code == 1
    assert refused.value.why
    assert nft.listed(tool=tool) == before


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(Unreachable):
        nft.listed(tool=Tool(("/no/such/program",)))


def test_connections_that_nobody_knows_are_no_fault(tool: Tool) -> None:
    asked = [("TCP", "10.0.0.1", 1000, "10.0.0.2", 80), ("ICMP", "fd00::1", 0, "fd00::2", 0)]
    assert nft.drop_connections(asked, tool) == 0
