"""Promises judged by what really passes: breaches, each with a pair that shows it and a rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import msgspec

from martello.core.reach import Conn, Reachability
from martello.practices.network.addresses import name_of
from martello.practices.network.compare.alike import Alike, own
from martello.practices.network.intents.promises import Intent, Spot
from martello.practices.network.model import Address, Endpoint, Node, Place, Step
from martello.practices.network.outside import less, parts

if TYPE_CHECKING:
    from martello.practices.network.engine.reach import Reach

_PAIRS: Final = 3_000_000  # of one intent; more are not looked at
_WITNESSES: Final = 5  # pairs of places that one intent reports; the rest is counted


class Breach(msgspec.Struct, frozen=True, eq=False):
    """A promise that does not hold: the pair that shows it, what passes there against it (of a
    `must`: what does not), the rules that say so, and how many pairs break it in all.
    """

    intent: Intent
    source: Place
    destination: Place
    conn: Conn
    steps: tuple[Step, ...] = ()
    pairs: int = 1

    def __str__(self) -> str:
        return told((self,))


def told(breaches: Sequence[Breach]) -> str:
    """Breaches of one intent in words: those of one destination that differ in the source only."""
    first, names = breaches[0], list(dict.fromkeys(name_of(b.source) for b in breaches))
    verb = "reach" if len(names) > 1 else "reaches"
    if first.intent.kind == "must":
        verb = "do not reach" if len(names) > 1 else "does not reach"
    many = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    pairs = sum(b.pairs - 1 for b in breaches)
    more = f" (and {pairs:,} more pair{'s' if pairs != 1 else ''})" if pairs else ""
    ends = f"{many} {verb} {name_of(first.destination)}"
    return f"{ends} on {first.conn}{more}; promised: {first.intent}"


class Undecided(msgspec.Struct, frozen=True):
    """A promise of which nobody can tell whether it holds, and why."""

    intent: Intent
    reason: str


Outcome = Breach | Undecided
Key = int | Address


def judge(intents: Sequence[Intent], reach: Reach, cluster: str = "") -> tuple[Outcome, ...]:
    """What is broken and what cannot be told, in the order of the intents."""
    return tuple(outcome for intent in intents for outcome in _one(intent, reach, cluster))


def _one(intent: Intent, reach: Reach, cluster: str) -> Iterator[Outcome]:
    spots = (*intent.sources, *intent.destinations)
    other = [spot.cluster for spot in spots if spot.cluster and not _is(cluster, spot.cluster)]
    if other:
        told = f"cluster {other[0]} was not read"
        yield Undecided(intent, f"{told}: name its bundle or context in --fleet FILE")
        return
    targets = members(reach, intent.destinations)
    if intent.kind == "only":
        sources: tuple[Place, ...] = tuple(_everyone(reach, members(reach, intent.sources)))
    else:
        sources = members(reach, intent.sources)
    empty = [s.text for s in spots if not members(reach, (s,))]
    if empty:
        yield Undecided(intent, f"nothing here is {empty[0]}")
    if len(sources) * len(targets) > _PAIRS:
        count = f"{len(sources) * len(targets):,}"
        yield Undecided(intent, f"it speaks of {count} pairs of places; name fewer")
        return
    yield from _weighed(intent, reach, sources, targets)


def _weighed(
    intent: Intent, reach: Reach, sources: Sequence[Place], targets: Sequence[Place]
) -> Iterator[Outcome]:
    """Goes through groups of places that neither a rule nor the intent tells apart; the first pair
    of each two names is the witness of the others.
    """
    allowed = _keys(reach, intent.sources) if intent.kind == "only" else None
    spared = [
        (_keys(reach, sources) if sources else None, _keys(reach, targets) if targets else None)
        for sources, targets in intent.excepts
    ]
    alike = Alike(reach)
    found: dict[tuple[str, str], list[Breach]] = {}
    doubts: dict[str, None] = {}
    starting = _grouped(alike, sources, [begin for begin, _ in spared], allowed)
    for (_, *out), ends in _grouped(alike, targets, [end for _, end in spared]).items():
        for (_, *into), begins in starting.items():
            if any(a and b for a, b in zip(into[1:], out[1:], strict=True)):  # an exception
                continue
            for near in (False,) if _by_range(intent) else (False, True):
                pairs = _pairs(begins, ends, intent.kind, near)
                pair = next(pairs, None)
                if pair is None:
                    continue
                broken, doubt = _broken(intent, reach.verdict(*pair), allowed, pair[0])
                if broken:
                    for source, target in (pair, *pairs):
                        key = (name_of(source), name_of(target))
                        found.setdefault(key, []).append(Breach(intent, source, target, broken))
                elif doubt is not None:
                    ends_named = f"{name_of(pair[0])} → {name_of(pair[1])}"
                    doubts.setdefault(doubt or f"{ends_named} is not decided")
    shown = list(found.values())
    for index, same in enumerate(shown[:_WITNESSES]):
        more = sum(map(len, shown[_WITNESSES:])) if index == _WITNESSES - 1 else 0
        yield _explained(same[0], reach, len(same) + more)
    for reason in list(doubts)[:_WITNESSES]:
        yield Undecided(intent, reason)


def _grouped(
    alike: Alike,
    places: Iterable[Place],
    spared: Sequence[frozenset[Key] | None],
    allowed: frozenset[Key] | None = None,
) -> dict[tuple[object, ...], list[Place]]:
    """The places by kind, and by what the intent says of them."""
    groups: dict[tuple[object, ...], list[Place]] = {}
    for place in places:
        key = _key(place)
        kind = place if isinstance(place, Address) else alike.number(place)
        named = allowed is not None and key in allowed
        marks = (one is None or key in one for one in spared)
        groups.setdefault((kind, named, *marks), []).append(place)
    return groups


def _pairs(
    sources: Sequence[Place], targets: Sequence[Place], kind: str, near: bool
) -> Iterator[tuple[Place, Place]]:
    """The pairs that an intent speaks of: those of a pod and its own node (`near`), between which
    no NetworkPolicy comes, or all others.
    """
    if near and not any(_on_node(ends[0]) for ends in (sources, targets)):
        return
    for target in targets:
        for source in sources:
            beside = own(source, target) or own(target, source)
            if beside == near and not _same(source, target, kind):
                yield source, target


def _by_range(intent: Intent) -> bool:
    """Whether one end is told by ranges alone: these do not mean the own node of a pod, which
    nothing keeps away from it.
    """
    ends = (intent.sources, intent.destinations)
    return any(spots and all(s.internet or s.block is not None for s in spots) for spots in ends)


def _on_node(place: Place) -> bool:
    return isinstance(place, Node) or (isinstance(place, Endpoint) and place.host_network)


def _key(place: Place) -> Key:
    return place if isinstance(place, Address) else id(place)


def _keys(reach: Reach, spots: Iterable[Spot]) -> frozenset[Key]:
    return frozenset(map(_key, members(reach, spots)))


def _broken(
    intent: Intent, found: Reachability, allowed: frozenset[Key] | None, source: Place
) -> tuple[Conn, str | None]:
    """What of a verdict is against an intent, and the reason of a doubt (None: there is none)."""
    because = "; ".join(found.because)
    if intent.kind == "must":
        missing = intent.ports - found.yes - found.maybe
        if intent.ports.other and not missing.ranges:
            missing = Conn(missing.ranges)  # nobody promises ICMP by naming no port
        unsure = bool((intent.ports & found.maybe).ranges)
        return missing, because if unsure else None
    if allowed is not None and _key(source) in allowed:
        beyond, unsure_conn = found.yes - intent.ports, found.maybe - intent.ports
        return Conn(beyond.ranges), because if unsure_conn.ranges else None
    if allowed is not None:
        return found.yes, because if found.maybe.ranges else None
    return found.yes & intent.ports, because if (found.maybe & intent.ports) else None


def _explained(breach: Breach, reach: Reach, pairs: int) -> Breach:
    from martello.practices.network.answers.explain import explain

    conn = breach.conn
    protocol, port = (conn.ranges[0].protocol, conn.ranges[0].first) if conn.ranges else ("ICMP", 0)
    steps = explain(reach, breach.source, breach.destination, protocol, port)
    return msgspec.structs.replace(breach, steps=steps, pairs=pairs)


def _same(source: Place, target: Place, kind: str) -> bool:
    """Pairs that no intent speaks of: a place and itself. Pods of one workload among themselves,
    and a node with what runs on it, are not held against an `only`.
    """
    if source is target:
        return True
    if kind == "only" and isinstance(source, Node):
        return isinstance(target, Node) or own(source, target)
    if not isinstance(source, Endpoint) or not isinstance(target, Endpoint) or kind != "only":
        return False
    if source.name == target.name and source.kind == target.kind:
        return True
    return source.host_network and (not source.node or source.node == target.node)


def _everyone(reach: Reach, named: Iterable[Place]) -> Iterator[Place]:
    """All pods, nodes, and addresses outside, cut where those that are named begin and end."""
    yield from reach.world.endpoints
    yield from reach.world.nodes
    own = [place for place in named if isinstance(place, Address)]
    yield from own
    for version in (4, 6):
        yield from less(reach.addresses(version), [a for a in own if a.version == version])


def members(reach: Reach, spots: Iterable[Spot]) -> tuple[Place, ...]:
    """The places that some spots mean, each once; addresses as the intervals of the rules."""
    found: dict[Key, Place] = {}
    for spot in spots:
        for place in _meant(reach, spot):
            found.setdefault(_key(place), place)
    return tuple(found.values())


def _meant(reach: Reach, spot: Spot) -> Iterator[Place]:
    if spot.internet:
        for version in (4, 6):
            whole = Address(version, 0, (1 << (32 if version == 4 else 128)) - 1)
            yield from parts(reach, whole)
    elif spot.block is not None:
        yield from parts(reach, Address(*spot.block))
        places: tuple[Endpoint | Node, ...] = (*reach.world.endpoints, *reach.world.nodes)
        yield from (place for place in places if _inside(place, spot.block))
    elif spot.node:
        yield from (n for n in reach.world.nodes if _is(n.name, spot.node))
    else:
        yield from (e for e in reach.world.endpoints if _fits(e, spot))


def _inside(place: Endpoint | Node, block: tuple[int, int, int]) -> bool:
    version, first, last = block
    return any(v == version and first <= number <= last for v, number in place.addresses)


def _fits(endpoint: Endpoint, spot: Spot) -> bool:
    if spot.namespace and not _is(endpoint.namespace, spot.namespace):
        return False
    if spot.workload and not (
        _is(endpoint.workload, spot.workload) or _is(endpoint.pod, spot.workload)
    ):
        return False
    return all(endpoint.labels.get(key) == value for key, value in spot.labels)


def _is(name: str, pattern: str) -> bool:
    return bool(name) and fnmatchcase(name, pattern)


def opened_by(breach: Breach) -> Step | None:
    """The step whose rule opens (of a `must`: closes) the pair; None where no policy does."""
    wanted = "denied" if breach.intent.kind == "must" else "allowed"
    named = [s for s in breach.steps if s.verdict == wanted and s.policy is not None]
    inward = [s for s in named if s.direction == "in"]
    return next(iter(inward or named), None)
