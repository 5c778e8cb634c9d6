"""`martello image promote`: gate, push by digest, sign, attest, record, and move the tag last."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click

from martello.cli import options
from martello.cli.images import settings
from martello.cli.images.outputs import image_outputs, write_images
from martello.cli.progress import Progress
from martello.core.errors import BadInput


@click.command("promote")
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="REF")
@settings.policy_flag
@click.option("--key", required=True, metavar="FILE", help="The private key that signs.")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help="As of `image gate`. Repeatable.",
)
@click.option(
    "--compress",
    type=click.Choice(["gzip", "zstd", "none"]),
    default=None,
    help="Layers of archives and local engines [default: gzip]. Others keep their digest.",
)
@options.everything
@settings.gating_flags
@settings.target_flags
@settings.data_flags
@options.debug
def command(source: str, target: str, **flags: Any) -> int:
    """Judge SOURCE by the policy, and only if it may pass, put it into a registry as REF: blobs,
    the manifest by digest, a signature, attestations (vuln, cyclonedx, verdict), an approval in the
    ledger, and last of all the tag. Each step can be repeated. Nothing arrives if the gate fails.
    """
    from martello.adapters.registry.client import connect
    from martello.cli.images.flow import judging, open_advisories
    from martello.cli.images.gating import Court, Vouching, canonical_name, judge_image
    from martello.cli.images.inventories import facts_kept
    from martello.cli.images.judgements import approved, conclude, decisions, waivers_of
    from martello.cli.images.keeping import pin, record
    from martello.cli.images.opening import closing_images, registry_settings
    from martello.cli.images.policies import load_policies
    from martello.cli.images.promoting import arrive, packed, plan
    from martello.cli.images.remembering import of_promoted, remember
    from martello.cli.images.signing import signing_key
    from martello.cli.images.target import parse_image_target, reference_of

    begun, now = time.monotonic(), datetime.now(UTC)
    outputs = image_outputs(flags["outputs"])
    where = settings.places(flags["database"], flags["state"])
    reference = reference_of(target)
    if reference.digest:
        raise BadInput("REF names a digest", "the digest follows from SOURCE", "name a tag")
    key = signing_key(flags["key"])
    court = Court(
        load_policies(flags["policies"]),
        judging(flags),
        open_advisories(where.database),
        now,
        waivers_of(flags["ignore"]),
    )
    name, whole = canonical_name(target), not flags["platform"]
    with (
        Progress() as progress,
        facts_kept(where.state, flags) as store,
        closing_images(parse_image_target(source), flags) as found,
        packed(found, flags["compress"] or "", progress) as opened,
    ):
        planned = plan(opened, whole)
        maker = Vouching(maker=key.public)
        judged = [judge_image(one, name, court, store, progress, maker) for one in opened]
        images = conclude(judged, court, flags, begun, source)
        if not approved(judged):
            write_images(images, outputs)
            click.echo(f"nothing was pushed to {reference.name}", err=True)
            return images.report.exit
        top, decided = planned.top, decisions(judged, whole)
        with connect(target, registry_settings(flags, target)) as registry:
            approve = partial(record, where.state, decided, key)
            moved = arrive(planned, judged, registry, key, now, approve, progress)
            pin(where.state, name, top.digest, decided)
            remember(where.state, of_promoted(judged, name, top, registry, court), now)
    write_images(images, outputs)
    click.echo(f"pushed {reference.name}:{reference.tag or 'latest'}@{moved.digest}", err=True)
    click.echo(f"{moved}; signed and attested with {flags['key']}", err=True)
    return images.report.exit
