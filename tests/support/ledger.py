"""A ledger that knows four images, for the examples of checks that read it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from tests.support.access import known as access
from tests.support.network import known as network

from martello.core.approval import (
    APPROVE,
    DENY,
    NEVER,
    Approvals,
    Observed,
    Reason,
    Standing,
    micros,
)
from martello.practices.images.ledger import ImageFacts, ImageSummary, Known, Vouched
from martello.practices.images.policy import DEFAULT, ImagePolicy, Signed, Signer, Spec

AT: Final = micros(datetime(2026, 7, 1, tzinfo=UTC))
DAY: Final = 86_400_000_000
A, B, C, D, E, F = (f"sha256:{letter * 64}" for letter in "abcdef")
SIGNED: Final = ImagePolicy("signed", Spec(signed=Signed(by=(Signer(key="release.pub"),))))
GOOD: Final = ImageSummary(
    name="reg.example.com/shop/web:2",
    digest=A,
    scanned_at=AT - DAY,
    config=D,
    system="Debian GNU/Linux 12 (bookworm)",
    data="sha256:1",
    hours=2.0,
    end_of_life="2028-06-30",
    user="65532",
    based="2026-06-01T00:00:00Z",
    licences=(("MIT", ("left-pad",)),),
    vouched=(Vouched(SIGNED.hash, "", ()),),
)
BAD: Final = ImageSummary(
    name="reg.example.com/shop/web:1",
    digest=B,
    scanned_at=AT - DAY,
    config=F,
    system="Debian GNU/Linux 10",
    data="sha256:1",
    hours=2.0,
    counts=(("high", 1), ("low", 1)),
    fixable=1,
    worst=(
        Known("CVE-2031-2222", "idna", "3.4", "high", "3.7"),
        Known("CVE-2031-3333", "zlib", "1:1.2", "low"),
    ),
    exploited=(Known("CVE-2031-1111", "openssl", "3.0.9-1", "high", "3.0.11-1", "2031-01-05"),),
    end_of_life="2024-06-30",
    leaks=2,
    leaked=("app/settings.yaml: a GitHub token", "app/id: a private key"),
    based="2024-03-02T00:00:00Z",
    licences=(("AGPL-3.0-only", ("ghost",)), ("MIT OR AGPL-3.0-only", ("dual",))),
    vouched=(
        Vouched(
            SIGNED.hash,
            "",
            (
                Reason("IMG-007", B, "no signature on it is by a key of the policy"),
                Reason("IMG-008", B, "no attestation of type vuln is on it"),
            ),
        ),
    ),
)
APPROVALS: Final = Approvals(
    at=AT,
    version=3,
    decided={
        (policy.hash, ""): {
            A: (Standing(APPROVE, AT + DAY, "key-1"),),
            B: (Standing(DENY, NEVER, "key-1", "its age"),),
            C: (Standing(APPROVE, AT - DAY, "key-1"),),
        }
        for policy in (DEFAULT, SIGNED)
    },
)


def tag(*digests: str, days: int = 30) -> tuple[Observed, ...]:
    """What a tag meant, each digest for a month up to the last."""
    begin = AT - days * DAY * len(digests)
    return tuple(
        Observed(digest, begin + n * days * DAY, begin + (n + 1) * days * DAY)
        for n, digest in enumerate(digests)
    )


IMAGES: Final = ImageFacts(
    at=AT,
    scanned={A: (GOOD,), D: (GOOD,), B: (BAD,), F: (BAD,)},
    tags={
        "reg.example.com/shop/web:2": tag(A),
        "reg.example.com/shop/web:1": tag(C, B),
        "reg.example.com/shop/cart:1": tag(E),
        "reg.example.com/shop/old:1": tag(C),
    },
)


def world(images: ImageFacts = IMAGES, approvals: Approvals | None = APPROVALS) -> dict[str, Any]:
    """The facts that a scan is handed."""
    facts: dict[str, Any] = {
        "images": images,
        "signers": (SIGNED,),
        **network.facts(),
        **access.facts(),
    }
    return facts if approvals is None else {**facts, "approvals": approvals}
