"""How processor time falls to containers: weighted max-min fairness with caps, down the tree.

The kernel's fair scheduler serves the groups of each level in proportion to their weights; what a
group does not want, or is not let have, falls to its siblings (Documentation/scheduler). So time is
poured in from the top: at each level a group gets its demand, or its part by weight of what is left
to those that want more. The real kernel comes close to this as far as load spreads evenly over its
processors. Work: O(n log n) a node; after that an attacker costs only the groups on its way to the
root and those that go short.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from martello.practices.resources.node.cgroups import Group, tree
from martello.practices.resources.node.model import Node, Pod

Key = tuple[str, str]  # `namespace/pod`, container

SYSTEM: Final[Key] = ("", "")  # all that is outside of pods
_NOISE: Final = 1e-6  # thousandths of a core that are only rounding


def served(node: Node, pods: Sequence[Pod], demands: Mapping[Key, float]) -> dict[Key, float]:
    """Thousandths of a core that each container gets of what it demands (inf: all it can get; what
    is not named demands nothing). A demand that is met is returned as it is.
    """
    return fill(tree(node, pods), node.capacity.get("cpu", 0), _with_system(node, demands))


def fill(root: Group, capacity: float, demands: Mapping[Key, float]) -> dict[Key, float]:
    """`served` for a tree that is there already; the key of what is outside of pods is
    `("", "")`.
    """
    plan = _Plan(root, demands)
    found: dict[Key, float] = {}
    plan.pour(0, min(capacity, plan.wants[0]), plan.wants, found)
    return found


def each(
    node: Node, pods: Sequence[Pod], demands: Mapping[Key, float], attackers: Sequence[Key]
) -> list[dict[Key, float]]:
    """For each attacker what the containers go short of that get less than they demand, and than
    they get while the attacker keeps to its demand, once it demands all it can get: key → demand
    not served (less what the container's own limit keeps from it), in thousandths of a core.
    """
    capacity = float(node.capacity.get("cpu", 0))
    demands = _with_system(node, demands)
    plan = _Plan(tree(node, pods), demands)
    calm: dict[Key, float] = {}
    plan.pour(0, min(capacity, plan.wants[0]), plan.wants, calm)
    found: list[dict[Key, float]] = []
    for attacker in attackers:
        wants, path = plan.raised(attacker)
        short: dict[Key, float] = {}
        plan.pour(0, min(capacity, wants[0]), wants, short, path)
        found.append(
            {
                key: wants[plan.leaves[key]] - got
                for key, got in short.items()
                if key != attacker and got < calm[key] - _NOISE
            }
        )
    return found


def _with_system(node: Node, demands: Mapping[Key, float]) -> Mapping[Key, float]:
    system = node.used_by_system.cpu
    return demands if system is None or SYSTEM in demands else {**demands, SYSTEM: system}


class _Plan:
    """A tree as lists by number: what each group wants at most, its own cap being less or not."""

    def __init__(self, root: Group, demands: Mapping[Key, float]) -> None:
        self.weights: list[int] = []
        self.caps: list[float] = []
        self.keys: list[Key | None] = []
        self.children: list[list[int]] = []
        self.parents: list[int] = []
        self.leaves: dict[Key, int] = {}
        self._add(root, -1)
        self.wants = [0.0] * len(self.weights)
        for index in range(len(self.weights) - 1, -1, -1):
            key = self.keys[index]
            own = demands.get(key, 0.0) if key is not None else self._sum(index, self.wants)
            self.wants[index] = min(own, self.caps[index])

    def _add(self, group: Group, parent: int) -> int:
        index = len(self.weights)
        self.weights.append(max(group.weight, 1))
        self.caps.append(math.inf if group.cap is None else float(group.cap))
        self.parents.append(parent)
        key = _key(group)
        self.keys.append(key)
        self.children.append([])
        if key is not None:
            self.leaves[key] = index
        self.children[index] = [self._add(child, index) for child in group.children]
        return index

    def _sum(self, index: int, wants: Sequence[float]) -> float:
        return sum(wants[child] for child in self.children[index])

    def raised(self, attacker: Key) -> tuple[list[float], set[int]]:
        """What groups want once one container wants everything, and the groups that hold it. Raises
        KeyError.
        """
        wants = list(self.wants)
        index = self.leaves[attacker]
        wants[index] = self.caps[index]
        path = {index}
        while (index := self.parents[index]) >= 0:
            wants[index] = min(self._sum(index, wants), self.caps[index])
            path.add(index)
        return wants, path

    def pour(
        self,
        index: int,
        amount: float,
        wants: Sequence[float],
        found: dict[Key, float],
        path: set[int] | None = None,
    ) -> None:
        """Gives a group an amount, at most what it wants, and its parts theirs. With `path` groups
        off the path that get all they want are left out: nobody in them can go short.
        """
        if path is not None and amount >= wants[index] and index not in path:
            return
        if (key := self.keys[index]) is not None:
            found[key] = amount
            return
        for child, given in self._divide(index, amount, wants):
            self.pour(child, given, wants, found, path)

    def _divide(
        self, index: int, amount: float, wants: Sequence[float]
    ) -> Iterator[tuple[int, float]]:
        children = self.children[index]
        if self._sum(index, wants) <= amount:
            yield from ((child, wants[child]) for child in children)
            return
        weights = self.weights
        left = sum(weights[child] for child in children)
        for child in sorted(children, key=lambda c: wants[c] / weights[c]):
            own = amount * weights[child] / left
            given = min(wants[child], own)
            yield child, given
            amount -= given
            left -= weights[child]


def _key(group: Group) -> Key | None:
    """The key of a leaf; None for a group of groups, be it empty."""
    if group.part is not None and group.pod is not None:
        return group.pod.key, group.part.name
    return SYSTEM if group.name == "system" and group.pod is None else None
