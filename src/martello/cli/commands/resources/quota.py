"""`martello resources quota`: what quotas really bound, and where their holes are."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.resources import settings


@click.command("quota")
@settings.namespaces_flags
@settings.world_flags
@options.output_of(("text", "json"))
@options.debug
def command(**flags: Any) -> int:
    """Say what the quotas of each namespace really bound and what escapes them. Exit 0 no holes,
    1 holes, 3 unknown.
    """
    from martello.cli.resources.bounding import bounds
    from martello.cli.resources.opening import opened
    from martello.cli.resources.telling import tell

    return tell(bounds(opened(flags), flags), flags)
