"""Exceptions for alerts that were wanted: the smallest ones, proved before they are written."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.cli.access.windows import nanoseconds
from martello.cli.monitor.alerting import opened
from martello.core.alert import Alert
from martello.core.errors import BadInput
from martello.practices.monitor import packs
from martello.practices.monitor.alerts.grouping import Grouping
from martello.practices.monitor.baseline import RULES
from martello.practices.monitor.engine.ir import FALSE, Node, columns
from martello.practices.monitor.engine.rule import Hit, Pack, Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.noise import exceptions
from martello.practices.monitor.noise.exceptions import Exceptions, Silence
from martello.practices.monitor.noise.propose import Proposed, propose
from martello.practices.monitor.pipeline import Pipeline
from martello.practices.monitor.validation.inline import prepare
from martello.report.monitor.alerts import matched
from martello.report.text import clean, plural
from martello.store import handled

_MOST: Final = 500_000  # hits of history that are kept
_DAY: Final = 86_400_000_000
_BATCH: Final = 50_000


class Past(msgspec.Struct, frozen=True, eq=False):
    """A rule's hits in what is kept, over so many days; `doubt` says what is not known."""

    hits: tuple[Hit, ...]
    days: float
    doubt: str = ""


class _Heard(Exceptions):
    """Silences nothing and keeps every hit, as an exception would be asked about it."""

    def __init__(self, pack: Pack) -> None:
        super().__init__((), pack)
        self.hits: list[Hit] = []
        self.more = 0

    def silences(self, hit: Hit) -> Silence | None:
        if len(self.hits) < _MOST:
            self.hits.append(hit)
        else:
            self.more += 1
        return None


def except_command(words: Sequence[str], flags: dict[str, Any]) -> int:
    """Proposes and proves, and writes what stands; 1 where one does not stand, 3 where its history
    is not known whole.
    """
    pack = Pack([*RULES, *packs.named(flags["rules"]).pack])
    _dated(flags["until"])
    made: list[Proposed] = []
    doubt = False
    with opened(flags) as (state, where):
        alerts = [handled.find(state, word) for word in words]
        for name in dict.fromkeys(one.rule for one in alerts):
            mine = [one for one in alerts if one.rule == name]
            rule = pack.rules.get(name)
            if rule is None:
                raise BadInput(f"no rule {name}", "it is not among the rules", "--rules PATH")
            past = _past(state, where.lake, pack, rule, flags["since"])
            found = propose(
                rule, _chosen(mine), past.hits, owner=flags["owner"], reason=flags["reason"]
            )
            found = msgspec.structs.replace(
                found, exception=msgspec.structs.replace(found.exception, until=flags["until"])
            )
            for line in _lines(rule, found, past, flags["since"]):
                print(line)
            made.append(found)
            doubt = doubt or bool(past.doubt)
    standing = [one.exception for one in made if one.stands]
    bare = [f"--{name}" for name in ("reason", "owner", "until") if not flags[name]]
    if standing and bare:
        print(f"not said in it: {', '.join(bare)}")
    if flags["write"] and standing:
        _write(Path(flags["write"]), standing)
        print(f"written to {clean(flags['write'])}: martello monitor run --except FILE")
    elif standing:
        print(text(standing), end="")
    if len(standing) < len(made):
        return 1
    return 3 if doubt else 0


def _dated(until: str) -> None:
    from datetime import date

    try:
        if until:
            date.fromisoformat(until)
    except ValueError:
        raise BadInput(f"--until {until[:40]!a} is no day", "", "such as 2027-03-01") from None


def _chosen(alerts: Sequence[Alert]) -> list[Hit]:
    """The events that the alerts are kept with; what their group says, each of them says."""
    return [
        Hit(one.rule, {**one.entity, **event.columns, "id": event.event, "time": event.time})
        for one in alerts
        for event in one.evidence
    ]


def _past(state: Any, lake: str, pack: Pack, rule: Rule, window: str) -> Past:
    """The rule's hits of the lake. What is normal is learned as it comes: hits of a baseline are
    not known again.
    """
    from martello.adapters.batch import typed
    from martello.store.files import open_files
    from martello.store.history import History
    from martello.store.lake import Lake

    until = time.time_ns() // 1000
    since = until - nanoseconds(window) // 1000
    if rule.id in {one.id for one in RULES}:
        return Past((), 1.0, f"{rule.id} is about what is new: history is not asked")
    parts = _parts(pack, rule)
    raw = any("raw" in columns(one.tree) for one in parts)
    kinds = sorted({kind for one in parts for kind in one.kinds})
    history = History(state, Lake(open_files(lake)), kinds, since, until, raw=raw)
    heard = _Heard(Pack(parts))
    pipeline = Pipeline(Pack(parts), exceptions=heard)
    for rows in history:
        told = typed(rows["kind"][0].as_py(), rows)
        for first in range(0, told.num_rows, _BATCH):
            pipeline.feed(told.slice(first, _BATCH))
    pipeline.end()
    hits = tuple(hit for hit in heard.hits if hit.rule == rule.id)
    days = max(1.0, (pipeline.last - pipeline.first) / 1000 / _DAY) if pipeline.first else 1.0
    doubts = []
    if history.unread:
        doubts.append(f"{plural(len(history.unread), 'segment')} of it cannot be read")
    if history.bare:
        doubts.append(f"{plural(history.bare, 'segment')} no longer with what was received")
    if heard.more:
        doubts.append(f"{heard.more:,} more hits were not looked at")
    return Past(hits, days, "; ".join(doubts))


def _parts(pack: Pack, rule: Rule) -> list[Rule]:
    """A rule and those that it is made of."""
    of = rule.correlate.of if rule.correlate is not None else ()
    return [*(pack.rules[name] for name in of if name in pack.rules), rule]


def _lines(rule: Rule, found: Proposed, past: Past, window: str) -> Iterator[str]:
    if found.why:
        yield f"no exception for {clean(rule.id)}: {clean(found.why)}"
        return
    made = found.exception
    yield f"exception for {clean(rule.id)}: {matched(made.match)}"
    fixtures = sum(len(test.events) for test in prepare(rule) if test.fires)
    yield (
        f"replayed: {found.chosen - found.left:,} of {found.chosen:,} like these silenced; "
        f"{_length(window)} of history: {found.history:,} silenced, {found.others:,} of another "
        f"kind; {plural(fixtures, 'attack fixture')}: {len(found.fixtures):,} silenced"
    )
    before, after = (_alerts(rule, past.hits, tree) for tree in (FALSE, made.tree))
    yield (
        f"alerts a day: {before / past.days:.1f} before, {after / past.days:.1f} after "
        f"({before:,} and {after:,} in {past.days:.1f} days)"
    )
    for name in found.fixtures:
        yield f"it would silence an attack: {clean(name)}"
    if past.doubt:
        yield f"unassessed: {clean(past.doubt)}"
    if not found.stands:
        yield "it does not stand: choose alerts that have more in common"


def _length(window: str) -> str:
    return f"{window[:-1]} {window[-1]}"


def _alerts(rule: Rule, hits: Sequence[Hit], silenced: Node) -> int:
    """How many alerts hits are where an exception silences some."""
    grouping = Grouping(Pack([rule]))

    def quiet(hit: Hit) -> bool:
        return holds(silenced, hit.event) is True

    return len({one.id for hit in hits for one in grouping.add([hit], quiet)})


def text(made: Sequence[Silence]) -> str:
    """A file of exceptions, as it is read again."""
    lines = ["exceptions:"]
    for one in made:
        lines += [f"  - rule: {_scalar(one.rule)}", "    match:"]
        lines += [f"      {name}: {_scalar(wanted)}" for name, wanted in one.match.items()]
        told = (("reason", one.reason), ("owner", one.owner), ("until", one.until))
        lines += [f"    {key}: {_scalar(value)}" for key, value in told if value]
        if one.proof is not None:
            proof = ", ".join(
                f"{key}: {_scalar(value)}" for key, value in msgspec.to_builtins(one.proof).items()
            )
            lines.append(f"    proof: {{{proof}}}")
    return "\n".join(lines) + "\n"


def _scalar(value: Any) -> str:
    """YAML in which a text is nothing else than a text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_scalar(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_scalar, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    made = "".join(_character(c) for c in str(value))
    return f'"{made}"'


def _character(c: str) -> str:
    if c in '"\\':
        return f"\\{c}"
    return c if c.isprintable() and c.isascii() else f"\\U{ord(c):08x}"


def _write(path: Path, made: Sequence[Silence]) -> None:
    """Adds to a file, which is read first: what is broken is not added to. Raises BadInput."""
    from martello.adapters.whole import whole

    given = text(made)
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        for file, told in ((str(path), before), ("what was made", given)):
            errors = exceptions.load([(file, told)]).errors if told.strip() else ()
            if errors:
                raise BadInput(f"{file} holds no exceptions", str(errors[0]), "mend it first")
        joined = f"{before.rstrip()}\n---\n{given}" if before.strip() else given
        with whole(str(path)) as out:
            out.write(joined.encode())
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot write {path}", str(error), "check the path") from None
