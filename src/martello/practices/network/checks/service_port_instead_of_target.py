"""NET-007: a policy names the port of a Service where it needs the port of the pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.selector import MalformedSelector, equal
from martello.core.workload import Workload
from martello.practices.network.policies import (
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
    """A policy names the port of a Service where it needs the port of the pods.

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
                service = _translating(pods, number, protocol, cluster)
                if service:
                    message = (
                        f"{number} is the port of Service {service}, not of the pods behind it"
                    )
                    yield Hit(policy, (*rule.path, "ports", index), message)
    except Malformed as error:
        yield Hit(policy, error.path, str(error), unassessed=True)


def _destinations(rule: Rule, policy: Resource, cluster: Cluster) -> list[Workload]:
    """The pods whose ports a rule speaks of."""
    if rule.direction == INGRESS:
        return subjects(policy, cluster)
    found: list[Workload] = []
    for peer in rule.peers:
        found += peer_workloads(peer, policy, cluster) or ()
    return found


def _translating(pods: Iterable[Workload], number: int, protocol: str, cluster: Cluster) -> str:
    """A Service of these pods that offers the number and sends it on to another port, while none
    sends anything to the number itself.
    """
    found = ""
    for namespace in sorted({w.namespace for w in pods}):
        for service in cluster.of_kind("Service", namespace):
            selector = service.spec.get("selector")
            try:
                mine = bool(selector) and any(equal(selector, w.labels) for w in pods)
            except MalformedSelector:
                continue
            for _, port in service_ports(service) if mine else ():
                target = port.get("targetPort", port.get("port"))
                if protocol_of(port) != protocol:
                    continue
                if target == number:
                    return ""
                if port.get("port") == number:
                    found = service.ref.name
    return found
