"""Hubble's lines: wrappings, verdicts, who called, and what is no connection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.network.flowlines import only, read

from martello.core.flow import Flow, Peer

WEB = {"namespace": "shop", "pod_name": "web-1", "workloads": [{"name": "web"}], "identity": 7}
DB = {"namespace": "shop", "pod_name": "db-0", "cluster_name": "prod"}


def seen(**changes: Any) -> dict[str, Any]:
    """A flow from web to db."""
    return {
        "time": "2026-03-01T10:00:00.5Z",
        "verdict": "FORWARDED",
        "IP": {"source": "10.0.1.1", "destination": "10.0.2.2", "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": 40000, "destination_port": 5432}},
        "source": WEB,
        "destination": DB,
        "Type": "L3_L4",
        "node_name": "prod/n1",
        "is_reply": False,
        **changes,
    }


def test_a_flow_with_everything() -> None:
    assert only(seen()) == Flow(
        Peer("pod", "shop", "web", "web-1", "10.0.1.1"),
        Peer("pod", "shop", "", "db-0", "10.0.2.2", "prod"),
        "TCP",
        5432,
        40000,
        1772359200.5,
        "forwarded",
        False,
        reader="hubble",
        witness="stdin:1",
    )


def test_bare_and_wrapped_lines_are_one() -> None:
    flows, found = read(
        seen(), {"flow": seen(), "node_name": "n1"}, {"result": {"flow": seen()}}, max_bad=0
    )
    assert found.flows == 3
    assert len({(f.source, f.destination, f.port, f.at) for f in flows}) == 1
    assert [f.witness for f in flows] == ["stdin:1", "stdin:2", "stdin:3"]
    assert flows[0].source is flows[2].source  # kept once


@pytest.mark.parametrize(
    ("verdict", "meaning"),
    [
        ("FORWARDED", "forwarded"),
        ("REDIRECTED", "forwarded"),
        ("AUDIT", "forwarded"),
        ("DROPPED", "dropped"),
        (2, "dropped"),
        ("ERROR", "unknown"),
        ("TRACED", "unknown"),
        (None, "unknown"),
    ],
)
def test_verdicts(verdict: str | int | None, meaning: str) -> None:
    assert only(seen(verdict=verdict)).verdict == meaning


@pytest.mark.parametrize(
    ("fields", "reply"),
    [
        ({"is_reply": True}, True),
        ({"is_reply": False}, False),
        ({"is_reply": None}, None),
        ({"is_reply": None, "reply": True}, True),
        ({"is_reply": None, "reply": False}, None),  # the old field cannot say no
    ],
)
def test_who_called_may_be_unsaid(fields: dict[str, Any], reply: bool | None) -> None:
    assert only(seen(**fields)).reply is reply


@pytest.mark.parametrize(
    ("flags", "reply"),
    [({"SYN": True}, False), ({"SYN": True, "ACK": True}, True), ({"ACK": True}, None)],
)
def test_the_first_packets_tell_who_called(flags: dict[str, bool], reply: bool | None) -> None:
    l4 = {"TCP": {"source_port": 1, "destination_port": 2, "flags": flags}}
    assert only(seen(is_reply=None, l4=l4)).reply is reply


def test_what_is_no_connection_is_counted_by_reason() -> None:
    flows, found = read(
        seen(),
        seen(l4={"ICMPv4": {"type": 8}}),
        seen(l4={"ICMPv6": {"type": 133}}),
        seen(Type="L7", l7={"type": "REQUEST", "dns": {"query": "a."}}),
        seen(l4=None),
        seen(IP=None, source={}, destination={}),
        {"lost_events": {"source": "HUBBLE_RING_BUFFER", "num_events_lost": "3"}},
        {"node_status": {"state_change": "NODE_CONNECTED"}},
        max_bad=0,
    )
    assert len(flows) == 1
    assert found.skipped == {
        "icmp": 2,
        "l7": 1,
        "not a connection": 2,
        "no address": 1,
        "events lost by the sensor": 1,
    }


def test_identities_are_not_trusted_but_for_the_own_ingress() -> None:
    world = {"identity": 2, "labels": ["reserved:world"]}
    host = {"identity": 1, "labels": ["reserved:host"]}
    flow = only(seen(source=world, destination=host))
    assert (flow.source, flow.destination) == (Peer(ip="10.0.1.1"), Peer(ip="10.0.2.2"))
    assert only(seen(source={"identity": 8})).source.kind == "ingress"


def test_a_service_that_was_called_is_named() -> None:
    service = {"name": "db", "namespace": "shop"}
    flow = only(seen(destination={}, destination_service=service, IP={"destination": "10.96.0.9"}))
    assert flow.destination == Peer("service", "shop", "db", "", "10.96.0.9")
    assert flow.source.pod == "web-1"  # its address was masked away


def test_names_of_the_destination() -> None:
    names = ["API.example.com.", "api.example.com"]
    assert only(seen(destination_names=names)).names == ("api.example.com",)


def test_udp_sctp_and_version_6() -> None:
    l4 = {"UDP": {"source_port": 9, "destination_port": 53}}
    six = {"source": "FD00::0001", "destination": "::ffff:10.0.0.1"}
    flow = only(seen(l4=l4, IP=six))
    assert (flow.protocol, flow.port) == ("UDP", 53)
    assert (flow.source.ip, flow.destination.ip) == ("fd00::1", "10.0.0.1")
    assert only(seen(l4={"SCTP": {"destination_port": 3868}})).protocol == "SCTP"


@pytest.mark.corpus
def test_lines_that_others_publish(corpora: Path) -> None:
    text = (corpora / "tetragon" / "hubble.jsonl").read_text(encoding="utf-8")
    flows, found = read(*(json.loads(line)["flow"] for line in text.splitlines()), max_bad=0)
    assert (found.flows, found.bad, found.skipped) == (4, 0, {"icmp": 1})
    assert {f.verdict for f in flows} == {"dropped"}
    assert flows[0].destination.pod == "deathstar-7848d6c4d5-th9v2"
    assert flows[0].reply is False  # a SYN alone; the line does not say
    assert flows[1].destination == Peer(ip="2.2.2.2")
