"""`martello image why-not CVE TARGET`: why a vulnerability is not reported."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from martello.cli import options
from martello.cli.images import settings
from martello.cli.progress import Progress


@click.command("why-not")
@click.argument("id", metavar="CVE")
@click.argument("target", metavar="TARGET")
@settings.judging_flags
@settings.target_flags
@settings.data_flags
@options.debug
def command(id: str, target: str, **flags: Any) -> int:
    """Say why a vulnerability is not reported for an image: not affected, fixed, withdrawn, not
    installed, VEX, waived, or no data at all.
    """
    from martello.cli.images.flow import examine, judging, open_advisories
    from martello.cli.images.inventories import inventories
    from martello.core.package import titled
    from martello.practices.images.why_not import why_not
    from martello.report.text import clean

    settings.image_is_named("why-not", id, target)
    where = settings.places(flags["database"], flags["state"])
    database = open_advisories(where.database)
    how = judging(flags)
    with Progress() as progress:
        found = inventories([target], flags, where.state, progress)
    for inventory in found:
        one = examine(inventory, database, how, datetime.now(UTC))
        reasons = why_not(id, inventory, one.ruled, one.aside, one.unread, database)
        click.echo(clean(f"{id} in {titled(inventory)}"))
        for reason in reasons:
            package = reason.package
            what = f"{package.name} {package.version}: " if package is not None else ""
            record = f" ({reason.record})" if reason.record else ""
            click.echo(clean(f"  {reason.kind:<13} {what}{reason.why}{record}"))
    return 3 if database is None else 0
