"""`martello db pull REF`: take the advisory database from a registry."""

from __future__ import annotations

import click

from martello.cli import options
from martello.cli.images import settings
from martello.cli.progress import Progress


@click.command("pull")
@click.argument("reference", metavar="REF")
@settings.database_flag
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="FILE",
    help="A public key; what none signed is refused. Repeatable.",
)
@settings.registry_flags
@options.debug
def command(reference: str, database: str, keys: tuple[str, ...], **flags: str) -> int:
    """Take the advisory database from a registry: what `martello db push` put there. Its digests
    are checked, with --key also its signature, and it takes its place only when it is whole; one
    that is here already is not fetched again.
    """
    from martello.cli.images.shipping import pull
    from martello.report.text import clean

    with Progress() as progress:
        pulled = pull(reference, settings.places(database).database, keys, flags, progress)
    click.echo("\n".join(map(clean, pulled)))
    return 0
