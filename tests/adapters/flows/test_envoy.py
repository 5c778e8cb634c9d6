"""Access logs of Envoy and Istio, in JSON and in the default text."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.network.flowlines import only, read

OUT: dict[str, Any] = {
    "start_time": "2026-03-01T10:00:00.162Z",
    "downstream_remote_address": "10.0.1.38:35842",
    "downstream_local_address": "172.16.22.210:8000",
    "upstream_local_address": "10.0.1.38:41142",
    "upstream_host": "10.0.1.41:80",
    "upstream_cluster": "outbound|8000||httpbin.default.svc.cluster.local",
    "requested_server_name": "evil.example",
    "authority": "evil.example",
}
TEXT = (
    '[2019-01-24T12:48:54.977Z] "GET /a"b HTTP/1.1" 200 - via_upstream - "-" 601 17766 1289 3 "-" '
    '"curl "x" 1.2.3.4:5" "id" "host" "172.217.161.36:443" outbound|443||www.google.com '
    "172.30.109.82:59480 172.217.161.36:443 172.30.109.82:59478 www.google.com -"
)


def test_a_sidecar_calls_out() -> None:
    flow = only(OUT)
    assert (flow.source.ip, flow.source_port) == ("10.0.1.38", 35842)
    assert (flow.destination.ip, flow.port) == ("172.16.22.210", 8000)
    assert flow.translated == ("10.0.1.41", 80)
    assert flow.names == ("httpbin.default.svc.cluster.local",)  # not what the client says
    assert (flow.at, flow.reply) == (1772359200.162, False)


def test_a_sidecar_is_called() -> None:
    inward = {"upstream_cluster": "inbound|80||", "upstream_local_address": "127.0.0.6:4"}
    inward |= {"downstream_remote_address": "10.0.1.38:41142", "upstream_host": "127.0.0.1:80"}
    flow = only(OUT | inward | {"downstream_local_address": "10.0.1.41:80"})
    assert (flow.source.ip, flow.destination.ip, flow.port) == ("10.0.1.38", "10.0.1.41", 80)
    assert (flow.translated, flow.names) == (None, ())


def test_a_gateway_has_two_connections() -> None:
    gateway = {"downstream_local_address": "10.0.9.9:8443", "upstream_local_address": "10.0.9.9:5"}
    flows, _ = read(OUT | gateway | {"downstream_remote_address": "192.0.2.7:61000"}, max_bad=0)
    assert [(f.source.ip, f.destination.ip, f.port) for f in flows] == [
        ("192.0.2.7", "10.0.9.9", 8443),
        ("10.0.9.9", "10.0.1.41", 80),
    ]
    assert [bool(f.names) for f in flows] == [False, True]


def test_calls_that_went_nowhere() -> None:
    assert only(OUT | {"upstream_host": None}).verdict == "unknown"
    hole = {"upstream_host": "-", "upstream_cluster": "BlackHoleCluster"}
    assert only(OUT | hole).verdict == "dropped"


@pytest.mark.parametrize("line", [TEXT, TEXT.removesuffix(" -")])
def test_the_text_is_read_from_its_end(line: str) -> None:
    flow = only(line)
    assert (flow.source.ip, flow.destination.ip, flow.port) == (
        "172.30.109.82",
        "172.217.161.36",
        443,
    )
    assert flow.names == ("www.google.com",)
    assert flow.translated is None


def test_the_own_default_of_envoy_does_not_say_who_called() -> None:
    line = '[2026-03-01T10:00:00Z] "GET / HTTP/1.1" 200 - 0 1 2 3 "-" "curl" "id" "h" "10.0.0.1:80"'
    flows, found = read(line, max_bad=0)
    assert (flows, found.skipped) == ([], {"no address": 1})
