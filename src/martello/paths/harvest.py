"""Proofs over the kernel of a cut: each as the edits that break it, many of them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import Final

from martello.paths.kernel import GOAL, Kernel
from martello.paths.reach import components, solve

LIMIT: Final = 2_000  # proofs of one harvest
_EFFORT: Final = 300_000  # rules that are looked at for more proofs, once there is one
_ALONE: Final = 16  # footholds that are tried one by one where only proofs of several are found


class Harvest:
    """The proofs of a kernel's goal. `work` counts the rules that were looked at."""

    __slots__ = ("_bodies", "_edits", "_heads", "_makes", "_of_edit", "_starts", "_uses", "work")

    def __init__(self, kernel: Kernel) -> None:
        rules = kernel.rules.values()
        self._heads = [head for head, _, _ in rules]
        self._bodies = [tuple(sorted(body)) for _, body, _ in rules]
        self._edits = [edits for _, _, edits in rules]
        self._starts = kernel.starts
        self._makes: dict[int, list[int]] = {}
        self._uses: dict[int, list[int]] = {}
        self._of_edit: dict[int, list[int]] = {}
        self.work = 0
        for rule, (head, body, edits) in enumerate(rules):
            self._makes.setdefault(head, []).append(rule)
            for one in body:
                self._uses.setdefault(one, []).append(rule)
            for edit in edits:
                self._of_edit.setdefault(edit, []).append(rule)

    @property
    def edits(self) -> set[int]:
        """Every edit that breaks a rule."""
        return set(self._of_edit)

    def direct(self) -> list[frozenset[int]]:
        """The proofs that are one rule."""
        return [self._edits[rule] for rule in self._makes.get(GOAL, ()) if not self._bodies[rule]]

    def sets(
        self, gone: Collection[int], limit: int = LIMIT, together: bool = False
    ) -> list[frozenset[int]]:
        """Proofs that are left when some edits are made, at most so many: none if and only if no
        foothold by itself leads to a goal any more. `together` takes proofs of several, too, which
        is less work: none are left only if all footholds together lead to no goal.
        """
        barred = {rule for edit in gone for rule in self._of_edit.get(edit, ())}
        by = self._cheapest(barred, self._starts)
        if GOAL not in by:
            return []
        starts = dict.fromkeys(self._starts, 1) if together else self._starts
        found = self._found(by, barred, starts, limit)
        if found or together:
            return found
        stop = self.work + _EFFORT
        who = self._reach(barred)
        for _ in range(_ALONE):
            if not who or len(found) >= limit or (found and self.work > stop):
                break
            bit = who & -who
            who ^= bit
            starts = {one: bit for one, bits in self._starts.items() if bits & bit}
            by = self._cheapest(barred, starts)
            found += self._found(by, barred, starts, limit)
        return list(dict.fromkeys(found))

    def _found(
        self, by: Mapping[int, int], barred: set[int], starts: Mapping[int, int], limit: int
    ) -> list[frozenset[int]]:
        """The proofs by each rule for the goal, and those that leave the cheapest one somewhere.
        What needs two footholds is none: nobody is two of them.
        """
        found: dict[frozenset[int], None] = {}
        stop = self.work + _EFFORT
        for rule, instead in self._ways(by, barred):
            if len(found) >= limit or self.work > stop:
                break
            edits = self._proof(rule, by, instead, starts)
            if edits is not None:
                found[edits] = None
        return list(found)

    def _ways(
        self, by: Mapping[int, int], barred: set[int]
    ) -> Iterator[tuple[int, tuple[int, int]]]:
        best = by[GOAL]
        yield best, (GOAL, best)
        for rule in self._makes[GOAL]:
            if rule != best and rule not in barred and self._usable(rule, by):
                yield rule, (GOAL, rule)
        queue = list(self._bodies[best])
        seen = set(queue)
        for one in queue:
            mine = by.get(one)
            for rule in self._makes.get(one, ()):
                if rule != mine and rule not in barred and self._usable(rule, by):
                    yield best, (one, rule)
            for need in self._bodies[mine] if mine is not None and mine >= 0 else ():
                if need not in seen:
                    seen.add(need)
                    queue.append(need)

    def _usable(self, rule: int, by: Mapping[int, int]) -> bool:
        return all(one in by for one in self._bodies[rule])

    def _proof(
        self, rule: int, by: Mapping[int, int], instead: tuple[int, int], starts: Mapping[int, int]
    ) -> frozenset[int] | None:
        """The edits that break a proof; None where it goes in a circle or takes two footholds."""
        edits: set[int] = set(self._edits[rule])
        who = -1
        state: dict[int, bool] = {}  # by proposition: whether it is proved, not only begun
        stack = [(one, False) for one in self._bodies[rule]]
        while stack:
            one, ready = stack.pop()
            if ready:
                state[one] = True
                continue
            if one in state:
                if not state[one]:
                    return None
                continue
            self.work += 1
            mine = instead[1] if one == instead[0] else by[one]
            if mine < 0:
                who &= starts[one]
                state[one] = True
                continue
            edits |= self._edits[mine]
            state[one] = False
            stack.append((one, True))
            stack.extend((need, False) for need in self._bodies[mine])
        return frozenset(edits) if who else None

    def _cheapest(self, barred: set[int], starts: Mapping[int, int]) -> dict[int, int]:
        """By proposition that follows: the last rule of a proof with few edits (-1: a foothold)."""
        heads, bodies, edits = self._heads, self._bodies, self._edits
        heap = [(0, one, -1) for one in starts]
        heap += [
            (len(edits[rule]), heads[rule], rule)
            for rule, body in enumerate(bodies)
            if not body and rule not in barred
        ]
        heapify(heap)
        by: dict[int, int] = {}
        missing: dict[int, int] = {}
        total: dict[int, int] = {}
        while heap:
            cost, one, rule = heappop(heap)
            if one in by:
                continue
            by[one] = rule
            for then in self._uses.get(one, ()):
                self.work += 1
                if then in barred:
                    continue
                left = missing[then] = missing.get(then, len(bodies[then])) - 1
                spent = total[then] = total.get(then, len(edits[then])) + cost
                if not left and heads[then] not in by:
                    heappush(heap, (spent, heads[then], then))
        self.work += len(by) + 1
        return by

    def _reach(self, barred: set[int]) -> int:
        """The footholds (bits) each of which leads to a goal by itself: a least fixpoint. The bit
        above all is somebody who has none of them.
        """
        everyone = (2 << max((bits.bit_length() for bits in self._starts.values()), default=0)) - 1
        names = dict.fromkeys((GOAL, *self._starts, *self._heads, *self._uses))
        place = {one: number for number, one in enumerate(names)}
        start = [self._starts.get(one, 0) for one in names]
        arcs: list[list[int]] = [[] for _ in names]
        joint: list[tuple[int, tuple[int, ...]]] = []
        self.work += len(self._heads)
        for rule, body in enumerate(self._bodies):
            head = place[self._heads[rule]]
            if rule in barred:
                continue
            if not body:
                start[head] = everyone
            elif len(body) == 1:
                arcs[place[body[0]]].append(head)
            else:
                joint.append((head, tuple(place[one] for one in body)))
        return solve(components(arcs), arcs, joint, start)[place[GOAL]]
