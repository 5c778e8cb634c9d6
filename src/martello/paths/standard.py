"""The level of the Pod Security Standards that pods need which are there already.

The API server judges the whole pod again when an image changes or a debug container is added: a pod
older than its namespace's label refuses both.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from martello.catalogue.load import load
from martello.catalogue.scan import scan
from martello.core.check import Check
from martello.core.reading import Reading
from martello.core.resource import Ref, Resource
from martello.paths.model import LEVELS

_TODAY = date(2000, 1, 1)  # nothing here expires


@lru_cache(maxsize=1)
def _checks() -> tuple[Check, ...]:
    return tuple(check for check in load() if "pss" in check.frameworks)


def levels_needed(resources: Iterable[Resource], kubernetes: int) -> dict[Ref, str]:
    """By pod or controller, the strictest level that takes it, at this minor version."""
    given = tuple(resources)
    found = {one.ref: LEVELS[0] for one in given}
    if not given:
        return found
    checks = _checks()
    at = {check.id: check.frameworks["pss"]["level"] for check in checks}
    reading = Reading("pods", given)
    ids = [check.id for check in checks]
    result = scan(
        reading, checks, ids=ids, kubernetes=kubernetes, today=_TODAY, foreign_waivers=False
    )
    for finding in result.findings:
        refused = LEVELS.index(at.get(finding.check, LEVELS[0]))
        known = found.get(finding.ref)
        if known is not None and LEVELS.index(known) <= refused:
            found[finding.ref] = LEVELS[refused + 1]
    return found
