"""`martello db status`: what the database knows, and how old it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from martello.cli import options
from martello.cli.images import settings

if TYPE_CHECKING:
    from martello.core.vulnerability import Feed


@click.command("status")
@settings.database_flag
@click.option("--verify", is_flag=True, help="Read the whole file and check it.")
@click.option("--against", default="", metavar="FILE", help="Say what differs from another one.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="table or json."
)
@options.debug
def command(database: str, verify: bool, against: str, output: str) -> int:
    """Say what the advisory database knows, how old each feed is, and whether the file is whole.
    Exit 3 where there is none, where it is damaged, or older than three days.
    """
    import msgspec

    from martello.core.errors import BadInput
    from martello.practices.images.advisories.db import open_database
    from martello.report.images.explain import size
    from martello.report.text import clean, encoded

    with open_database(settings.places(database).database) as opened:
        damage = opened.check() if verify else ""
        if damage:
            raise BadInput(f"{opened.path} is damaged", damage, "martello db update")
        now = datetime.now(UTC)
        if output == "json":
            body = {
                "path": str(opened.path),
                "digest": opened.digest,
                "size": opened.path.stat().st_size,
                "feeds": msgspec.to_builtins(opened.feeds),
                "ecosystems": opened.ecosystems(),
            }
            click.echo(encoded(body, indent=True))
        else:
            click.echo(f"{opened.path}  {size(opened.path.stat().st_size)}  {opened.digest}")
            for feed in opened.feeds:
                click.echo(clean(_line(feed, now)))
            click.echo(clean(f"ecosystems: {', '.join(opened.ecosystems())}"))
        if against:
            with open_database(against) as other:
                ours, theirs = set(opened.feeds), set(other.feeds)
                for feed in sorted(ours ^ theirs, key=lambda f: (f.name, f.time)):
                    mark = "+" if feed in ours else "-"
                    click.echo(clean(f"{mark} {_line(feed, now)}"))
        ages = [age(feed, now) for feed in opened.feeds]
        names = [feed.name for feed in opened.feeds]
    old = [name for name, hours in zip(names, ages, strict=True) if hours is None or hours > 72]
    if old:
        click.echo("these advisories give no verdict", err=True)
        click.echo(
            clean(f"because older than three days, or of unknown age: {', '.join(old)}"), err=True
        )
        click.echo("next: martello db update", err=True)
    return 3 if old else 0


def age(feed: Feed, now: datetime) -> float | None:
    """Hours since a feed was made; None where it does not say."""
    try:
        then = datetime.fromisoformat(feed.time.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (now - then.replace(tzinfo=then.tzinfo or UTC)) / timedelta(hours=1)


def _line(feed: Feed, now: datetime) -> str:
    from martello.core.vulnerability import aged

    hours = age(feed, now)
    old = aged(-1.0 if hours is None else hours)
    skipped = f", {feed.skipped:,} skipped" if feed.skipped else ""
    return f"{feed.name:<24} {old:<16} {feed.count:,} records{skipped}"
