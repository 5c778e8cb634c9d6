"""Ports: what the API server takes, and what the pods behind a name declare."""

from __future__ import annotations

from typing import Any

import pytest

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.network.outer.backends import Backend, ingress_backends, missing
from martello.practices.network.ports import fault, resolves


@pytest.mark.parametrize(
    ("port", "taken"),
    [
        (1, True),
        (65535, True),
        (0, False),
        (-1, False),
        (65536, False),
        (True, False),
        (8.5, False),
        (None, False),
        ("http", True),
        ("a", True),
        ("80", False),
        ("8a", True),
        ("fifteen-letters", True),
        ("sixteen-letters1", False),
        ("-a", False),
        ("a-", False),
        ("a--b", False),
        ("a_b", False),
        ("HTTP", False),
        ("", False),
        ("http\n", False),
    ],
)
def test_what_the_server_takes(port: object, taken: bool) -> None:
    assert (fault(port) == "") is taken


def _pod(spec: dict[str, Any]) -> Any:
    raw = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}
    return tuple(Cluster([resource_of(raw, Nowhere())]).workloads())


def test_names_and_numbers_resolve_with_their_protocol() -> None:
    ports = [{"name": "dns", "containerPort": 53, "protocol": "UDP"}, {"containerPort": 80}]
    pods = _pod({"containers": [{"name": "c", "ports": ports}]})
    assert resolves(pods, "dns", "UDP")
    assert resolves(pods, 53, "UDP")
    assert resolves(pods, 80, "TCP")
    assert not resolves(pods, "dns", "TCP")
    assert not resolves(pods, 53, "TCP")
    assert not resolves((), 80, "TCP")


def test_init_containers_count_and_ephemeral_ones_do_not() -> None:
    port = {"ports": [{"name": "web", "containerPort": 80}]}
    assert resolves(_pod({"initContainers": [{"name": "i", **port}]}), "web", "TCP")
    assert not resolves(_pod({"ephemeralContainers": [{"name": "e", **port}]}), "web", "TCP")


def _ingress(version: str, spec: dict[str, Any]) -> list[Backend]:
    metadata = {"name": "i", "namespace": "shop"}
    raw = {"apiVersion": version, "kind": "Ingress", "metadata": metadata, "spec": spec}
    return list(ingress_backends(resource_of(raw, Nowhere())))


def test_backends_of_every_version() -> None:
    new = {"service": {"name": "s", "port": {"number": 80}}}
    old = {"serviceName": "s", "servicePort": "web"}
    path = ("spec", "rules", 0, "http", "paths", 0, "backend")
    rule: dict[str, Any] = {"rules": [{"http": {"paths": [{"backend": new}]}}]}
    assert _ingress("networking.k8s.io/v1", rule) == [Backend((*path, "service"), "shop", "s", 80)]
    rule = {"rules": [{"http": {"paths": [{"backend": old}]}}]}
    assert _ingress("extensions/v1beta1", rule) == [Backend(path, "shop", "s", "web")]
    found = _ingress("networking.k8s.io/v1", {"defaultBackend": new, "rules": "none"})
    assert [b.path for b in found] == [("spec", "defaultBackend", "service")]


@pytest.mark.parametrize(
    ("port", "lacks"), [(80, ""), ("web", ""), (None, ""), (81, "no port 81"), ("x", "no port x")]
)
def test_missing_ports(port: object, lacks: str) -> None:
    metadata = {"name": "s", "namespace": "shop"}
    spec = {"ports": [{"name": "web", "port": 80}]}
    raw = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    cluster = Cluster([resource_of(raw, Nowhere())])
    assert lacks in missing(Backend((), "shop", "s", port), cluster)
    assert bool(missing(Backend((), "shop", "s", port), cluster)) is bool(lacks)
    assert "no Service" in missing(Backend((), "other", "s", port), cluster)
