"""Whom the scheduler removes from a node so that a pod of higher priority fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from martello.core.cluster import Cluster
from martello.practices.resources.node.model import Node, Pod


class Budget(msgspec.Struct, frozen=True):
    """A PodDisruptionBudget: whom it selects, and how many pods may go now."""

    namespace: str
    selector: dict[str, Any] | None
    allowed: int
    disrupted: frozenset[str] = frozenset()  # names of pods that count as gone already


class Choice(msgspec.Struct, frozen=True):
    """One node and who has to leave it, the most important first."""

    node: str
    victims: tuple[Pod, ...]
    violations: int  # victims whose budgets allow nothing


def budgets(world: Cluster) -> tuple[Budget, ...]:
    """The budgets of a world, by their status; without one, nothing is allowed."""
    raise NotImplementedError


def victims(
    pod: Pod,
    nodes: Sequence[Node],
    placed: Mapping[str, Sequence[Pod]],
    budgets: Sequence[Budget] = (),
    kubernetes: int | None = None,
) -> tuple[Choice, ...]:
    """The nodes between which the scheduler chooses at random, each with its victims: usually one;
    none where the pod fits without, may not preempt, or fits nowhere. `nodes` are those on which
    the pod may be but for what is used there (selectors, taints: the caller's); `placed` by name.
    """
    raise NotImplementedError


def on_node(
    pod: Pod, node: Node, placed: Sequence[Pod], budgets: Sequence[Budget] = ()
) -> Choice | None:
    """Who has to leave one node for a pod; None where that does not help."""
    raise NotImplementedError
