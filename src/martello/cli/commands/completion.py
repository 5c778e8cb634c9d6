"""`martello completion SHELL`: the script that a shell sources."""

from __future__ import annotations

import click

from martello.cli.options import debug


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@debug
def command(shell: str) -> None:
    """Print the completion script of a shell.

    Load it with `source <(martello completion bash)`.
    """
    from click.shell_completion import get_completion_class

    from martello.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "martello", "_MARTELLO_COMPLETE").source())
