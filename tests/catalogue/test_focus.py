"""A part of the world is judged: what it names elsewhere is looked up there, and not invented."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.objects import TODAY, reading

from martello.catalogue.load import load
from martello.catalogue.scan import scan
from martello.core.finding import Scan
from martello.core.focus import Focus
from martello.core.waiver import Match, Waiver

WORLD = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: runner, namespace: ci}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: shop}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: m, namespace: shop}
spec: {selector: {matchLabels: {app: b}}, namespaceSelector: {matchNames: [ci]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: shop}
spec:
  podSelector: {}
  ingress:
    - from:
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ci}}
          podSelector: {matchLabels: {app: runner}}
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: shop, labels: {app: a}}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: c, image: "x:1"}]}
"""
REST = """\
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner, namespace: ci}
---
apiVersion: v1
kind: Service
metadata: {name: runner, namespace: ci, labels: {app: b}}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: ci}
---
apiVersion: v1
kind: Pod
metadata: {name: runner, namespace: ci, labels: {app: runner}}
spec: {containers: [{name: c, image: "x:1"}]}
"""


def _scan(text: str, **options: Any) -> Scan:
    waivers = options.pop("waivers", ())
    read = msgspec.structs.replace(reading(text), **options)
    return scan(read, load(), today=TODAY, profile="all", waivers=waivers)


def _looking_elsewhere() -> set[str]:
    """The checks that find something wrong because the rest of the world is not there."""
    part, whole = _scan(WORLD), _scan(WORLD + REST)
    return {f.check for f in part.findings} - {f.check for f in whole.findings}


def test_files_are_judged_in_part_and_read_whole() -> None:
    assert {"ACC-031", "NET-038"} <= _looking_elsewhere()
    found = _scan(WORLD + REST, focus=Focus(("shop",)))
    assert not _looking_elsewhere() & {f.check for f in found.findings}
    assert found.findings
    assert {f.ref.namespace for f in found.findings} <= {"shop", ""}
    assert found.objects == 8  # those of the namespace, and Namespaces


def test_labels_choose_too() -> None:
    found = _scan(WORLD + REST, focus=Focus(labels="app=b"))
    assert found.objects == 3
    assert not {f.ref.name for f in found.findings} & {"web", "s", "m"}


@pytest.mark.parametrize("check", ["ACC-031", "NET-038"])
def test_a_namespace_of_a_cluster_does_not_tell_what_lies_in_others(check: str) -> None:
    live: dict[str, Any] = {"cluster": "c", "kubernetes": 34, "namespaces": ("shop",)}
    assert check in {f.check for f in _scan(WORLD).findings}
    assert not _looking_elsewhere() & {f.check for f in _scan(WORLD, **live).findings}


def test_waivers_are_stale_in_full_scans_only() -> None:
    waiver = Waiver("w", ("POD-015",), "r", "o", "2026-12-31", Match(names=("gone",)), "w.yaml:1:1")
    assert _scan(WORLD, waivers=[waiver]).notes
    assert not _scan(WORLD, waivers=[waiver], focus=Focus(("shop",))).notes
