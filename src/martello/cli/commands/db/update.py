"""`martello db update`: fetch what is needed, and build."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from martello.cli import options
from martello.cli.images import settings
from martello.cli.progress import Progress

if TYPE_CHECKING:
    from martello.practices.images.advisories.update import Outcome


@click.command("update")
@click.argument("ecosystems", nargs=-1, metavar="[ECOSYSTEM]...")
@click.option("--for", "targets", multiple=True, metavar="TARGET", help="What this image needs.")
@click.option("--base", default="", metavar="URL", help="A mirror, laid out as the folder is.")
@click.option("--folder", default="", metavar="DIR", help="Where the feeds are kept.")
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched.")
@settings.target_flags
@settings.data_flags
@options.debug
def command(
    ecosystems: tuple[str, ...],
    targets: tuple[str, ...],
    base: str,
    folder: str,
    dry_run: bool,
    **flags: str,
) -> int:
    """Fetch the feeds that are needed, say their sizes, and build the database.

    ECOSYSTEM is a name of OSV with its release, such as Debian:12, Alpine:v3.20 or PyPI. Without
    any: those of --for, else those that the database has and that images in the ledger need. Exit
    3 where a feed could not be had; its last good file stays.
    """
    from martello.adapters.feeds import Feeds
    from martello.cli.images.building import build_database, told
    from martello.cli.images.needs import needed_ecosystems
    from martello.practices.images.advisories.update import (
        Download,
        Fetched,
        plan,
        update,
        without_feed,
    )
    from martello.report.text import clean

    where = settings.places(flags["database"], flags["state"])
    out = Path(where.database)
    home = Path(folder) if folder else out.parent / "feeds"
    with Progress() as progress:
        wanted = needed_ecosystems(ecosystems, targets, flags, where, progress)
        downloads = plan(wanted, base)
        for ecosystem in without_feed(wanted):
            click.echo(clean(f"no feed is known for {ecosystem}"), err=True)
        if dry_run:
            click.echo("\n".join(clean(f"{d.file}  {d.url}") for d in downloads))
            return 0
        authority = flags["ca"] or os.environ.get("MARTELLO_CA", "")
        feeds = Feeds(authority=authority, tell=progress)

        def fetch(url: str, etag: str) -> Fetched | None:
            answer = feeds.get(url, etag)
            if answer is None:
                return None
            return Fetched(answer.content, answer.size, answer.etag, answer.time)

        try:
            now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            outcomes = update(tuple[Download, ...](downloads), home, fetch, now)
        finally:
            feeds.close()
    for outcome in outcomes:
        click.echo(_line(outcome))
    report = build_database(home, out)
    click.echo("\n".join(told(report)))
    failed = any(outcome.error for outcome in outcomes)
    return 3 if failed or not report.complete else 0


def _line(outcome: Outcome) -> str:
    from martello.report.images.explain import size
    from martello.report.text import clean

    parts = [f"{outcome.state:<9} {outcome.download.file}"]
    parts += [size(outcome.size)] if outcome.size else []
    parts += [outcome.error] if outcome.error else []
    return clean("  ".join(parts))
