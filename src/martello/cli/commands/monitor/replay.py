"""`martello monitor replay FILE…`: what rules say about a log."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.monitor import settings

FORMATS: Final = ("text", "json", "jsonl")
SOURCES: Final = ("audit", "falco", "tetragon", "hubble", "cri", "auditd", "ndjson", "events")


@click.command("replay")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--rules", "rules", multiple=True, metavar="PATH", help=settings.RULES)
@click.option(
    "--explain", "explain", multiple=True, metavar="RULE", help="Why a rule fired or did not."
)
@click.option(
    "--from",
    "source",
    type=click.Choice(("auto", *SOURCES)),
    default="auto",
    show_default=True,
    help="What the files are; auto: what each one's first line looks like.",
)
@click.option(
    "--except", "exceptions", multiple=True, metavar="FILE", help="Exceptions. Repeatable."
)
@click.option("--baselines", is_flag=True, help="Tell too what is new for whom it happened.")
@click.option("--cluster", default="", metavar="NAME", help=settings.CLUSTER)
@settings.world
@options.context
@options.kubeconfig
@options.fail_on
@options.incomplete
@options.output_of(FORMATS)
@options.debug
def command(files: tuple[str, ...], **flags: Any) -> int:
    """Read logs (files, directories, - for stdin; rotated and compressed too): audit logs of the
    API server, EKS, AKS and GKE, and what Falco, Tetragon, Hubble, containers, auditd and Events
    say, several together in the order of time, and tell what the rules find. Exit 1 at or above
    --fail-on; else 3 where a part of the log could not be read, a rule cannot be read or lacks a
    field, or nothing was judged; else 0. Rules of events that were not given are not asked.
    """
    from martello.cli.monitor.replaying import replay_command
    from martello.cli.reports import parse_outputs

    outputs = parse_outputs(flags["outputs"] or ("text",), FORMATS)
    return replay_command(files, outputs, flags)
