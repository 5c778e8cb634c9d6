"""Logs through the rules, once, and what they say of them."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Container, Mapping, Sequence
from importlib.resources import files as parts_of
from typing import IO, Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from martello.adapters.intake.archive import AUTO, Archive
from martello.adapters.sensors.shape import Place
from martello.cli.monitor.merging import merged
from martello.cli.monitor.reaching import read_once
from martello.cli.outputs import write_each
from martello.cli.progress import Progress
from martello.cli.reports import Output
from martello.core.alert import Alert
from martello.core.errors import BadInput
from martello.practices.monitor import packs
from martello.practices.monitor.baseline import Baselines
from martello.practices.monitor.engine.rule import SEVERITIES, Pack
from martello.practices.monitor.noise import exceptions
from martello.practices.monitor.pipeline import Pipeline
from martello.practices.monitor.problems import Loaded
from martello.practices.monitor.sources import feeds
from martello.practices.monitor.validation import check
from martello.report.model import Screen
from martello.report.monitor.model import Lost, Replayed, Unable
from martello.report.text import plural
from martello.store.coverage import covered

_DEEPEST: Final = 20  # correlations of correlations
DEMO: Final = str(parts_of("martello.demo") / "audit.log")


def replay_command(files: tuple[str, ...], outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Reads, judges and tells; the exit code."""
    told = replayed(files, packs.named(flags["rules"]), flags)

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        from martello.report.monitor import replayed as report

        if format == "text":
            report.write_replayed(told, screen, out)
        else:
            getattr(report, f"write_{format}")(told, out)

    write_each(outputs, write)
    return told.exit


def replayed(files: Sequence[str], loaded: Loaded, flags: dict[str, Any]) -> Replayed:
    """What the rules say of logs. Raises BadInput."""
    from martello.cli.monitor.explaining import Explaining

    pack = loaded.pack
    if not len(pack) and not loaded.errors:
        raise BadInput("there are no rules", "the files hold none", "name others by --rules")
    explaining = Explaining(pack, flags["explain"])
    # Secrets are covered by a key of this run alone: nothing of it is kept.
    key, place = secrets.token_bytes(32), Place(flags["cluster"])
    source = flags.get("source") or AUTO
    archives = [Archive(DEMO if name == "demo" else name, source, key, place) for name in files]
    sources = tuple(dict.fromkeys(one.source for one in archives))
    judged = check.judge(pack, sources, pairs=False)
    pipeline = Pipeline(
        pack,
        cluster=flags["cluster"],
        raised=read_once(flags),
        exceptions=excepted(flags.get("exceptions") or (), pack),
        baselines=Baselines() if flags.get("baselines") else None,
    )
    alerts: dict[str, Alert] = {}
    lost = _Missing()
    with Progress() as progress:
        for rows in archives[0] if len(archives) == 1 else merged(map(iter, archives)):
            for one in pipeline.feed(rows):
                alerts[one.id] = one
            lost.look(rows)
            explaining.look(rows)
            progress("judging events", sum(pipeline.events.values()))
    alerts.update((one.id, one) for one in pipeline.end())
    found = tuple(sorted(alerts.values(), key=lambda a: (a.first, a.id)))
    unable = _unable(judged.verdicts, sources, only(pack, flags["explain"]))
    gap_count = sum(one.gap_count for one in archives)
    code, because = _failing(found, flags["fail_on"] or "high")
    if not code and not flags.get("allow_incomplete"):
        waiting = sum(len(one.rules) for one in unable if not one.asked)
        idle = "no events" if not pipeline.events else ""
        idle = idle or ("no rule is of such events" if waiting == _whole(pack) else "")
        why = _incomplete(gap_count + lost.count, unable, len(loaded.errors), idle)
        code, because = (3, f"{why} (--allow-incomplete)") if why else (code, because)
    return Replayed(
        dict(pipeline.events),
        pipeline.first,
        pipeline.last,
        flags["cluster"],
        sources,
        len(pack),
        found,
        tuple(gap for one in archives for gap in one.gaps),
        gap_count,
        unable,
        explaining.told(judged, pipeline.hits),
        tuple(map(str, (*loaded.errors, *loaded.warnings))),
        code,
        because,
        lost.told(),
        sum(pipeline.silenced.values()),
    )


class _Missing:
    """What sources themselves say that they lost."""

    def __init__(self) -> None:
        self.count = 0
        self._spans: list[tuple[int, int]] = []
        self._events = 0

    def look(self, rows: pa.Table) -> None:
        """Takes the gaps of a batch."""
        if rows["kind"][0].as_py() != "gap":
            return
        self.count += rows.num_rows
        times = zip(
            rows["time"].cast(pa.int64()).to_pylist(),
            rows["seen"].cast(pa.int64()).to_pylist(),
            strict=True,
        )
        self._spans += [(first or 0, max(first or 0, last or 0)) for first, last in times]
        self._events += sum(one or 0 for one in rows["ev_count"].to_pylist())

    def told(self) -> Lost:
        """All of them."""
        return Lost(self.count, covered(self._spans), self._events)


def excepted(files: Sequence[str], pack: Pack) -> exceptions.Exceptions:
    """The exceptions of files; those that do not hold are told. Raises BadInput."""
    given = exceptions.load(packs.texts(files))
    if given.errors:
        raise BadInput("the exceptions cannot be read", str(given.errors[0]), "mend them")
    held = exceptions.Exceptions(given.exceptions, pack)
    for place, why in held.void.items():
        print(f"exception {place} does not hold: {why}", file=sys.stderr)
    return held


def _unable(
    verdicts: Sequence[check.Verdict], sources: Sequence[str], named: Sequence[str]
) -> tuple[Unable, ...]:
    """The rules that could not run, by the reason: those that wait for events of other sources are
    one, which was not asked unless by name. What a correlation is made of counts as that.
    """
    given = {kind for feed in feeds(sources) for kind in feed.kinds}
    by_id = {one.rule.id: one for one in verdicts}
    found: dict[tuple[str, bool], list[str]] = {}
    kinds: dict[str, None] = {}
    for one in verdicts:
        rule = one.rule
        if one.state != check.UNASSESSED or _part_of(rule.id, by_id):
            continue
        missing = [kind for kind in rule.kinds if kind not in given]
        if rule.id not in named and _waits(one, given, by_id):
            found.setdefault(("", False), []).append(rule.id)
            kinds.update(dict.fromkeys(missing))
        else:
            found.setdefault((one.why, True), []).append(rule.id)
    other = f"of {', '.join(kinds)} events, none given (martello monitor rules check)"
    told = sorted(found.items(), key=lambda each: (each[0][1], -len(each[1])))
    return tuple(Unable(why or other, tuple(rules), asked) for (why, asked), rules in told)


def _part_of(rule: str, known: Container[str]) -> bool:
    whole = rule.partition("/")[0]
    return whole != rule and whole in known


def _whole(pack: Pack) -> int:
    """How many rules there are without the parts of correlations."""
    return sum(not _part_of(one.id, pack.rules) for one in pack)


def _waits(
    one: check.Verdict, given: Container[str], known: Mapping[str, check.Verdict], depth: int = 0
) -> bool:
    """Whether all that a rule lacks is events of kinds that were not given."""
    rule = one.rule
    if rule.unassessed:
        return False
    if rule.correlate is None:
        return not any(kind in given for kind in rule.kinds)
    parts = [known.get(name) for name in rule.correlate.of]
    return depth < _DEEPEST and all(
        part is not None and (part.state == check.FIRES or _waits(part, given, known, depth + 1))
        for part in parts
    )


def _failing(alerts: Sequence[Alert], fail_on: str) -> tuple[int, str]:
    """1 and the counts of what fails, else 0."""
    if fail_on != "never":
        least = SEVERITIES.index(fail_on)
        failing = [one.severity for one in alerts if SEVERITIES.index(one.severity) >= least]
        if failing:
            counts = [f"{failing.count(s)} {s}" for s in reversed(SEVERITIES) if s in failing]
            return 1, f"{', '.join(counts)} (fail-on {fail_on})"
    return 0, "fail-on never" if fail_on == "never" else f"nothing at or above {fail_on}"


def _incomplete(gaps: int, unable: Sequence[Unable], unread: int, idle: str) -> str:
    """What was asked and not assessed; `unread` counts what is wrong in the files of rules, `idle`
    says why nothing was judged at all.
    """
    rules = sum(len(one.rules) for one in unable if one.asked)
    parts = (
        plural(gaps, "gap") if gaps else "",
        f"{plural(rules, 'rule')} unassessed" if rules else "",
        f"{plural(unread, 'error')} in the rules" if unread else "",
    )
    told = ", ".join(filter(None, parts))
    return f"incomplete: {told}" if told else f"nothing to judge: {idle}" if idle else ""


def only(pack: Pack, names: Sequence[str]) -> list[str]:
    """The ids of rules that are named by id, title or alias. Raises BadInput."""
    found = []
    for name in names:
        ids = [r.id for r in pack if name in (r.id, r.title, *r.aliases)]
        if not ids:
            raise BadInput(
                f"no rule {name}", "the pack has none so called", "martello monitor rules list"
            )
        found.extend(ids)
    return found
