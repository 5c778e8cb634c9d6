"""What was used, gathered while events pass: memory depends on who did what, not on how often.

Only the names, days, sample ids and reasons of a use are kept, each bounded; what is beyond a bound
is said, never dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from martello.core.event import AuditEvent
from martello.practices.access.model import Principal, Request
from martello.practices.access.requests import NotRead, Tried, tried

MOST_NAMES: Final = 1000  # of one use
MOST_USES: Final = 200_000  # distinct ones; refused ones, that anybody can make up: a tenth
_MOST_SAMPLES: Final = 3
_MOST_REASONS: Final = 8
_RECENT: Final = 50_000  # events among which one that comes twice is known
_MOST_DAYS: Final = 10_000
_DAY: Final = 86_400_000_000_000
READS: Final = frozenset({"get", "list", "watch"})


class Use(msgspec.Struct, frozen=True):
    """Requests of one principal that differ in nothing but the name.

    `request` has no name; `names` are those that the authorizer saw, and "" where it saw none.
    Where `more` is true there were more names than are kept: any may have been used.
    Times are ns since 1970, UTC. `how` is as in Tried. `reasons` are the authorizer's own.
    """

    principal: Principal
    request: Request
    names: tuple[str, ...]
    count: int = 1
    first: int = 0
    last: int = 0
    days: int = 1
    samples: tuple[str, ...] = ()
    how: str = "request"
    reasons: tuple[str, ...] = ()
    more: bool = False

    @property
    def requests(self) -> tuple[Request, ...]:
        """Each request that was made; one without a name stands for names that are not kept."""
        names = dict.fromkeys(("", *self.names) if self.more else self.names)
        return tuple(msgspec.structs.replace(self.request, name=name) for name in names)


class Observed(msgspec.Struct, frozen=True):
    """All that some events tell: what was allowed, what was refused, what was only asked about.

    `seen` counts the allowed requests by class (read, write, path; system, account, user): a class
    that is missing altogether was perhaps not logged. `lost` are principals of whom more was seen
    than is kept.
    """

    uses: tuple[Use, ...] = ()
    refused: tuple[Use, ...] = ()
    asked: tuple[Use, ...] = ()
    events: int = 0
    first: int = 0
    last: int = 0
    seen: Mapping[str, int] = {}
    skipped: Mapping[str, int] = {}  # why an event told of no request → how many
    lost: frozenset[str] = frozenset()
    lost_refused: int = 0
    days: int = 0  # on which anything was seen


class _Tally:
    __slots__ = ("count", "days", "first", "last", "more", "names", "reasons", "samples")

    def __init__(self) -> None:
        self.count = 0
        self.first = 0
        self.last = 0
        self.names: dict[str, None] = {}
        self.days: set[int] = set()
        self.samples: list[str] = []
        self.reasons: dict[str, None] = {}
        self.more = False

    def add(self, name: str, event: AuditEvent, how: str) -> None:
        self.count += 1
        if name not in self.names:
            if len(self.names) < MOST_NAMES:
                self.names[name] = None
            else:
                self.more = True
        at = event.time
        if at:
            self.first = min(self.first or at, at)
            self.last = max(self.last, at)
            self.days.add(at // _DAY)
        if len(self.samples) < _MOST_SAMPLES and event.api_id:
            self.samples.append(event.api_id)
        reason = event.api_grant if how == "request" else None  # the reason of the last question
        if reason and reason not in self.reasons and len(self.reasons) < _MOST_REASONS:
            self.reasons[reason] = None


_Key = tuple[Principal, Request, str]


def observe(events: Iterable[AuditEvent]) -> Observed:
    """Gathers what events tell. The order does not matter; an event that comes twice within some
    tens of thousands counts once.
    """
    tallies: dict[bool, dict[_Key, _Tally]] = {True: {}, False: {}}
    asked: dict[_Key, _Tally] = {}
    skipped: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    lost: set[str] = set()
    recent = _Recent()
    days: set[int] = set()
    count = lost_refused = first = last = 0
    for event in events:
        count += 1
        if event.time:
            first = min(first or event.time, event.time)
            last = max(last, event.time)
            if len(days) < _MOST_DAYS:
                days.add(event.time // _DAY)
        try:
            for one in tried(event):
                if recent.knows(event, one):
                    continue
                if one.how == "asked":
                    into, most = asked, MOST_USES // 10
                else:
                    into = tallies[one.refused]
                    most = MOST_USES // 10 if one.refused else MOST_USES
                name = one.request.name
                bare = msgspec.structs.replace(one.request, name="") if name else one.request
                key = (one.principal, bare, one.how)
                tally = into.get(key)
                if tally is None:
                    if len(into) >= most:
                        if one.refused or one.how == "asked":
                            lost_refused += 1
                        else:
                            lost.add(one.principal.username)
                        continue
                    tally = into[key] = _Tally()
                tally.add(name, event, one.how)
                if not one.refused:
                    seen.update(classes(one))
        except NotRead as why:
            skipped[str(why)] += 1
    return Observed(
        _uses(tallies[False]),
        _uses(tallies[True]),
        _uses(asked),
        count,
        first,
        last,
        dict(seen),
        dict(skipped),
        frozenset(lost),
        lost_refused,
        len(days),
    )


def uses(events: Iterable[AuditEvent]) -> tuple[Use, ...]:
    """What was used: the requests that were allowed, gathered."""
    return observe(events).uses


def classes(one: Tried) -> tuple[str, ...]:
    """The classes of requests that a policy of the audit log commonly leaves out as a whole."""
    request = one.request
    what = "path" if request.path else "read" if request.verb in READS else "write"
    return (what, class_of(one.principal))


def class_of(principal: Principal) -> str:
    """The class of who asks: account, system (a component, a node) or user."""
    if principal.kind == "account":
        return "account"
    return "system" if principal.username.startswith("system:") else "user"


class _Recent:
    """The requests of late: what is logged at its start and at its end is one. Clients may choose
    the id of an event, so that alone tells nothing.
    """

    def __init__(self) -> None:
        self._new: set[int] = set()
        self._old: set[int] = set()

    def knows(self, event: AuditEvent, one: Tried) -> bool:
        if not event.api_id:
            return False
        key = hash((event.api_id, one.principal, one.request, one.how))
        if key in self._new or key in self._old:
            return True
        self._new.add(key)
        if len(self._new) >= _RECENT:
            self._old, self._new = self._new, set()
        return False


def _uses(tallies: Mapping[_Key, _Tally]) -> tuple[Use, ...]:
    return tuple(
        Use(
            principal,
            request,
            tuple(sorted(tally.names)),
            tally.count,
            tally.first,
            tally.last,
            max(len(tally.days), 1),
            tuple(tally.samples),
            how,
            tuple(tally.reasons),
            tally.more,
        )
        for (principal, request, how), tally in tallies.items()
    )
