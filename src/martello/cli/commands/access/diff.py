"""`martello access diff OLD NEW`: what a change of roles and bindings really grants."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.access import settings

FORMATS: Final = ("table", "json", "markdown", "sarif", "junit")


@click.command("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@options.kubeconfig
@settings.namespaces_flag
@options.output_of(FORMATS)
@options.verdict_flags
@options.debug
def command(old: str, new: str, **flags: Any) -> int:
    """Say who may do what after a change that they could not before, and the other way round, with
    the rule and binding that cause it; and which findings are new. OLD and NEW are directories,
    files, git:REV[:DIR], bundle:FILE, demo or cluster[:CONTEXT]. Exit 1 for new findings at or
    above --fail-on.
    """
    from martello.cli.access.differing import compare
    from martello.cli.reports import parse_outputs

    return compare(old, new, parse_outputs(flags["outputs"], FORMATS), flags)
