"""Who vouches for what a reference means: proofs looked up in a registry, and how they are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from martello.adapters.registry.client import Registry
from martello.cli.images.signing import attached
from martello.core.artifact import Index, parse_manifest
from martello.core.platforms import choose
from martello.practices.images.attest.keys import PublicKey
from martello.practices.images.attest.verify import Verdict, Verified, Wanted, verify
from martello.report.text import clean, wrap

_INDENT = " " * 9


class Proof(msgspec.Struct, frozen=True):
    """What holds of one digest, and what does not."""

    digest: str
    platform: str  # empty: of what the reference itself means
    verdict: Verdict


def proofs(
    registry: Registry, keys: Sequence[PublicKey], wanted: Wanted, at: datetime
) -> list[Proof]:
    """The proof for what the reference means; of an attestation that an index does not have itself,
    one for each of its images instead.
    """
    raw, media = registry.manifest()
    top = parse_manifest(raw, media, str(registry.image))
    asked = msgspec.structs.replace(wanted, digest=top.digest)
    artifacts = attached(registry, top.digest)
    own = Proof(top.digest, "", verify(artifacts, keys, asked, at))
    only_absent = {failure.kind for failure in own.verdict.failures} == {"absent"}
    if not isinstance(top, Index) or not wanted.type or not only_absent:
        return [own]
    found: list[Proof] = []
    for child in choose(top):
        asked = msgspec.structs.replace(wanted, digest=child.digest, index=top)
        said = (*attached(registry, child.digest), *artifacts)
        found.append(Proof(child.digest, str(child.platform or ""), verify(said, keys, asked, at)))
    return found or [own]


def plain(name: str, found: Sequence[Proof]) -> dict[str, Any]:
    """As JSON; with one proof it is the object itself, with several `images` lists them."""
    bodies = [
        {
            "image": f"{name}@{proof.digest}",
            "verified": [_plain(held) for held in proof.verdict.verified],
            "failures": msgspec.to_builtins(proof.verdict.failures),
        }
        for proof in found
    ]
    return bodies[0] if len(bodies) == 1 else {"images": bodies}


def _plain(verified: Verified) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(verified, predicate=b""))
    body["predicate"] = msgspec.json.decode(verified.predicate) if verified.predicate else None
    return body


def told(name: str, found: Sequence[Proof], type: str, columns: int) -> Iterator[str]:
    """Lines of `columns`: what holds, once, however often it lies there; why the rest does not."""
    what = type or "signature"
    for proof in found:
        platform = f"  {proof.platform}" if proof.platform else ""
        yield clean(f"{name}@{proof.digest}{platform}")
        held = dict.fromkeys((v.at, v.key) for v in proof.verdict.verified)
        for at, key in held:
            when = f" of {datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%d %H:%M} UTC" if at else ""
            yield from _lines("holds", f"{what}{when}, by {key}", columns)
        word = "ignored" if proof.verdict.ok else "fails"
        for failure in dict.fromkeys((f.kind, f.message) for f in proof.verdict.failures):
            yield from _lines(word, failure[1], columns)


def _lines(word: str, text: str, columns: int) -> Iterator[str]:
    first, *more = wrap(clean(text), columns, _INDENT)
    yield f"{word:<7}  {first.removeprefix(_INDENT)}"
    yield from more
