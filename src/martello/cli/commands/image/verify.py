"""`martello image verify REF --key K`: who vouches for an image."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from martello.cli import options
from martello.cli.images import settings
from martello.core.errors import BadInput


@click.command("verify")
@click.argument("reference", metavar="REF")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="FILE",
    help="The key: private to sign, public to verify.",
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
    this very digest (or an index that lists it), not older than --max-age. Exit 1 where none holds,
    with the reason for each.
    """
    import msgspec

    from martello.adapters.registry.client import connect
    from martello.cli.images.gating import age_of
    from martello.cli.images.opening import registry_settings
    from martello.cli.images.signing import attached, verifying_keys
    from martello.practices.images.attest import intoto
    from martello.practices.images.attest.verify import Wanted, verify
    from martello.report.text import clean, encoded

    if not keys:
        raise BadInput("no key is named", "a signature means nothing without one", "--key FILE")
    public = verifying_keys(keys)
    type = intoto.predicate_type(flags["type"]) if flags["type"] else ""
    with connect(reference, registry_settings(flags, reference)) as registry:
        digest = registry.resolve()
        name = registry.image.name if flags["name"] else ""
        wanted = Wanted(digest, type, age_of(flags["max_age"]), name)
        verdict = verify(attached(registry, digest), public, wanted, datetime.now(UTC))
        subject = f"{registry.image.name}@{digest}"
    if output == "json":
        body = {
            "image": subject,
            "verified": [_plain(v) for v in verdict.verified],
            "failures": msgspec.to_builtins(verdict.failures),
        }
        click.echo(encoded(body, indent=True))
        return 0 if verdict.ok else 1
    click.echo(clean(subject))
    for held in verdict.verified:
        when = f" of {datetime.fromtimestamp(held.at / 1e6, UTC):%Y-%m-%d %H:%M}" if held.at else ""
        what = held.type or "signature"
        click.echo(clean(f"  holds    {what}{when}, by {held.key} ({held.where})"))
    for failure in verdict.failures:
        where = f" ({failure.where})" if failure.where else ""
        click.echo(clean(f"  {'not' if verdict.ok else 'fails':<8} {failure.message}{where}"))
    return 0 if verdict.ok else 1


def _plain(verified: Any) -> dict[str, Any]:
    import msgspec

    body: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(verified, predicate=b""))
    body["predicate"] = msgspec.json.decode(verified.predicate) if verified.predicate else None
    return body
