"""Answers, holders, rights and changes as JSON, in the shape of martello-access-v1.schema.json."""

from __future__ import annotations

from typing import IO, Any, Final

import msgspec

from martello.report.access.model import Answer, Chain, Holder, Holders, Identities, Rights
from martello.report.text import encoded

SCHEMA: Final = "martello-access/v1"


def write_answer(answer: Answer, out: IO[str]) -> None:
    """The answer to one question."""
    body = {
        "verdict": answer.verdict,
        "who": answer.who,
        "groups": list(answer.groups),
        "groupsKnown": answer.groups_known,
        "request": answer.request,
        "grants": [chain(each) for each in answer.chains],
        "because": list(answer.because),
        "nearest": [
            {"grant": chain(near.chain), "field": near.field, "says": near.says}
            for near in answer.nearest
        ],
        "closing": answer.closing,
        "notes": list(answer.notes),
        "missing": list(answer.missing),
    }
    write_plain("answer", body, out)


def write_holders(told: Holders, out: IO[str]) -> None:
    """Everybody who may do one thing."""
    body = {
        "request": told.request,
        "subjects": [_holder(holder) for holder in told.holders],
        "folded": told.folded,
        "notes": list(told.notes),
        "missing": list(told.missing),
    }
    write_plain("holders", body, out)


def write_rights(told: Rights, out: IO[str]) -> None:
    """Everything that somebody may do."""
    body = {
        "who": told.who,
        "groups": list(told.groups),
        "rights": [msgspec.to_builtins(right) for right in told.rights],
        "folded": told.folded,
        "notes": list(told.notes),
        "missing": list(told.missing),
    }
    write_plain("rights", body, out)


def write_identities(told: Identities, out: IO[str]) -> None:
    """All ways to be somebody."""
    body = {
        "identities": [msgspec.to_builtins(row) for row in told.rows],
        "notes": list(told.notes),
        "missing": list(told.missing),
    }
    write_plain("identities", body, out)


def write_plain(kind: str, body: dict[str, Any], out: IO[str]) -> None:
    """A document of the family."""
    out.write(encoded({"schema": SCHEMA, "kind": kind, **body}, indent=True) + "\n")


def chain(told: Chain) -> dict[str, Any]:
    """One grant from end to end."""
    return {
        "binding": {"name": told.binding, "where": told.binding_where},
        "subject": {
            "name": told.subject,
            "where": told.subject_where,
            "note": told.subject_note,
        },
        "role": {"name": told.role, "where": told.role_where},
        "rule": {"says": told.rule, "where": told.rule_where, "from": told.rule_from},
        "scope": told.scope,
    }


def _holder(holder: Holder) -> dict[str, Any]:
    return {
        "subject": holder.subject,
        "note": holder.note,
        "verdict": "unknown" if holder.perhaps else "allowed",
        "system": holder.system,
        "scopes": list(holder.scopes),
        "grants": [chain(each) for each in holder.chains],
        "because": list(holder.because),
    }
