"""`martello image gate`: judge images by a policy."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from martello.cli import options
from martello.cli.images import settings
from martello.cli.images.outputs import IMAGE_FORMATS, image_outputs, write_images
from martello.cli.progress import Progress
from martello.core.errors import BadInput, MartelloError
from martello.report.text import clean

if TYPE_CHECKING:
    from martello.practices.images.attest.keys import PrivateKey


@click.command("gate")
@click.argument("targets", nargs=-1, metavar="TARGET...")
@click.option(
    "--queued", is_flag=True, help="The images that admission asked for; with --record and --key."
)
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
    "--key", default="", metavar="FILE", help="The private key that signs --verdict and --record."
)
@click.option("--verdict", default="", metavar="FILE", help="Where the signed verdict goes.")
@click.option("--record", is_flag=True, help="Write it into the ledger, signed.")
@options.everything
@settings.gating_flags
@settings.target_flags
@settings.data_flags
@options.debug
def command(targets: tuple[str, ...], **flags: Any) -> int:
    """Judge images by the policy (-p; without one by the built-in default). Exit 0 only where every
    policy approves; 1 where one denies; 3 where something could not be assessed, or the advisories
    are older than the policy allows. Signatures are looked for where a registry holds the image.
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

    key = _key(flags)
    _asked(targets, flags)
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
    failed: list[tuple[str, MartelloError]] = []
    with Progress() as progress:
        if flags["queued"]:
            from martello.cli.images.queued import judge_queued

            assert key is not None
            judged, failed = judge_queued(flags, court, where, progress, key)
        else:
            judged = judge_targets(targets, flags, court, where, progress)
    for item, error in failed:
        click.echo(clean(f"{item}: {error.what}: {error.why}"), err=True)
    if flags["queued"] and not judged:
        click.echo("nothing is asked for" if not failed else "nothing could be judged", err=True)
        return 4 if failed else 0
    remember(where.state, of_judged(judged, court.database), now)
    images = conclude(judged, court, flags, begun, " ".join(targets))
    write_images(images, outputs)
    decided = decisions(judged, whole=not flags["platform"])
    if key is not None and flags["verdict"]:
        write_verdict(decided, key, flags["verdict"])
    if key is not None and flags["record"] and not flags["queued"]:
        from martello.cli.images.keeping import record

        record(where.state, decided, key)
    return images.report.exit


def _asked(targets: tuple[str, ...], flags: dict[str, Any]) -> None:
    """Raises BadInput where nothing, or two different things, are to be judged."""
    if bool(targets) == flags["queued"]:
        what = "no image is named" if not targets else "--queued and targets exclude each other"
        raise BadInput(what, "", "martello image gate TARGET, or --queued --record --key FILE")
    if flags["queued"] and not flags["record"]:
        raise BadInput("--queued needs --record", "admission reads the ledger only", "--record")


def _key(flags: dict[str, Any]) -> PrivateKey | None:
    """The key, read before anything is judged. Raises BadInput: missing, or of no use."""
    from martello.cli.images.signing import signing_key

    wanted = " and ".join(f"--{name}" for name in ("verdict", "record") if flags[name])
    if bool(wanted) == bool(flags["key"]):
        return signing_key(flags["key"]) if wanted else None
    if wanted:
        raise BadInput("no key is named", f"{wanted} is to be signed", "--key FILE")
    why = "gate signs nothing else; `image verify` is for signatures"
    raise BadInput("--key has nothing to sign", why, "--verdict FILE, or --record")
