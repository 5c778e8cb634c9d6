"""NET-018: a port of the node that leads to a pod."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.network.lint.policies import INGRESS, isolation, on_host_network


@check(
    "NET-018",
    severity="medium",
    profile="strict",
    kinds=("workload",),
    fix="Remove hostPort and let a Service lead to the pods, or isolate their ingress by a policy.",
    frameworks={"nsa-cisa": ["network-separation"], "mitre-attack": ["T1133"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [
              {name: c, ports: [{containerPort: 80}, {containerPort: 81, hostPort: 0}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [
              {name: c, ports: [{containerPort: 80, hostPort: 80}]}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [
              {name: c, ports: [{containerPort: 80, hostPort: 80}]}]}}
            """,
            at="spec.containers[0].ports[0].hostPort",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a}, spec: {template: {spec: {
              containers: [{name: c, ports: [{containerPort: 80},
                {containerPort: 53, hostPort: 53, protocol: UDP}]}]}}}}
            """,
            at="spec.template.spec.containers[0].ports[1].hostPort",
        ),
    ),
)
def host_port_unisolated(workload: Workload, cluster: Cluster) -> Iterator[Hit]:
    """Port of the node leads to pods that no policy isolates.

    Whoever reaches the node reaches the pod, past every Service and Ingress. A network policy of
    the pod still counts, and here there is none.
    """
    if on_host_network(workload) or isolation(cluster).isolates(workload, INGRESS):
        return
    for container in workload.containers:
        for index, port in enumerate(_ports(container.raw)):
            number = port.get("hostPort")
            if isinstance(number, int) and number > 0:
                path = (*container.path, "ports", index, "hostPort")
                message = f"port {number} of every node that runs them leads to these pods"
                because = ("POD-009", workload.resource.ref)
                yield Hit(workload.resource, path, message, container.name, because=because)


def _ports(container: dict[str, Any]) -> Iterator[dict[str, Any]]:
    ports = container.get("ports")
    for port in ports if isinstance(ports, list) else ():
        yield port if isinstance(port, dict) else {}
