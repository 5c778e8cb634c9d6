"""Baselines: which findings were there before, by fingerprints that survive edits around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from martello.core.check import Check, Hit
from martello.core.errors import BadInput
from martello.core.finding import Finding
from martello.core.path import Path
from martello.core.resource import Ref

FORMAT: Final = "martello-baseline/v1"


class Entry(msgspec.Struct, frozen=True):
    """One finding of a baseline; `fingerprints` has one for each of its elements."""

    check: str
    object: str
    fingerprints: tuple[str, ...]


class _File(msgspec.Struct, frozen=True):
    format: str
    findings: tuple[Entry, ...]


class Baseline(msgspec.Struct, frozen=True):
    """What a baseline file holds: fingerprints, and for checkov's file (resource, check) pairs."""

    fingerprints: frozenset[str] = frozenset()
    checkov: frozenset[tuple[str, str]] = frozenset()

    def knows(self, finding: Finding, check: Check) -> bool:
        """Whether every element of the finding was there before."""
        if finding.parts and self.fingerprints.issuperset(finding.parts):
            return True
        if not self.checkov:
            return False
        names = check.aliases.get("checkov", ())
        resource = checkov_resource(finding.ref)
        return any((resource, name) in self.checkov for name in names)


NOTHING: Final = Baseline()


def fingerprint(check: str, hit: Hit) -> str:
    """32 hexadecimal digits for one hit: its check, its object without the cluster, its path with
    names instead of indexes.
    """
    ref = hit.resource.ref
    path = stable_path(hit.resource.raw, hit.path)
    element = "" if any(isinstance(part, int) for part in hit.path) else hit.element
    return digest(check, ref.group_kind, ref.namespace, ref.name, path, element)


def digest(*words: str) -> str:
    """32 hexadecimal digits of SHA-256 over the words."""
    return sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def stable_path(raw: Any, path: Path) -> str:
    """The path with each index replaced by the element's name, for ports without one by number and
    protocol as the server tells them apart, else by a digest of what it holds.
    """
    words: list[str] = []
    value = raw
    for part in path:
        if isinstance(part, str):
            value = value.get(part) if isinstance(value, dict) else None
            words.append(f'"{part}"' if "." in part else part)
            continue
        value = value[part] if isinstance(value, list) and part < len(value) else None
        words.append(f"[{_name(value, part)}]")
    return ".".join(words)


def _name(element: Any, index: int) -> str:
    if element is None:
        return str(index)
    if isinstance(element, dict) and isinstance(element.get("name"), str):
        return str(element["name"])
    for key in ("containerPort", "port") if isinstance(element, dict) else ():
        if isinstance(element.get(key), int | str):
            return f"{element[key]}/{element.get('protocol') or 'TCP'}"
    content = msgspec.json.encode(element, order="sorted")
    return f"#{sha256(content).hexdigest()[:12]}"


def write_baseline(findings: Iterable[Finding]) -> str:
    """The text of a baseline file: one line a finding, sorted, waived ones left out."""
    entries = sorted(
        {
            (f.check, _plain(f.ref), tuple(sorted(f.parts)))
            for f in findings
            if f.waived is None and f.parts
        }
    )
    lines = [
        "  " + msgspec.json.encode(Entry(check, name, parts)).decode()
        for check, name, parts in entries
    ]
    body = ",\n".join(lines)
    return f'{{"format": "{FORMAT}", "findings": [\n{body}\n]}}\n'


def read_baseline(text: str, file: str) -> Baseline:
    """Reads what `write_baseline` wrote, or a `.checkov.baseline`. Raises BadInput otherwise."""
    try:
        data = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise BadInput(f"cannot read the baseline {file}", str(error)) from None
    if isinstance(data, dict) and "failed_checks" in data:
        return Baseline(checkov=frozenset(_checkov(data, file)))
    try:
        found = msgspec.convert(data, _File)
    except msgspec.ValidationError as error:
        raise BadInput(f"cannot read the baseline {file}", str(error)) from None
    if found.format != FORMAT:
        raise BadInput(
            f"cannot read the baseline {file}",
            f"its format is {found.format!r}, not {FORMAT!r}",
            f"write it anew with --write-baseline {file}",
        )
    return Baseline(frozenset(p for entry in found.findings for p in entry.fingerprints))


def checkov_resource(ref: Ref) -> str:
    """The name checkov gives an object: kind, namespace (`default` where none is written), name."""
    return f"{ref.kind}.{ref.namespace or 'default'}.{ref.name}"


def _checkov(data: Mapping[str, Any], file: str) -> Iterable[tuple[str, str]]:
    try:
        for entry in data["failed_checks"]:
            for finding in entry["findings"]:
                for name in finding["check_ids"]:
                    yield str(finding["resource"]), str(name)
    except (TypeError, KeyError, AttributeError):
        raise BadInput(f"cannot read the baseline {file}", "it is no .checkov.baseline") from None


def _plain(ref: Ref) -> str:
    place = f"{ref.namespace}/" if ref.namespace else ""
    return f"{place}{ref.group_kind}/{ref.name}"
