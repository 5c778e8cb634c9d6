"""`martello monitor alerts except ID…`: quiet without being blind."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.store import places


@click.command("except")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--write", default="", metavar="FILE", help="Add what stands to this file.")
@click.option("--reason", default="", metavar="TEXT", help="Why it is wanted.")
@click.option("--owner", default="", metavar="WHO", help="Who answers for it.")
@click.option("--until", default="", metavar="DAY", help=settings.UNTIL)
@click.option("--since", default="30d", metavar="TIME", show_default=True, help=settings.SINCE)
@click.option("--rules", "rules", multiple=True, metavar="PATH", help=settings.RULES)
@places.flags
@options.debug
def command(ids: tuple[str, ...], **flags: Any) -> int:
    """Propose the smallest exception that silences alerts that were wanted, and prove it: on their
    own events, on the history that is kept, and on the attacks that the rule knows. Exit 1 where
    one does not stand; it is not written then.
    """
    from martello.cli.monitor.excepting import except_command

    return except_command(ids, flags)
