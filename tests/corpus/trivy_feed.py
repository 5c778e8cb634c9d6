"""Trivy's feed fixtures as a database: buckets, range spellings and status numbers, translated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from martello.core.vulnerability import Affected, Events, Feed, Vulnerability
from martello.practices.images.ecosystems import normalise
from martello.practices.images.versions import scheme

STATUSES: Final = {
    0: "affected",
    1: "not-affected",
    2: "affected",
    3: "fixed",
    4: "under-investigation",
    5: "will-not-fix",
    6: "deferred",
    7: "end-of-life",
}
LEVELS: Final = {0.0: "unknown", 1.0: "low", 2.0: "medium", 3.0: "high", 4.0: "critical"}
LANGUAGES: Final = {
    "cocoapods": "CocoaPods",
    "composer": "Packagist",
    "conan": "ConanCenter",
    "erlang": "Hex",
    "go": "Go",
    "k8s": "Go",
    "maven": "Maven",
    "npm": "npm",
    "nuget": "NuGet",
    "pub": "Pub",
    "pip": "PyPI",
    "rubygems": "RubyGems",
    "cargo": "crates.io",
    "swift": "SwiftURL",
}


class Buckets:
    """The fixtures in memory, answering as the database does."""

    def __init__(self, feeds: Iterable[Mapping[str, Any]]) -> None:
        self.rows: dict[tuple[str, str], list[Affected]] = {}
        self.records: dict[str, Vulnerability] = {}
        self.fixed: dict[tuple[str, str, str], str] = {}  # (ecosystem, name, id) → as it is told
        self.cpes: dict[str, frozenset[str]] = {}
        self.vendor: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self.sources: dict[str, str] = {}  # ecosystem → who writes the bucket
        self.feeds: tuple[Feed, ...] = ()
        for feed in feeds:
            for id, body in feed["vulnerability"].items():
                self.records[id] = _vulnerability(id, body)
            for bucket, packages in feed["buckets"].items():
                self._bucket(bucket, packages, feed["data_source"].get(bucket, {}))

    def covers(self, ecosystem: str) -> bool:
        """Everything: what is not in the fixtures has no findings."""
        return True

    def about(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Affected]]:
        """The rows of packages."""
        return {key: self.rows[key] for key in pairs if key in self.rows}

    def vulnerabilities(self, ids: Iterable[str]) -> dict[str, Vulnerability]:
        """The records of ids."""
        return {id: self.records[id] for id in ids if id in self.records}

    def products(self, repository: str) -> tuple[str, ...]:
        return ()

    def group(self, id: str) -> tuple[str, ...]:
        """The fixtures have no aliases."""
        return (id,)

    def _bucket(self, bucket: str, packages: Mapping[str, Any], source: Mapping[str, str]) -> None:
        if bucket == "Red Hat CPE":
            for kind in ("repository", "nvr"):
                for name, numbers in packages[kind].items():
                    self.cpes[name] = frozenset(map(str, numbers))
            return
        kind, language, _ = bucket.partition("::")
        ecosystem = LANGUAGES[kind] if language else bucket
        writer = source.get("ID", "redhat" if bucket == "Red Hat" else "")
        self.sources.setdefault(ecosystem, writer)
        for name, records in packages.items():
            for id, body in records.items():
                if bucket == "Red Hat":
                    self._red_hat(name, id, body)
                else:
                    self._row(ecosystem, name, id, body, writer)

    def _row(
        self, ecosystem: str, name: str, id: str, body: Mapping[str, Any], writer: str
    ) -> None:
        status = STATUSES[body.get("Status", 3 if body.get("FixedVersion") else 2)]
        fixed = body.get("FixedVersion", "")
        vulnerable = body.get("VulnerableVersions") or []
        patched = body.get("PatchedVersions") or []
        ranges: tuple[Events, ...]
        if vulnerable:
            ranges = tuple(events for text in vulnerable for events in _ranges(text))
        elif patched:
            ranges = _complement(patched, ecosystem)
        else:
            end = (("fixed", fixed),) if fixed else ()
            ranges = (Events("ECOSYSTEM", (("introduced", "0"), *end)),)
        severity = LEVELS.get(float(body.get("Severity", 0.0)), "")
        module, _, plain = name.rpartition("::")  # of a module: nodejs:12::npm
        key = (ecosystem, _name(ecosystem, plain))
        self.fixed[(*key, id)] = ", ".join(patched) or fixed
        self.vendor[(*key, id)] = tuple(body.get("VendorIDs") or ())
        self.rows.setdefault(key, []).append(
            Affected(
                id=id,
                ecosystem=ecosystem,
                name=key[1],
                ranges=ranges,
                status=status,
                severity="" if severity == "unknown" else severity,
                feed=writer,
                arches=tuple(body.get("Arches") or ()),
                module=module,
            )
        )

    def _red_hat(self, name: str, id: str, body: Mapping[str, Any]) -> None:
        for entry in body["Entries"]:
            fixed = entry.get("FixedVersion", "")
            end = (("fixed", fixed),) if fixed else ()
            for cve in entry["Cves"]:
                named = cve.get("ID", id)
                module, _, plain = name.rpartition("::")
                key = ("Red Hat", plain)
                if named != id:
                    self.vendor[(*key, named)] = (id,)
                self.fixed[(*key, named)] = fixed.removeprefix("0:")
                self.rows.setdefault(key, []).append(
                    Affected(
                        id=named,
                        ecosystem="Red Hat",
                        name=plain,
                        module=module,
                        ranges=(Events("ECOSYSTEM", (("introduced", "0"), *end)),),
                        status=STATUSES[entry.get("Status", 3 if fixed else 2)],
                        severity=LEVELS[float(cve.get("Severity", 0.0))],
                        feed="redhat",
                        arches=tuple(entry.get("Arches") or ()),
                        cpes=tuple(map(str, entry["Affected"])),
                    )
                )


def _name(ecosystem: str, name: str) -> str:
    return normalise(ecosystem, name)


def _vulnerability(id: str, body: Mapping[str, Any]) -> Vulnerability:
    words = {who: LEVELS[float(level)] for who, level in (body.get("VendorSeverity") or {}).items()}
    plain = str(body.get("Severity", "")).lower()
    if plain:
        words.setdefault("", plain)
    return Vulnerability(id=id, severities=tuple(words.items()), summary=body.get("Title", ""))


_COMPARISON: Final = re.compile(r"\s*(<=|>=|<|>|==?|~>|\^|~)?\s*([^\s,<>=]+)\s*(?:,|(?=\s)|$)")


def _ranges(text: str) -> list[Events]:
    """One range of either spelling: `>= a, < b`, alternatives by `||`, or Maven's `[a,b)`."""
    text = text.strip()
    if text[:1] in ("[", "("):
        return [_interval(part) for part in re.findall(r"[\[(][^\])]*[\])]", text)]
    return [_comparisons(part) for part in text.split("||")]


def _comparisons(text: str) -> Events:
    events: list[tuple[str, str]] = []
    for sign, version in _COMPARISON.findall(text):
        if sign == ">=":
            events.append(("introduced", version))
        elif sign == ">":
            events.append(("introduced", version + "\x00"))  # told apart below
        elif sign == "<":
            events.append(("fixed", version))
        elif sign == "<=":
            events.append(("last_affected", version))
        else:
            events += [("introduced", version), ("last_affected", version)]
    if not any(kind == "introduced" for kind, _ in events):
        events.insert(0, ("introduced", "0"))
    return Events("ECOSYSTEM", tuple(events))


def _interval(text: str) -> Events:
    low, comma, high = text[1:-1].partition(",")
    if not comma:
        return Events("ECOSYSTEM", (("introduced", low), ("last_affected", low)))
    end = (("fixed" if text.endswith(")") else "last_affected", high.strip()),) if high else ()
    return Events("ECOSYSTEM", (("introduced", low.strip() or "0"), *end))


def _complement(patched: Iterable[str], ecosystem: str) -> tuple[Events, ...]:
    """What is affected where only the versions without the fault are told."""
    order = scheme(ecosystem)
    assert order is not None
    safe: list[tuple[str, str]] = []
    for text in patched:
        low, high = "", ""
        for sign, version in _COMPARISON.findall(text):
            if sign in ("", "^", "~", "~>"):
                low, high = version, _next(version, sign)
            elif sign.startswith(">"):
                low = version
            elif sign == "<":
                high = version
        safe.append((low, high))
    safe.sort(key=lambda pair: order.key(pair[0]))
    events: list[Events] = []
    begun = "0"
    for low, high in safe:
        if begun and low:
            events.append(Events("ECOSYSTEM", (("introduced", begun), ("fixed", low))))
        begun = high
    if begun:
        events.append(Events("ECOSYSTEM", (("introduced", begun),)))
    return tuple(events)


def _next(version: str, sign: str) -> str:
    numbers = [int(n) for n in re.findall(r"\d+", version)[:3]] + [0, 0]
    major, minor, patch = numbers[:3]
    if sign in ("~", "~>"):
        return f"{major}.{minor + 1}.0"
    if major:
        return f"{major + 1}.0.0"
    return f"0.{minor + 1}.0" if minor else f"0.0.{patch + 1}"
