"""`martello image sign REF --key K`: sign an image in a registry."""

from __future__ import annotations

import click

from martello.cli import options
from martello.cli.images import settings


@click.command("sign")
@click.argument("reference", metavar="REF")
@click.option("--key", required=True, metavar="FILE", help="The private key that signs.")
@settings.registry_flags
@options.debug
def command(reference: str, key: str, **flags: str) -> int:
    """Sign an image by its digest, in the form that cosign reads. The password of the key is taken
    from MARTELLO_KEY_PASSWORD or COSIGN_PASSWORD.
    """
    from martello.adapters.registry.client import connect
    from martello.adapters.registry.failure import Missing
    from martello.cli.images.opening import registry_settings
    from martello.cli.images.signing import sign, signing_key
    from martello.core.artifact import digest_of

    signer = signing_key(key)
    with connect(reference, registry_settings(flags, reference)) as registry:
        held = registry.held(registry.reference)
        if held is None:
            why = f"{registry.image.registry} does not have it"
            raise Missing(f"cannot sign {registry.image}", why, "push it first, or image promote")
        digest = digest_of(held[0])
        fresh = sign(registry, digest, signer)
        done = "signed with" if fresh else "signed before with"
        click.echo(f"{registry.image.name}@{digest}  {done} {key}")
    return 0
