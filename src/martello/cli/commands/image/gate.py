"""`martello image gate`: judge images by a policy."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import click

from martello.cli import options
from martello.cli.images import settings
from martello.cli.images.outputs import IMAGE_FORMATS, image_outputs, write_images
from martello.cli.progress import Progress
from martello.core.errors import BadInput


@click.command("gate")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@settings.policy_flag
@click.option("--as", "name", default="", metavar="REF", help="The name that a local image gets.")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help=f"{', '.join(IMAGE_FORMATS[:-1])} or {IMAGE_FORMATS[-1]}. Repeatable.",
)
@click.option(
    "--key", default="", metavar="FILE", help="The key: private to sign, public to verify."
)
@click.option("--verdict", default="", metavar="FILE", help="Where the signed verdict goes.")
@click.option("--record", is_flag=True, help="Write it into the ledger, signed.")
@click.option("--all", "everything", is_flag=True, help="Print every group, and what is waived.")
@settings.judging_flags
@settings.target_flags
@settings.data_flags
@options.debug
def command(targets: tuple[str, ...], **flags: Any) -> int:
    """Judge images by the policy (-p; without one by the built-in default). Exit 0 only where every
    policy approves; 1 where one denies; 3 where something could not be assessed, or the advisories
    are older than the policy allows. With --key, the signed verdict goes to --verdict.
    """
    from martello.cli.images.flow import judging, open_advisories
    from martello.cli.images.gating import Court
    from martello.cli.images.judgements import (
        conclude,
        decisions,
        judge_targets,
        waivers_of,
        write_verdict,
    )
    from martello.cli.images.policies import load_policies
    from martello.cli.images.remembering import of_judged, remember

    begun, now = time.monotonic(), datetime.now(UTC)
    outputs = image_outputs(flags["outputs"])
    where = settings.places(flags["database"], flags["state"])
    court = Court(
        load_policies(flags["policies"]),
        judging(flags),
        open_advisories(where.database),
        now,
        waivers_of(flags["ignore"]),
    )
    with Progress() as progress:
        judged = judge_targets(targets, flags, court, where, progress)
    remember(where.state, of_judged(judged, court.database), now)
    images = conclude(judged, court, flags, begun, " ".join(targets))
    write_images(images, outputs)
    if flags["verdict"]:
        write_verdict(judged, flags["key"], flags["verdict"])
    if flags["record"]:
        from martello.cli.images.keeping import record
        from martello.cli.images.signing import signing_key

        if not flags["key"]:
            raise BadInput("the ledger takes signed judgements only", "", "--record --key FILE")
        record(where.state, decisions(judged), signing_key(flags["key"]))
    return images.report.exit
