"""Which footholds lead to which propositions: all at once, a bit for each foothold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from heapq import heappop, heappush

from martello.paths.horn import Program


def reach(
    program: Program,
    footholds: Sequence[int],
    rules: Collection[int] | None = None,
    without: Collection[int] = frozenset(),
) -> list[int]:
    """By proposition, the footholds (bits in their order) from each of which alone it follows.

    S(p) is the union over the rules for p of what the bodies have in common: bit by bit a least
    fixpoint of Horn rules, so it is exact. `rules` narrows to those that matter; `without` are
    facts taken as untrue.

    Most rules want one thing besides facts. These are the arcs of a plain graph: what lies on a
    cycle of it has one answer, and without cycles one pass in topological order gives all. The
    few that want more are asked again when something they want has grown.
    """
    given = program.index.sure.union(program.index.unsure).difference(without)
    everyone = (1 << len(footholds)) - 1
    start = [0] * len(program.names)
    for bit, foothold in enumerate(footholds):
        start[foothold] |= 1 << bit
    for one in given:
        start[one] = everyone
    arcs: list[list[int]] = [[] for _ in program.names]
    joint: list[tuple[int, tuple[int, ...]]] = []
    chosen = range(len(program.heads)) if rules is None else rules
    for rule in chosen:
        head = program.heads[rule]
        if head in given:
            continue
        body = program.bodies[rule]
        if not given.isdisjoint(body):
            body = tuple(one for one in body if one not in given)
        if not body:
            start[head] = everyone
        elif len(body) == 1:
            arcs[body[0]].append(head)
        else:
            joint.append((head, body))
    return solve(components(arcs), arcs, joint, start)


def solve(
    place: list[int],
    arcs: list[list[int]],
    joint: list[tuple[int, tuple[int, ...]]],
    start: list[int],
) -> list[int]:
    """The least fixpoint over plain arcs and rules that join, by proposition. A component's number
    is greater than those it leads to.
    """
    found = [0] * (max(place, default=-1) + 1)
    out: list[set[int]] = [set() for _ in found]
    for one, heads in enumerate(arcs):
        if heads:
            out[place[one]].update([place[head] for head in heads])
    asked: dict[int, list[int]] = {}
    for number, (_, body) in enumerate(joint):
        for one in {place[one] for one in body}:
            asked.setdefault(one, []).append(number)
    heap: list[int] = []
    waiting = bytearray(len(found))

    def gain(here: int, who: int) -> None:
        if who & ~found[here]:
            found[here] |= who
            if not waiting[here]:
                waiting[here] = 1
                heappush(heap, -here)

    for one, who in enumerate(start):
        if who:
            gain(place[one], who)
    ready: set[int] = set()
    while heap or ready:
        while heap:
            here = -heappop(heap)
            waiting[here] = 0
            who = found[here]
            for there in out[here]:
                if there != here:
                    gain(there, who)
            ready.update(asked.get(here, ()))
        for number in sorted(ready):
            head, body = joint[number]
            who = found[place[body[0]]]
            for one in body:
                who &= found[place[one]]
            if who:
                gain(place[head], who)
        ready.clear()
    return [found[here] for here in place]


def components(arcs: list[list[int]]) -> list[int]:
    """By proposition, its strongly connected component (Tarjan), numbered sinks first."""
    order = [0] * len(arcs)  # when a proposition was met, from 1
    low = [0] * len(arcs)
    place = [-1] * len(arcs)
    met = count = 0
    open_: list[int] = []
    for root in range(len(arcs)):
        if order[root]:
            continue
        met += 1
        order[root] = low[root] = met
        open_.append(root)
        stack = [(root, iter(arcs[root]))]
        while stack:
            one, rest = stack[-1]
            for head in rest:
                if not order[head]:
                    met += 1
                    order[head] = low[head] = met
                    open_.append(head)
                    stack.append((head, iter(arcs[head])))
                    break
                if place[head] < 0 and order[head] < low[one]:
                    low[one] = order[head]
            else:
                stack.pop()
                if stack and low[one] < low[stack[-1][0]]:
                    low[stack[-1][0]] = low[one]
                if low[one] == order[one]:
                    while True:
                        member = open_.pop()
                        place[member] = count
                        if member == one:
                            break
                    count += 1
    return place
