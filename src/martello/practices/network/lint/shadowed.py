"""Rules whose removal changes nothing: for no place that is there, no address outside, and no pod
that they wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from martello.practices.network.compare.alike import Alike
from martello.practices.network.decide.decide import IN, OUT, Asked, Passing, decide, rules_of
from martello.practices.network.decide.sides import Sides, named_ports, spoken
from martello.practices.network.decide.takes import place_takes
from martello.practices.network.decide.witness import Reading, Witness, rule_takes, witnesses
from martello.practices.network.model import Address, Block, Doubtful, Endpoint, Place, Policy, Rule

if TYPE_CHECKING:  # numpy comes with it
    from martello.practices.network.compare.diff import Answers

BUDGET: Final = 50_000
_LIGHT: Final = 32  # peers of rules that one question may look at for nothing
_QUICK: Final = 256  # pairs of a peer and a place that cost as much as one question


class Shadow(msgspec.Struct, frozen=True):
    """One rule that is not needed, beside all rules that are kept."""

    policy: Policy
    direction: str  # in or out
    rule: Rule


class Shadows(msgspec.Struct, frozen=True):
    """What was found. `untried` counts the rules that the budget left out."""

    found: tuple[Shadow, ...]
    untried: int = 0


def shadowed(reach: Answers, budget: int = BUDGET) -> Shadows:
    """The rules that may go, all of them together: of two that say the same, the first stays, in
    the order of names and rules. Policies that select no pod, and rules that are not understood,
    are not judged. A budget is a number of questions of one place about one peer.
    """
    search = _Search(reach, budget)
    found: list[Shadow] = []
    untried = 0
    for policy in sorted(reach.policies.policies, key=lambda p: p.resource.ref, reverse=True):
        for direction in (OUT, IN):
            for rule in reversed(rules_of(policy, direction) or ()):
                answer = search.needed(policy, direction, rule)
                if answer is None:
                    untried += 1
                elif not answer:
                    found.append(Shadow(policy, direction, rule))
    return Shadows(tuple(reversed(found)), untried)


_Peer = Place | Witness


class _Search:
    """Rules that are left out so far, and what is left of the budget."""

    __slots__ = ("_alike", "_gone", "_left", "_reading", "_sides", "_subjects", "_texts")

    def __init__(self, reach: Answers, budget: int) -> None:
        self._reading = Reading(reach.world, reach.profile)
        self._sides = Sides(reach.policies, self._reading)
        self._alike = Alike(reach)
        self._gone: set[int] = set()
        self._left = budget
        self._texts = {version: reach.addresses(version) for version in (4, 6)}
        self._subjects: dict[str, dict[int, list[Endpoint]]] = {IN: {}, OUT: {}}
        for direction, by_policy in self._subjects.items():
            seen = set()
            for number in range(len(self._alike)):
                place = self._alike.place(number)
                if isinstance(place, Endpoint) and not place.host_network:
                    governing = self._sides.governing(place, direction)
                    key = (*map(id, governing), place.ports if direction == IN else ())
                    if key not in seen:
                        seen.add(key)
                        for policy in governing:
                            by_policy.setdefault(id(policy), []).append(place)

    def needed(self, policy: Policy, direction: str, rule: Rule) -> bool | None:
        """Whether something changes without a rule; None where that is not settled."""
        subjects = self._subjects[direction].get(id(policy))
        if not subjects or any(isinstance(who, Doubtful) for who in rule.peers or ()):
            return True
        self._left -= len(self._alike) * len(rule.peers or ()) // _QUICK
        for peer in self._peers(rule):
            for subject in subjects:
                self._left -= 1 + self._weight(subject, direction) // _LIGHT
                if self._left < 0:
                    return None
                families = (0,) if isinstance(peer, Witness | Address) else (4, 6)
                for family in families:
                    if self._differs(subject, direction, peer, family, rule):
                        return True
        self._gone.add(id(rule))
        return False

    def _weight(self, subject: Endpoint, direction: str) -> int:
        """How many peers of rules one question looks at."""
        governing = self._sides.governing(subject, direction)
        rules = [rule for policy in governing for rule in rules_of(policy, direction) or ()]
        return sum(1 + len(rule.peers or ()) for rule in rules)

    def _peers(self, rule: Rule) -> Iterator[_Peer]:
        """What a rule takes in: pods to come, one of each kind of places, intervals outside."""
        yield from witnesses([rule])
        if rule.peers is None:
            yield Witness()
        for number in range(len(self._alike)):
            place = self._alike.place(number)
            if place_takes(rule, place, self._reading) is not False:
                yield place
        for who in rule.peers or ():
            if isinstance(who, Block):
                for one in self._texts[who.version]:
                    if who.first <= one.last and one.first <= who.last:
                        yield one
        if rule.peers is None:
            yield from (one for listed in self._texts.values() for one in listed)

    def _differs(
        self, subject: Endpoint, direction: str, peer: _Peer, family: int, rule: Rule
    ) -> bool:
        """Whether an answer is another without a rule. One that may take in a peer is kept."""
        takes: Callable[[Rule], bool | None]
        if isinstance(peer, Witness):
            takes = partial(rule_takes, witness=peer, reading=self._reading)
        else:
            takes = partial(place_takes, place=peer, reading=self._reading, family=family)
        taken = takes(rule)
        if not taken:
            return taken is None
        ports: Callable[[Rule], Passing] = named_ports
        if direction == IN:
            ports = partial(spoken, subject.ports)
        elif isinstance(peer, Endpoint):
            ports = partial(spoken, peer.ports)
        elif isinstance(peer, Address):
            ports = partial(spoken, ())
        without = self._gone | {id(rule)}
        policies = self._sides.governing(subject, direction)
        return any(
            decide(policies, Asked(direction, takes, ports, hopeful, self._gone))
            != decide(policies, Asked(direction, takes, ports, hopeful, without))
            for hopeful in (False, True)
        )
