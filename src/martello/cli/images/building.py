"""Builds the advisory database of a folder, and says what became of each feed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from martello.core.errors import BadInput
from martello.practices.images.advisories.build import FeedReport, Report, build
from martello.practices.images.advisories.sources import find
from martello.report.images.explain import size
from martello.report.text import clean, plural


def build_database(folder: Path, out: Path, *, keep: bool = True) -> Report:
    """Builds `out` of the feeds below a folder. What the previous database held of a feed that is
    broken now stays (`keep`). Raises BadInput.
    """
    found = find(folder)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    previous = out if keep and out.is_file() else None
    try:
        report = build(found.sources, out, now, extras=found.extras, previous=previous)
    except OSError as error:
        raise BadInput(f"cannot write {out}", error.strerror or str(error), "") from error
    for name in found.strange:
        click.echo(clean(f"not read: {name} is no feed that is known"), err=True)
    return report


def told(report: Report) -> list[str]:
    """What was built, a line for each feed, and every trouble with examples."""
    lines = [line for feed in report.feeds for line in _feed(feed)]
    counts = f"{report.records:,} records, {report.statements:,} statements on packages"
    lines.append(f"{report.path}  {size(report.size)}  {counts}")
    lines.append(report.digest)
    return lines


def _feed(feed: FeedReport) -> list[str]:
    if feed.error:
        kept = "; what the last database held of it stays" if feed.kept else ""
        return [clean(f"failed    {feed.name}: {feed.error}{kept}")]
    skipped = f", {plural(feed.skipped, 'record')} skipped" if feed.skipped else ""
    lines = [clean(f"read      {feed.name}: {feed.taken:,}{skipped}")]
    for trouble in feed.troubles:
        examples = f" ({', '.join(trouble.examples)}, …)" if trouble.examples else ""
        lines.append(clean(f"          {trouble.count:,} x {trouble.why}{examples}"))
    return lines
