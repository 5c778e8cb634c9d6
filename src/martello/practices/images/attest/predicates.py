"""Predicates: scan results in cosign's form, bills of materials, and the verdict of a policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from martello.core.approval import Judgement, stamp
from martello.core.errors import BadInput
from martello.core.package import System
from martello.core.vulnerability import LEVELS, Data, Ruled
from martello.practices.images.attest.intoto import (
    CYCLONEDX,
    SPDX,
    VERDICT,
    VULN,
    Statement,
    same_type,
)
from martello.practices.images.ecosystems import purl

URI: Final = "https://martello.dev"
# Where predicates say when they were made, by type; the first that is there counts.
_TIMES: Final = {
    VULN: (("metadata", "scanFinishedOn"), ("metadata", "scanStartedOn")),
    VERDICT: (("at",),),
    CYCLONEDX: (("metadata", "timestamp"),),
    SPDX: (("creationInfo", "created"),),
    "https://slsa.dev/provenance/v0.2": (("metadata", "buildFinishedOn"),),
    "https://slsa.dev/provenance/v1": (("runDetails", "metadata", "finishedOn"),),
    "https://openvex.dev/ns": (("last_updated",), ("timestamp",)),
    "https://cosign.sigstore.dev/attestation/v1": (("Timestamp",),),
}


def vulnerabilities(
    result: Any,
    data: Data,
    started: datetime,
    finished: datetime,
    version: str,
    parameters: Sequence[str] = (),
    builder: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The predicate `…/attestation/vuln/v1`. `builder` may have uri, event_id and builder.id, as a
    pipeline knows them.
    """
    known = builder or {}
    return {
        "invocation": {
            "parameters": list(parameters),
            "uri": known.get("uri", ""),
            "event_id": known.get("event_id", ""),
            "builder.id": known.get("builder.id", ""),
        },
        "scanner": {
            "uri": f"pkg:pypi/martello@{version}",
            "version": version,
            "db": {
                "uri": data.digest,
                "version": _newest(data),
                "lastUpdate": _newest(data),
            },
            "result": result,
        },
        "metadata": {"scanStartedOn": _text(started), "scanFinishedOn": _text(finished)},
    }


def result_of(ruled: Iterable[Ruled], system: System | None = None) -> dict[str, Any]:
    """Matches as the result of a scan: counts by severity, and a line for each, worst first."""
    ordered = sorted(ruled, key=lambda r: (LEVELS.index(r.match.severity), r.match.id))
    counts = dict.fromkeys(LEVELS, 0)
    lines: list[dict[str, Any]] = []
    for one in ordered:
        match = one.match
        if one.waived is None:
            counts[match.severity] += 1
        line: dict[str, Any] = {
            "id": match.id,
            "severity": match.severity,
            "package": match.package.name,
            "version": match.package.version,
            "purl": purl(match.package, system),
            "status": match.status,
            "fixed": match.fixed,
            "path": match.package.path,
        }
        if match.exploited:
            line["exploited"] = match.exploited
        if one.waived is not None:
            line["waived"] = {"by": one.waived.by, "reason": one.waived.reason}
        lines.append({key: _clean(value) for key, value in line.items()})
    return {"summary": counts, "vulnerabilities": lines}


def bill(document: Mapping[str, Any]) -> str:
    """The type of a bill of materials, whose document is the predicate. Raises BadInput."""
    if document.get("bomFormat") == "CycloneDX":
        return CYCLONEDX
    if "spdxVersion" in document:
        return SPDX
    raise BadInput("cannot attest this document", "it is neither CycloneDX nor SPDX in JSON")


def verdict(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """The predicate of `…/attestation/verdict/v1`: what each policy said, on which data."""
    return {
        "at": stamp(max((j.at for j in judgements), default=0)),
        "policies": [
            {
                "name": judgement.policy,
                "hash": judgement.policy_hash,
                "keys": judgement.keys_hash,
                "outcome": judgement.outcome,
                "notAfter": stamp(judgement.not_after),
                "reasons": [_plain(reason) for reason in judgement.reasons],
                "database": judgement.data.digest,
                "feeds": [
                    {"name": feed.name, "revision": feed.revision, "time": feed.time}
                    for feed in judgement.data.feeds
                ],
            }
            for judgement in judgements
        ],
    }


def undated(type: str, predicate: Any) -> Any:
    """The predicate as plain JSON without what only says when it was made: of two that are equal
    so, the second says nothing new. `type` is one of those that are written here.
    """
    plain = msgspec.json.decode(msgspec.json.encode(predicate))
    if not isinstance(plain, dict):
        return plain
    for wanted, paths in _TIMES.items():
        for path in paths if same_type(type, wanted) else ():
            inner: Any = plain
            for key in path[:-1]:
                inner = inner.get(key) if isinstance(inner, dict) else None
            if isinstance(inner, dict):
                inner.pop(path[-1], None)
    plain.pop("serialNumber", None)
    policies = plain.get("policies")
    for policy in policies if isinstance(policies, list) else ():
        if isinstance(policy, dict):
            policy.pop("notAfter", None)
    return plain


def made_at(statement: Statement) -> datetime | None:
    """When the predicate says that it was made; None where it says nothing that is understood."""
    try:
        predicate = msgspec.json.decode(statement.predicate)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    for type, paths in _TIMES.items():
        if not same_type(statement.type, type):
            continue
        for path in paths:
            found = _moment(predicate, path)
            if found is not None:
                return found
    return None


def _moment(predicate: Any, path: tuple[str, ...]) -> datetime | None:
    for key in path:
        predicate = predicate.get(key) if isinstance(predicate, dict) else None
    if not isinstance(predicate, str):
        return None
    try:
        found = datetime.fromisoformat(predicate.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _newest(data: Data) -> str:
    return max((feed.time for feed in data.feeds), default="")


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _clean(value: Any) -> Any:
    """Text without what no JSON can hold: names in layers need not be text."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
