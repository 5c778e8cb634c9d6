"""`martello store status`: how much is kept, where, sealed since when, and what waits."""

from __future__ import annotations

import click

from martello.cli import options
from martello.cli.store.places import flags, places


@click.command("status")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="table or json."
)
@flags
@options.debug
def command(output: str, state: str, lake: str) -> int:
    """Say what is kept: the state, the lake's segments, the last checkpoint, sources and what of
    them was not kept, sinks and what waits for them, holds. Exit 3 where a file is missing.
    """
    from martello.cli.store import telling
    from martello.report.text import clean, encoded
    from martello.store.files import open_files
    from martello.store.state import open_state
    from martello.store.status import status

    where = places(state, lake)
    files = open_files(where.lake)
    with open_state(where.state) as opened:
        told = status(opened, files)
    if output == "json":
        click.echo(encoded(telling.plain(told), indent=True))
    else:
        click.echo("\n".join(map(clean, telling.status_lines(told, telling.clock()))))
    return 3 if told.missing else 0
