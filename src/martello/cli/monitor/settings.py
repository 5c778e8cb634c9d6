"""Flags that several of monitor's commands share."""

from __future__ import annotations

import click

paths = click.argument("paths", nargs=-1, metavar="[PATH]…")
sources = click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="NAME",
    help="A connected source: audit, bpftrace, tetragon, falco, hubble, cri, kmsg, events … "
    "[default: audit and bpftrace]. Repeatable.",
)
