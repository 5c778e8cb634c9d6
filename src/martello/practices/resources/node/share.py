"""How processor time falls to containers: weighted max-min fairness with caps, down the tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from martello.practices.resources.node.cgroups import Group
from martello.practices.resources.node.model import Node, Pod

Key = tuple[str, str]  # `namespace/pod`, container


def served(node: Node, pods: Sequence[Pod], demands: Mapping[Key, float]) -> dict[Key, float]:
    """Thousandths of a core that each container gets of what it demands (inf: all it can get; what
    is not named demands nothing). A demand that is met is returned as it is.
    """
    raise NotImplementedError


def fill(root: Group, capacity: float, demands: Mapping[Key, float]) -> dict[Key, float]:
    """`served` for a tree that is there already; the key of what is outside of pods is
    `("", "")`.
    """
    raise NotImplementedError


def each(
    node: Node, pods: Sequence[Pod], demands: Mapping[Key, float], attackers: Sequence[Key]
) -> list[dict[Key, float]]:
    """For each attacker what the containers get that get less than they demand, and than they get
    while the attacker keeps to its demand, once the attacker demands all it can get: key -> what
    is missing, in thousandths of a core.
    """
    raise NotImplementedError
