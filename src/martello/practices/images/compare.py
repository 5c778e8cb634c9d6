"""Another scanner's report beside ours: what both say, what one says alone, and why.

Formats: trivy (`-f json`), grype (`-o json`), osv-scanner (`--format json`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.core.vulnerability import Ruled
from martello.practices.images.exceptions import names_of
from martello.practices.images.why_not import Reason

LARGEST: Final = 128 << 20


class Theirs(msgspec.Struct, frozen=True):
    """One finding of another scanner."""

    ids: tuple[str, ...]  # its id first, then aliases
    package: str
    version: str
    severity: str = ""
    fixed: str | None = ""  # None: its report never says


class Difference(msgspec.Struct, frozen=True):
    """One finding that is on one side only, or differs. `kind` is only-theirs, only-ours, fix or
    severity.
    """

    kind: str
    id: str
    package: str
    version: str
    why: str


class Comparison(msgspec.Struct, frozen=True):
    """How many findings both have, and every difference."""

    scanner: str
    both: int
    differences: tuple[Difference, ...]


def read_report(content: bytes, file: str) -> tuple[str, tuple[Theirs, ...]]:
    """The scanner that wrote a report, and what it found. Raises BadInput."""
    if len(content) > LARGEST:
        raise BadInput(f"cannot read {file}", f"it is larger than {LARGEST >> 20} MiB")
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput(f"cannot read {file}", "it is no JSON") from None
    if isinstance(body, dict):
        for name, mark, read in (
            ("trivy", "Results", _trivy),
            ("grype", "matches", _grype),
            ("osv-scanner", "results", _osv),
        ):
            if mark in body or (name == "trivy" and "ArtifactName" in body):
                return name, tuple(dict.fromkeys(read(body)))
    raise BadInput(
        f"cannot read {file}",
        "it is no JSON report of trivy, grype or osv-scanner",
        "trivy image -f json, grype -o json, osv-scanner --format json",
    )


def compare(
    scanner: str,
    theirs: Iterable[Theirs],
    ours: Sequence[Ruled],
    why_not: Callable[[str], Sequence[Reason]],
) -> Comparison:
    """Pairs findings by package, version and any common name of the vulnerability."""
    by_name: dict[tuple[str, str], list[Ruled]] = {}
    for ruled in ours:
        for key in names_of(ruled.match):
            for package in _packages(ruled):
                by_name.setdefault((key, package), []).append(ruled)
    both = 0
    paired: set[int] = set()
    differences: list[Difference] = []
    for other in theirs:
        found = [
            ruled
            for id in other.ids
            for ruled in by_name.get((id, other.package.lower()), ())
            if _same_version(ruled, other)
        ]
        if not found:
            why = _why_theirs(other, why_not)
            differences.append(
                Difference("only-theirs", other.ids[0], other.package, other.version, why)
            )
            continue
        both += 1
        paired.update(id(ruled) for ruled in found)
        differences += _differing(other, found[0])
    for ruled in ours:
        if id(ruled) not in paired:
            match = ruled.match
            why = f"{match.advisory.feed} {match.advisory.id}: {match.compared} is in {match.range}"
            differences.append(
                Difference("only-ours", match.id, match.package.name, match.package.version, why)
            )
    differences.sort(key=lambda d: (d.kind, d.package, d.version, d.id))
    return Comparison(scanner, both, tuple(dict.fromkeys(differences)))


def _packages(ruled: Ruled) -> set[str]:
    package = ruled.match.package
    names = {package.name.lower(), package.source.lower()} - {""}
    # grype and others name Java packages without their group
    return names | {name.rpartition(":")[2] for name in names}


def _same_version(ruled: Ruled, other: Theirs) -> bool:
    package = ruled.match.package
    versions = {package.version, package.source_version, ruled.match.compared}
    shown = other.version.removeprefix("v")
    return not shown or shown in versions or f"0:{shown}" in versions or other.version in versions


def _why_theirs(other: Theirs, why_not: Callable[[str], Sequence[Reason]]) -> str:
    reasons = [r for id in other.ids[:3] for r in why_not(id)]
    of_package = [
        r for r in reasons if r.package is not None and r.package.name.lower() == other.package
    ]
    best = [r for r in of_package or reasons if r.kind != "reported"]
    if best:
        return f"{best[0].kind}: {best[0].why}"
    return f"we report it for another package or version than {other.package} {other.version}"


def _differing(other: Theirs, ruled: Ruled) -> Iterator[Difference]:
    match = ruled.match
    named = (match.id, match.package.name, match.package.version)
    fixes = [_bare(fix.strip()) for fix in (other.fixed or "").split(",")]
    if other.fixed is not None and _bare(match.fixed) not in fixes:
        told = f"they say {other.fixed or 'no fix'}, we say {match.fixed or 'no fix'}"
        yield Difference("fix", *named, f"{told} ({match.advisory.id})")
    if other.severity and other.severity.lower() != match.severity:
        told = f"they say {other.severity.lower()}, we say {match.severity}"
        yield Difference("severity", *named, f"{told} by {match.severity_from or 'nobody'}")


def _bare(version: str) -> str:
    return version.removeprefix("v").removeprefix("0:")


def _trivy(body: dict[str, Any]) -> Iterator[Theirs]:
    for result in _maps(body.get("Results")):
        for found in _maps(result.get("Vulnerabilities")):
            yield Theirs(
                ids=_names(found.get("VulnerabilityID"), found.get("VendorIDs")),
                package=_text(found.get("PkgName")).lower(),
                version=_text(found.get("InstalledVersion")),
                severity=_text(found.get("Severity")).lower(),
                fixed=_text(found.get("FixedVersion")),
            )


def _grype(body: dict[str, Any]) -> Iterator[Theirs]:
    for found in _maps(body.get("matches")):
        named = found.get("vulnerability")
        artifact = found.get("artifact")
        if not isinstance(named, dict) or not isinstance(artifact, dict):
            continue
        fix = named.get("fix")
        versions = _list(fix.get("versions")) if isinstance(fix, dict) else []
        related = [r.get("id") for r in _maps(found.get("relatedVulnerabilities"))]
        yield Theirs(
            ids=_names(named.get("id"), related),
            package=_text(artifact.get("name")).lower(),
            version=_text(artifact.get("version")),
            severity=_text(named.get("severity")).lower(),
            fixed=", ".join(v for v in versions if isinstance(v, str)),
        )


def _osv(body: dict[str, Any]) -> Iterator[Theirs]:
    for result in _maps(body.get("results")):
        for entry in _maps(result.get("packages")):
            package = entry.get("package")
            if not isinstance(package, dict):
                continue
            for group in _maps(entry.get("groups")):
                yield Theirs(
                    ids=_names("", [*_list(group.get("ids")), *_list(group.get("aliases"))]),
                    package=_text(package.get("name")).lower(),
                    version=_text(package.get("version")),
                    fixed=None,
                )


def _names(first: Any, more: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for n in (first, *_list(more)) if isinstance(n, str) and n)) or (
        "",
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _maps(value: Any) -> list[dict[str, Any]]:
    return [v for v in _list(value) if isinstance(v, dict)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
