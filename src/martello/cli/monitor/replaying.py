"""Logs through the rules, once, and what they say of them."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
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
    unable = _unable(judged.verdicts, sources)
    gap_count = sum(one.gap_count for one in archives)
    unread = len(loaded.errors)
    missed = gap_count + lost.count
    code, because = verdict(found, flags["fail_on"] or "high", missed, unable, unread)
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


def _unable(verdicts: Sequence[check.Verdict], sources: Sequence[str]) -> tuple[Unable, ...]:
    """The rules that could not run, by the reason: those that wait for events of other sources are
    one. What a correlation is made of counts as that.
    """
    given = {kind for feed in feeds(sources) for kind in feed.kinds}
    known = {one.rule.id for one in verdicts}
    found: dict[str, list[str]] = {}
    waiting: list[str] = []
    kinds: dict[str, None] = {}
    for one in verdicts:
        rule = one.rule
        if one.state != check.UNASSESSED or rule.id.partition("/")[0] in known - {rule.id}:
            continue
        missing = [kind for kind in rule.kinds if kind not in given]
        if missing and not rule.unassessed and (rule.correlate or len(missing) == len(rule.kinds)):
            waiting.append(rule.id)
            kinds.update(dict.fromkeys(missing))
        else:
            found.setdefault(one.why, []).append(rule.id)
    told = sorted(found.items(), key=lambda each: -len(each[1]))
    if waiting:
        why = f"of {', '.join(kinds)} events, none given (martello monitor rules check)"
        told.insert(0, (why, waiting))
    return tuple(Unable(why, tuple(rules)) for why, rules in told)


def verdict(
    alerts: Sequence[Alert],
    fail_on: str,
    gaps: int,
    unable: Sequence[Unable],
    unread: int = 0,
) -> tuple[int, str]:
    """The exit code and its reason. `unread` counts what is wrong in the files of rules."""
    if fail_on != "never":
        least = SEVERITIES.index(fail_on)
        failing = [one.severity for one in alerts if SEVERITIES.index(one.severity) >= least]
        if failing:
            counts = [f"{failing.count(s)} {s}" for s in reversed(SEVERITIES) if s in failing]
            return 1, f"{', '.join(counts)} (fail-on {fail_on})"
    if gaps or unable or unread:
        rules = sum(len(one.rules) for one in unable)
        parts = [
            plural(gaps, "gap") if gaps else "",
            f"{plural(rules, 'rule')} unassessed" if rules else "",
            f"{plural(unread, 'error')} in the rules" if unread else "",
        ]
        return 3, f"incomplete: {', '.join(filter(None, parts))}"
    return 0, "fail-on never" if fail_on == "never" else f"nothing at or above {fail_on}"


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
