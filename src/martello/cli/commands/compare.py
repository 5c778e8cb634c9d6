"""`martello compare OTHER.json TARGET`: why another scanner's report differs from ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from martello.cli import options
from martello.cli.images import settings
from martello.cli.progress import Progress


@click.command("compare")
@click.argument("other", metavar="OTHER.json")
@click.argument("target", metavar="TARGET")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="table or json."
)
@settings.judging_flags
@settings.target_flags
@settings.data_flags
@options.debug
def command(other: str, target: str, output: str, **flags: Any) -> int:
    """Lay the report of trivy, grype or osv-scanner (as JSON) beside ours: what both say, what one
    says alone, and the reason for each difference. Exit 1 where they differ.
    """
    import msgspec

    from martello.cli.images.flow import examine, judging, open_advisories, read_file
    from martello.cli.images.inventories import inventories
    from martello.practices.images.compare import LARGEST, compare, read_report
    from martello.practices.images.why_not import Reason, why_not
    from martello.report.text import clean, encoded, plural

    scanner, theirs = read_report(read_file(other, LARGEST), other)
    where = settings.places(flags["database"], flags["state"])
    database = open_advisories(where.database)
    how = judging(flags)
    with Progress() as progress:
        found = inventories([target], flags, where.state, progress)
    ones = [examine(inventory, database, how, datetime.now(UTC)) for inventory in found]

    def reasons(id: str) -> tuple[Reason, ...]:
        return tuple(
            reason
            for one in ones
            for reason in why_not(id, one.inventory, one.ruled, one.aside, one.unread, database)
        )

    result = compare(scanner, theirs, [r for one in ones for r in one.ruled], reasons)
    if output == "json":
        click.echo(encoded(msgspec.to_builtins(result), indent=True))
    else:
        for difference in result.differences:
            what = f"{difference.id}  {difference.package} {difference.version}"
            click.echo(clean(f"{difference.kind:<12} {what}  {difference.why}"))
        told = f"{result.both} in both, {plural(len(result.differences), 'difference')}"
        click.echo(f"{told} to {scanner}")
    if database is None:
        return 3
    return 1 if result.differences else 0
