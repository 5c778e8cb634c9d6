"""Flow logs of clouds."""

from __future__ import annotations

import json

import pytest
from tests.support.network.flowlines import only, read

from martello.core.flow import Peer

V2 = "2 123456789010 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070"
HEADER = "version srcaddr dstaddr srcport dstport protocol start action log-status tcp-flags"
HEADER += " pkt-srcaddr pkt-dstaddr flow-direction"


def test_the_default_format() -> None:
    flow = only(f"{V2} ACCEPT OK")
    assert (flow.source, flow.destination) == (Peer(ip="172.31.16.139"), Peer(ip="172.31.16.21"))
    assert (flow.protocol, flow.port, flow.source_port, flow.at) == ("TCP", 22, 20641, 1418530010.0)
    assert (flow.verdict, flow.reply, flow.reader) == ("forwarded", None, "vpc")
    assert only(f"{V2} REJECT OK").verdict == "dropped"
    assert only(f"2014-12-14T04:06:50.000Z {V2} REJECT OK").verdict == "dropped"


def test_absent_values() -> None:
    nothing = "2 123456789010 eni-1 - - - - - - - 1431280876 1431280934 - NODATA"
    _, found = read(f"{V2} ACCEPT OK", nothing, max_bad=0)
    assert found.skipped == {"not a connection": 1}


@pytest.mark.parametrize(
    ("flags", "reply"), [("2", False), ("3", False), ("18", True), ("16", None)]
)
def test_a_header_of_ones_own(flags: str, reply: bool | None) -> None:
    line = f"5 10.0.0.1 10.0.0.2 443 40000 6 1616729292 ACCEPT OK {flags} 10.9.9.9 - egress"
    flow = only(HEADER, line)
    assert (flow.source.ip, flow.destination.ip) == ("10.9.9.9", "10.0.0.2")  # behind a gateway
    assert flow.reply is reply
    assert only(" ".join(f"${{{w}}}" for w in HEADER.split()), line) == flow


def test_a_line_that_is_not_as_its_header() -> None:
    flows, found = read(HEADER, "5 10.0.0.1", f"{V2} ACCEPT OK")
    assert (flows, found.bad) == ([], 2)
    assert found.first_bad[0] == "stdin:2: it has not as many fields as its header"


def test_google() -> None:
    pod = {"pod_name": "web-1", "pod_namespace": "shop"}
    ends = {"src_ip": "10.0.0.1", "dest_ip": "10.0.0.2", "src_port": 4000, "dest_port": 443}
    entry = {
        "connection": ends | {"protocol": 6},
        "start_time": "2026-03-01T10:00:00.25Z",
        "src_gke_details": {"cluster": {"cluster_name": "prod"}, "pod": pod},
    }
    flow = only({"jsonPayload": entry})
    assert flow.source == Peer("pod", "shop", "", "web-1", "10.0.0.1", "prod")
    assert (flow.destination.ip, flow.port, flow.at) == ("10.0.0.2", 443, 1772359200.25)
    assert only(entry | {"disposition": "DENIED"}).verdict == "dropped"


def test_azure() -> None:
    group = {"flows": [{"rule": "r", "flows": [{"mac": "0", "flowTuples": [
        "1487282421,42.119.146.95,10.1.0.4,51529,5358,T,I,D",
        "1487282370,163.28.66.17,10.1.0.4,61771,53,U,I,A,B,1,2,3,4",
    ]}]}]}  # fmt: skip
    network = {"flows": [{"aclID": "a", "flowGroups": [{"rule": "r", "flowTuples": [
        "1663146003599,10.0.0.6,192.0.2.180,23956,443,6,O,B,NX,0,0,0,0",
        "1663146003599,10.0.0.6,192.0.2.180,23956,443",
    ]}]}]}  # fmt: skip
    records = {"records": [{"properties": group}, {"flowRecords": network}]}
    flows, found = read(json.dumps(records))
    assert [(f.protocol, f.port, f.verdict, f.at) for f in flows] == [
        ("TCP", 5358, "dropped", 1487282421.0),
        ("UDP", 53, "forwarded", 1487282370.0),
        ("TCP", 443, "forwarded", 1663146003.599),
    ]
    assert (found.lines, found.bad) == (4, 1)
