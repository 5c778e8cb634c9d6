"""What the policies of one place let through in one direction, for one peer: plain sets.

The engine answers for all pairs of places that exist. This answers what it cannot be asked: peers
of which only a selector is known, ports of which only a name is known, rules left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from typing import Final

import msgspec

from martello.core.reach import ALL, FIRST_PORT, LAST_PORT, NONE, PROTOCOLS, Conn, Ports
from martello.practices.network.model import (
    ACCEPT,
    ADMIN,
    BASELINE,
    NETWORK,
    PASS,
    NamedPort,
    Policy,
    Rule,
)

IN: Final = "in"
OUT: Final = "out"


class Passing(msgspec.Struct, frozen=True):
    """A set of connections of which some ports are known by name only. With `rest`, it holds every
    name but those in `names`.
    """

    conn: Conn = NONE
    names: frozenset[NamedPort] = frozenset()
    rest: bool = False

    def __bool__(self) -> bool:
        return bool(self.conn) or bool(self.shown)

    @property
    def shown(self) -> tuple[NamedPort, ...]:
        """The names that add something to the numbers, sorted."""
        if self.rest:
            return ()
        named = (name for name in self.names if not _whole(self.conn, name.protocol))
        return tuple(sorted(named, key=lambda n: (n.protocol, n.name)))

    def __or__(self, more: Passing) -> Passing:
        if self is EVERYTHING_PASSES or more is NOTHING_PASSES:
            return self
        if more is EVERYTHING_PASSES or self is NOTHING_PASSES:
            return more
        if self.rest and more.rest:
            names = self.names & more.names
        elif self.rest:
            names = self.names - more.names
        elif more.rest:
            names = more.names - self.names
        else:
            names = self.names | more.names
        return Passing(self.conn | more.conn, names, self.rest or more.rest)

    def __and__(self, with_: Passing) -> Passing:
        if self is EVERYTHING_PASSES or with_ is NOTHING_PASSES:
            return with_
        if with_ is EVERYTHING_PASSES or self is NOTHING_PASSES:
            return self
        if self.rest and with_.rest:
            names = self.names | with_.names
        elif self.rest:
            names = with_.names - self.names
        elif with_.rest:
            names = self.names - with_.names
        else:
            names = self.names & with_.names
        return Passing(self.conn & with_.conn, names, self.rest and with_.rest)

    def __sub__(self, less: Passing) -> Passing:
        if less is NOTHING_PASSES or self is NOTHING_PASSES:
            return self
        if less is EVERYTHING_PASSES:
            return NOTHING_PASSES
        if self.rest and less.rest:
            names = less.names - self.names
        elif self.rest:
            names = self.names | less.names
        elif less.rest:
            names = self.names & less.names
        else:
            names = self.names - less.names
        return Passing(self.conn - less.conn, names, self.rest and not less.rest)


NOTHING_PASSES: Final = Passing()
EVERYTHING_PASSES: Final = Passing(ALL, rest=True)
_OTHER: Final = Passing(Conn((), True))


def _whole(passing: Conn, protocol: str) -> bool:
    wanted = [protocol] if protocol else PROTOCOLS
    return all(Ports(one, FIRST_PORT, LAST_PORT) in passing.ranges for one in wanted)


class Asked(msgspec.Struct, frozen=True, eq=False):
    """One question: `takes` says whether a rule takes in the peer (None: it may), `ports` what a
    rule speaks of (without protocols that have no ports). Of what is in doubt, `hopeful` takes the
    best and its contrary the worst: two bounds. The rules whose `id` is
    in `without` are left out.
    """

    direction: str
    takes: Callable[[Rule], bool | None]
    ports: Callable[[Rule], Passing]
    hopeful: bool = False
    without: Collection[int] = ()


class _Said(msgspec.Struct, frozen=True):
    """What some policies settle of what was left to them; `unsure` may be passed on, and may go to
    the rules after.
    """

    accept: Passing = NOTHING_PASSES
    deny: Passing = NOTHING_PASSES
    passed: Passing = NOTHING_PASSES
    unsure: Passing = NOTHING_PASSES

    @property
    def settled(self) -> Passing:
        """All that they speak of."""
        return self.accept | self.deny | self.passed


def decide(policies: Sequence[Policy], asked: Asked) -> Passing:
    """What passes one end by the policies that select it. A policy that is not understood lets
    everything or nothing through, by the bound that is asked for.
    """
    if any(policy.doubt for policy in policies):
        return EVERYTHING_PASSES if asked.hopeful else NOTHING_PASSES
    admin = _tier([p for p in policies if p.tier == ADMIN], EVERYTHING_PASSES, asked)
    isolating = [p for p in policies if p.tier == NETWORK]
    rules = [rule for policy in isolating for rule in rules_of(policy, asked.direction) or ()]

    def below(left: Passing) -> Passing:
        if isolating:
            return left & _union(rules, asked)
        baseline = _tier([p for p in policies if p.tier == BASELINE], left, asked)
        return left - baseline.deny

    allowed = admin.accept | below(EVERYTHING_PASSES - admin.accept - admin.deny)
    if admin.unsure == NOTHING_PASSES:
        return allowed
    passed = below(admin.unsure)
    return allowed | passed if asked.hopeful else allowed - (admin.unsure - passed)


def rules_of(policy: Policy, direction: str) -> tuple[Rule, ...] | None:
    """The rules of a direction; None where the policy does not govern it."""
    return policy.ingress if direction == IN else policy.egress


def _tier(policies: Iterable[Policy], left: Passing, asked: Asked) -> _Said:
    """Dialects whose mutual order is undefined speak side by side."""
    families: dict[str, list[Policy]] = {}
    for policy in policies:
        families.setdefault(policy.family, []).append(policy)
    return _beside([_family(group, left, asked) for group in families.values()], asked)


def _family(policies: list[Policy], left: Passing, asked: Asked) -> _Said:
    said = _Said()
    policies.sort(key=lambda policy: policy.priority)
    for _, rank in groupby(policies, key=lambda policy: policy.priority):
        rest = left - said.settled
        now = _beside(
            [_sequence(rules_of(policy, asked.direction) or (), rest, asked) for policy in rank],
            asked,
        )
        said = _Said(
            said.accept | now.accept,
            said.deny | now.deny,
            said.passed | now.passed,
            said.unsure | now.unsure,
        )
    return said


def _beside(said: list[_Said], asked: Asked) -> _Said:
    """Voices of equal rank: where they differ, the best or the worst of them."""
    if len(said) == 1:
        return said[0]
    accept = passed = deny = unsure = NOTHING_PASSES
    for one in said:
        accept, deny = accept | one.accept, deny | one.deny
        passed, unsure = passed | one.passed, unsure | one.unsure
    if asked.hopeful:
        passed -= accept
        return _Said(accept, deny - accept - passed, passed, unsure)
    passed -= deny
    return _Said(accept - deny - passed, deny, passed, unsure)


def _union(rules: Iterable[Rule], asked: Asked) -> Passing:
    """What some of several accepting rules let through; their order does not matter."""
    found = NOTHING_PASSES
    for rule in rules:
        taken = False if id(rule) in asked.without else asked.takes(rule)
        if rule.action == ACCEPT and (taken or (taken is None and asked.hopeful)):
            found |= asked.ports(rule)
            if asked.hopeful and rule.ports:
                found |= _OTHER
            if found is EVERYTHING_PASSES:
                break
    return found


def _sequence(rules: Iterable[Rule], left: Passing, asked: Asked) -> _Said:
    """Rules in order: the first that speaks of a connection settles it. Whether a rule with ports
    speaks of what has none is not known.
    """
    accept = passed = deny = unsure = NOTHING_PASSES
    for rule in rules:
        taken = False if id(rule) in asked.without else asked.takes(rule)
        if taken is False:
            continue
        hit = asked.ports(rule) & left
        doubted = _OTHER & left if rule.ports else NOTHING_PASSES
        if taken is None:
            hit, doubted = NOTHING_PASSES, hit | doubted
        if rule.action == PASS:
            passed |= hit
            unsure |= doubted
        elif rule.action == ACCEPT:
            hit = hit | doubted if asked.hopeful else hit
            accept |= hit
        else:
            hit = hit if asked.hopeful else hit | doubted
            deny |= hit
        left -= hit
    return _Said(accept, deny, passed, unsure)
