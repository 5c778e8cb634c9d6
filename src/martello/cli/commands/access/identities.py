"""`martello access identities`: how the cluster tells who asks, as far as objects show it."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.access import settings


@click.command("identities")
@settings.namespaces_flag
@settings.system_flag
@settings.world_flags
@options.output_of(("text", "json"))
@options.debug
def command(**flags: Any) -> int:
    """List every way to be somebody here: anonymous requests, cloud identities and bootstrap
    tokens that are mapped to users, token Secrets that never expire, tokens in pods with audience
    and life, and accounts that are an identity of a cloud. Exit 0, 3 where something could not be
    read.
    """
    from martello.cli.access.answering import tell
    from martello.cli.access.identities import identities
    from martello.cli.access.opening import opened

    return tell(identities(opened(flags), flags), flags)
