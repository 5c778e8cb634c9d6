"""`martello image sign REF --key K`: sign an image in a registry."""

from __future__ import annotations

import click

from martello.cli import options
from martello.cli.images import settings


@click.command("sign")
@click.argument("reference", metavar="REF")
@click.option(
    "--key", required=True, metavar="FILE", help="The key: private to sign, public to verify."
)
@settings.registry_flags
@options.debug
def command(reference: str, key: str, **flags: str) -> int:
    """Sign an image by its digest, in the form that cosign reads. The password of the key is taken
    from MARTELLO_KEY_PASSWORD or COSIGN_PASSWORD.
    """
    from martello.adapters.registry.client import connect
    from martello.cli.images.opening import registry_settings
    from martello.cli.images.signing import sign, signing_key

    signer = signing_key(key)
    with connect(reference, registry_settings(flags, reference)) as registry:
        digest = registry.resolve()
        fresh = sign(registry, digest, signer)
        done = "signed" if fresh else "was signed by this key before"
        click.echo(f"{registry.image.name}@{digest} {done}")
    return 0
