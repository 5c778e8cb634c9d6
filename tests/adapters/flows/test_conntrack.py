"""Lines of conntrack and of the kernel's own list."""

from __future__ import annotations

import pytest
from tests.support.network.flowlines import only, read

from martello.core.flow import Flow, Peer

PAIR = (
    "src=10.0.1.1 dst=10.96.0.9 sport=40000 dport=80 "
    "src=10.0.2.2 dst=10.0.1.1 sport=8080 dport=40000 [ASSURED] mark=0 use=1"
)
LIST = f"tcp      6 431999 ESTABLISHED {PAIR}"


@pytest.mark.parametrize(
    "line",
    [
        LIST,
        f"ipv4     2 {LIST}",
        f"ipv4     2 tcp      6 431999 ESTABLISHED {PAIR} zone=0",
        f"    [NEW] ipv4     2 tcp      6 120 SYN_SENT {PAIR}",
        f" [UPDATE] tcp      6 60 SYN_RECV {PAIR}",  # its beginning was not seen
        f"[DESTROY] tcp      6 CLOSE {PAIR} id=12",
        "tcp 6 9 ESTABLISHED src=10.0.1.1 dst=10.96.0.9 sport=40000 dport=80 packets=3 bytes=9 "
        "src=10.0.2.2 dst=10.0.1.1 sport=8080 dport=40000 packets=1 bytes=2 [ASSURED] "
        "[start=Sun Mar  1 10:00:00 2026] use=1",
    ],
)
def test_each_form_is_the_same_flow(line: str) -> None:
    assert only(line) == Flow(
        Peer(ip="10.0.1.1"),
        Peer(ip="10.96.0.9"),
        "TCP",
        80,
        40000,
        reply=False,
        translated=("10.0.2.2", 8080),
        reader="conntrack",
        witness="stdin:1",
    )


def test_microseconds_are_padded_behind() -> None:
    flow = only(f"[1772359200.5     ]\t    [NEW] ipv4 2 tcp 6 120 SYN_SENT {PAIR}")
    assert flow.at == pytest.approx(1772359200.000005, abs=1e-7)


def test_events_of_one_connection_count_once() -> None:
    lines = [f"{event} tcp 6 {PAIR}" for event in ("[NEW]", "[UPDATE]", "[UPDATE]", "[DESTROY]")]
    flows, found = read(*lines, f"[NEW] tcp 6 {PAIR}", max_bad=0)
    assert len(flows) == 2  # the second NEW is another connection
    assert found.skipped == {"duplicate": 3}


def test_untranslated_and_masqueraded_flows_have_no_backend() -> None:
    line = (
        "udp 17 29 src=10.0.1.1 dst=8.8.8.8 sport=5353 dport=53 src=8.8.8.8 dst=192.0.2.1 sport=53"
    )
    flow = only(f"{line} dport=61000 use=1")
    assert flow.translated is None
    assert (flow.protocol, flow.verdict) == ("UDP", "forwarded")


def test_nobody_answered() -> None:
    line = (
        "tcp 6 99 SYN_SENT src=10.0.1.1 dst=10.0.2.2 sport=1025 dport=80 [UNREPLIED] "
        "src=10.0.2.2 dst=10.0.1.1 sport=80 dport=1025 use=1"
    )
    assert only(line).verdict == "unknown"


def test_other_protocols() -> None:
    ping = "icmp 1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=1 src=10.0.0.2 dst=10.0.0.1 type=0"
    six = (
        "icmpv6 58 29 src=fd00::1 dst=fd00::2 type=128 code=0 id=1 src=fd00::2 dst=fd00::1 type=129"
    )
    group = (
        "ipv4 2 unknown 2 597 src=10.0.0.1 dst=224.0.0.22 [UNREPLIED] src=224.0.0.22 dst=10.0.0.1"
    )
    own = "tcp 6 9 CLOSE src=127.0.0.1 dst=127.0.0.1 sport=1 dport=2 src=127.0.0.1 dst=127.0.0.1"
    tunnel = "gre 47 29 src=10.0.0.1 dst=10.0.0.2 srckey=0x0 dstkey=0x0 src=10.0.0.2 dst=10.0.0.1"
    end = "conntrack v1.4.7 (conntrack-tools): 5 flow entries have been shown."
    flows, found = read(ping, six, group, own, tunnel, end, max_bad=0)
    assert [(f.protocol, f.port) for f in flows] == [("GRE", 0)]
    assert found.skipped == {"icmp": 3, "loopback": 1, "not a connection": 1}
