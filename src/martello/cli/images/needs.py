"""Which ecosystems an update is for: what was named, what images need, what was known before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from martello.cli.images.settings import Places
from martello.cli.progress import Progress
from martello.core.errors import BadInput, MartelloError
from martello.practices.images.advisories.db import open_database
from martello.practices.images.advisories.update import needed
from martello.practices.images.ecosystems import canonical


def needed_ecosystems(
    named: Sequence[str],
    targets: Sequence[str],
    flags: Mapping[str, Any],
    where: Places,
    progress: Progress,
) -> tuple[str, ...]:
    """The ecosystems to fetch. Raises BadInput where nothing tells which are needed."""
    wanted = {canonical(name) for name in named}
    if targets:
        from martello.cli.images.inventories import inventories

        wanted.update(needed(inventories(targets, flags, where.state, progress)))
    if not wanted:
        wanted.update(_known(where.database))
    if not wanted:
        raise BadInput(
            "nothing says which advisories are needed",
            "there is no database yet, and no image is named",
            "martello db update --for IMAGE, or martello db update Debian:12 PyPI npm Go",
        )
    return tuple(sorted(wanted))


def _known(database: str) -> tuple[str, ...]:
    try:
        with open_database(database) as opened:
            return opened.ecosystems()
    except MartelloError:
        return ()
