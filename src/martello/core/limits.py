"""What the LimitRanges of a namespace fill into its pods: the view in which resources are judged.

Source: Kubernetes' LimitRanger admission plug-in and the defaulting of LimitRange itself. It works
on regular and init containers when a Pod is created, after the API server's own defaults.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.defaults import quantity_text
from martello.core.path import look_up
from martello.core.workload import Container, Workload

Quantities = dict[str, Any]
_LISTS: Final = ("containers", "initContainers")


class Filled(msgspec.Struct, frozen=True):
    """The limits and requests that a container without its own gets, as written."""

    limits: Quantities
    requests: Quantities


def filled_in(cluster: Cluster, namespace: str) -> Filled | None:
    """What the namespace gives to containers; None where no LimitRange gives anything. Of several
    LimitRanges the first to name a resource wins; the server promises no order.
    """
    limits: Quantities = {}
    requests: Quantities = {}
    for resource in cluster.of_kind("LimitRange", namespace):
        written = resource.spec.get("limits")
        for item in written if isinstance(written, list) else ():
            if isinstance(item, dict) and item.get("type") == "Container":
                default = {**_quantities(item, "max"), **_quantities(item, "default")}
                request = {**_quantities(item, "min"), **default}
                request.update(_quantities(item, "defaultRequest"))
                limits = {**default, **limits}
                requests = {**request, **requests}
    return Filled(limits, requests) if limits or requests else None


def effective(workload: Workload, filled: Filled) -> Workload:
    """The workload as its pods will be: a new one that shares all but the resources."""
    pod = dict(workload.pod)
    for key in _LISTS:
        elements = pod.get(key)
        if isinstance(elements, list):
            pod[key] = [_container(e, filled) if isinstance(e, dict) else e for e in elements]
    containers = tuple(
        c if c.role == "ephemeral" else Container(look_up(pod, c.path[-2:]), c.role, c.path, c.name)
        for c in workload.containers
    )
    return msgspec.structs.replace(workload, pod=pod, containers=containers)


def _container(raw: dict[str, Any], filled: Filled) -> dict[str, Any]:
    resources = raw.get("resources")
    if not isinstance(resources, dict):
        return raw
    parts = (("limits", filled.limits), ("requests", filled.requests))
    result = dict(resources)
    for key, given in parts:
        own = resources.get(key)
        if own is None or isinstance(own, dict):
            result[key] = {**given, **(own or {})}
    return {**raw, "resources": result}


def _quantities(item: dict[str, Any], key: str) -> Quantities:
    value = item.get(key)
    if not isinstance(value, dict):
        return {}
    return {name: quantity_text(amount) for name, amount in value.items()}
