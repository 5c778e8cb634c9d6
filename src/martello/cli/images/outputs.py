"""Formats of image reports: those of findings, and those that only images have."""

from __future__ import annotations

from importlib import import_module
from typing import IO, Any, Final

import click
import msgspec

from martello import __version__
from martello.cli.reports import Output, parse_outputs, write_all
from martello.report.images.model import Images
from martello.report.model import FORMATS
from martello.report.text import clean, encoded

OWN: Final = ("table", "json", "gitlab")  # modules of martello.report.images
DOCUMENTS: Final = ("cyclonedx", "spdx", "openvex", "cosign-vuln")  # one document an image
IMAGE_FORMATS: Final = tuple(dict.fromkeys((*FORMATS, "gitlab", *DOCUMENTS)))


def image_outputs(
    words: tuple[str, ...], default: str = "table", formats: tuple[str, ...] = IMAGE_FORMATS
) -> tuple[Output, ...]:
    """Reads `-o` words. Raises BadInput."""
    return parse_outputs(words or (default,), formats)


def write_images(images: Images, outputs: tuple[Output, ...]) -> None:
    """Writes every report of the images. A file with several documents is told: a line each is
    what few readers expect.
    """
    several = len(images.examined)
    for output in outputs:
        if output.format in DOCUMENTS and output.file and several > 1:
            told = f"{output.file} holds {several} documents, a line each; --platform names one"
            click.echo(clean(told), err=True)
    write_all(images.report, outputs, lambda output: _writer(images, output.format))


def _writer(images: Images, format: str) -> Any:
    if format in DOCUMENTS:
        return lambda report, out: _documents(images, format, out)
    if format in OWN:
        module = import_module(f"martello.report.images.{format}")
        return lambda report, out: module.write(msgspec.structs.replace(images, report=report), out)
    return import_module(f"martello.report.{format}").write


def _documents(images: Images, format: str, out: IO[str]) -> None:
    """One document for each image; a line each where there are several."""
    several = len(images.examined) > 1
    for examined in images.examined:
        inventory, at = examined.inventory, images.at
        body: dict[str, Any]
        if format == "cyclonedx":
            from martello.practices.images.sbom.cyclonedx import cyclonedx

            body = cyclonedx(inventory, examined.ruled, at=at, version=__version__)
        elif format == "spdx":
            from martello.practices.images.sbom.spdx import spdx

            body = spdx(inventory, at=at, version=__version__)
        elif format == "openvex":
            from martello.practices.images.vex.write import openvex

            author = f"martello {__version__}"
            body = openvex(inventory, examined.ruled, examined.aside, at=at, author=author)
        else:
            from martello.cli.images.attesting import vulnerability_predicate

            body = vulnerability_predicate(examined, at)
        out.write(encoded(body, indent=not several) + "\n")
