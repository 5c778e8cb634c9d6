"""Choke points: what every proof of a proposition stands on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from martello.paths.horn import Program, closure


def must(program: Program, footholds: Iterable[int], wanted: Iterable[int]) -> dict[int, int]:
    """By derivable proposition, which of the `wanted` ones (bits in their order) every proof has.

    must(p) is p itself and the intersection over the rules for p of the union over their bodies,
    as greatest fixpoint. `wanted` are facts or derived propositions.
    """
    bits = {one: 1 << bit for bit, one in enumerate(wanted)}
    everything = (1 << len(bits)) - 1
    given = set(footholds)
    known = closure(program, given)
    found = {one: everything for one, holds in enumerate(known) if holds}
    queue: deque[int] = deque()
    for one in found:
        if one in program.facts or one in given:
            found[one] = bits.get(one, 0)
            queue.append(one)
    bodies, heads, makes = program.bodies, program.heads, program.makes
    usable = [all(known[n] for n in body) for body in bodies]
    queue.extend(heads[rule] for rule, body in enumerate(bodies) if not body)
    waiting = set(queue)
    while queue:
        one = queue.popleft()
        waiting.discard(one)
        if one not in program.facts and one not in given:
            common = everything
            for rule in makes[one]:
                if usable[rule]:
                    union = 0
                    for need in bodies[rule]:
                        union |= found[need]
                    common &= union
            common |= bits.get(one, 0)
            if common == found[one]:
                continue
            found[one] = common
        for rule in program.uses[one]:
            head = heads[rule]
            if usable[rule] and head not in waiting and head not in given:
                waiting.add(head)
                queue.append(head)
    return found
