"""`martello image ledger [DIGEST]`: who decided what, and whether the chain still holds."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.images import settings


@click.command("ledger")
@click.argument("digest", metavar="[DIGEST]", required=False, default="")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="FILE",
    help="A public key whose chain is checked. Repeatable.",
)
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="table or json."
)
@settings.data_flags
@options.debug
def command(digest: str, keys: tuple[str, ...], output: str, **flags: Any) -> int:
    """List who has written to the approval ledger, with --key whether their chains are whole: exit
    1 where one was edited, cut or forked. With a DIGEST also every decision on it, newest first.
    """
    from martello.cli.images.approved import account, told
    from martello.cli.images.signing import verifying_keys
    from martello.core.artifact import parse_digest
    from martello.report.text import clean, encoded

    where = settings.places(flags["database"], flags["state"])
    found = account(where.state, verifying_keys(keys), parse_digest(digest) if digest else "")
    if output == "json":
        click.echo(encoded(found.plain, indent=True))
    else:
        click.echo("\n".join(map(clean, told(found, digest))))
    return 1 if any(chain.broken for chain in found.chains) else 0
