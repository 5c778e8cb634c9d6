"""Which attack paths a trim closes: the classes of paths of the cluster before it and after it."""

from __future__ import annotations

from martello.cli.access.opening import Opened
from martello.core.cluster import Cluster
from martello.report.access.trimmed import Paths


def paths_closed(world: Opened, after: Cluster) -> Paths:
    """Counts them, and names from where to where there is none any more."""
    from martello.cli.paths import places
    from martello.cli.paths.opening import inputs, known_reading
    from martello.paths import Options, facts, find
    from martello.paths.diff import diff

    known = known_reading(world)
    told, _ = inputs(after, known.weak)
    then = facts(after, told)
    options = Options(limit=0)
    found = diff(known.facts, then, options=options)
    return Paths(
        before=len(find(known.facts, options=options)),
        after=len(find(then, options=options)),
        closed=tuple(
            f"{places.words(begin)} to {places.words(goal)}" for begin, goal in found.closed
        ),
    )
