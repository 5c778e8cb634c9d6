"""NET-007: a policy names the port of a Service where it needs the port of the pods."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.selection import selection
from martello.core.selector import MalformedSelector
from martello.core.workload import Workload
from martello.practices.network.lint.policies import (
    INGRESS,
    POLICY,
    Malformed,
    Rule,
    each_rule,
    peer_workloads,
    subjects,
)
from martello.practices.network.ports import protocol_of, resolves, service_ports


@check(
    "NET-007",
    severity="medium",
    kinds=(POLICY,),
    fix="Name the targetPort of the Service: policies see traffic after it was translated.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, ports: [{containerPort: 8080}]}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s},
              spec: {selector: {app: a}, ports: [{port: 80, targetPort: 8080}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{ports: [{port: 8080}, {port: 9}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, ports: [{containerPort: 80}]}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s},
              spec: {selector: {app: a}, ports: [{port: 80, targetPort: 8080}, {port: 90}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 90}]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, ports: [{containerPort: 8080}]}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s},
              spec: {selector: {app: a}, ports: [{port: 80, targetPort: 8080}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}}
            """,
            at="spec.ingress[0].ports[0]",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s},
              spec: {selector: {app: a}, ports: [{port: 5432, targetPort: db}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, egress: [{to: [{podSelector: {matchLabels: {app: a}}}],
                ports: [{port: 5432}]}]}}
            """,
            at="spec.egress[0].ports[0]",
        ),
    ),
)
def service_port_instead_of_target(policy: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Policy names the port of a Service where it needs the port of the pods.

    Policies are applied to the pod's address and port, after the Service has been translated. A
    rule with the Service's own port therefore lets nobody through, while it reads as if it did.
    """
    try:
        for rule in each_rule(policy):
            for index, port in enumerate(rule.ports):
                number = port.get("port")
                if not isinstance(number, int) or port.get("endPort") is not None:
                    continue
                pods = _destinations(rule, policy, cluster)
                protocol = protocol_of(port)
                if not pods or resolves(pods, number, protocol):
                    continue
                service = _translated(pods, cluster).get((number, protocol))
                if service:
                    message = (
                        f"{number} is the port of Service {service}, not of the pods behind it"
                    )
                    yield Hit(policy, (*rule.path, "ports", index), message)
    except Malformed as error:
        yield Hit(policy, error.path, str(error), unassessed=True)


def _destinations(rule: Rule, policy: Resource, cluster: Cluster) -> tuple[Workload, ...]:
    """The pods whose ports a rule speaks of."""
    if rule.direction == INGRESS:
        return subjects(policy, cluster)
    found: tuple[Workload, ...] = ()
    for peer in rule.peers:
        found += peer_workloads(peer, policy, cluster) or ()
    return found


@lru_cache(maxsize=64)
def _translated(pods: tuple[Workload, ...], cluster: Cluster) -> dict[tuple[object, str], str]:
    """The Service ports of these pods that lead to another port, by number and protocol; those that
    some Service leads to are left out.
    """
    services: dict[int, Resource] = {}
    for pod in pods:
        services.update((id(s), s) for s in _services(cluster).get(id(pod.resource), ()))
    found: dict[tuple[object, str], str] = {}
    targets: set[tuple[object, str]] = set()
    for service in services.values():
        for _, port in service_ports(service):
            protocol = protocol_of(port)
            target = port.get("targetPort", port.get("port"))
            if isinstance(target, int | str):
                targets.add((target, protocol))
            if isinstance(port.get("port"), int):
                found[(port["port"], protocol)] = service.ref.name
    return {key: name for key, name in found.items() if key not in targets}


@lru_cache(maxsize=2)
def _services(cluster: Cluster) -> dict[int, list[Resource]]:
    """The Services of each workload, by the id of its resource."""
    found: dict[int, list[Resource]] = {}
    for service in cluster.of_kind("Service"):
        selector = service.spec.get("selector")
        try:
            pods = selection(cluster).mapped(service.ref.namespace, selector) if selector else ()
        except MalformedSelector:
            continue
        for pod in pods:
            found.setdefault(id(pod.resource), []).append(service)
    return found
