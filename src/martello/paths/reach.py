"""Which footholds lead to which propositions: all at once, a bit for each foothold."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

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
    """
    everyone = (1 << len(footholds)) - 1
    found = [0] * len(program.names)
    queue: deque[int] = deque()
    waiting = bytearray(len(program.names))

    def gain(one: int, who: int) -> None:
        if who & ~found[one]:
            found[one] |= who
            if not waiting[one]:
                waiting[one] = 1
                queue.append(one)

    for fact in program.facts:
        if fact not in without:
            gain(fact, everyone)
    for bit, foothold in enumerate(footholds):
        gain(foothold, 1 << bit)
    bodies, heads, uses = program.bodies, program.heads, program.uses
    for rule, body in enumerate(bodies):
        if not body:
            gain(heads[rule], everyone)
    while queue:
        one = queue.popleft()
        waiting[one] = 0
        for rule in uses[one]:
            if rules is not None and rule not in rules:
                continue
            who = everyone
            for need in bodies[rule]:
                who &= found[need]
                if not who:
                    break
            if who:
                gain(heads[rule], who)
    return found
