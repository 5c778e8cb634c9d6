"""`martello image sbom`: what is in an image, as a document."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any

import click

from martello.cli import options
from martello.cli.images import settings
from martello.cli.images.outputs import image_outputs, write_images
from martello.cli.progress import Progress
from martello.core.errors import BadInput


@click.command("sbom")
@click.argument("target", metavar="TARGET")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help="cyclonedx, spdx or json. Repeatable.",
)
@settings.target_flags
@settings.data_flags
@options.debug
def command(target: str, outputs: tuple[str, ...], **flags: Any) -> int:
    """Write what is in an image as CycloneDX 1.6 or SPDX 2.3. No advisories are needed. Exit 3
    where a part of the image could not be read: the document then says that it is incomplete.
    SOURCE_DATE_EPOCH is the time in it.
    """
    from martello.cli.images.flow import Verdict, report_of
    from martello.cli.images.inventories import inventories
    from martello.report.images.model import Examined

    begun, now = time.monotonic(), _moment()
    wanted = image_outputs(outputs, "cyclonedx", ("cyclonedx", "spdx", "json"))
    where = settings.places(flags["database"], flags["state"])
    with Progress() as progress:
        found = inventories([target], flags, where.state, progress)
    examined = [Examined(inventory, unread=inventory.unread) for inventory in found]
    images = report_of(target, examined, Verdict("never"), begun, now)
    write_images(images, wanted)
    return images.report.exit


def _moment() -> datetime:
    """Now, or when SOURCE_DATE_EPOCH says: then the same image gives the same bytes."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    try:
        return datetime.fromtimestamp(int(given), UTC) if given else datetime.now(UTC)
    except (ValueError, OverflowError, OSError):
        raise BadInput(
            "cannot read SOURCE_DATE_EPOCH", "it is no number of seconds since 1970", "unset it"
        ) from None
