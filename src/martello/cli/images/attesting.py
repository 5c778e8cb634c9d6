"""What is attested of an image: its vulnerabilities, its contents, the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from martello import __version__
from martello.core.approval import Judgement
from martello.practices.images.attest import predicates
from martello.report.images.model import Examined


def vulnerability_predicate(examined: Examined, at: str, started: str = "") -> dict[str, Any]:
    """cosign's predicate of a vulnerability scan."""
    finished = datetime.fromisoformat(at.replace("Z", "+00:00"))
    begun = datetime.fromisoformat(started.replace("Z", "+00:00")) if started else finished
    result = predicates.result_of(examined.ruled, examined.inventory.system)
    return predicates.vulnerabilities(result, examined.data, begun, finished, __version__)


def bill_predicate(examined: Examined, at: datetime) -> dict[str, Any]:
    """The contents of an image as CycloneDX."""
    from martello.practices.images.sbom.cyclonedx import cyclonedx

    text = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return cyclonedx(examined.inventory, at=text, version=__version__)


def verdict_predicate(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """What each policy said, on which data."""
    return predicates.verdict(judgements)
