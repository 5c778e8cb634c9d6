"""`martello network diff OLD NEW`: what a change of policies opens and closes."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.network import settings

FORMATS: Final = ("table", "json", "markdown", "sarif", "junit")


@click.command("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@options.kubeconfig
@settings.profile_flags
@options.namespaces
@settings.intents_flag
@options.output_of(FORMATS)
@options.verdict_flags
@options.debug
def command(old: str, new: str, **flags: Any) -> int:
    """Say who may reach whom after a change that might not before, and the other way round, and
    with --intents which promises NEW breaks. OLD and NEW are directories, files, git:REV[:DIR],
    bundle:FILE, demo or cluster[:CONTEXT]. Exit 1 where a promise is broken, 3 where something
    could not be read.
    """
    from martello.cli.network.differing import compare
    from martello.cli.reports import parse_outputs

    return compare(old, new, parse_outputs(flags["outputs"], FORMATS), flags)
