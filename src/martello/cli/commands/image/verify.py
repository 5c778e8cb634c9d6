"""`martello image verify REF --key K`: who vouches for an image."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import click

from martello.cli import options
from martello.cli.images import settings
from martello.core.errors import BadInput


@click.command("verify")
@click.argument("reference", metavar="REF")
@click.option(
    "--key", "keys", multiple=True, metavar="FILE", help="A public key that counts. Repeatable."
)
@click.option("--type", "type", default="", metavar="TYPE", help="vuln, cyclonedx, verdict, a URI.")
@click.option("--max-age", default="", metavar="TIME", help="How old it may be: 7d, 12h.")
@click.option("--name", is_flag=True, help="The name inside must be that of REF.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="table or json."
)
@settings.registry_flags
@options.debug
def command(reference: str, keys: tuple[str, ...], output: str, **flags: Any) -> int:
    """Verify the signature of an image, or with --type an attestation: made by one of the keys, for
    this very digest, not older than --max-age. What is not said of an index must be said of all its
    images. Exit 1 where none holds, with the reason for each.
    """
    from martello.adapters.registry.client import connect
    from martello.cli.images.gating import age_of
    from martello.cli.images.opening import registry_settings
    from martello.cli.images.signing import verifying_keys
    from martello.cli.images.verifying import plain, proofs, told
    from martello.cli.reports import screen
    from martello.practices.images.attest import intoto
    from martello.practices.images.attest.verify import Wanted
    from martello.report.text import encoded

    if not keys:
        raise BadInput("no key is named", "a signature means nothing without one", "--key FILE")
    if flags["max_age"] and not flags["type"]:
        why = "a signature does not say when it was made"
        raise BadInput("--max-age is for attestations", why, "--type vuln --max-age 7d")
    public = verifying_keys(keys)
    type = intoto.predicate_type(flags["type"]) if flags["type"] else ""
    age = age_of(flags["max_age"])
    with connect(reference, registry_settings(flags, reference)) as registry:
        name = registry.image.name if flags["name"] else ""
        found = proofs(registry, public, Wanted("", type, age, name), datetime.now(UTC))
        where = registry.image.name
    if output == "json":
        click.echo(encoded(plain(where, found), indent=True))
    else:
        for line in told(where, found, flags["type"], screen(sys.stdout).width):
            click.echo(line)
    return 0 if all(proof.verdict.ok for proof in found) else 1
