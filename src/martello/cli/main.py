"""The door of the command line: a table of commands that are imported only when they are typed."""

from __future__ import annotations

import sys
from typing import Final

import click

from martello import __version__
from martello.cli.lazy import LazyGroup

# name → (module, one line of help). The module defines a click command called `command`.
COMMANDS: Final = {
    "scan": ("scan", "Judge manifests, a live cluster or a bundle by all five practices."),
    "demo": ("demo", "Scan a small bundled cluster and see what Martello tells."),
    "image": ("image", "Scan, gate, sign and promote images; approve what may run."),
    "network": ("network", "Who can talk to whom, who needs to, and rules that allow just that."),
    "monitor": ("monitor", "Logs and sensors in one place, rules, alerts that say why."),
    "resources": ("resources", "Quotas, limits, and how far one container gone rogue can reach."),
    "access": ("access", "Who can do what, why, and what nobody needs."),
    "paths": ("paths", "How an attacker gets from A to B, and the cheapest fix."),
    "gate": ("gate", "The door of the cluster: only approved images get in."),
    "store": ("store", "What is kept: whole, unaltered, small enough, not too old."),
    "db": ("db", "The advisory database: update, build, push, pull, status."),
    "compare": ("compare", "Why another scanner's report of an image differs from ours."),
    "explain": ("explain", "Explain a check: danger, remedy, examples, frameworks."),
    "doctor": ("doctor", "What Martello may see here, and which checks stay unassessed."),
    "config": ("config", "Where each setting comes from."),
    "completion": ("completion", "Print the completion script of a shell."),
}


class _Commands(LazyGroup):
    """The commands of the table above."""

    table = COMMANDS
    package = "martello.cli.commands"


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage, 3 incomplete, "
    "4 unreachable, 70 internal, 130 interrupted.",
)
@click.version_option(__version__, "-V", "--version", message="martello %(version)s")
def cli() -> None:
    """Martello keeps Kubernetes clusters safe by five practices: authorized images, segmented
    networks, logs and monitoring, managed resources, exact access.

    Start with `martello demo`, then `martello scan DIR`.
    """


def main() -> None:
    """Runs the command line and ends the process with one of the documented exit codes."""
    from martello.cli.errors import run

    sys.exit(run(cli))


if __name__ == "__main__":
    main()
