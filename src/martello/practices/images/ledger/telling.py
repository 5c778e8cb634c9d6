"""How checks of the ledger put into words what it knows of an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from martello.core.approval import moment
from martello.core.check import Hit
from martello.core.workload import Workload
from martello.practices.images.ledger import ImageSummary, Known, Use, age, unasked
from martello.practices.images.policy import ImagePolicy, applicable

# An advisory without a score may be anything: it is told between high and low, never as low.
_SEVERITY: Final = {"negligible": "low", "unknown": "medium"}
_ROOT: Final = frozenset(("", "root"))
_OLDEST: Final = 72.0  # hours


def told_severity(level: str) -> str:
    """The severity of a finding for the level of a vulnerability."""
    return _SEVERITY.get(level, level)


def evident(known: Known) -> str:
    """One vulnerability as a line of evidence."""
    mend = f"fixed in {known.fixed}" if known.fixed else "no fix"
    return f"{known.id} {known.severity}: {known.package} {known.version}, {mend}"


def doubts(summary: ImageSummary, at: int) -> str:
    """Why a scan does not say everything; empty where it does."""
    if not summary.data:
        return "there were no advisories"
    hours = age(summary, at)
    if not 0 <= hours <= _OLDEST:
        told = f"{hours / 24:.0f} days old" if 0 <= hours < 1e8 else "of an unknown age"
        return f"its advisories are {told}"
    return summary.unread[0] if summary.unread else ""


def unvouched(
    workload: Workload,
    use: Use,
    summary: ImageSummary,
    policies: Sequence[ImagePolicy],
    check: str,
) -> Iterator[Hit]:
    """What the last gate of each policy missed of signatures, as one check tells it."""
    for policy in applicable(policies, use.image):
        key = (policy.hash, policy.keys_hash)
        held = next((v for v in summary.vouched if (v.policy_hash, v.keys_hash) == key), None)
        if held is None:
            yield unasked(workload, use, f"{use.image} was not gated by the policy {policy.name}")
            continue
        for reason in held.missing:
            if reason.check == check:
                yield Hit(workload.resource, use.path, reason.message, use.container.name)


def is_root(user: str) -> bool:
    """`0`, `00`, `root:root`, and no user at all."""
    name = user.partition(":")[0].strip()
    return name in _ROOT or not name.lstrip("+-").strip("0")


def days_since(text: str, at: int) -> int | None:
    """Whole days from an RFC 3339 time to a moment; None where the text is none."""
    try:
        then = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return (moment(at) - then).days


def short(digest: str) -> str:
    """A digest that a person can compare at a glance, and search for."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm}:{digits[:12]}"
