"""`martello image scan`: what is wrong with images."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import click

from martello.cli import options
from martello.cli.exits import FAIL_ON
from martello.cli.images import settings
from martello.cli.images.outputs import IMAGE_FORMATS, image_outputs, write_images
from martello.cli.progress import Progress
from martello.core.vulnerability import LEVELS


@click.command("scan")
@click.argument("targets", nargs=-1, metavar="TARGET...")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help=f"{', '.join(IMAGE_FORMATS[:-1])} or {IMAGE_FORMATS[-1]}. Repeatable.",
)
@click.option(
    "--fail-on",
    type=click.Choice(list(FAIL_ON)),
    default="high",
    help="What fails [default: high].",
)
@click.option(
    "--show", type=click.Choice(LEVELS[:4]), default="low", help="What is printed [default: low]."
)
@options.everything
@click.option(
    "--allow-incomplete", is_flag=True, help="Exit 0 although something could not be assessed."
)
@click.option(
    "--running", is_flag=True, help="The images of the pods of a cluster, with their pull secrets."
)
@click.option("--refs", default="", metavar="FILE", help="A file that names a target in each line.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=2,
    metavar="N",
    help="How many images are read at a time [default: 2].",
)
@click.option(
    "--resume", default="", metavar="RUN", help="Go on with a run that was broken off, by its name."
)
@settings.judging_flags
@settings.target_flags
@settings.data_flags
@options.cluster_flags
@options.debug
def command(targets: tuple[str, ...], **flags: Any) -> int:
    """Say what is wrong with images: vulnerable packages, secrets in layers, systems past their
    end, root as user. Exit 1 at --fail-on, 3 where something could not be assessed.
    """
    from martello.cli.images.flow import Verdict, judging, open_advisories, report_of
    from martello.cli.images.scanning import look, scan_images, words_of

    begun, now = time.monotonic(), datetime.now(UTC)
    outputs = image_outputs(flags["outputs"])
    how = judging(flags)
    words = words_of(targets, flags)
    where = settings.places(flags["database"], flags["state"])
    database = open_advisories(where.database)
    with Progress() as progress:
        sought = look(words, flags, where.state, progress)
        examined, missing = scan_images(sought, flags, where.state, database, how, now)
    end = Verdict(flags["fail_on"], flags["allow_incomplete"], flags["show"], flags["everything"])
    images = report_of(sought.target, examined, end, begun, now, database, missing=missing)
    write_images(images, outputs)
    return images.report.exit
