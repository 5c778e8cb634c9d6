"""Tetragon, Falco and Inspektor Gadget: what sensors on nodes see of connections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.network.flowlines import only, read

from martello.core.flow import Peer

POD = {
    "namespace": "shop",
    "name": "web-1",
    "workload": "web",
    "container": {"id": "containerd://1"},
}
SOCK = {
    "family": "AF_INET",
    "protocol": "IPPROTO_TCP",
    "saddr": "10.0.1.1",
    "daddr": "10.0.2.2",
    "sport": 40000,
    "dport": 443,
}


def probe(name: str = "tcp_connect", **changes: Any) -> dict[str, Any]:
    process = {"pod": POD, "docker": "86eb9e29a77d432afc7a15b424db1d2"}
    given = {"process": process, "function_name": name, "args": [{"sock_arg": SOCK}], **changes}
    return {"process_kprobe": given, "node_name": "n1", "time": "2026-03-01T10:00:00.500000000Z"}


def test_tetragon_sees_who_calls() -> None:
    flow = only(probe())
    assert flow.source == Peer("pod", "shop", "web", "web-1", "10.0.1.1")
    assert (flow.destination, flow.port, flow.protocol) == (Peer(ip="10.0.2.2"), 443, "TCP")
    assert (flow.at, flow.reply, flow.verdict) == (1772359200.5, False, "forwarded")
    assert only(probe(action="KPROBE_ACTION_SIGKILL")).verdict == "dropped"
    assert only(probe(process={"pid": 1})).source == Peer("node", ip="10.0.1.1")
    assert (
        only(probe("udp_sendmsg", args=[{"sock_arg": {**SOCK, "protocol": ""}}])).protocol == "UDP"
    )
    assert read(probe("commit_creds"), max_bad=0)[1].skipped == {"not a connection": 1}


@pytest.mark.corpus
def test_tetragon_events_that_others_publish(corpora: Path) -> None:
    text = (corpora / "tetragon" / "tetragon.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line)["event"] for line in text.splitlines()]
    flows, found = read(*lines, max_bad=0)
    assert (found.lines, found.flows, found.skipped) == (60, 5, {"not a connection": 55})
    assert flows[0].source.pod == "elasticsearch-56f8fc6988-pb8c7"
    assert (flows[0].destination.ip, flows[0].port) == ("142.250.180.196", 80)
    without = [line for line in lines if "time" not in line]
    assert without  # and that was no fault


def alert(**fields: Any) -> dict[str, Any]:
    fields = {key.replace("_", "."): value for key, value in fields.items()}
    return {"rule": "r", "time": "2026-03-01T10:00:00.5Z", "output_fields": fields}


SHOP = {"k8s_ns_name": "shop", "k8s_pod_name": "web-1", "fd_l4proto": "tcp"}


def test_falco_names_client_and_server() -> None:
    flow = only(
        alert(fd_cip="10.0.1.1", fd_sip="10.0.2.2", fd_sport=80, evt_type="connect", **SHOP)
    )
    assert flow.source == Peer("pod", "shop", "", "web-1", "10.0.1.1")
    assert (flow.destination, flow.port, flow.at) == (Peer(ip="10.0.2.2"), 80, 1772359200.5)
    turned = alert(fd_cip="10.0.1.1", fd_sip="10.0.2.2", fd_sport="80", evt_type="accept4", **SHOP)
    assert only(turned).destination.pod == "web-1"


def test_falco_names_the_connection_or_its_local_and_remote_end() -> None:
    # Here the local and the remote port are swapped; the name is right.
    name = "192.168.49.2:42668->10.96.0.1:443"
    flow = only(alert(fd_name=name, fd_lport=443, fd_rport=42668, evt_type="connect", **SHOP))
    assert (flow.source.ip, flow.destination.ip, flow.port) == ("192.168.49.2", "10.96.0.1", 443)
    six = only(alert(fd_name="fd00::1:4000->fd00::2:53", fd_type="ipv6", fd_l4proto="udp"))
    assert (six.destination.ip, six.port, six.source.pod) == ("fd00::2", 53, "")
    out = alert(fd_rip="8.8.8.8", fd_rport=3333, evt_type="connect", **SHOP)
    assert only(out).destination == Peer(ip="8.8.8.8")
    inward = alert(fd_rip="8.8.8.8", fd_lip="10.0.1.1", fd_lport=80, evt_type="accept", **SHOP)
    assert (only(inward).source.ip, only(inward).destination.pod) == ("8.8.8.8", "web-1")


def test_falco_alerts_of_other_things() -> None:
    _, found = read(
        alert(fd_name="/etc/shadow"),
        alert(fd_name="ffff9a->ffff8b /run/x.sock", fd_type="unix"),
        alert(fd_name="10.0.0.1->10.0.0.2", fd_type="ipv4"),
        alert(fd_cip="10.0.1.1", fd_sip="10.0.2.2", fd_sport=80),
        alert(fd_rip="8.8.8.8", fd_rport=53, evt_type="connect", fd_l4proto="udp"),
        max_bad=0,
    )
    assert found.skipped == {"not a connection": 3, "no protocol": 1, "no address": 1}


@pytest.mark.corpus
def test_falco_alerts_that_others_publish(corpora: Path) -> None:
    text = (corpora / "tetragon" / "falco.jsonl").read_text(encoding="utf-8")
    flows, found = read(*(json.loads(line)["alert"] for line in text.splitlines()), max_bad=0)
    assert (flows, found.skipped) == ([], {"not a connection": 10})


TRACED: dict[str, Any] = {
    "k8s": {"namespace": "shop", "podName": "web-1", "node": "n1"},
    "src": {"addr": "10.0.1.1", "port": 40000, "proto": "TCP", "version": 4},
    "dst": {"addr": "10.0.2.2", "port": 80, "proto": "TCP", "k8s": {"kind": "svc", "name": "db"}},
    "type": "connect",
    "timestamp": "2026-03-01T10:00:00.500000000Z",
}


def test_gadget_turns_what_was_accepted() -> None:
    flow = only(TRACED)
    assert flow.source == Peer("pod", "shop", "", "web-1", "10.0.1.1")
    assert flow.destination == Peer("service", "", "db", "", "10.0.2.2")
    assert (flow.port, flow.at) == (80, 1772359200.5)
    accepted = only(TRACED | {"type": "accept"})
    assert (accepted.source.ip, accepted.destination.pod) == ("10.0.2.2", "web-1")
    assert (accepted.port, accepted.source_port) == (40000, 80)
    assert only(TRACED | {"error": "ECONNREFUSED"}).verdict == "unknown"
    assert read(TRACED, TRACED | {"type": "close"})[1].skipped == {"duplicate": 1}


def test_older_gadgets() -> None:
    old = {"type": "normal", "operation": "connect", "timestamp": 1772359200500000000}
    old |= {"namespace": "shop", "pod": "web-1"}
    ends = {"saddr": "10.0.1.1", "daddr": "10.0.2.2", "sport": 4, "dport": 80}
    assert only(old | ends).source == Peer("pod", "shop", "", "web-1", "10.0.1.1")
    assert only(old | ends).at == 1772359200.5
    packet = {"pktType": "OUTGOING", "proto": "udp", "port": 53, "podIP": "10.0.1.1"}
    remote = {"remoteKind": "svc", "remoteName": "dns", "remoteNamespace": "kube-system"}
    flow = only(old | packet | remote | {"remoteAddr": "10.96.0.10"})
    assert flow.destination == Peer("service", "kube-system", "dns", "", "10.96.0.10")
    packet |= {"pktType": "HOST", "dst": {"addr": "10.0.3.3", "kind": "other"}}
    assert (only(old | packet).source.ip, only(old | packet).port) == ("10.0.3.3", 53)


def test_the_policy_adviser() -> None:
    far = {"addr": "10.0.2.2", "port": 80, "proto": "TCP"}
    event = {"k8s": TRACED["k8s"], "endpoint": far, "egress": 1}
    assert only(event).source == Peer("pod", "shop", "", "web-1")
    assert only(event | {"egress": 0}).destination == Peer("pod", "shop", "", "web-1")
