"""Flows of NetObserv: names, and one flow told by several observers."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.network.flowlines import only, read

from martello.core.flow import Peer

FLOW: dict[str, Any] = {
    "AgentIP": "192.168.0.1",
    "SrcAddr": "10.0.1.1",
    "SrcPort": 40000,
    "SrcK8S_Name": "web-1",
    "SrcK8S_Namespace": "shop",
    "SrcK8S_OwnerName": "web",
    "SrcK8S_Type": "Pod",
    "DstAddr": "10.96.0.9",
    "DstPort": 80,
    "DstK8S_Name": "db",
    "DstK8S_Namespace": "shop",
    "DstK8S_OwnerName": "db",
    "DstK8S_Type": "Service",
    "Proto": 6,
    "Packets": 5,
    "Interfaces": ["veth1"],
    "IfDirections": [0],
    "TimeFlowStartMs": 1772359200500,
    "_RecordType": "flowLog",
}


def test_names_and_translation() -> None:
    flow = only(FLOW | {"XlatDstAddr": "10.0.2.2", "XlatDstPort": 8080})
    assert flow.source == Peer("pod", "shop", "web", "web-1", "10.0.1.1")
    assert flow.destination == Peer("service", "shop", "db", "", "10.96.0.9")
    assert flow.translated == ("10.0.2.2", 8080)
    assert (flow.at, flow.reply) == (1772359200.5, None)


def test_what_another_observer_tells_is_the_same_flow() -> None:
    other = FLOW | {"Interfaces": ["eth0"], "TimeFlowStartMs": FLOW["TimeFlowStartMs"] + 3}
    node = FLOW | {"AgentIP": "192.168.0.2"}
    later = FLOW | {"TimeFlowStartMs": FLOW["TimeFlowStartMs"] + 5000}  # of the first, goes on
    much_later = other | {"TimeFlowStartMs": FLOW["TimeFlowStartMs"] + 60_000}
    flows, found = read(FLOW, other, node, later, much_later, FLOW | {"Duplicate": True}, max_bad=0)
    assert [f.witness for f in flows] == ["stdin:1", "stdin:4", "stdin:5"]
    assert found.skipped == {"duplicate": 3}


@pytest.mark.parametrize(
    ("flags", "reply"),
    [
        (0x02, False),
        (0x12, False),
        (0x110, True),
        (0x10, None),
        (["SYN"], False),
        (["SYN_ACK"], True),
    ],
)
def test_the_first_packets_tell_who_called(flags: object, reply: bool | None) -> None:
    assert only(FLOW | {"Flags": flags}).reply is reply


def test_dropped_where_all_packets_were() -> None:
    assert only(FLOW | {"PktDropPackets": 1}).verdict == "forwarded"
    assert only(FLOW | {"PktDropPackets": 5}).verdict == "dropped"
    assert read(FLOW | {"Proto": 1})[1].skipped == {"icmp": 1}
