"""How processor time falls to containers: weighted max-min fairness with caps, down the tree.

The kernel's fair scheduler serves the groups of each level in proportion to their weights; what a
group does not want, or is not let have, falls to its siblings (Documentation/scheduler). So time is
poured in from the top: at each level a group gets its demand, or its part by weight of what is left
to those that want more. The real kernel comes close to this as far as load spreads evenly over its
processors.

Work: O(n log n) a node, where each group's parts are sorted once, the easiest to content first,
with running sums of what they want and weigh. An attacker moves none of the others in that order,
so where it runs dry is found by halves: O(log n) a level, and a step for each who goes short. What
it does beside the groups that hold other attackers too (`kubepods`, the classes) is the same for
all that want as much, and is found once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final

from martello.practices.resources.node.cgroups import Group, tree
from martello.practices.resources.node.model import Node, Pod

Key = tuple[str, str]  # `namespace/pod`, container

SYSTEM: Final[Key] = ("", "")  # all that is outside of pods
NOISE: Final = 1e-6  # thousandths of a core that are only rounding


def served(node: Node, pods: Sequence[Pod], demands: Mapping[Key, float]) -> dict[Key, float]:
    """Thousandths of a core that each container gets of what it demands (inf: all it can get; what
    is not named demands nothing). A demand that is met is returned as it is.
    """
    return dict(Shares(node, pods, demands).calm)


def fill(root: Group, capacity: float, demands: Mapping[Key, float]) -> dict[Key, float]:
    """`served` for a tree that is there already; the key of what is outside of pods is
    `("", "")`.
    """
    return _Plan(root, demands).poured(capacity)


class Shares:
    """A node's processor time, divided once; then asked what one container more that demands all it
    can get takes from the others.
    """

    def __init__(self, node: Node, pods: Sequence[Pod], demands: Mapping[Key, float]) -> None:
        system = node.used_by_system.cpu
        if system is not None and SYSTEM not in demands:
            demands = {**demands, SYSTEM: system}
        self._capacity = float(node.capacity.get("cpu", 0))
        self._plan = _Plan(tree(node, pods), demands)
        self.calm = self._plan.poured(self._capacity)  # what each gets while all keep to demands
        self._known: dict[tuple[int, float], tuple[float, dict[Key, float]]] = {}

    def lost(self, attacker: Key) -> dict[Key, float]:
        """What the containers go short of that get less than they demand, and than they get while
        the attacker keeps to its demand, once it demands all it can get: key → demand not served
        (less what the container's own limit keeps from it), in thousandths of a core. Raises
        KeyError for an attacker that is not there.
        """
        return dict(self._reached(self._plan.leaves[attacker], math.inf)[1])

    def _reached(self, at: int, want: float) -> tuple[float, dict[Key, float]]:
        """What a group gets that now wants so much, and what is lost outside of it."""
        plan = self._plan
        want = min(want, plan.caps[at])
        parent = plan.parents[at]
        if parent < 0:
            return min(self._capacity, want), {}
        known = self._known.get((at, want))
        if known is not None:
            return known
        all_ = plan.others(at) + want
        amount, lost = self._reached(parent, all_)
        order = plan.orders[parent]
        if all_ <= amount:
            found = want, lost
        elif len(order) == 1:
            found = amount, lost
        else:
            found = self._shared(at, want, amount, lost)
        if plan.many[at]:
            self._known[(at, want)] = found
        return found

    def _shared(
        self, at: int, want: float, amount: float, lost: dict[Key, float]
    ) -> tuple[float, dict[Key, float]]:
        """Of an amount that does not content all parts of its parent: what it gets, and what is
        lost beside it too.
        """
        plan = self._plan
        parent, weight, place = plan.parents[at], plan.weights[at], plan.places[at]
        first, level = plan.dry(parent, amount, place, weight)
        given = weight * level
        if want <= given:  # its cap contents it after all
            given = want
            first, level = plan.dry(parent, amount - want, place, 0)
        order = plan.orders[parent]
        if first < len(order):
            lost = lost.copy()
            for child in order[first:]:
                if child != at:
                    self._note(child, plan.weights[child] * level, lost)
        return given, lost

    def _note(self, at: int, amount: float, found: dict[Key, float]) -> None:
        """Notes what is lost in a group that gets less than it wants."""
        plan = self._plan
        key = plan.keys[at]
        if key is None:
            for child, given in plan.parts(at, amount):
                if given < plan.wants[child]:
                    self._note(child, given, found)
        elif amount < self.calm[key] - NOISE:
            found[key] = plan.wants[at] - amount


class _Plan:
    """A tree as lists by number; the root is 0. `sums` is what the parts of a group want together,
    `wants` that or its own cap, if that is less; `orders` are its parts, the easiest to content
    first, `places` where each is in its parent's; `many` says whether there is more than one leaf.
    """

    def __init__(self, root: Group, demands: Mapping[Key, float]) -> None:
        self.weights: list[int] = []
        self.caps: list[float] = []
        self.keys: list[Key | None] = []
        self.orders: list[list[int]] = []
        self.parents: list[int] = []
        self.leaves: dict[Key, int] = {}
        self._add(root, -1)
        count = len(self.weights)
        self.sums = [demands.get(key, 0.0) if key is not None else 0.0 for key in self.keys]
        self.wants = [0.0] * count
        self.places = [0] * count
        self.many = [False] * count
        self._wanted: list[list[float]] = [[]] * count  # by the first parts of the order, together
        self._weighed: list[list[int]] = [[]] * count
        for index in range(count - 1, -1, -1):
            self._sort(index)

    def _add(self, group: Group, parent: int) -> int:
        index = len(self.weights)
        self.weights.append(max(group.weight, 1))
        self.caps.append(math.inf if group.cap is None else float(group.cap))
        self.parents.append(parent)
        key = _key(group)
        self.keys.append(key)
        self.orders.append([])
        if key is not None:
            self.leaves[key] = index
        if group.children:
            self.orders[index] = [self._add(child, index) for child in group.children]
        return index

    def _sort(self, index: int) -> None:
        """What a group wants, from what its parts want, and their order."""
        wants, weights, order = self.wants, self.weights, self.orders[index]
        if len(order) > 1:
            order.sort(key=lambda child: wants[child] / weights[child])
            for place, child in enumerate(order):
                self.places[child] = place
            self.many[index] = True
            self._wanted[index] = list(accumulate([wants[child] for child in order], initial=0.0))
            self._weighed[index] = list(accumulate([weights[child] for child in order], initial=0))
            self.sums[index] = self._wanted[index][-1]
        elif order:
            self.many[index] = self.many[order[0]]
            self.sums[index] = wants[order[0]]
        wants[index] = min(self.sums[index], self.caps[index])

    def others(self, index: int) -> float:
        """What the other parts of its parent want together."""
        parent, want = self.parents[index], self.wants[index]
        if want < math.inf:
            return self.sums[parent] - want
        return math.fsum(self.wants[one] for one in self.orders[parent] if one != index)

    def poured(self, capacity: float) -> dict[Key, float]:
        """What each leaf gets."""
        found: dict[Key, float] = {}
        open_ = [(0, min(capacity, self.wants[0]))]
        while open_:
            index, amount = open_.pop()
            key = self.keys[index]
            if key is not None:
                found[key] = amount
            else:
                open_ += self.parts(index, amount)
        return found

    def parts(self, index: int, amount: float) -> list[tuple[int, float]]:
        """The parts of a group and what each gets of its amount: what it wants, or by weight."""
        order, wants, weights = self.orders[index], self.wants, self.weights
        if self.sums[index] <= amount:
            return [(child, wants[child]) for child in order]
        if len(order) == 1:
            return [(order[0], amount)]
        first, level = self.dry(index, amount, len(order), 0)
        return [(child, wants[child]) for child in order[:first]] + [
            (child, weights[child] * level) for child in order[first:]
        ]

    def dry(self, index: int, amount: float, skip: int, weight: int) -> tuple[int, float]:
        """Where in a group's order its amount runs dry: the first part that is not contented, and
        what each unit of weight gets from there on. The part at `skip` is left out (none: the
        length of the order); instead there is one of `weight` that is never contented.
        """
        order, wants, weights = self.orders[index], self.wants, self.weights
        wanted, weighed = self._wanted[index], self._weighed[index]
        want, heavy, count = 0.0, 0, len(order)
        if skip < count:
            want, heavy, count = wants[order[skip]], weights[order[skip]], count - 1
        whole = weighed[-1] - heavy + weight
        low, high = 0, count
        while low < high:
            at = (low + high) // 2
            if at < skip:
                child, left, rest = order[at], amount - wanted[at], whole - weighed[at]
            else:
                child = order[at + 1]
                left, rest = amount - wanted[at + 1] + want, whole - weighed[at + 1] + heavy
            if wants[child] * rest <= left * weights[child]:
                low = at + 1
            else:
                high = at
        if low <= skip:
            left, rest = amount - wanted[low], whole - weighed[low]
        else:
            left, rest = amount - wanted[low + 1] + want, whole - weighed[low + 1] + heavy
        return low + (low >= skip), left / rest if rest else 0.0


def _key(group: Group) -> Key | None:
    """The key of a leaf; None for a group of groups, be it empty."""
    if group.part is not None and group.pod is not None:
        return group.pod.key, group.part.name
    return SYSTEM if group.name == "system" and group.pod is None else None
