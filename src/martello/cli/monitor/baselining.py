"""What is normal: shown, compared, back-tested, and decided by people."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import IO, Any, Final

import msgspec

from martello.cli.access.windows import nanoseconds
from martello.cli.outputs import write_each
from martello.cli.reports import parse_outputs
from martello.cli.store.places import places
from martello.core.errors import BadInput
from martello.practices.monitor.baseline.facts import CLASSES
from martello.practices.monitor.baseline.known import LEARNED, WAITING
from martello.report.model import Screen
from martello.report.text import clean, encoded, hanging, pad, plural
from martello.store import normals
from martello.store.normals import ACCEPTED, FORGOTTEN, Kept
from martello.store.state import State, open_state

_FORMATS: Final = ("table", "json")
_DAY: Final = 86_400_000_000
_MOST: Final = 50  # values of a class on a screen
_WHY: Final = {
    WAITING: "waits: first seen while an alert was open (baseline accept)",
    ACCEPTED: "accepted: the daemon has not taken it yet",
}


class Known(msgspec.Struct, frozen=True):
    """One entity with all that is kept of it, as it is printed."""

    name: str
    template: str
    first: int
    last: int
    facts: tuple[Kept, ...]

    @property
    def events(self) -> int:
        """How often something of it was seen."""
        return sum(one.times for one in self.facts)


def show_command(workload: str, flags: dict[str, Any]) -> int:
    """Everything, or one workload; 0."""
    with _state(flags) as state:
        rows = normals.load(state)
    chosen = _of(rows, workload, flags["namespace"]) if workload else rows
    known = _known(chosen)

    def lines(screen: Screen) -> Iterator[str]:
        for one in known:
            yield from hanging(_head(one), screen.width, 2)
            if workload:
                yield from _facts(one, screen)
        if not known:
            yield "nothing is known yet: martello monitor run learns"

    _write(flags, lines, [msgspec.to_builtins(one) for one in known])
    return 0


def diff_command(workload: str, flags: dict[str, Any]) -> int:
    """What is new, and what is no longer done; 1 where something waits."""
    since = time.time_ns() // 1000 - nanoseconds(flags["since"]) // 1000
    with _state(flags) as state:
        rows = _of(normals.load(state), workload, flags["namespace"])
    new = [one for one in rows if one.first_at >= since and one.state != WAITING]
    waiting = [one for one in rows if one.state == WAITING]
    gone = _gone(rows)

    def lines(screen: Screen) -> Iterator[str]:
        for word, found in (("new", new), ("waits", waiting), ("no longer", gone)):
            for one in sorted(found, key=lambda each: (each.kind, each.value)):
                text = f"{pad(word, 11)}{CLASSES[one.kind]}: {clean(one.value)}"
                yield from hanging(f"{text}  {_times(one)}", screen.width, 13)
        if not (new or waiting or gone):
            yield f"nothing new in {flags['since']}"

    told = {"new": new, "waiting": waiting, "gone": gone}
    _write(flags, lines, {key: msgspec.to_builtins(each) for key, each in told.items()})
    return 1 if waiting else 0


def _gone(rows: Sequence[Kept]) -> list[Kept]:
    """What an earlier roll-out did and the last one of the container does not."""
    last: dict[str, tuple[int, str]] = {}
    for one in rows:
        last[one.container] = max(last.get(one.container, (0, "")), (one.last_at, one.entity[3]))
    does = {
        (one.container, one.kind, one.value)
        for one in rows
        if one.entity[3] == last[one.container][1]
    }
    before = [one for one in rows if one.entity[3] != last[one.container][1]]
    return [one for one in before if (one.container, one.kind, one.value) not in does]


def budget_command(a_day: float, flags: dict[str, Any]) -> int:
    """Back-tests; 3 where a part of the history cannot be read."""
    from martello.adapters.batch import events, typed
    from martello.practices.monitor.baseline import Baselines, Novelty, budget
    from martello.practices.monitor.baseline.facts import MADE_OF
    from martello.practices.monitor.pipeline import distinct
    from martello.store.files import open_files
    from martello.store.history import History
    from martello.store.lake import Lake

    where = places(flags["state"], flags["lake"])
    until = time.time_ns() // 1000
    since = until - nanoseconds(flags["since"]) // 1000
    baselines = Baselines(0.0)
    found: list[Novelty] = []
    first = last = 0
    with open_state(where.state) as state:
        lake = Lake(open_files(where.lake))
        history = History(state, lake, tuple(MADE_OF), since, until, flags["clusters"])
        for rows in history:
            kind = rows["kind"][0].as_py()
            for event in events(distinct(typed(kind, rows), MADE_OF[kind])):
                moment = int(event.get("time") or 0)
                first, last = min(first or moment, moment), max(last, moment)
                for one in baselines.observe([event]):
                    found.append(msgspec.structs.replace(one, event={"time": moment}))
    if not history.events:
        raise BadInput("there is no history", f"the lake holds nothing of {flags['since']}", "")
    days = max(1.0, (last - first) / 8.64e13)
    threshold = budget(found, days, a_day)
    fresh = [one for one in found if one.why == "new"]
    alerts = sum(one.bits >= threshold for one in fresh)
    told = {
        "threshold": round(threshold, 2),
        "days": round(days, 2),
        "events": history.events,
        "new": len(fresh),
        "alerts": alerts,
        "replicas": len(found) - len(fresh),
        "unread": history.unread,
    }

    def lines(screen: Screen) -> Iterator[str]:
        yield f"threshold {threshold:.1f} bits  (martello monitor run --surprise {threshold:.1f})"
        yield from hanging(
            f"back-tested on {history.events:,} events of {days:.1f} days: {alerts:,} of "
            f"{plural(len(fresh), 'new fact')} would have alerted, "
            f"{alerts / days:.1f} a day of {a_day:g} allowed; {len(found) - len(fresh):,} more "
            "that one replica alone did",
            screen.width,
            2,
        )
        for name in history.unread[:10]:
            yield f"unassessed: {clean(name)} is missing or damaged (martello store verify)"

    _write(flags, lines, told)
    return 3 if history.unread else 0


def accept_command(workload: str, values: Sequence[str], flags: dict[str, Any]) -> int:
    """What waits, or what is named, is wanted; 1 where there is none."""
    with _state(flags) as state:
        rows = _of(normals.load(state), workload, flags["namespace"])
        chosen = [one for one in rows if one.state == WAITING]
        if values:
            chosen = [one for one in rows if one.value in values and one.state != LEARNED]
        count = normals.decide(state, chosen, ACCEPTED)
    for one in chosen:
        print(f"accepted: {CLASSES[one.kind]} {clean(one.value)} of {_name(one)}")
    if not count:
        print(f"nothing of {clean(workload)} waits")
    return 0 if count else 1


def forget_command(workload: str, flags: dict[str, Any]) -> int:
    """Everything about a workload; 1 where nothing is known."""
    with _state(flags) as state:
        rows = _of(normals.load(state), workload, flags["namespace"])
        count = normals.decide(state, rows, FORGOTTEN)
    names = sorted({_name(one) for one in rows})
    print(f"forgotten: {plural(count, 'fact')} of {', '.join(names)}")
    return 0 if count else 1


def _state(flags: dict[str, Any]) -> State:
    return open_state(places(flags["state"], flags["lake"]).state)


def _of(rows: Iterable[Kept], workload: str, namespace: str) -> list[Kept]:
    """The rows of a workload, a service account (`sa/NAME`) or a user (`user/NAME`). Raises
    BadInput where there is none.
    """
    word, slash, name = workload.partition("/")
    kind = {"user": "user", "sa": "account", "serviceaccount": "account"}.get(word, "workload")
    wanted = {workload} if kind == "workload" else {name}
    space = "" if kind == "user" else namespace
    found = [
        one
        for one in rows
        if one.entity[0] == kind
        and one.entity[1] == space
        and (one.entity[2] in wanted or (not slash and one.entity[2].endswith(f"/{workload}")))
    ]
    if not found:
        place = f" in {namespace}" if space else ""
        next = "see `martello monitor baseline show` for what is known"
        raise BadInput(f"nothing is known of {workload}{place}", "", next)
    return found


def _known(rows: Iterable[Kept]) -> list[Known]:
    each: dict[tuple[str, str], list[Kept]] = {}
    for one in rows:
        each.setdefault((_name(one), one.entity[3]), []).append(one)
    return [
        Known(
            name,
            template,
            min(one.first_at for one in facts),
            max(one.last_at for one in facts),
            tuple(facts),
        )
        for (name, template), facts in sorted(each.items())
    ]


def _name(one: Kept) -> str:
    kind, space, name, _ = one.entity
    parts = [space, {"account": "sa", "user": "user"}.get(kind, ""), name, one.container]
    return "/".join(part for part in parts if part)


def _head(one: Known) -> str:
    age = (one.last - one.first) / _DAY
    span = f"{age:.1f} days" if age >= 1 else f"{age * 24:.1f} h"
    roll = f", roll-out {one.template[:12]}" if one.template else ""
    facts, waiting = len(one.facts), sum(each.state == WAITING for each in one.facts)
    text = f"{clean(one.name)}{clean(roll)}: {plural(facts, 'fact')} of {one.events:,} events, "
    text += f"{span} until {_moment(one.last)}"
    return text + (f"; {waiting:,} wait" if waiting else "")


def _facts(known: Known, screen: Screen) -> Iterator[str]:
    for kind, words in CLASSES.items():
        facts = [one for one in known.facts if one.kind == kind]
        if not facts:
            continue
        yield f"  {words} ({len(facts):,})"
        for one in sorted(facts, key=lambda each: -each.times)[:_MOST]:
            state = f"  {_WHY[one.state]}" if one.state in _WHY else ""
            text = f"    {clean(one.value)}  {_times(one)}{state}"
            yield from hanging(text, screen.width, 8)
        if len(facts) > _MOST:
            yield f"    and {len(facts) - _MOST:,} more (-o json)"


def _times(one: Kept) -> str:
    replicas = f" by {plural(one.replicas, 'replica')}" if one.replicas else ""
    count = "once" if one.times == 1 else f"{one.times:,} times"
    return f"{count}{replicas}, {_moment(one.first_at)} to {_moment(one.last_at)}"


def _moment(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%d %H:%M")


def _write(flags: dict[str, Any], lines: Any, told: Any) -> None:
    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "json":
            out.write(encoded(told, indent=True) + "\n")
        else:
            out.writelines(f"{line}\n" for line in lines(screen))

    write_each(parse_outputs(flags["outputs"] or ("table",), _FORMATS), write)
