"""Trivy's feed fixtures as a database: buckets, range spellings and status numbers, translated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from martello.core.vulnerability import Affected, Events, Feed, Vulnerability
from martello.practices.images.ecosystems import normalise
from martello.practices.images.versions import Scheme, scheme

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

    def artefacts(self, names: Iterable[str]) -> frozenset[str]:
        """Artefacts that rows of Maven name."""
        return frozenset(n for n in names for _, row in self.rows if row.endswith(f":{n}"))

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
        entries = body.get("Entries") or ()  # one for each architecture or build
        for entry in entries:
            self._row(ecosystem, name, id, {**body, "Entries": None, **entry}, writer)
        if entries:
            return
        status = STATUSES[body.get("Status", 3 if body.get("FixedVersion") else 2)]
        fixed = body.get("FixedVersion", "")
        vulnerable = body.get("VulnerableVersions") or []
        patched = body.get("PatchedVersions") or []
        unaffected = body.get("UnaffectedVersions") or []
        ranges: tuple[Events, ...]
        if vulnerable or patched or unaffected:
            ranges = affected(vulnerable, [*patched, *unaffected], scheme(ecosystem))
        else:
            end = (("fixed", fixed),) if fixed else ()
            ranges = (Events("ECOSYSTEM", (("introduced", "0"), *end)),)
        severity = LEVELS.get(float(body.get("Severity", 0.0)), "")
        module, _, plain = name.rpartition("::")  # of a module: nodejs:12::npm
        key = (ecosystem, _name(ecosystem, plain))
        named = list(dict.fromkeys(patched)) or _ends(vulnerable)
        if named:
            self.fixed[(*key, id)] = ", ".join(named)
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


_COMPARISON: Final = re.compile(r"\s*(<=|>=|!=|<|>|==?|~>|\^|~)?\s*([^\s,<>=]+)\s*(?:,|(?=\s)|$)")
Span = tuple[str, str]  # from a version on (empty: all below), to one that is no part (empty: none)
_ALL: Final[Span] = ("", "")


def affected(
    vulnerable: Iterable[str], secure: Iterable[str], order: Scheme | None
) -> tuple[Events, ...]:
    """What trivy takes as affected: what is told to be vulnerable (all, where nothing is), without
    what is patched or unaffected. A text that is empty is of all versions, whatever else is told.
    """
    assert order is not None
    told, safe = list(vulnerable), list(secure)
    if "" in told or "" in safe:
        return (_events(_ALL),)
    found = [span for text in told for span in spans(text, order)] if told else [_ALL]
    for text in safe:
        for span in spans(text, order):
            found = [one for each in found for one in _without(each, span, order)]
    return tuple(_events(span) for span in found)


def spans(text: str, order: Scheme) -> list[Span]:
    """What a constraint holds, of either spelling: `>= a, < b`, alternatives by `||`, or Maven's
    `[a,b)`.
    """
    text = text.strip()
    if text[:1] in ("[", "("):
        return [_interval(part) for part in re.findall(r"[\[(][^\])]*[\])]", text)]
    found: list[Span] = []
    for part in text.split("||"):
        left: Span | None = _ALL
        for sign, version in _COMPARISON.findall(part):
            if sign != "!=" and left is not None:
                left = _both(left, _comparison(sign, version), order)
        found += [left] if left is not None else []
    return found


def _comparison(sign: str, version: str) -> Span:
    if version == "*":
        return _ALL
    if sign == ">=":
        return version, ""
    if sign == ">":
        return _after(version), ""
    if sign in ("<", "<="):
        return "", version if sign == "<" else _after(version)
    if sign in ("^", "~", "~>"):
        return version, _next(version, sign)
    return version, _after(version)


def _interval(text: str) -> Span:
    low, comma, high = (part.strip() for part in text[1:-1].partition(","))
    if not comma:
        return low, _after(low)
    low = _after(low) if low and text[0] == "(" else low
    return low, _after(high) if high and text[-1] == "]" else high


def _after(version: str) -> str:
    """A version just above another one, in each of the orders that these feeds use."""
    return f"{version}.0" if "-" in version else f"{version}.0.0.0.1"


def _both(one: Span, other: Span, order: Scheme) -> Span | None:
    lows = [low for low in (one[0], other[0]) if low]
    highs = [high for high in (one[1], other[1]) if high]
    low, high = max(lows, key=order.key, default=""), min(highs, key=order.key, default="")
    return None if high and low and order.compare(low, high) >= 0 else (low, high)


def _without(one: Span, other: Span, order: Scheme) -> Iterator[Span]:
    below = _both(one, ("", other[0]), order) if other[0] else None
    above = _both(one, (other[1], ""), order) if other[1] else None
    yield from (span for span in (below, above) if span is not None)


def _events(span: Span) -> Events:
    low, high = span
    end = (("fixed", high),) if high else ()
    return Events("ECOSYSTEM", (("introduced", low or "0"), *end))


def _ends(vulnerable: Iterable[str]) -> list[str]:
    """The fixed versions that trivy tells where no patched ones are named: each end by `<`."""
    parts = (part.strip() for text in vulnerable for part in text.split(","))
    found = (part[1:].strip() for part in parts if part[:1] == "<" and part[:2] != "<=")
    return list(dict.fromkeys(found))


def _next(version: str, sign: str) -> str:
    numbers = [int(n) for n in re.findall(r"\d+", version.partition("-")[0])]
    if sign == "~>":  # all but the last number are held
        held = numbers[:-1] or numbers
        return ".".join(map(str, [*held[:-1], held[-1] + 1]))
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    if sign == "~":
        return f"{major}.{minor + 1}.0" if len(numbers) > 1 else f"{major + 1}.0.0"
    if major:
        return f"{major + 1}.0.0"
    return f"0.{minor + 1}.0" if minor else f"0.0.{patch + 1}"
