"""Reads the Debian security tracker's JSON: what each release says of each source package.

Source: the tracker's export, /tracker/data/json. `status` is open, resolved or undetermined; a
`fixed_version` of 0 means that the release was never affected. `nodsa` says why there is no
advisory of its own, `nodsa_reason` whether that is ignored or postponed. An `urgency` of
`end-of-life` marks a package that is no longer supported, `unimportant` one without effect on
security. CVEs without a number yet are named TEMP-….
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from martello.core.errors import BadInput
from martello.core.vulnerability import Affected, Vulnerability
from martello.practices.images.advisories.archive import whole
from martello.practices.images.advisories.record import Item, Record, Skipped, shortened, until
from martello.practices.images.advisories.severity import level
from martello.practices.images.ecosystems import DEBIAN_RELEASES
from martello.practices.images.versions import scheme

FEED: Final = "debian-tracker"
LARGEST: Final = 1 << 30  # bytes; the tracker's export has about 70 MB
_RELEASES: Final = DEBIAN_RELEASES
_DEFERRED: Final = {"ignored": "will-not-fix", "postponed": "deferred"}


class _Release(msgspec.Struct, frozen=True):
    status: str = ""
    fixed_version: str | None = None
    urgency: str | None = None
    nodsa: str | None = None
    nodsa_reason: str | None = None
    repositories: dict[str, str] | None = None


class _Issue(msgspec.Struct, frozen=True):
    description: str | None = None
    releases: dict[str, _Release] | None = None


_TREE: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ISSUE: Final = msgspec.json.Decoder(_Issue)


def read(path: Path) -> Iterator[Item]:
    """One record for each source package and CVE. Raises BadInput where it is no such file."""
    packages = _tree(whole(path, LARGEST), str(path))
    for package in sorted(packages):
        try:
            issues = _tree(bytes(packages[package]), package)
        except BadInput as error:
            yield Skipped(package, error.why)
            continue
        for id in sorted(issues):
            yield _record(package, id, bytes(issues[id]))


def _tree(content: bytes, where: str) -> dict[str, msgspec.Raw]:
    try:
        return _TREE.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"cannot read {where}", f"it is no tracker export ({error})") from None


def _record(package: str, id: str, content: bytes) -> Item:
    where = f"{package} {id}"
    try:
        issue = _ISSUE.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Skipped(where, f"it is no issue: {error}"[:200])
    text = issue.description or ""
    summary = text if len(text) <= 200 else text[:198] + " …"
    about = Vulnerability(id=id, summary=summary, details=shortened(text), feed=FEED)
    rows: list[Affected] = []
    for codename, release in sorted((issue.releases or {}).items()):
        number = _RELEASES.get(codename)
        if number is not None:
            rows.append(_affected(package, id, f"Debian:{number}", release))
    return Record(about, tuple(rows))


def _affected(package: str, id: str, ecosystem: str, release: _Release) -> Affected:
    status, fixed, note = _status(release, ecosystem)
    never = status == "not-affected"
    return Affected(
        id=id,
        ecosystem=ecosystem,
        name=package,
        ranges=() if never else until(fixed),
        status=status,
        severity=level(release.urgency),
        feed=FEED,
        note=note,
    )


def _status(release: _Release, ecosystem: str) -> tuple[str, str, str]:
    """Status, fixed version and note."""
    fixed = release.fixed_version or ""
    note = (release.nodsa or "")[:240]
    if release.status == "resolved":
        if fixed == "0":
            return "not-affected", "", note or "the release was never affected"
        if fixed:
            return "fixed", fixed, note
        # resolved without a version: what the archive holds now is not affected
        held = _lowest(release, ecosystem)
        if held:
            return "fixed", held, "resolved without a version: by what the archive holds"
        return "under-investigation", "", "resolved, without a version"
    if release.status == "undetermined":
        return "under-investigation", "", note
    if release.urgency == "end-of-life":
        return "end-of-life", "", note or "the package is not supported any more"
    return _DEFERRED.get(release.nodsa_reason or "", "affected"), "", note


def _lowest(release: _Release, ecosystem: str) -> str:
    order = scheme(ecosystem)
    versions = [version for version in (release.repositories or {}).values() if version]
    return min(versions, key=order.key) if order and versions else ""
