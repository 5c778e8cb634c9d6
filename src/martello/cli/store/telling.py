"""What the commands of the store say: reports as lines for people, and as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from martello.report.text import plural

if TYPE_CHECKING:
    from martello.store.proof import Proved
    from martello.store.status import Status
    from martello.store.verify import Report

_SHOWN = 50  # problems that the table lists


def status_lines(told: Status, now: datetime) -> Iterator[str]:
    """`store status`, a line for each thing that is kept."""
    yield f"state   {told.state}, schema {told.schema}, {told.tables} tables, {size(told.bytes)}"
    lake = f"lake    {told.lake}, {plural(told.segments, 'segment')}, {told.rows:,} events, "
    yield lake + size(told.files_bytes)
    if told.small:
        yield f"        {told.small:,} small: martello store compact"
    if told.orphans:
        yield f"        {plural(told.orphans, 'orphan')}: martello store retain deletes them"
    if told.missing:
        yield f"        {plural(told.missing, 'file')} missing: martello store verify"
    if told.sealed_at:
        seals = f"seals   checkpoint {told.checkpoints:,}, {ago(told.sealed_at, now)}"
        yield f"{seals}, {plural(told.witnesses, 'witness', 'witnesses')}"
    else:
        yield "seals   none yet: nothing can be verified"
    if told.unsealed and told.sealed_at:
        yield f"        {plural(told.unsealed, 'segment')} newer than the checkpoint"
    for source in told.sources:
        lost = source.taken - source.kept
        missing = f", {lost:,} not kept" if lost > 0 else ""
        when = ago(source.committed_at, now) if source.committed_at else "never"
        yield f"source  {source.name}, {source.kept:,} events{missing}, last {when}"
    for name, sink in told.sinks.items():
        dead = f", {sink.dead:,} dead letters: martello monitor alerts retry" if sink.dead else ""
        oldest = f" (oldest {ago(sink.oldest_at, now)})" if sink.oldest_at else ""
        yield f"sink    {name}, {sink.waiting:,} waiting{oldest}, {sink.done:,} delivered{dead}"
    for held in told.holds:
        yield f"hold    {held}"


def report_lines(report: Report, now: datetime) -> Iterator[str]:
    """`store verify`: what is wrong first, then what was looked at."""
    for problem in report.problems[:_SHOWN]:
        where = f"segment {problem.segment}" if problem.segment else problem.file or "the lake"
        yield f"{problem.what:<12} {where}: {problem.says}"
        if problem.segment and problem.file:
            yield f"{'':<12} {problem.file}"
    if len(report.problems) > _SHOWN:
        yield f"and {len(report.problems) - _SHOWN:,} more: -o json"
    looked = f"{plural(report.checkpoints, 'checkpoint')}, {plural(report.segments, 'segment')}"
    yield f"{looked}, {report.events:,} events: {plural(len(report.problems), 'problem')}"
    if report.retired:
        yield f"{plural(report.retired, 'segment')} retired by a signed deletion"
    if report.unsealed:
        yield f"{plural(len(report.unsealed), 'file')} not sealed: newer, or of nobody"
    if report.sealed_at:
        yield f"sealed up to {ago(report.sealed_at, now)}"


def proof_lines(told: Proved, event: str, now: datetime) -> Iterator[str]:
    """`store verify --check`."""
    when = ago(told.at, now)
    yield f"event {event} was sealed in checkpoint {told.n}, {when}, in segment {told.segment}"
    for name, value in sorted(told.columns.items()):
        yield f"  {name:<18} {value}"


def plain(value: Any) -> Any:
    """A report as data."""
    return msgspec.to_builtins(value)


def size(count: int) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}"
        count //= 1000
    return f"{count:,} TB"


def ago(micros: int, now: datetime) -> str:
    """How long ago a moment was."""
    seconds = max(0.0, now.timestamp() - micros / 1_000_000)
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def clock() -> datetime:
    """Now."""
    return datetime.now(UTC)
