"""`martello db build FOLDER`: the database from feeds that lie in a folder."""

from __future__ import annotations

from pathlib import Path

import click

from martello.cli import options
from martello.cli.images import settings


@click.command("build")
@click.argument("folder", metavar="FOLDER")
@settings.database_flag
@options.debug
def command(folder: str, database: str) -> int:
    """Build the advisory database of a folder of feeds: OSV zips (ECOSYSTEM/all.zip, also below
    osv-scanner/), debian/tracker.json, alpine/RELEASE/main.json and their kin. Equal feeds give an
    equal file. Exit 3 where a feed could not be read.
    """
    from martello.cli.images.building import build_database, told

    out = Path(settings.places(database).database)
    report = build_database(Path(folder), out)
    click.echo("\n".join(told(report)))
    return 0 if report.complete else 3
