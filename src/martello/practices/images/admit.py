"""The one decision of admission: may these images run? From memory only, whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from martello.core.approval import (
    APPROVE,
    DENY,
    NEVER,
    Approvals,
    Decision,
    Reason,
    Ruling,
)
from martello.core.image import covers, parse_image
from martello.practices.images.judge import name_reason
from martello.practices.images.policy import DEFAULT, ImagePolicy, Unknown, applicable

# Namespaces that nothing here may stop: a cluster must be able to start (A8).
BOOTSTRAP: Final = ("kube-system",)
_RANK: Final = {"exempt": 0, "allow": 1, "warn": 2, "deny": 3}


def admit(
    images: Sequence[str],
    snapshot: Approvals,
    policies: Sequence[ImagePolicy],
    at: int,
    *,
    namespace: str = "",
    bootstrap: Sequence[str] = BOOTSTRAP,
) -> Decision:
    """Whether images, as pods name them, may run in a namespace, at a moment in microseconds since
    1970. Pure: no I/O, no waiting. What is not known is in `ask`, for the caller to resolve and to
    scan once.
    """
    policies = policies or (DEFAULT,)
    images = tuple(dict.fromkeys(images))
    if namespace and namespace in bootstrap:
        return Decision("allow", tuple(Ruling(image, "exempt") for image in images))
    demanding = [p for p in policies if namespace not in p.spec.exempt.namespaces]
    if namespace and not demanding:
        return Decision("allow", tuple(Ruling(image, "exempt") for image in images))
    rulings = tuple(_ruling(image, snapshot, demanding, at) for image in images)
    worst = max((_RANK[ruling.outcome] for ruling in rulings), default=1)
    return Decision({2: "warn", 3: "deny"}.get(worst, "allow"), rulings)


def _ruling(image: str, snapshot: Approvals, policies: Sequence[ImagePolicy], at: int) -> Ruling:
    """A4, for one image: exempt by name, name rules, digest, approval, unknown."""
    reference = parse_image(image)
    if reference is None:
        why = Reason("IMG-004", image[:200], "it is no image reference that a runtime would take")
        return Ruling(image, "deny", reasons=(why,))
    demanding = [policy for policy in policies if not _exempt(policy, image)]
    if not demanding:
        return Ruling(image, "exempt")
    if len(demanding) == len(policies):
        refused = name_reason(image, policies)
        if refused is not None:
            return Ruling(image, "deny", reference.digest, (refused,))
    meant = applicable(demanding, image)
    digest = reference.digest or snapshot.pinned(str(reference), at)
    found = [_one(image, digest, snapshot, policy, at) for policy in meant]
    worst = max((outcome for outcome, _, _ in found), key=_RANK.__getitem__, default="exempt")
    reasons = tuple(dict.fromkeys(reason for _, said, _ in found for reason in said))
    return Ruling(image, worst, digest, reasons, any(ask for _, _, ask in found))


def _exempt(policy: ImagePolicy, image: str) -> bool:
    return any(covers(pattern, image) for pattern in policy.spec.exempt.repositories)


def _one(
    image: str, digest: str, snapshot: Approvals, policy: ImagePolicy, at: int
) -> tuple[str, tuple[Reason, ...], bool]:
    """What one policy says: outcome, reasons, and whether to ask for more."""
    spec = policy.spec
    standing = snapshot.ruled((policy.hash, policy.keys_hash), digest, at) if digest else None
    if standing is not None and standing.outcome == DENY:
        message = standing.message or f"{standing.issuer} denied it by the policy {policy.name}"
        return "deny", (Reason("", digest, message),), False
    subject = digest or image
    if _stale(snapshot, at):
        minutes = (at - snapshot.at) // 60_000_000
        message = f"the approvals were read {minutes} minutes ago, which is too long"
        if not snapshot.at:
            message = "the approvals were not read yet"
        return spec.on_error, (_told(spec.on_error, subject, message),), False
    if standing is not None and standing.outcome == APPROVE:
        return "allow", (), False
    if standing is not None:
        message = standing.message or "a part of it was not assessed"
    elif digest:
        message = (
            f"no approval by the policy {policy.name} as it stands is known yet: "
            "try again when it is judged"
        )
    else:
        message = "what the tag means is not known yet: try again when it is judged"
    return spec.on_unknown, (_told(spec.on_unknown, subject, message),), standing is None


def _told(rule: Unknown, subject: str, message: str) -> Reason:
    """Also an unknown image that is let in is told: every use of it is audited."""
    return Reason("", subject, message, "high", DENY if rule == "deny" else "warn")


def _stale(snapshot: Approvals, at: int) -> bool:
    return snapshot.max_age != NEVER and at - snapshot.at > snapshot.max_age
