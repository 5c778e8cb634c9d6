"""A plan in the dialect that was asked for."""

from __future__ import annotations

from typing import Any

from martello.practices.network.learn import cilium, clusterwide, emit
from martello.practices.network.learn.emit import Surroundings
from martello.practices.network.learn.model import CILIUM, CLUSTER_NETWORK_POLICY
from martello.practices.network.learn.plan import Plan


def emitted(plan: Plan, around: Surroundings, dialect: str) -> tuple[dict[str, Any], ...]:
    """The policies of a plan as Kubernetes objects."""
    if dialect == CLUSTER_NETWORK_POLICY:
        return clusterwide.emit(plan, around)
    if dialect == CILIUM:
        return cilium.emit(plan, around)
    return emit.emit(plan, around)
