"""`martello store retain`: retire what is older than its tier, and delete it; legal holds."""

from __future__ import annotations

import click

from martello.cli import options
from martello.cli.store.places import flags, places
from martello.core.errors import BadInput


@click.command("retain")
@click.option("--raw", default=14, metavar="DAYS", help="Events as they were received [14].")
@click.option("--columns", default=90, metavar="DAYS", help="Events as columns [90].")
@click.option("--alerts", default=365, metavar="DAYS", help="Alerts and gaps [365].")
@click.option("--hold", default="", metavar="NAME", help="Keep everything of a time and cluster.")
@click.option("--release", default="", metavar="NAME", help="End a hold.")
@click.option("--since", default="", metavar="DAY", help="Of a hold: from, YYYY-MM-DD [always].")
@click.option("--until", default="", metavar="DAY", help="Of a hold: up to [always].")
@click.option("--cluster", default="", metavar="NAME", help="Of a hold [default: every one].")
@click.option("--reason", default="", metavar="TEXT", help="Of a hold: why.")
@click.option("--dry-run", is_flag=True, help="Say what would be retired, and change nothing.")
@flags
@options.debug
def command(
    raw: int,
    columns: int,
    alerts: int,
    hold: str,
    release: str,
    since: str,
    until: str,
    cluster: str,
    reason: str,
    dry_run: bool,
    state: str,
    lake: str,
) -> int:
    """Retire events and alerts that are older than their tier, sign a checkpoint that says so, and
    delete files that were retired or superseded more than a day ago, and files that were written
    and never committed. What a hold covers stays.
    """
    from martello.report.text import plural
    from martello.store import retain
    from martello.store.files import open_files
    from martello.store.seal import seal
    from martello.store.sealkeys import read_key
    from martello.store.state import open_state

    if min(raw, columns, alerts) < 1:
        raise BadInput("a tier is kept for at least one day", "", "martello store retain --help")
    where = places(state, lake)
    files = open_files(where.lake)
    with open_state(where.state) as kept:
        if release:
            if not retain.let_go(kept, release):
                raise BadInput(f"there is no hold {release}", "", "martello store status")
            click.echo(f"hold {release} has ended")
            return 0
        if hold:
            if not reason:
                raise BadInput("a hold needs a reason", "", "--reason TEXT")
            span = _moment(since, 0), _moment(until, retain.ALWAYS)
            retain.keep(kept, retain.Hold(hold, cluster, *span, reason))
            click.echo(f"hold {hold} is kept")
            return 0
        told = retain.retire(kept, retain.Tiers(raw, columns, alerts), dry=dry_run)
        segments = f"{plural(told.columns, 'segment')}, raw of {plural(told.raw, 'segment')}"
        would = "would retire" if dry_run else "retired"
        click.echo(f"{would} {segments}, {plural(told.alerts, 'alert')}")
        if dry_run:
            return 0
        sealed = where.key.exists()
        if sealed:
            seal(kept, files, read_key(where.key))
        swept = retain.sweep(kept, files, sealed)
        click.echo(f"deleted {plural(swept.files, 'file')}, {plural(swept.orphans, 'orphan')}")
    return 0


def _moment(day: str, default: int) -> int:
    from datetime import UTC, datetime

    if not day:
        return default
    try:
        parsed = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise BadInput(f"{day} is no day", "", "YYYY-MM-DD") from None
    return int(parsed.timestamp()) * 1_000_000
