"""`martello network explain`: why one place reaches another, or a policy in words."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.network import settings


@click.command("explain")
@click.argument("words", nargs=-1, required=True, metavar="A B[:PORT[/udp]] | KIND/NAME")
@settings.world_flags
@options.namespaces
@options.output_of(("text", "json"))
@options.debug
def command(words: tuple[str, ...], **flags: Any) -> int:
    """Say why A reaches B or does not, by which rule of which file, and what would change it. With
    one word such as netpol/db (and -n NAMESPACE): put that policy in words. Exit 0.
    """
    from martello.cli.network.answering import tell
    from martello.cli.network.asking import answer
    from martello.cli.network.opening import opened
    from martello.core.errors import BadInput

    if len(words) > 2:
        raise BadInput(
            "explain takes two places, or one policy",
            f"{len(words)} words were given",
            "martello network explain shop/web shop/db:5432",
        )
    if len(words) == 1:
        from martello.cli.network.policy_words import tell_policy

        return tell_policy(words[0], flags)
    tell(answer(opened(flags), words[0], words[1], full=True), flags)
    return 0
