"""NET-029: a port number or name that no API server or pod knows."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.selection import selection
from martello.core.selector import MalformedSelector
from martello.core.workload import Workload
from martello.practices.network.ports import (
    declared,
    fault,
    protocol_of,
    resolves,
    service_ports,
)


@check(
    "NET-029",
    severity="medium",
    kinds=("cluster",),
    fix="Use a number from 1 to 65535, or the name that a container gives its port.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    aliases={"kube-linter": ("invalid-target-ports",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}}, spec: {containers: [
              {name: c, ports: [{name: http, containerPort: 80}, {containerPort: 65535}]}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: a},
              ports: [{port: 80, targetPort: http}, {port: 81, targetPort: 1}, {port: 82},
                {port: 83, targetPort: 0}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: away},
              ports: [{port: 80, targetPort: fifteen-letters}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: t},
              spec: {ports: [{port: 80, targetPort: http}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {
              ports: [{port: 80}, {port: 81, targetPort: 65536}]}}
            """,
            at="spec.ports[1].targetPort",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {
              ports: [{port: 80, targetPort: sixteen--letters}]}}
            """,
            at="spec.ports[0].targetPort",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {spec: {
              containers: [{name: c, ports: [{name: my_port, containerPort: 80}]}]}}}}
            """,
            at="spec.template.spec.containers[0].ports[0].name",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}}, spec: {containers: [
              {name: c, ports: [{name: http, containerPort: 80, protocol: UDP}]}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: a},
              ports: [{port: 80, targetPort: http}]}}
            """,
            at="spec.ports[0].targetPort",
        ),
    ),
)
def invalid_target_port(cluster: Cluster) -> Iterator[Hit]:
    """Port number or name that no API server or pod knows.

    The API server refuses the object, or the Service has no endpoint because no container gives
    a port that name with that protocol. Either way nobody is served.
    """
    for workload in cluster.workloads():
        yield from _of_workload(workload)
    for service in cluster.of_kind("Service"):
        yield from _of_service(service, cluster)


def _of_workload(workload: Workload) -> Iterator[Hit]:
    for container, path, port in declared(workload):
        name, number = port.get("name"), port.get("containerPort")
        if name is not None:
            wrong = fault(name) if isinstance(name, str) else "must be text"
            if wrong:
                message = f"port name {name!r} {wrong}"
                yield Hit(workload.resource, (*path, "name"), message, container.name)
        if number is not None:
            wrong = fault(number) if isinstance(number, int) else "must be a number"
            if wrong:
                message = f"containerPort {number} {wrong}"
                yield Hit(workload.resource, (*path, "containerPort"), message, container.name)


def _of_service(service: Resource, cluster: Cluster) -> Iterator[Hit]:
    for path, port in service_ports(service):
        target = port.get("targetPort")
        if target in (None, "") or (target == 0 and target is not False):
            continue  # the server takes the Service's own port
        at = (*path, "targetPort")
        wrong = fault(target)
        if wrong:
            yield Hit(service, at, f"targetPort {target!r} {wrong}")
        elif isinstance(target, str) and service.spec.get("selector"):
            try:
                pods = selection(cluster).mapped(service.ref.namespace, service.spec["selector"])
            except MalformedSelector:
                continue
            if pods and not resolves(pods, target, protocol_of(port)):
                yield Hit(service, at, f"no selected pod names a {protocol_of(port)} port {target}")
