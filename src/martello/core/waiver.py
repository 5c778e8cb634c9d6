"""A waiver: findings that somebody accepts, with an owner, a reason and an end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.core.path import Path
from martello.core.resource import Resource, kind_of

KIND: Final = "Waiver.martello.dev"
ANNOTATION: Final = "martello/waive"
_DATE: Final = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_SPEC: Final = frozenset(("checks", "reason", "owner", "until", "match"))
_LISTS: Final = ("namespaces", "kinds", "names", "images")


class Match(msgspec.Struct, frozen=True):
    """What a waiver covers: all given parts must match; names, namespaces and images take `*`
    globs.
    """

    namespaces: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    expression: str = ""


class Waiver(msgspec.Struct, frozen=True):
    """One waiver. `until` is an ISO date, the last day on which it holds; `source` is where it is
    written.
    """

    name: str
    checks: tuple[str, ...]
    reason: str
    owner: str
    until: str
    match: Match
    source: str


class Inline(msgspec.Struct, frozen=True):
    """One entry of the `martello/waive` annotation: `POD-006, C-0048 until 2026-12-31: why`."""

    checks: tuple[str, ...]
    until: str
    reason: str
    path: Path


def waiver_of(resource: Resource) -> Waiver:
    """Reads a Waiver object. Raises BadInput that names everything wrong with it."""
    spec = resource.spec
    problems = [f"spec.{key} is unknown" for key in sorted(spec.keys() - _SPEC)]
    texts = {key: _text(spec, key, problems) for key in ("reason", "owner", "until")}
    if texts["until"] and not re.fullmatch(_DATE, texts["until"]):
        problems.append("spec.until is no date such as 2026-12-31")
    checks = _strings(spec.get("checks"), "spec.checks", problems)
    if not checks:
        problems.append("spec.checks names no check")
    match = _match(spec.get("match"), problems)
    if problems:
        raise BadInput(f"cannot use the waiver {resource.ref.name}", "; ".join(problems))
    source = str(resource.locate(()))
    return Waiver(resource.ref.name, checks, source=source, match=match, **texts)


def inline_of(resource: Resource) -> Iterator[Inline | BadInput]:
    """The entries of the `martello/waive` annotation; what is no entry comes as an error."""
    text = resource.annotations.get(ANNOTATION)
    if text is None:
        return
    path: Path = ("metadata", "annotations", ANNOTATION)
    ids = r"[A-Za-z][\w.-]*(?:\s*,\s*[A-Za-z][\w.-]*)*"
    for part in re.split(rf"\n|;\s*(?={ids}\s+until\s)", text):
        if not part.strip():
            continue
        entry = re.fullmatch(rf"\s*({ids})\s+until\s+({_DATE})\s*:\s*(\S.*?)\s*", part)
        if entry is None:
            yield BadInput(
                f"the annotation {ANNOTATION} of {resource.ref} is not usable",
                "an entry reads: POD-006 until 2026-12-31: the reason",
            )
            continue
        names = tuple(re.split(r"\s*,\s*", entry.group(1)))
        yield Inline(names, entry.group(2), entry.group(3), path)


def _match(value: Any, problems: list[str]) -> Match:
    if value is None:
        return Match()
    if not isinstance(value, dict):
        problems.append(f"spec.match is a {kind_of(value)}, not a mapping")
        return Match()
    for key in sorted(value.keys() - {*_LISTS, "labels", "expression"}):
        problems.append(f"spec.match.{key} is unknown")
    lists = {key: _strings(value.get(key), f"spec.match.{key}", problems) for key in _LISTS}
    labels = value.get("labels") or {}
    if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
        problems.append("spec.match.labels is no mapping of texts")
        labels = {}
    expression = value.get("expression", "")
    if not isinstance(expression, str):
        problems.append(f"spec.match.expression is a {kind_of(expression)}")
        expression = ""
    return Match(labels=labels, expression=expression, **lists)


def _text(spec: Mapping[str, Any], key: str, problems: list[str]) -> str:
    value = spec.get(key)
    if isinstance(value, str) and value.strip():
        return value.strip()
    problems.append(f"spec.{key} is required")
    return ""


def _strings(value: Any, where: str, problems: list[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        problems.append(f"{where} is no list of texts")
        return ()
    return tuple(value)
