"""Flags that several of monitor's commands share."""

from __future__ import annotations

from typing import Final

import click

RULES: Final = (
    "`default`, a file or a directory of rules (Falco, Sigma, Martello) [default: default]. "
    "Repeatable."
)
CLUSTER: Final = "The name of the cluster."
UNTIL: Final = "The end, such as 2027-03-01."
RULE: Final = "A rule: what it would have said, or what it said. Repeatable."
SINK: Final = "Where alerts go."
NAMESPACE: Final = "The namespace of what is asked about."
SINCE: Final = "How far back, such as 12h or 30d."

world = click.option(
    "-f",
    "--filename",
    "world",
    multiple=True,
    metavar="TARGET",
    help="The cluster as files, demo, bundle:FILE or cluster[:CONTEXT]: alerts about who reaches "
    "far in it are graver. Repeatable.",
)
paths = click.argument("paths", nargs=-1, metavar="[PATH]…")
sources = click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="NAME",
    help="A connected source: audit, bpftrace, tetragon, falco, hubble, cri, kmsg, events … "
    "[default: audit and bpftrace]. Repeatable.",
)
in_namespace = click.option(
    "-n", "--namespace", default="default", metavar="NS", show_default=True, help=NAMESPACE
)
