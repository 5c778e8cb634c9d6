"""Flow logs of Calico, and flows of Goldmane as Whisker serves them."""

from __future__ import annotations

from typing import Any

from tests.support.network.flowlines import only, read

from martello.core.flow import Peer

LOG: dict[str, Any] = {
    "start_time": 1659621542,
    "source_ip": None,
    "source_name": "-",
    "source_name_aggr": "web-755cdc7957-*",
    "source_namespace": "shop",
    "source_port": None,
    "source_type": "wep",
    "dest_ip": "10.48.1.2",
    "dest_name": "db-0",
    "dest_name_aggr": "db-*",
    "dest_namespace": "shop",
    "dest_port": 5432,
    "dest_type": "wep",
    "dest_domains": None,
    "proto": "tcp",
    "action": "allow",
    "reporter": "src",
    "num_flows": 9,
    "num_flows_started": 4,
}
WHISKER: dict[str, Any] = {
    "start_time": "2026-03-01T10:00:00Z",
    "action": "Deny",
    "source_name": "web-755cdc7957-*",
    "source_namespace": "shop",
    "dest_name": "pub",
    "dest_namespace": "-",
    "protocol": "tcp",
    "dest_port": 443,
    "reporter": "Src",
}


def test_aggregated_names_and_counts() -> None:
    flow = only(LOG)
    assert flow.source == Peer("pod", "shop", "web-755cdc7957")
    assert flow.destination == Peer("pod", "shop", "db", "db-0", "10.48.1.2")
    assert (flow.count, flow.port, flow.at, flow.verdict) == (4, 5432, 1659621542.0, "forwarded")
    assert only({"_source": LOG}).source == flow.source


def test_networks_nodes_and_whole_pods() -> None:
    outside = {"source_type": "net", "source_name_aggr": "pub", "source_namespace": "-"}
    assert only(LOG | outside | {"source_ip": "192.0.2.9"}).source == Peer(
        "external", ip="192.0.2.9"
    )
    assert only(LOG | outside).source == Peer("external")  # no address: listed, not learned
    private = {"source_type": "net", "source_name_aggr": "pvt", "source_namespace": "-"}
    assert read(LOG | private)[1].skipped == {"no address": 1}
    node = {"source_type": "hep", "source_name_aggr": "n1", "source_namespace": "-"}
    assert only(LOG | node).source == Peer("node", "", "n1")
    assert only(LOG | {"source_name_aggr": "lonely"}).source == Peer("pod", "shop", "", "lonely")


def test_denied_and_named() -> None:
    flow = only(LOG | {"action": "deny", "dest_domains": ["a.example"], "proto": "udp"})
    assert (flow.verdict, flow.names, flow.protocol) == ("dropped", ("a.example",), "UDP")


def test_whisker() -> None:
    flow = only(WHISKER)
    assert flow.source == Peer("pod", "shop", "web-755cdc7957")
    assert flow.destination == Peer("external")
    assert (flow.verdict, flow.reader, flow.at) == ("dropped", "goldmane", 1772359200.0)


def test_pages_and_streams_of_whisker() -> None:
    flows, found = read(
        {"items": [WHISKER, WHISKER | {"protocol": "icmp"}, WHISKER | {"dest_port": -1}]}
    )
    assert (len(flows), found.lines, found.bad) == (1, 3, 1)
    assert found.skipped == {"icmp": 1}
    assert only(f"data: {str(WHISKER).replace(chr(39), chr(34))}").port == 443


def test_the_api_in_json() -> None:
    key = {
        "sourceName": "web-*",
        "sourceNamespace": "shop",
        "sourceType": "WorkloadEndpoint",
        "destName": "n1",
        "destType": "HostEndpoint",
        "destPort": "10250",
        "proto": "tcp",
        "action": "Allow",
    }
    flow = only({"flow": {"Key": key, "startTime": "1772359200", "numConnectionsStarted": "3"}})
    assert (flow.destination, flow.port) == (Peer("node", "", "n1"), 10250)
    assert (flow.count, flow.at) == (3, 1772359200.0)
