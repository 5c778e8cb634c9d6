"""Requests to kubelets and streams into pods, by version."""

from __future__ import annotations

import pytest

from martello.practices.access.kubelet import kubelet_requests, stream_requests


@pytest.mark.parametrize(
    ("method", "path", "minor", "asked"),
    [
        ("GET", "/exec/shop/web/c?command=id", 32, ["get proxy"]),
        ("POST", "/run/shop/web/c", 34, ["create proxy"]),
        ("GET", "/metrics/cadvisor", 30, ["get metrics"]),
        ("GET", "/stats/summary", 30, ["get stats"]),
        ("GET", "/logs/", 30, ["get log"]),
        ("POST", "/checkpoint/shop/web/c", 30, ["create checkpoint"]),
        ("GET", "/pods", 32, ["get proxy"]),
        ("GET", "/pods", 33, ["get pods", "get proxy"]),
        ("GET", "/healthz", 33, ["get healthz", "get proxy"]),
        ("GET", "/", 33, ["get proxy"]),
    ],
)
def test_what_a_kubelet_asks(method: str, path: str, minor: int, asked: list[str]) -> None:
    found = kubelet_requests(method, path, "n1", minor)
    assert [f"{each.verb} {each.subresource}" for each in found] == asked
    assert {(each.resource, each.name) for each in found} == {("nodes", "n1")}


def test_get_opened_streams_before_135() -> None:
    assert [r.verb for r in stream_requests("web", "shop", "exec", 34)] == ["create", "get"]
    assert [r.verb for r in stream_requests("web", "shop", "exec", 35)] == ["create"]
