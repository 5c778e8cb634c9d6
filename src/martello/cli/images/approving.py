"""Decisions by hand: which digests are meant, and the rows of the ledger that they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from martello.core.approval import APPROVE, DENY, Judgement, Reason, micros, stamp
from martello.core.artifact import parse_digest
from martello.core.errors import BadInput, MartelloError
from martello.core.finding import Waived
from martello.core.vulnerability import Data
from martello.practices.images.ledger import ImageSummary
from martello.practices.images.policy import DEFAULT, ImagePolicy, applicable


class Subject(msgspec.Struct, frozen=True):
    """One digest to decide on; `children` of an index, `same`: its configuration."""

    image: str
    digest: str
    children: tuple[str, ...] = ()
    same: tuple[str, ...] = ()


def meant(word: str, flags: Mapping[str, Any], state: str) -> tuple[Subject, ...]:
    """The digests that a reference or a digest means: of an index, itself and its images. Raises
    BadInput, and what a registry raises.
    """
    if ":" in word and "/" not in word and word.partition(":")[0] in ("sha256", "sha512"):
        digest = parse_digest(word)
        return (Subject(digest, digest, same=_configuration(digest, state)),)
    from martello.cli.images.opening import open_images
    from martello.cli.images.target import parse_image_target, reference_of

    name = str(reference_of(word))
    opened = open_images(parse_image_target(f"registry:{word}"), flags)
    found = [
        Subject(name, one.manifest.digest, same=(one.manifest.config.digest,)) for one in opened
    ]
    index = opened[0].index
    if index is not None and not flags.get("platform"):
        children = tuple(dict.fromkeys(one.manifest.digest for one in opened))
        found.append(Subject(name, index.digest, children))
    return tuple(dict.fromkeys(found))


def by_hand(
    subjects: Sequence[Subject],
    policies: Sequence[ImagePolicy],
    now: datetime,
    *,
    deny: bool,
    owner: str,
    reason: str,
    until: str,
) -> list[Judgement]:
    """A judgement of each policy that is meant for each subject. Raises BadInput for an end that is
    none or past, and for an empty owner or reason.
    """
    if not owner.strip() or not reason.strip():
        raise BadInput("a decision by hand needs an owner and a reason", "", "--owner, --reason")
    ends = _end(until, now)
    verb = "denied" if deny else "approved"
    message = f"{verb} by {owner.strip()}: {reason.strip()}"
    waived = None if deny else Waived(owner.strip(), reason.strip(), until, "the ledger")
    judgements: list[Judgement] = []
    for subject in subjects:
        name = "" if subject.image == subject.digest else subject.image
        why = Reason("", subject.image, message, "low" if waived else "high", "warn", waived)
        why = msgspec.structs.replace(why, effect=DENY) if deny else why
        for policy in applicable(tuple(policies) or (DEFAULT,), name):
            judgements.append(
                Judgement(
                    image=subject.image,
                    digest=subject.digest,
                    policy=policy.name,
                    policy_hash=policy.hash,
                    outcome=DENY if deny else APPROVE,
                    reasons=(why,),
                    at=micros(now),
                    not_after=ends,
                    data=Data(""),
                    keys_hash=policy.keys_hash,
                    children=subject.children,
                    same=subject.same,
                )
            )
    if not judgements:
        why_not = "spec.repositories of none of them lists it"
        raise BadInput(f"no policy is meant for {subjects[0].image}", why_not, "name another: -p")
    return judgements


def _end(until: str, now: datetime) -> int:
    """The moment after the last day."""
    try:
        last = datetime.combine(date.fromisoformat(until), datetime.min.time(), UTC)
        ends = last + timedelta(days=1)
    except (ValueError, OverflowError):
        raise BadInput(f"--until {until[:40]} is no day", "", "--until 2026-12-31") from None
    if ends <= now:
        why = f"today is {stamp(micros(now))[:10]}"
        raise BadInput(f"--until {until} is past", why, "name a later day")
    return micros(ends)


def _configuration(digest: str, state: str) -> tuple[str, ...]:
    """The configuration of an image that was scanned: runtimes may name it by that."""
    from martello.store import inventories
    from martello.store.state import open_state

    try:
        with open_state(state) as opened:
            said = inventories.said(opened, [digest], ImageSummary).get(digest, ())
    except MartelloError:
        return ()
    return tuple(s.config for s in said if s.digest == digest and s.config)
