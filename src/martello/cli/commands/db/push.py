"""`martello db push REF`: hand the advisory database out through a registry."""

from __future__ import annotations

import click

from martello.cli import options
from martello.cli.images import settings
from martello.cli.progress import Progress


@click.command("push")
@click.argument("reference", metavar="REF")
@settings.database_flag
@click.option("--key", default="", metavar="FILE", help="The private key that signs it.")
@settings.registry_flags
@options.debug
def command(reference: str, database: str, key: str, **flags: str) -> int:
    """Put the advisory database into a registry of your own, as an OCI artefact, and sign it with
    --key. The tag moves last: who pulls meanwhile gets the one before. A second push of the same
    database sends nothing.
    """
    from martello.cli.images.shipping import push
    from martello.report.text import clean

    with Progress() as progress:
        pushed = push(reference, settings.places(database).database, key, flags, progress)
    click.echo(clean(pushed))
    return 0
