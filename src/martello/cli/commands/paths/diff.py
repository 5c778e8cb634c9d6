"""`martello paths diff OLD NEW`: which paths a change opens and closes."""

from __future__ import annotations

import gc
from typing import Any, Final

import click

from martello.cli import options
from martello.cli.paths import settings

FORMATS: Final = ("text", "json", "markdown", "sarif", "junit", "github")


@click.command("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@settings.from_flag
@settings.to_flag
@settings.system_flag
@options.kubeconfig
@options.output_of(FORMATS)
@options.verdict_flags
@options.debug
def command(old: str, new: str, **flags: Any) -> int:
    """Say which paths NEW has that OLD has not, blamed on the fewest changed lines, and which it
    closes. OLD and NEW are directories, files, git:REV[:DIR], bundle:FILE, demo or
    cluster[:CONTEXT]. Exit 1 for new paths at or above --fail-on.
    """
    gc.disable()  # one run, one result: what is read lives until the end
    from martello.cli.paths.differing import compare
    from martello.cli.reports import parse_outputs

    return compare(old, new, parse_outputs(flags["outputs"] or ("text",), FORMATS), flags)
