"""`martello access trim --events FILE`: what is granted and never used, with the proof."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.access import settings

FORMATS: Final = ("text", "json", "yaml")


@click.command("trim")
@settings.events_flag(required=True)
@settings.world_flags
@click.option("--as", "subjects", multiple=True, metavar="WHO", help=settings.WHOSE)
@click.option(
    "--since",
    default="",
    metavar="TIME",
    help="How long the events must reach back, such as 30d; else nothing is said.",
)
@click.option(
    "--audit-policy",
    default="",
    metavar="FILE",
    help="What the log leaves out [default: the policy among the objects].",
)
@click.option(
    "--widen",
    multiple=True,
    metavar="WHAT",
    help="verbs, names, namespaces: keep more than was used, as audit2rbac does. Repeatable.",
)
@click.option("--refused", is_flag=True, help="What was refused was wanted: grant it.")
@click.option("--write", "folder", default="", metavar="DIR", help="Write the objects there.")
@click.option(
    "--apply",
    "apply",
    is_flag=True,
    help="Change the live cluster, where it takes all of it in a dry run.",
)
@click.option("--paths", "paths", is_flag=True, help="Which attack paths it closes, too.")
@options.fail_on
@options.output_of(FORMATS)
@options.debug
def command(**flags: Any) -> int:
    """Read the audit log, and propose the edits that leave what was used: bindings that go, roles
    that are narrowed, shared roles that are split; everybody's, or with --as (repeatable) theirs.
    Every request is replayed on the result, and nothing is shown that would deny one. Nothing is
    written without --write DIR, and nothing changed without --apply. Exit 1 for unused rights at or
    above --fail-on, unless they were written or applied: high are wildcards and rights that a check
    names, unless the log is short.
    """
    from martello.cli.access.trimming import trim_command
    from martello.cli.reports import parse_outputs

    return trim_command(parse_outputs(flags["outputs"] or ("text",), FORMATS), flags)
