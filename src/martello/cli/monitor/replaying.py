"""A log through the rules, once, and what they say of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import IO, Any, Final

from martello.adapters.audit.batches import AuditBatches
from martello.adapters.audit.columns import Origin
from martello.cli.outputs import write_each
from martello.cli.reports import Output
from martello.core.alert import Alert
from martello.core.errors import BadInput
from martello.practices.monitor import check, packs
from martello.practices.monitor.pipeline import Pipeline
from martello.practices.monitor.problems import Loaded
from martello.practices.monitor.rule import SEVERITIES, Pack
from martello.report.model import Screen
from martello.report.monitor.model import Replayed, Unable

SOURCES: Final = ("audit",)


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
    """What the rules say of audit logs. Raises BadInput."""
    from martello.cli.monitor.explaining import Explaining

    pack = loaded.pack
    if not len(pack) and not loaded.errors:
        raise BadInput("there are no rules", "the files hold none", "name others by --rules")
    explaining = Explaining(pack, flags["explain"])
    judged = check.judge(pack, SOURCES, pairs=False)
    # Secrets are covered by a key of this run alone: nothing of it is kept.
    batches = AuditBatches(files, Origin(secrets.token_bytes(32), flags["cluster"]))
    pipeline = Pipeline(pack, cluster=flags["cluster"])
    alerts: dict[str, Alert] = {}
    for rows in batches:
        for one in pipeline.feed(rows):
            alerts[one.id] = one
        explaining.look(rows)
    alerts.update((one.id, one) for one in pipeline.end())
    found = tuple(sorted(alerts.values(), key=lambda a: (a.first, a.id)))
    unable = _unable(judged.verdicts)
    code, because = verdict(found, flags["fail_on"] or "high", batches.gap_count, unable)
    return Replayed(
        dict(pipeline.events),
        pipeline.first,
        pipeline.last,
        flags["cluster"],
        SOURCES,
        len(pack),
        found,
        batches.gaps,
        batches.gap_count,
        unable,
        explaining.told(judged, pipeline.hits),
        tuple(map(str, (*loaded.errors, *loaded.warnings))),
        code,
        because,
    )


def _unable(verdicts: Iterable[check.Verdict]) -> tuple[Unable, ...]:
    """The rules that could not run, by the reason."""
    found: dict[str, list[str]] = {}
    for one in verdicts:
        if one.state == check.UNASSESSED:
            found.setdefault(one.why, []).append(one.rule.id)
    return tuple(
        Unable(why, tuple(rules))
        for why, rules in sorted(found.items(), key=lambda each: -len(each[1]))
    )


def verdict(
    alerts: Sequence[Alert], fail_on: str, gaps: int, unable: Sequence[Unable]
) -> tuple[int, str]:
    """The exit code and its reason."""
    if fail_on != "never":
        least = SEVERITIES.index(fail_on)
        failing = [one.severity for one in alerts if SEVERITIES.index(one.severity) >= least]
        if failing:
            counts = [f"{failing.count(s)} {s}" for s in reversed(SEVERITIES) if s in failing]
            return 1, f"{', '.join(counts)} (fail-on {fail_on})"
    if gaps or unable:
        rules = sum(len(one.rules) for one in unable)
        parts = [f"{gaps:,} gaps" if gaps else "", f"{rules:,} rules unassessed" if rules else ""]
        return 3, f"incomplete: {', '.join(filter(None, parts))}"
    return 0, "fail-on never" if fail_on == "never" else f"nothing at or above {fail_on}"


def only(pack: Pack, names: Sequence[str]) -> list[str]:
    """The ids of rules that are named by id, title or alias. Raises BadInput."""
    found = []
    for name in names:
        ids = [r.id for r in pack if name in (r.id, r.title, *r.aliases)]
        if not ids:
            raise BadInput(f"no rule {name}", "the pack has none so called", "see rules list")
        found.extend(ids)
    return found
