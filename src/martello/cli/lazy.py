"""A group of commands from a table: each module is imported only when its command is typed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import ClassVar

import click


class LazyGroup(click.Group):
    """A group that lists its commands from the table and imports the one that is called."""

    # name → (module below `package`, one line of help); the module has a click command `command`
    table: ClassVar[Mapping[str, tuple[str, str]]] = {}
    package: ClassVar[str] = ""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command's module."""
        if cmd_name not in self.table:
            return None
        module = import_module(f"{self.package}.{self.table[cmd_name][0]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command; an unknown one is answered with the nearest."""
        known = not args or args[0] in self.table or args[0].startswith("-")
        if not known and not ctx.resilient_parsing:
            from martello.cli.errors import nearest
            from martello.core.errors import BadInput

            raise BadInput(
                f"no such command: {args[0]}",
                f"the nearest is '{nearest(args[0], self.table)}'",
                f"{ctx.command_path} --help",
            )
        return super().resolve_command(ctx, args)
