"""Numbers for chains and classes that stay the same from one ruleset to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from martello.practices.network.firewall.render import Ruleset


def reused(previous: Ruleset | None, *maps: str) -> dict[str, int]:
    """The number of the chain that each address had: the value of a map ends in it."""
    if previous is None:
        return {}
    return {
        key: int(value.rpartition("_")[2])
        for one in previous.sets
        if one.name in maps
        for key, value in one.elements.items()
    }


def numbered(groups: Sequence[Sequence[str]], held: Mapping[str, int]) -> list[int]:
    """One number for each group, from 1: the one that most of its members held, else a new one.

    A number that is free again is not given away at once unless nothing else is left: fewest
    elements change that way.
    """
    taken: set[int] = set()
    result = [0] * len(groups)
    # the largest group first: it has most to lose by a new number
    for at in sorted(range(len(groups)), key=lambda i: (-len(groups[i]), i)):
        votes = Counter(held[member] for member in groups[at] if member in held)
        for number, _ in votes.most_common():
            if number not in taken:
                taken.add(number)
                result[at] = number
                break
    number = 0
    for at, chosen in enumerate(result):
        if chosen:
            continue
        number += 1
        while number in taken:
            number += 1
        result[at] = number
    return result
