"""`martello image explain [CVE] TARGET`: all the evidence of a match, or of an image."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Any

import click

from martello.cli import options
from martello.cli.images import settings
from martello.cli.progress import Progress
from martello.core.errors import BadInput, Stale


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
    from martello.core.package import titled
    from martello.report.images import explain
    from martello.report.text import clean

    if len(words) not in (1, 2):
        raise BadInput(
            "explain takes a TARGET, or a CVE and a TARGET",
            f"{len(words)} words were given",
            "martello image explain CVE-2031-1111 TARGET",
        )
    id, target = words if len(words) == 2 else ("", words[0])
    settings.image_is_named("explain", id, target)
    where = settings.places(flags["database"], flags["state"])
    database = open_advisories(where.database)
    how = judging(flags)
    with Progress() as progress:
        found = inventories([target], flags, where.state, progress)
    if id and database is None:
        why = f"there is no advisory database at {where.database}"
        raise Stale(f"cannot explain {id}", why, "martello db update")
    shown = False
    for inventory in found:
        examined = examine(inventory, database, how, datetime.now(UTC))
        if not id:
            lines = explain.image(examined)
        else:
            names = database.group(id) if database is not None else (id,)
            records = database.vulnerabilities({*names, id}) if database is not None else {}
            lines = explain.vulnerability(id, examined, records)
            heading = clean(titled(inventory))
            lines = [heading, *lines] if lines else [f"{heading}: {clean(id)} is not reported"]
            lines += [""] if len(found) > 1 else []
        shown = shown or len(lines) > 2
        click.echo("\n".join(lines))
    if not shown:
        click.echo(f"next: martello image why-not {shlex.quote(id)} {shlex.quote(target)}")
    return 0
