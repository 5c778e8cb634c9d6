"""The door of the command line: a table of commands that are imported only when they are typed."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import click

from martello import __version__

# name → (module, one line of help). The module defines a click command called `command`.
COMMANDS: Final = {
    "scan": ("scan", "Judge manifests, a live cluster or a bundle by all five practices."),
    "demo": ("demo", "Scan a small bundled cluster and see what Martello tells."),
    "explain": ("explain", "Explain a check: danger, remedy, examples, frameworks."),
    "doctor": ("doctor", "What Martello may see here, and which checks stay unassessed."),
    "config": ("config", "Where each setting comes from."),
    "completion": ("completion", "Print the completion script of a shell."),
}


class LazyGroup(click.Group):
    """A group that lists its commands from the table and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"martello.cli.commands.{COMMANDS[cmd_name][0]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command; an unknown one is answered with the nearest."""
        known = not args or args[0] in COMMANDS or args[0].startswith("-")
        if not known and not ctx.resilient_parsing:
            from martello.cli.errors import nearest
            from martello.core.errors import BadInput

            raise BadInput(
                f"no such command: {args[0]}",
                f"the nearest is '{nearest(args[0], COMMANDS)}'",
                "martello --help",
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
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
