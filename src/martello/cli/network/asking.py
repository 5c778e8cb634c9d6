"""One question: from where, to where, on which port; and its answer in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from martello.cli.network.entering import ways_in
from martello.cli.network.opening import Opened
from martello.core.errors import BadInput
from martello.core.path import show
from martello.core.reach import LAST_PORT, NONE, PROTOCOLS, Conn, Ports, Reachability
from martello.practices.network.addresses import name_of, parse_address, parse_range
from martello.practices.network.model import Address, Block, Endpoint, Place, Step
from martello.practices.network.world import find
from martello.report.network.model import Answer, Line

_TAIL: Final = re.compile(r"([0-9]{1,5}|[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:/(tcp|udp|sctp))?", re.I)
_VERDICTS: Final = {"allowed": "yes", "denied": "no", "unknown": "unknown"}
_EXITS: Final = {"yes": 0, "no": 1, "unknown": 3}
_SHORT: Final = {  # longer names first: some hold others
    "BaselineAdminNetworkPolicy": "banp",
    "AdminNetworkPolicy": "anp",
    "ClusterNetworkPolicy": "cnp",
    "NetworkPolicy": "netpol",
}
_NAMED: Final = 3  # ranges of addresses in a sentence
_PAIRS: Final = 200_000  # more of them are no question of one place


class Destination(msgspec.Struct, frozen=True):
    """Where to: the places, and the port of the pods (0: any) with its protocol."""

    text: str
    places: tuple[Place, ...]
    protocol: str = "TCP"
    port: int = 0
    notes: tuple[str, ...] = ()
    targets: tuple[tuple[Place, str, int], ...] = ()  # of a Service: pods with ports of their own


def split_port(text: str) -> tuple[str, str, str]:
    """(place, port or its name, protocol) of `B[:PORT[/udp]]`. Raises BadInput."""
    if parse_address(text) or parse_range(text):
        return text, "", "TCP"
    if text.startswith("["):
        inner, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise BadInput(f"cannot read {text}", "an IPv6 address with a port is [ADDRESS]:PORT")
        place, tail = inner, rest[1:]
    else:
        place, _, tail = text.rpartition(":") if ":" in text else (text, "", "")
    if not tail:
        return place, "", "TCP"
    match = _TAIL.fullmatch(tail)
    if match is None or not place:
        raise BadInput(
            f"cannot read the port of {text}",
            "a port is a number or a name, and TCP unless /udp or /sctp follows",
            f"{place or 'shop/db'}:5432, or {place or 'shop/db'}:53/udp",
        )
    port, protocol = match[1], (match[2] or "tcp").upper()
    if port.isdecimal() and not 1 <= int(port) <= LAST_PORT:
        raise BadInput(f"no port {port}", f"ports are 1 to {LAST_PORT}")
    return place, port, protocol


def destination(opened: Opened, text: str) -> Destination:
    """The destination that a text means; a Service is translated to its pods. Raises BadInput."""
    place, port, protocol = split_port(text)
    parts = place.split("/")
    if len(parts) == 3 and parts[1].lower() in ("svc", "service", "services"):
        from martello.cli.network.translating import service

        return service(opened, place, parts[0], parts[2], port, protocol)
    places = find(opened.reach.world, place)
    if not port or port.isdecimal():
        return Destination(place, places, protocol, int(port or 0))
    numbers = {
        (p.number, p.protocol)
        for each in places
        if isinstance(each, Endpoint)
        for p in each.ports
        if p.name == port and (p.protocol == protocol or "/" not in text.rpartition(":")[2])
    }
    if len(numbers) != 1:
        told = "no container gives a port that name" if not numbers else "it is several ports"
        raise BadInput(f"no port {port} at {place}", told, f"name a number: {place}:5432")
    number, protocol = numbers.pop()
    return Destination(place, places, protocol, number)


def sources(opened: Opened, text: str) -> tuple[Place, ...]:
    """The places that a question starts from. Raises BadInput."""
    return find(opened.reach.world, text)


def split(opened: Opened, places: Iterable[Place]) -> tuple[Place, ...]:
    """The places, ranges of addresses cut into what the rules tell apart."""
    found: list[Place] = []
    for place in places:
        if not isinstance(place, Address) or place.first == place.last:
            found.append(place)
            continue
        for part in opened.reach.addresses(place.version):
            first, last = max(part.first, place.first), min(part.last, place.last)
            if first <= last:
                found.append(Address(place.version, first, last))
    return tuple(found)


class Pair(msgspec.Struct, frozen=True):
    """One pair of places with what passes between them."""

    source: Place
    destination: Place
    protocol: str
    port: int
    reach: Reachability

    @property
    def verdict(self) -> str:
        """allowed, denied or unknown; without a port: whether anything passes."""
        if self.port:
            return self.reach.verdict(self.protocol, self.port)
        return "allowed" if self.reach.yes else "unknown" if self.reach.maybe else "denied"


def pairs(opened: Opened, begin: Sequence[Place], end: Destination) -> list[Pair]:
    """Every pair that the question is about, a place and itself left out unless it is the whole
    question. Raises BadInput where these are too many.
    """
    targets = end.targets or tuple((place, end.protocol, end.port) for place in end.places)
    starts = split(opened, begin)
    goals = [
        (place, protocol, port)
        for one, protocol, port in targets
        for place in split(opened, (one,))
    ]
    if len(starts) * len(goals) > _PAIRS:
        count = f"{len(starts) * len(goals):,} pairs"
        raise BadInput("that is no single question", count, "martello network matrix")
    made = [
        Pair(s, place, protocol, port, opened.reach.verdict(s, place))
        for s in starts
        for place, protocol, port in goals
    ]
    others = [pair for pair in made if pair.source is not pair.destination]
    return others or made


def answer(opened: Opened, begin_text: str, end_text: str, *, full: bool = False) -> Answer:
    """The answer to `can A B`; `full` adds what else passes. Raises BadInput."""
    begin = sources(opened, begin_text)
    end = destination(opened, end_text)
    asked = pairs(opened, begin, end)
    verdicts = [pair.verdict for pair in asked]
    verdict = next(v for v in ("allowed", "unknown", "denied") if v in verdicts)
    shown = next(pair for pair in asked if pair.verdict == verdict)
    steps = _steps(opened, shown)
    word = _VERDICTS[verdict]
    told = f"{begin_text} → {end.text} {_asked(end, shown)}".rstrip()
    passes, perhaps = _passing(asked)
    notes = list(end.notes)
    if verdict == "unknown":
        notes += [*shown.reach.because, *opened.notes, *_settling(opened)]
    if begin_text.lower() == "internet":
        notes += ways_in(opened, asked)
    lines = [_line(step) for step in steps]
    if full:
        lines += _also(passes, perhaps, {(p.protocol, p.port) for p in asked if p.port})
    return Answer(
        verdict=word,
        sentence=f"{word}: {told} {_how(verdict, steps, asked, passes, end)}".rstrip(),
        source=begin_text,
        destination=end.text,
        protocol=end.protocol,
        port=end.port,
        lines=tuple(lines),
        passes=passes,
        perhaps=perhaps,
        notes=tuple(dict.fromkeys(notes)),
        missing=opened.missing,
        exit=_EXITS[word],
    )


def _settling(opened: Opened) -> tuple[str, ...]:
    """What would tell whether an ipBlock takes in pods, where some rule has one."""
    blocks = any(
        isinstance(who, Block)
        for policy in opened.reach.policies.policies
        for rule in (*(policy.ingress or ()), *(policy.egress or ()))
        for who in rule.peers or ()
    )
    missing = [
        flag
        for flag, known in (
            ("--cni", opened.profile.blocks_match_pods is not None),
            ("--pod-cidr", bool(opened.profile.pod_ranges)),
        )
        if not known
    ]
    if not blocks or not missing:
        return ()
    return (f"rules with an ipBlock may be settled by {' and '.join(missing)}",)


def _asked(end: Destination, shown: Pair) -> str:
    if not end.targets and not end.port:
        return ""
    if end.targets and not end.port:
        return f"{shown.protocol} {shown.port}" if shown.port else ""
    return f"{end.protocol} {end.port}"


def _how(
    verdict: str, steps: Sequence[Step], asked: Sequence[Pair], passes: Conn, end: Destination
) -> str:
    """The rest of the sentence."""
    count = sum(1 for pair in asked if pair.verdict == verdict)
    part = f" for {count:,} of {len(asked):,} pairs" if count < len(asked) else ""
    if part and all(isinstance(pair.source, Address) for pair in asked):
        part = _from([pair.source for pair in asked if pair.verdict == verdict])
    if verdict == "allowed":
        return f"passes{part}" if end.port or end.targets else f"passes on {passes}{part}"
    if verdict == "unknown":
        return f"is not decided by what is here{part}"
    ways = [s.direction for s in steps if s.verdict == "denied" and s.direction in ("out", "in")]
    both = " and ".join(dict.fromkeys(ways))
    dropped = f"is dropped on the way {both}" if both else "is dropped"
    return dropped if end.port or end.targets else f"{dropped}, whatever the port"


def _from(sources: Iterable[Place]) -> str:
    """The addresses that an answer for a range holds for: not for the whole range."""
    told = list(dict.fromkeys(map(name_of, sources)))
    more = f" and {len(told) - _NAMED:,} more ranges" if len(told) > _NAMED else ""
    return f", but only from {', '.join(told[:_NAMED])}{more}"


def _passing(asked: Sequence[Pair]) -> tuple[Conn, Conn]:
    yes, maybe = NONE, NONE
    for pair in asked:
        yes, maybe = yes | pair.reach.yes, maybe | pair.reach.maybe
    return yes, maybe - yes


def _steps(opened: Opened, shown: Pair) -> tuple[Step, ...]:
    from martello.practices.network.answers.explain import explain

    protocol, port = shown.protocol, shown.port
    if not port:
        protocol, port = _some_port(shown)
    return explain(opened.reach, shown.source, shown.destination, protocol, port)


def _some_port(shown: Pair) -> tuple[str, int]:
    """A port to explain where none was asked for: one that passes, else one that is declared."""
    for conn in (shown.reach.yes, shown.reach.maybe):
        if conn.ranges:
            return conn.ranges[0].protocol, conn.ranges[0].first
        if conn.other:
            return "ICMP", 0
    if isinstance(shown.destination, Endpoint) and shown.destination.ports:
        declared = shown.destination.ports[0]
        if declared.protocol in PROTOCOLS:
            return declared.protocol, declared.number
    return "TCP", 80


def _line(step: Step) -> Line:
    """A step in words: the policy as people type it, the rule by its path below `spec`."""
    if step.policy is None:
        return Line(step.direction, step.place, step.verdict, step.why)
    ref = step.policy.ref
    why = step.why
    for kind, short in _SHORT.items():  # of one policy, or of several of the same namespace
        why = why.replace(f"{ref.namespace}/{kind}/" if ref.namespace else kind + "/", f"{short}/")
    if step.path[:1] == ("spec",):
        why = why.replace(show(step.path), show(step.path[1:]))
    return Line(
        step.direction, step.place, step.verdict, why, str(step.policy.locate(step.path)), ref.local
    )


def _also(passes: Conn, perhaps: Conn, ports: set[tuple[str, int]]) -> list[Line]:
    """What else passes than what was asked for; without a port the sentence has told it."""
    told: list[Line] = []
    for protocol, port in ports:
        asked = Conn((Ports(protocol, port, port),))
        passes, perhaps = passes - asked, perhaps - asked
    if ports:
        told.append(Line("also", "", "", f"between these passes: {passes}"))
    if perhaps:
        what = perhaps if perhaps.ranges else "ping, and what else has no ports"
        told.append(Line("also", "", "", f"between these passes perhaps: {what}"))
    return told


def names(places: Iterable[Place]) -> str:
    """The names of places, each once."""
    return ", ".join(dict.fromkeys(map(name_of, places)))
