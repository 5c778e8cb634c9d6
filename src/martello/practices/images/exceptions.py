"""Accepted vulnerabilities: our waivers, and the ignore files of trivy, grype and osv-scanner."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.core.finding import Waived
from martello.core.package import Package
from martello.core.vulnerability import Match, Ruled
from martello.core.waiver import Waiver
from martello.practices.images.ecosystems import family, purl
from martello.practices.images.evidence.locks.parse import yaml_text

_EXPIRY: Final = re.compile(r"exp:([0-9]{4}-[0-9]{2}-[0-9]{2})")
_VULNERABILITY: Final = re.compile(r"[A-Z][A-Za-z]*-[A-Za-z0-9:._-]+")
_NOT_FIXED: Final = frozenset(("not-fixed", "wont-fix", "unknown"))


class Exemption(msgspec.Struct, frozen=True):
    """Matches that somebody accepts: all given parts must hold. Globs take `*`."""

    source: str  # file and line
    by: str
    ids: tuple[str, ...] = ()  # empty: any
    reason: str = ""
    until: str = ""  # the last day, ISO
    paths: tuple[str, ...] = ()  # globs of evidence
    purls: tuple[str, ...] = ()  # prefixes
    images: tuple[str, ...] = ()  # globs of image names
    name: str = ""  # of the package; a regular expression's text for grype
    version: str = ""
    ecosystem: str = ""
    type: str = ""
    unfixed: bool = False  # only what has no fix
    foreign: bool = True

    def covers(self, match: Match, names: frozenset[str], image: str) -> bool:
        """Whether it is meant for this match of an image of that name."""
        package = match.package
        if self.ids and not names.intersection(self.ids):
            return False
        if self.images and not any(fnmatchcase(image, glob) for glob in self.images):
            return False
        if self.paths and not any(_lies(package.path, glob) for glob in self.paths):
            return False
        if self.purls and not any(_meant(url, package) for url in self.purls):
            return False
        if self.name and self.name != package.name:
            return False
        if self.version and self.version != package.version:
            return False
        if self.ecosystem and self.ecosystem != family(package.ecosystem):
            return False
        if self.type and self.type != package.type:
            return False
        return not (self.unfixed and match.fixed)


class Accepted(msgspec.Struct, frozen=True):
    """Matches with their waivers; exemptions that ran out and would have covered something; those
    that covered nothing.
    """

    ruled: tuple[Ruled, ...]
    expired: tuple[tuple[Exemption, Match], ...] = ()
    idle: tuple[Exemption, ...] = ()


def accept(
    found: Iterable[Match], exemptions: Sequence[Exemption], image: str, today: date
) -> Accepted:
    """Which matches are accepted. One that ran out accepts nothing, and is told."""
    now = today.isoformat()
    used: set[int] = set()
    expired: dict[int, tuple[Exemption, Match]] = {}
    ruled: list[Ruled] = []
    for match in found:
        waived: Waived | None = None
        names = names_of(match)
        for number, exemption in enumerate(exemptions):
            if not exemption.covers(match, names, image):
                continue
            used.add(number)
            if exemption.until and exemption.until < now:
                expired.setdefault(number, (exemption, match))
            elif waived is None:
                waived = Waived(
                    by=exemption.by,
                    reason=exemption.reason,
                    until=exemption.until,
                    source=exemption.source,
                    foreign=exemption.foreign,
                )
        ruled.append(Ruled(match, waived))
    idle = tuple(e for n, e in enumerate(exemptions) if n not in used)
    return Accepted(tuple(ruled), tuple(expired.values()), idle)


def names_of(match: Match) -> frozenset[str]:
    """Everything a match may be called: its id, the aliases, the ids of its records."""
    records = (match.advisory, *match.also)
    return frozenset((match.id, *match.aliases, *(record.id for record in records)))


def of_waivers(waivers: Iterable[Waiver]) -> Iterator[Exemption]:
    """Our own waivers that name vulnerabilities (`checks: [CVE-2031-1111]`, or IMG-001 for all of
    an image). One for namespaces, kinds or labels is meant for objects, not for images.
    """
    for waiver in waivers:
        ids = tuple(name for name in waiver.checks if _VULNERABILITY.fullmatch(name))
        whole = "IMG-001" in waiver.checks
        match = waiver.match
        objects = match.namespaces or match.kinds or match.names or match.labels or match.expression
        ids = tuple(id for id in ids if not re.fullmatch(r"[A-Z]{3}-\d{3}", id))
        if objects or not (ids or (whole and match.images)):
            continue
        yield Exemption(
            source=waiver.source,
            by=waiver.owner,
            ids=() if whole else ids,
            reason=waiver.reason,
            until=waiver.until,
            images=match.images,
            foreign=False,
        )


def read_ignored(text: str, file: str) -> tuple[Exemption, ...]:
    """Reads an ignore file of another scanner, told by its name. Raises BadInput."""
    name = file.replace("\\", "/").rpartition("/")[2]
    try:
        if name.endswith(".toml"):
            return tuple(_osv_scanner(tomllib.loads(text), file))
        if "grype" in name:
            return tuple(_grype(yaml_text(text), file))
        if name.endswith((".yaml", ".yml")):
            return tuple(_trivy_yaml(yaml_text(text), file))
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else "it cannot be parsed"
        raise BadInput(f"cannot read {file}", first, "mend the file") from None
    return tuple(_trivy_lines(text, file))


def _trivy_lines(text: str, file: str) -> Iterator[Exemption]:
    comment = ""
    for number, line in enumerate(text.splitlines(), 1):
        said, _, remark = line.partition("#")
        words = said.split()
        if not words:
            comment = remark.strip()
            continue
        until = next((m[1] for m in map(_EXPIRY.fullmatch, words[1:]) if m), "")
        yield Exemption(
            source=f"{file}:{number}",
            by="trivy",
            ids=(words[0],),
            reason=remark.strip() or comment,
            until=until,
        )


def _trivy_yaml(body: Any, file: str) -> Iterator[Exemption]:
    for number, entry in enumerate(_maps(body, "vulnerabilities", file)):
        yield Exemption(
            source=f"{file}: vulnerabilities[{number}]",
            by="trivy",
            ids=(_need(entry, "id", file),),
            reason=_text(entry.get("statement")),
            until=_text(entry.get("expired_at"))[:10],
            paths=_texts(entry.get("paths")),
            purls=_texts(entry.get("purls")),
        )


def _grype(body: Any, file: str) -> Iterator[Exemption]:
    for number, entry in enumerate(_maps(body, "ignore", file)):
        source = f"{file}: ignore[{number}]"
        package = entry.get("package")
        package = package if isinstance(package, dict) else {}
        state = _text(entry.get("fix-state"))
        if state and state not in _NOT_FIXED:
            raise BadInput(f"cannot honour {source}", f"fix-state {state} is not known")
        unknown = entry.keys() - {"vulnerability", "package", "fix-state", "reason", "namespace"}
        unknown -= {"include-aliases", "vex-status", "vex-justification", "match-type"}
        if unknown or entry.keys() & {"vex-status", "match-type", "namespace"}:
            continue  # it asks for more than matches here have: it accepts nothing
        yield Exemption(
            source=source,
            by="grype",
            ids=tuple(filter(None, (_text(entry.get("vulnerability")),))),
            reason=_text(entry.get("reason")),
            name=_text(package.get("name")),
            version=_text(package.get("version")),
            type={"python": "pypi", "java-archive": "maven", "go-module": "golang"}.get(
                _text(package.get("type")), _text(package.get("type"))
            ),
            paths=tuple(filter(None, (_text(package.get("location")).lstrip("/"),))),
            unfixed=bool(state),
        )


def _osv_scanner(body: Mapping[str, Any], file: str) -> Iterator[Exemption]:
    for number, entry in enumerate(_maps(body, "IgnoredVulns", file)):
        yield Exemption(
            source=f"{file}: IgnoredVulns[{number}]",
            by="osv-scanner",
            ids=(_need(entry, "id", file),),
            reason=_text(entry.get("reason")),
            until=_day(entry.get("ignoreUntil")),
        )
    for number, entry in enumerate(_maps(body, "PackageOverrides", file)):
        ignored = entry.get("vulnerability")
        whole = entry.get("ignore") is True
        if not whole and not (isinstance(ignored, dict) and ignored.get("ignore") is True):
            continue
        yield Exemption(
            source=f"{file}: PackageOverrides[{number}]",
            by="osv-scanner",
            reason=_text(entry.get("reason")),
            until=_day(entry.get("effectiveUntil")),
            name=_text(entry.get("name")),
            version=_text(entry.get("version")),
            ecosystem=_text(entry.get("ecosystem")),
        )


def _lies(path: str, glob: str) -> bool:
    glob = glob.removeprefix("./").lstrip("/")
    return path == glob or fnmatchcase(path, glob) or path.startswith(f"{glob.rstrip('/')}/")


def _meant(url: str, package: Package) -> bool:
    own = purl(package, None).partition("?")[0]
    wanted = url.partition("?")[0]
    return own == wanted or own.startswith(f"{wanted}@")


def _maps(body: Any, key: str, file: str) -> list[dict[str, Any]]:
    entries = body.get(key) if isinstance(body, Mapping) else None
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadInput(f"cannot read {file}", f"{key} is no list of mappings", "mend the file")
    return entries


def _need(entry: Mapping[str, Any], key: str, file: str) -> str:
    value = _text(entry.get(key))
    if not value:
        raise BadInput(f"cannot read {file}", f"an entry names no {key}", "mend the file")
    return value


def _day(value: Any) -> str:
    return value.isoformat()[:10] if isinstance(value, date) else _text(value)[:10]


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else value if isinstance(value, str) else ""
