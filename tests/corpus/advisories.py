"""Replays real OSV records: the bounds of every range and their neighbours, against an evaluator
that shares nothing with Martello's but the wording of the schema.

Its orders are its own: SemVer's precedence by hand, PEP 440 by the `packaging` library. crates.io
records are also held against the requirements that they were made from.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from martello.core.vulnerability import Affected
from martello.practices.images.advisories import osv
from martello.practices.images.advisories.build import Report, Source, build
from martello.practices.images.advisories.db import Database, open_database
from martello.practices.images.advisories.ranges import holds
from martello.practices.images.ecosystems import normalise
from martello.practices.images.versions import scheme

Case = tuple[str, bool, str]
Key = Callable[[str], Any]
_COUNTS = re.compile(r"\| `osv/(.+)/all\.zip` \| ([\d,]+) \((\d+) withdrawn\) \| ([\d,]+) \|")
_NUMBERS = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?((?:-[0-9A-Za-z.-]+)?)(?:\+.*)?\Z")


def replay(path: Path) -> Iterator[Case]:
    """A case for each record, and one for each ecosystem's counts."""
    rows = _COUNTS.findall((path / "README.md").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "advisories.db"
        report = build(sources(path), out)
        with open_database(out) as database:
            for ecosystem, records, withdrawn, packages in rows:
                told = tuple(int(n.replace(",", "")) for n in (records, withdrawn, packages))
                yield _counted(path, ecosystem, told, report, database)
                yield from _records(path, ecosystem, database)


def sources(path: Path) -> list[Source]:
    """The three zips as feeds."""
    return [
        Source(f"osv:{zip.parent.name}", zip, partial(osv.read, feed=f"osv:{zip.parent.name}"))
        for zip in sorted((path / "osv").glob("*/all.zip"))
    ]


def raw(path: Path, ecosystem: str) -> Iterator[dict[str, Any]]:
    """The records of a zip as plain JSON."""
    with zipfile.ZipFile(path / "osv" / ecosystem / "all.zip") as archive:
        for name in sorted(archive.namelist()):
            yield json.loads(archive.read(name))


def _counted(
    path: Path, ecosystem: str, told: tuple[int, ...], report: Report, database: Database
) -> Case:
    feed = next(feed for feed in report.feeds if feed.name == f"osv:{ecosystem}")
    ids = [record["id"] for record in raw(path, ecosystem)]
    kept = database.vulnerabilities(ids)
    names = {
        a["package"]["name"] for record in raw(path, ecosystem) for a in record.get("affected", ())
    }
    keys = {(ecosystem, normalise(ecosystem, name)) for name in names}
    found = (feed.taken, sum(bool(v.withdrawn) for v in kept.values()), len(names))
    whole = (
        found == told
        and feed.skipped == 0
        and len(kept) == len(ids)
        and set(database.about(keys)) == keys
    )
    return f"{ecosystem} counts", whole, f"wanted {told}, found {found}, {feed}"


def _records(path: Path, ecosystem: str, database: Database) -> Iterator[Case]:
    order = scheme(ecosystem)
    assert order is not None
    key: Key = pep440 if ecosystem == "PyPI" else semver
    said: dict[tuple[str, str], list[Affected]] = {}
    for record in raw(path, ecosystem):
        wrong: list[str] = []
        names = {affected["package"]["name"] for affected in record["affected"]}
        for name in sorted(names):
            entries = [a for a in record["affected"] if a["package"]["name"] == name]
            pair = (ecosystem, normalise(ecosystem, name))
            if pair not in said:
                said[pair] = list(database.about([pair]).get(pair, ()))
            # names that are one name to the ecosystem are judged together
            same = [
                a
                for a in record["affected"]
                if normalise(ecosystem, a["package"]["name"]) == pair[1]
            ]
            rows = [row for row in said[pair] if row.id == record["id"]]
            live = [row for row in rows if row.status != "not-affected"]
            for version in sorted(probes(entries, ecosystem)):
                wanted = "withdrawn" not in record and any(
                    affects(entry, version, key) for entry in same
                )
                found = any(holds(row, version, order) is not None for row in live)
                if found != wanted:
                    wrong.append(f"{name} {version}: {'affected' if found else 'not affected'}")
                told = ecosystem == "crates.io" and "withdrawn" not in record
                if told and wanted == safe(entries[0], version):
                    wrong.append(f"{name} {version}: the requirements say otherwise")
        yield f"{ecosystem} {record['id']}", not wrong, "; ".join(wrong[:3])


def probes(entries: list[dict[str, Any]], ecosystem: str) -> set[str]:
    """Every bound, what lies just before and after it, every listed version, and the far ends."""
    bounds = {
        version
        for entry in entries
        for given in entry.get("ranges", ())
        if given["type"] != "GIT"
        for event in given["events"]
        for version in event.values()
    }
    found = {"0", "0.0.0", "0.0.1", "99999.0.0"}
    for entry in entries:
        found |= set(entry.get("versions", ()))
    for bound in bounds - {"0"}:
        found.add(bound)
        found |= _near_pep440(bound) if ecosystem == "PyPI" else _near_semver(bound)
    return found if ecosystem == "PyPI" else {v for v in found if _NUMBERS.match(v)} - {"0"}


def _near_semver(bound: str) -> set[str]:
    match = _NUMBERS.match(bound)
    if match is None:
        return set()
    a, b, c = (int(n or 0) for n in match.groups()[:3])
    plain = f"{a}.{b}.{c}"
    near = {f"{plain}-0", f"{plain}-zzz", plain, f"{a}.{b}.{c + 1}", f"{a}.{b}.{c + 1}-0"}
    if match[4]:
        near |= {f"{plain}{match[4]}.0", f"{plain}{match[4]}+build"}
    if c:
        near.add(f"{a}.{b}.{c - 1}")
    elif b:
        near.add(f"{a}.{b - 1}.999")
    elif a:
        near.add(f"{a - 1}.999.999")
    return near


def _near_pep440(bound: str) -> set[str]:
    try:
        version = Version(bound)
    except InvalidVersion:
        return set()
    release = list(version.release)
    plain = ".".join(map(str, release))
    near = {f"{plain}.dev0", f"{plain}a0", f"{plain}rc99", plain, f"{plain}.post0", f"{plain}.0"}
    near |= {f"{plain}+local", ".".join(map(str, [*release[:-1], release[-1] + 1]))}
    if release[-1]:
        near.add(".".join(map(str, [*release[:-1], release[-1] - 1])))
    prefix = f"{version.epoch}!" if version.epoch else ""
    return {prefix + one for one in near}


def affects(entry: dict[str, Any], version: str, key: Key) -> bool:
    """The schema's rule, put differently: of all events at or below a version, the highest one
    decides; a version that is listed is affected.
    """
    if any(key(version) == key(listed) for listed in entry.get("versions", ())):
        return True
    return any(
        _last(given["events"], version, key)
        for given in entry.get("ranges", ())
        if given["type"] in ("SEMVER", "ECOSYSTEM")
    )


def _last(events: list[dict[str, str]], version: str, key: Key) -> bool:
    at = key(version)
    passed: list[tuple[Any, int, bool]] = []
    limits = []
    for number, event in enumerate(events):
        ((kind, bound),) = event.items()
        if kind == "limit":
            limits.append(bound)
        elif kind == "introduced" and bound == "0":
            passed.append(((), number, True))
        elif key(bound) < at or (key(bound) == at and kind != "last_affected"):
            passed.append(((key(bound),), number, kind == "introduced"))
    if limits and not any(limit == "*" or at < key(limit) for limit in limits):
        return False
    return bool(passed) and max(passed, key=lambda event: event[:2])[2]


@cache
def semver(text: str) -> Any:
    """SemVer 2.0 precedence, item 11."""
    match = _NUMBERS.match(text.removeprefix("v"))
    if match is None:
        return (-1,), ()
    numbers = tuple(int(n or 0) for n in match.groups()[:3])
    if not match[4]:
        return numbers, ((2,),)
    parts = match[4][1:].split(".")
    return numbers, tuple((0, int(p)) if p.isdigit() else (1, p) for p in parts)


@cache
def pep440(text: str) -> Any:
    """PEP 440, what it does not know below all."""
    try:
        return (1, Version(text))
    except InvalidVersion:
        return (0, text)


def safe(entry: dict[str, Any], version: str) -> bool:
    """Whether RustSec's own requirements call a version safe."""
    given = entry["database_specific"]
    wanted = [*given.get("patched", ()), *given.get("unaffected", ())]
    return any(_meets(version, requirement) for requirement in wanted)


def _meets(version: str, requirement: str) -> bool:
    parts = (part.strip() for part in requirement.split(","))
    return all(_meets_one(semver(version), part) for part in parts)


def _meets_one(version: Any, part: str) -> bool:
    match = re.match(r"(\^|~|>=|<=|>|<|=)?\s*(.+)\Z", part)
    assert match
    sign, text = match[1] or "^", match[2]
    if text == "*":
        return True
    numbers = _NUMBERS.match(text)
    assert numbers, text
    given = [int(n) for n in numbers.groups()[:3] if n is not None]
    at = semver(text)
    if sign == ">=":
        return bool(version >= at)
    if sign == "<":
        return bool(version < at)
    if sign in (">", "<=", "="):
        after = version > at if len(given) == 3 else version >= _next(given, len(given) - 1)
        return bool({">": after, "<=": not after, "=": version >= at and not after}[sign])
    if sign == "~":
        return bool(at <= version < _next(given, min(1, len(given) - 1)))
    place = next((n for n, number in enumerate(given) if number), len(given) - 1)
    return bool(at <= version < _next(given, place))


def _next(given: list[int], place: int) -> Any:
    """The lowest pre-release of the version after, counted up at a place."""
    up = [*given[:place], given[place] + 1]
    return semver(".".join(map(str, [*up, 0, 0][:3])) + "-0")
