"""The cheapest derivation: Knuth's generalisation of Dijkstra's algorithm to Horn rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from heapq import heapify, heappop, heappush

from martello.paths.horn import Program
from martello.paths.model import DASHED, Path, Step


class Proofs:
    """The cheapest proof of every proposition that follows from some footholds.

    A proof costs what its edge does and the sum of its parts; a fact costs nothing where it is
    sure. With `goals` it ends at the first of them.
    """

    __slots__ = ("_rule", "cost", "program")

    def __init__(
        self,
        program: Program,
        footholds: Iterable[int],
        *,
        without: Collection[int] = frozenset(),
        rules: Collection[int] | None = None,
        goals: Iterable[int] = (),
    ) -> None:
        self.program = program
        self._rule: dict[int, int] = {}
        index, heads, labels = program.index, program.heads, program.labels
        wants, uses = index.wants, index.uses
        self.cost: dict[int, int] = dict.fromkeys(index.sure.difference(without), 0)
        missing = index.missing(without)
        total: dict[int, int] = {}
        heap = [(0, one, -1) for one in footholds]
        heap += [(DASHED, one, -1) for one in index.unsure if one not in without]
        heap += [
            (labels[rule].cost, heads[rule], rule)
            for rule in index.free
            if rule not in missing and (rules is None or rule in rules)
        ]
        heapify(heap)
        wanted = set(goals)
        while heap:
            cost, one, rule = heappop(heap)
            if one in self.cost:
                continue
            self.cost[one] = cost
            if rule >= 0:
                self._rule[one] = rule
            if one in wanted:
                return
            for next_rule in uses[one]:
                if rules is not None and next_rule not in rules:
                    continue
                left = missing.get(next_rule, 0) or len(wants[next_rule])
                missing[next_rule] = left - 1
                spent = total.get(next_rule)
                spent = total[next_rule] = cost + (
                    labels[next_rule].cost if spent is None else spent
                )
                if left == 1 and heads[next_rule] not in self.cost:
                    heappush(heap, (spent, heads[next_rule], next_rule))

    def rules(self, goal: int) -> tuple[int, ...]:
        """The rules of the proof of a goal, each after those it stands on."""
        order: list[int] = []
        done: set[int] = set()
        stack = [(goal, False)]
        while stack:
            one, ready = stack.pop()
            rule = self._rule.get(one)
            if rule is None or (one in done and not ready):
                continue
            if ready:
                order.append(rule)
                continue
            done.add(one)
            stack.append((one, True))
            stack.extend((need, False) for need in reversed(self.program.bodies[rule]))
        return tuple(order)

    def leaves(self, goal: int) -> tuple[int, ...]:
        """The facts and footholds that the proof stands on."""
        rules = self.rules(goal)
        needs = dict.fromkeys(n for rule in rules for n in self.program.bodies[rule])
        return tuple(n for n in needs if n not in self._rule) if rules else (goal,)

    def path(self, goal: int) -> Path:
        """The proof as a list of steps. The goal must follow."""
        program = self.program
        rules = self.rules(goal)
        starts = [n for n in self.leaves(goal) if n not in program.facts]
        steps = tuple(
            Step(
                (label := program.labels[rule]).edge,
                label.says,
                program.names[program.heads[rule]],
                tuple(program.names[n] for n in program.bodies[rule] if n not in program.facts),
                tuple(program.facts[n] for n in program.bodies[rule] if self._is_fact(n)),
                label.cost,
                label.attack,
                label.trace,
            )
            for rule in rules
        )
        foothold = program.names[starts[0]] if starts else ()
        return Path(foothold, program.names[goal], steps, self.cost[goal])

    def _is_fact(self, one: int) -> bool:
        return one in self.program.facts and one not in self._rule


def towards(
    program: Program, goal: int, rules: Collection[int]
) -> tuple[dict[int, int], dict[int, int]]:
    """What it costs at least to come from a proposition to a goal, and which one is next on the
    way: by plain arcs, as if whatever else a rule wants were there.
    """
    makes, wants, facts = program.makes, program.index.wants, program.facts
    heads, labels = program.heads, program.labels
    costs: dict[int, int] = {}
    nexts: dict[int, int] = {}
    waiting: dict[int, list[tuple[int, int]]] = {0: [(goal, -1)]}  # by what it costs
    order = [0]
    while order:
        cost = heappop(order)
        queue = waiting.pop(cost)
        for one, after in queue:  # grows while steps cost nothing
            if one in costs:
                continue
            costs[one] = cost
            if after >= 0:
                nexts[one] = after
            for rule in makes[one]:
                if rule not in rules:
                    continue
                body = wants[rule]
                if len(body) == 1 and body[0] in costs:
                    continue
                spent = cost + labels[rule].cost
                spent += DASHED * sum(want in facts for want in body)
                if spent == cost:
                    there = queue
                else:
                    found = waiting.get(spent)
                    if found is None:
                        found = waiting[spent] = []
                        heappush(order, spent)
                    there = found
                there.extend((want, heads[rule]) for want in body if want not in costs)
    return costs, nexts
