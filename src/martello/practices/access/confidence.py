"""How far silence can be trusted: the days that were watched, and what happens more rarely."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.practices.access.bindings import Subject

_DAY: Final = 86_400
_HIGH, _MEDIUM = 30, 7  # days
_LEVELS: Final = ("low", "medium", "high")
_TEMPLATE: Final = ("spec", "jobTemplate", "spec", "template", "spec")


class Confidence(msgspec.Struct, frozen=True):
    """high (30 days and more), medium (a week) or low, and what lowers it. `days` is the length of
    the window, `active` on how many days of it anything was seen: the fewer of both count.
    """

    level: str
    days: float
    because: tuple[str, ...] = ()
    active: int = 0


def confidence(
    cluster: Cluster,
    resource: Resource,
    subjects: tuple[Subject, ...],
    window: Confidence,
    first: int,
) -> Confidence:
    """Of saying that a binding's rights are not used in a window that began at `first`, in ns since
    1970.
    """
    because = tuple(dict.fromkeys(_doubts(cluster, resource, subjects, first, window.days)))
    return lowered(window, because) if because else window


def watched(first: int, last: int, active: int, gaps: int = 0) -> Confidence:
    """What the window alone is worth. `gaps` are parts of the log that could not be read."""
    days = (last - first) / (_DAY * 1e9)
    least = min(days, active)
    found = Confidence(_LEVELS[(least >= _MEDIUM) + (least >= _HIGH)], days, (), active)
    return (
        lowered(found, (f"{gaps:,} part{'s' * (gaps != 1)} of the log could not be read",))
        if gaps
        else found
    )


def lowered(found: Confidence, because: tuple[str, ...]) -> Confidence:
    """The same, one level less sure."""
    level = _LEVELS[max(_LEVELS.index(found.level) - 1, 0)]
    return Confidence(level, found.days, (*found.because, *because), found.active)


def born(resource: Resource) -> int:
    """When the API server made an object, in ns since 1970; 0 where that is not said."""
    written = resource.metadata.get("creationTimestamp")
    try:
        return int(datetime.fromisoformat(written).timestamp() * 1e9) if written else 0
    except (TypeError, ValueError, OverflowError):
        return 0


def _doubts(
    cluster: Cluster,
    resource: Resource,
    subjects: tuple[Subject, ...],
    first: int,
    days: float,
) -> Iterator[str]:
    if born(resource) > first:
        yield f"{resource.ref.local} is younger than the log"
    accounts = {(s.namespace, s.name) for s in subjects if s.kind == "ServiceAccount"}
    for space, name in sorted(accounts):
        account = cluster.get("ServiceAccount", space, name)
        if account is not None and born(account) > first:
            yield f"account {space}/{name} is younger than the log"
        for job in cluster.of_kind("CronJob.batch", space):
            runs = look_up(job.raw, (*_TEMPLATE, "serviceAccountName"), "default")
            if (runs or "default") == name and period(job.spec.get("schedule")) > days:
                yield f"{job.ref.local} runs more rarely than the log is long"


def period(schedule: Any) -> float:
    """About how many days lie between two runs of a cron schedule; a year where it is none."""
    if not isinstance(schedule, str) or len(schedule) > 200:
        return 366.0
    named = {"@yearly": 366.0, "@annually": 366.0, "@monthly": 31.0, "@weekly": 7.0, "@daily": 1.0}
    named |= {"@midnight": 1.0, "@hourly": 1 / 24}
    fields = schedule.split()
    fields = fields[1:] if fields and fields[0].startswith(("TZ=", "CRON_TZ=")) else fields
    if len(fields) == 1:
        return named.get(fields[0], 366.0)
    if len(fields) != 5:
        return 366.0
    _, hour, day, month, weekday = fields
    if _fixed(month):
        return 366.0
    if _fixed(day) and not _fixed(weekday):
        return 31.0
    if _fixed(weekday):
        return 7.0
    return 1.0 if _fixed(hour) else 1 / 24


def _fixed(field: str) -> bool:
    return field not in ("*", "?", "*/1")
