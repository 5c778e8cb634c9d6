"""`martello image explain [CVE] TARGET`: all the evidence of a match, or of an image."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from martello.cli import options
from martello.cli.images import settings
from martello.cli.progress import Progress
from martello.core.errors import BadInput


@click.command("explain")
@click.argument("words", nargs=-1, metavar="[CVE] TARGET")
@settings.judging_flags
@settings.target_flags
@settings.data_flags
@options.debug
def command(words: tuple[str, ...], **flags: Any) -> int:
    """Print all the evidence of a vulnerability in an image: the file and layer that prove the
    package, the record, the two versions compared, whose severity counts. Without a CVE: the
    image, layer by layer.
    """
    from martello.cli.images.flow import examine, judging, open_advisories
    from martello.cli.images.inventories import inventories
    from martello.report.images import explain

    if len(words) not in (1, 2):
        raise BadInput("explain takes a TARGET, or a CVE and a TARGET", "", "")
    id, target = words if len(words) == 2 else ("", words[0])
    where = settings.places(flags["database"], flags["state"])
    database = open_advisories(where.database)
    how = judging(flags)
    with Progress() as progress:
        found = inventories([target], flags, where.state, progress)
    shown = False
    for inventory in found:
        examined = examine(inventory, database, how, datetime.now(UTC))
        if not id:
            lines = explain.image(examined)
        else:
            names = database.group(id) if database is not None else (id,)
            records = database.vulnerabilities({*names, id}) if database is not None else {}
            lines = explain.vulnerability(id, examined, records)
        shown = shown or bool(lines)
        click.echo("\n".join(lines) if lines else f"{inventory.name}: {id} is not reported")
    if not shown:
        click.echo(f"next: martello image why-not {id} {target}")
    return 0
