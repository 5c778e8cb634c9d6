"""MON-010: an API server that sends its audit events without TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.workload import Container, Workload

_FLAG: Final = "--audit-webhook-config-file"


@check(
    "MON-010",
    severity="high",
    kinds=("workload",),
    fix="Give the receiver a certificate, and name its https address and authority in the file.",
    frameworks={
        "nsa-cisa": ["audit-logging"],
        "mitre-attack": ["T1040", "T1562"],
        "owasp-k8s": ["K05"],
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Config, clusters: [{name: siem,
              cluster: {server: "https://siem.example.com/audit"}}]}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [
              {name: c, command: [kube-apiserver, --audit-webhook-config-file=/w/siem.yaml]},
              {name: d, command: [kube-apiserver, --audit-log-path=/l]},
              {name: e, command: [other, --audit-webhook-config-file=/w]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Config, clusters: [{name: own, cluster: {server: "http://a"}}]}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a},
              spec: {containers: [{name: c, command: [kube-apiserver, --audit-log-path=/l]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Config, clusters: [{name: siem,
              cluster: {server: "http://siem.example.com/audit"}}]}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: [
              {name: c, command: [kube-apiserver, --audit-webhook-config-file=/etc/siem.yaml]}]}}
            """,
            at="spec.containers[0].command",
            message="without TLS",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Config, clusters: [{name: siem, cluster: {
              server: "https://siem.example.com", insecure-skip-tls-verify: true}}]}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: [
              {name: c, command: [kube-apiserver],
                args: [--audit-webhook-config-file, /w/siem.yaml]}]}}
            """,
            at="spec.containers[0].command",
            message="certificate",
        ),
    ),
)
def audit_webhook_without_tls(workload: Workload, cluster: Cluster) -> Iterator[Hit]:
    """Audit events are sent without TLS.

    Audit events say who does what, and at the higher levels what was written. Whoever is on
    the way reads them, or is the receiver himself and lets none of them through. The address is in
    a file that the flag names: it is looked for among the kubeconfigs that were read, by its name,
    and in the workload's own file.
    """
    for container in workload.containers:
        file = _file(container)
        if not file:
            continue
        path = (*container.path, "command")
        found = [one for one in cluster.of_kind("Config") if _named(one, file, workload)]
        if not found:
            reason = f"where events are sent stands in {file[:200]}, which was not read"
            yield Hit(workload.resource, path, reason, unassessed=True)
        wrong = ((one, what) for one in found for what in _wrong(one))
        for config, (says, where) in sorted(wrong, key=lambda each: each[1][0])[:1]:
            yield Hit(workload.resource, path, says, evidence=(str(config.locate(where)),))


def _file(container: Container) -> str:
    """The webhook's file of an API server; the last one counts, as it does for the server."""
    words: list[str] = []
    for key in ("command", "args"):
        told = container.raw.get(key)
        words += [one for one in told if isinstance(one, str)] if isinstance(told, list) else []
    if not any(one.rpartition("/")[2] == "kube-apiserver" for one in words):
        return ""
    found = ""
    for word, after in zip(words, (*words[1:], ""), strict=True):
        flag, equals, value = word.partition("=")
        if flag == _FLAG:
            found = value if equals else after
    return found


def _named(config: Resource, file: str, workload: Workload) -> bool:
    where = config.origin.where
    own = workload.resource.origin.where
    return where == own or where.rpartition("/")[2] == file.rpartition("/")[2]


def _wrong(config: Resource) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """What is wrong with a kubeconfig, and where."""
    clusters = config.raw.get("clusters")
    for index, entry in enumerate(clusters if isinstance(clusters, list) else ()):
        cluster: Any = entry.get("cluster") if isinstance(entry, dict) else None
        if not isinstance(cluster, dict):
            continue
        where: tuple[str | int, ...] = ("clusters", index, "cluster")
        server = cluster.get("server")
        if isinstance(server, str) and not server.lower().startswith("https:"):
            yield "audit events are sent without TLS", (*where, "server")
        if cluster.get("insecure-skip-tls-verify") is True:
            key = "insecure-skip-tls-verify"
            yield "the certificate of who receives audit events is not checked", (*where, key)
