"""Whether the ledger approves a digest that somebody runs, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.approval import APPROVE, DENY, NEVER, Approvals, Standing, stamp
from martello.core.image import covers
from martello.practices.images.ledger import ImageFacts
from martello.practices.images.policy import DEFAULT, ImagePolicy, applicable


def unapproved(
    digest: str, image: str, namespace: str, facts: ImageFacts, approvals: Approvals
) -> str:
    """Why an image is not approved by every policy that is meant for it; empty where it is, and
    where no policy looks at it. A digest may be that of an index, an image or its configuration.
    """
    for policy in applicable(facts.policies or (DEFAULT,), image):
        if _exempt(policy, image, namespace):
            continue
        why = _by(policy, digest, image, facts, approvals)
        if why:
            return why
    return ""


def _exempt(policy: ImagePolicy, image: str, namespace: str) -> bool:
    exempt = policy.spec.exempt
    return namespace in exempt.namespaces or any(covers(p, image) for p in exempt.repositories)


def _by(
    policy: ImagePolicy, digest: str, image: str, facts: ImageFacts, approvals: Approvals
) -> str:
    if not digest:
        return f"no approval, for nobody knows which digest {image[:200]} means"
    key = (policy.hash, policy.keys_hash)
    rows = list(_standings(digest, facts, approvals, key))
    held = [row for row in rows if row.not_after == NEVER or row.not_after > facts.at]
    for row in held:
        if row.outcome == DENY:
            why = f": {row.message}" if row.message else ""
            return f"its image was denied by {row.issuer}{why}"
    if any(row.outcome == APPROVE for row in held):
        return ""
    if held:
        return f"its image was not assessed in full by {held[0].issuer}: {held[0].message}"
    ended = [row.not_after for row in rows if row.outcome == APPROVE]
    if ended:
        return f"the approval of its image ran out on {stamp(max(ended))[:10]}"
    return f"no approval of its image is known by the policy {policy.name}"


def _standings(
    digest: str, facts: ImageFacts, approvals: Approvals, key: tuple[str, str]
) -> Iterator[Standing]:
    """The decisions on a digest, or, where it has none, on the image whose configuration it is."""
    decided = approvals.decided.get(key, {})
    rows = decided.get(digest, ())
    yield from rows
    for summary in facts.scanned.get(digest, ()) if not rows else ():
        if summary.config == digest:
            yield from decided.get(summary.digest, ())
