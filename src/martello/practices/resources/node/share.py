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
from collections.abc import Mapping, Sequence
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
    return _Plan(root, demands).poured(capacity)


def each(
    node: Node, pods: Sequence[Pod], demands: Mapping[Key, float], attackers: Sequence[Key]
) -> list[dict[Key, float]]:
    """For each attacker what the containers go short of that get less than they demand, and than
    they get while the attacker keeps to its demand, once it demands all it can get: key → demand
    not served (less what the container's own limit keeps from it), in thousandths of a core.
    """
    capacity = float(node.capacity.get("cpu", 0))
    plan = _Plan(tree(node, pods), _with_system(node, demands))
    calm = plan.poured(capacity)
    found: list[dict[Key, float]] = []
    for attacker in attackers:
        short = plan.short(capacity, attacker)
        found.append(
            {
                key: plan.wants[plan.leaves[key]] - got
                for key, got in short.items()
                if key != attacker and got < calm[key] - _NOISE
            }
        )
    return found


def _with_system(node: Node, demands: Mapping[Key, float]) -> Mapping[Key, float]:
    system = node.used_by_system.cpu
    return demands if system is None or SYSTEM in demands else {**demands, SYSTEM: system}


class _Plan:
    """A tree as lists by number. `sums` is what the parts of a group want together, `wants` that or
    its own cap, if that is less; `orders` are its parts, the easiest to content first.
    """

    def __init__(self, root: Group, demands: Mapping[Key, float]) -> None:
        self.weights: list[int] = []
        self.caps: list[float] = []
        self.keys: list[Key | None] = []
        self.children: list[list[int]] = []
        self.parents: list[int] = []
        self.leaves: dict[Key, int] = {}
        self._add(root, -1)
        self.sums = [demands.get(key, 0.0) if key is not None else 0.0 for key in self.keys]
        self.wants = list(self.sums)
        self.orders = self.children
        for index in range(len(self.weights) - 1, -1, -1):
            self._count(index)
        self.orders = [self._sorted(index) for index in range(len(self.weights))]

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

    def _count(self, index: int) -> None:
        """What a group wants, from what its parts want."""
        if self.keys[index] is None:
            self.sums[index] = math.fsum(self.wants[child] for child in self.children[index])
        self.wants[index] = min(self.sums[index], self.caps[index])

    def _sorted(self, index: int) -> list[int]:
        wants, weights = self.wants, self.weights
        return sorted(self.children[index], key=lambda child: wants[child] / weights[child])

    def poured(self, capacity: float) -> dict[Key, float]:
        """What each leaf gets."""
        found: dict[Key, float] = {}
        self._pour(0, min(capacity, self.wants[0]), found, None)
        return found

    def short(self, capacity: float, attacker: Key) -> dict[Key, float]:
        """What the leaves get that get less than they want once one of them wants everything, with
        some others. Raises KeyError for an attacker that is not there.
        """
        path = [self.leaves[attacker]]
        while (parent := self.parents[path[-1]]) >= 0:
            path.append(parent)
        calm = [(self.sums[i], self.wants[i], self.orders[i]) for i in path]
        self.sums[path[0]] = math.inf
        for index in path:
            self._count(index)
        for index in path:
            self.orders[index] = self._sorted(index)
        found: dict[Key, float] = {}
        self._pour(0, min(capacity, self.wants[0]), found, set(path))
        for index, (sum_, want, order) in zip(path, calm, strict=True):
            self.sums[index], self.wants[index], self.orders[index] = sum_, want, order
        return found

    def _pour(
        self, index: int, amount: float, found: dict[Key, float], path: set[int] | None
    ) -> None:
        """Gives a group an amount, at most what it wants, and its parts theirs: what they want, or
        by weight of what is left. With `path` groups off the path that get all they want are left
        out: nobody in them can go short.
        """
        wants, weights = self.wants, self.weights
        if path is not None and amount >= wants[index] and index not in path:
            return
        if (key := self.keys[index]) is not None:
            found[key] = amount
            return
        if self.sums[index] <= amount:
            for child in self.children[index]:
                if path is None or child in path:
                    self._pour(child, wants[child], found, path)
            return
        order = self.orders[index]
        left = sum([weights[child] for child in order])
        for child in order:
            want, weight = wants[child], weights[child]
            given = min(want, amount * weight / left)
            if path is None or given < want or child in path:
                self._pour(child, given, found, path)
            amount -= given
            left -= weight


def _key(group: Group) -> Key | None:
    """The key of a leaf; None for a group of groups, be it empty."""
    if group.part is not None and group.pod is not None:
        return group.pod.key, group.part.name
    return SYSTEM if group.name == "system" and group.pod is None else None
