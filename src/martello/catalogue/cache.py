"""The packaged checks, kept compiled."""

from __future__ import annotations

from martello.catalogue.load import Source, read
from martello.core.check import Check


def cached(sources: tuple[Source, ...]) -> tuple[Check, ...]:
    """The checks of these files."""
    return tuple(read(source) for source in sources)
