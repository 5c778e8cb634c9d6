"""`martello image approve`: a decision of a person, in the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from martello.cli import options
from martello.cli.images import settings


@click.command("approve")
@click.argument("image", metavar="REF|DIGEST")
@click.option("--key", required=True, metavar="FILE", help="The private key that signs it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for whoever asks later.")
@click.option("--owner", required=True, metavar="WHO", help="Who answers for it.")
@click.option("--until", required=True, metavar="DATE", help="The last day on which it holds.")
@click.option("--deny", is_flag=True, help="Deny the image instead.")
@settings.policy_flag
@settings.target_flags
@settings.data_flags
@options.debug
def command(image: str, **flags: Any) -> int:
    """Write an approval of an image into the ledger by hand, or with --deny a denial: signed with
    --key, for each policy (-p), with an owner, a reason and an end. A digest needs no registry; a
    reference is looked up, and of an index all its images are meant. Nothing is scanned.
    """
    from martello.cli.images.approving import by_hand, meant
    from martello.cli.images.keeping import record
    from martello.cli.images.policies import load_policies
    from martello.cli.images.signing import signing_key
    from martello.report.text import clean

    where = settings.places(flags["database"], flags["state"])
    now = datetime.now(UTC)
    key = signing_key(flags["key"])
    subjects = meant(image, flags, where.state)
    judgements = by_hand(
        subjects,
        load_policies(flags["policies"]),
        now,
        deny=flags["deny"],
        owner=flags["owner"],
        reason=flags["reason"],
        until=flags["until"],
    )
    record(where.state, judgements, key)
    word = "denied" if flags["deny"] else "approved"
    for judgement in judgements:
        told = f"{judgement.digest} {word} by the policy {judgement.policy} until {flags['until']}"
        click.echo(clean(told))
    return 0
