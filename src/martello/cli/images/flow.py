"""From an inventory to a verdict: matching, VEX, waivers, findings, the report."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from martello import __version__
from martello.cli.exits import verdict
from martello.core.errors import BadInput, Stale
from martello.core.finding import Finding, Scan, Unassessed
from martello.core.package import Inventory, Unread
from martello.core.resource import Location
from martello.core.vulnerability import LEVELS, Aside, Data, Feed, aged
from martello.practices.images.advisories.db import Database, open_database
from martello.practices.images.exceptions import Exemption, accept, of_waivers, read_ignored
from martello.practices.images.findings import findings
from martello.practices.images.match import Settings, match
from martello.practices.images.vex import Statement, apply
from martello.practices.images.vex.read import read_vex
from martello.report.images.model import Examined, Images, fixes
from martello.report.model import Report
from martello.report.text import clean

WARN_HOURS: Final = 24.0
FOREIGN: Final = (
    ".trivyignore",
    ".trivyignore.yaml",
    ".grype.yaml",
    ".grype.yml",
    "osv-scanner.toml",
)
_LARGEST: Final = 16 << 20


class Judging(msgspec.Struct, frozen=True):
    """What counts, and what somebody accepts."""

    match: Settings = Settings()
    statements: tuple[Statement, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    max_hours: float = 72.0  # older advisories give no verdict


def judging(flags: dict[str, Any]) -> Judging:
    """Reads the flags of options.judging_flags. Raises BadInput: what is named must be readable."""
    statements: list[Statement] = []
    for file in flags["vex"]:
        statements += read_vex(read_file(file), file)
    exemptions: list[Exemption] = []
    own = [f for f in FOREIGN if flags["foreign"] == "honour" and os.path.isfile(f)]
    for file in dict.fromkeys((*flags["ignore"], *own)):
        exemptions += _accepted(file)
    settings = Settings(informational=flags["informational"], dev=flags["dev"])
    return Judging(settings, tuple(statements), tuple(exemptions))


def _accepted(file: str) -> list[Exemption]:
    name = os.path.basename(file)
    others = name.startswith((".trivyignore", ".grype", "grype")) or name.endswith(".toml")
    if others or not name.endswith((".yaml", ".yml", ".json")):
        text = read_file(file).decode("utf-8", "replace")
        return list(read_ignored(text, file))
    from martello.cli.accepted import read_accepted

    waivers, _ = read_accepted([file], foreign=False)
    return list(of_waivers(waivers))


def read_file(file: str, largest: int = _LARGEST) -> bytes:
    """The bytes of a file that was named. Raises BadInput."""
    try:
        with open(file, "rb") as source:
            content = source.read(largest + 1)
    except OSError as error:
        raise BadInput(f"cannot read {file}", error.strerror or "", "check the name") from error
    if len(content) > largest:
        raise BadInput(f"cannot read {file}", f"it is larger than {largest >> 20} MiB")
    return content


def open_advisories(file: str) -> Database | None:
    """The database, or None where there is none yet: what is asked of it is then unassessed."""
    try:
        return open_database(file)
    except Stale:
        return None


def examine(
    inventory: Inventory, database: Database | None, how: Judging, now: datetime, image: str = ""
) -> Examined:
    """Everything that is known to be wrong with one image, and what could not be told. One of
    which nothing was recognised is no clean one. `image` is the name for which waivers and VEX
    are looked up, if not the inventory's.
    """
    if not inventory.packages and not inventory.unread:
        nothing = Unread("image", "", "nothing in it was recognised")
        inventory = msgspec.structs.replace(inventory, unread=(nothing,))
    if database is None:
        what = f"{len(inventory.packages)} packages"
        missing = Unread(what, "", "there is no advisory database: martello db update")
        return Examined(inventory, unread=(*inventory.unread, missing))
    data = _data(inventory, database, now)
    container = bool(inventory.layers)
    settings = msgspec.structs.replace(how.match, container=container or how.match.container)
    found = match(inventory, database, settings)
    named = msgspec.structs.replace(inventory, name=image or inventory.name)
    outcome = apply(found.found, how.statements, named)
    accepted = accept(outcome.found, how.exemptions, named.name, now.date())
    unread = [*inventory.unread, *found.unread]
    notes = [f"{s.source}: the statement on {_first(s)} settles nothing: {why}"
             for s, why in outcome.idle]  # fmt: skip
    for exemption, covered in accepted.expired:
        notes.append(
            f"{exemption.source} ran out on {exemption.until} and hides {covered.id} no more"
        )
    if data.hours > how.max_hours:
        limit = f"and may be {how.max_hours:.0f} h old at most: martello db update"
        unread.append(Unread("advisories", "", f"they are {aged(data.hours)}, {limit}"))
    elif data.hours > WARN_HOURS:
        notes.append(f"the advisories are {aged(data.hours)}: martello db update")
    aside: tuple[Aside, ...] = (*found.aside, *outcome.aside)
    return Examined(inventory, accepted.ruled, aside, tuple(unread), data, notes=tuple(notes))


def _first(statement: Statement) -> str:
    return statement.vulnerabilities[0] if statement.vulnerabilities else "no vulnerability"


def _data(inventory: Inventory, database: Database, now: datetime) -> Data:
    """The database as this image uses it: the age is that of its oldest feed for the image."""
    used = {package.ecosystem for package in inventory.packages}
    feeds = [f for f in database.feeds if used.intersection(f.ecosystems)] or list(database.feeds)
    hours = max((_hours(feed, now) for feed in feeds), default=-1.0)
    return Data(database.digest, database.feeds, hours, str(database.path))


def _hours(feed: Feed, now: datetime) -> float:
    """A feed that does not say how old it is, is older than anything allowed."""
    try:
        then = datetime.fromisoformat(feed.time.replace("Z", "+00:00"))
    except ValueError:
        return float("inf")
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (now - then) / timedelta(hours=1))


class Verdict(msgspec.Struct, frozen=True):
    """How a run ends: the lowest failing severity, and what else the exit code heeds."""

    fail_on: str = "high"
    allow_incomplete: bool = False
    show: str = "low"
    everything: bool = False


def report_of(
    target: str,
    examined: Sequence[Examined],
    how: Verdict,
    begun: float,
    now: datetime,
    database: Database | None = None,
    extra: Iterable[Finding] = (),
    missing: Iterable[Unassessed] = (),
) -> Images:
    """The findings of all images as one report, with its exit code and the next step. `missing`
    are the images that could not be read at all.
    """
    found = list(extra)
    for one in examined:
        ends = end_of_life(one.inventory, database)
        today = now.date().isoformat()
        found += findings(one.inventory, one.ruled, today=today, end_of_life=ends)
    unassessed = [*missing] + [
        Unassessed(str(unread), Location(one.inventory.name))
        for one in examined
        for unread in one.unread
    ]
    from martello.catalogue.group import groups, order
    from martello.catalogue.load import load

    checks = {check.id: check for check in load() if check.id in _OURS}
    ordered = tuple(sorted(found, key=order))
    scan = Scan(
        target=target,
        findings=ordered,
        groups=groups(ordered, checks),
        unassessed=tuple(dict.fromkeys(unassessed)),
        objects=len(examined),
        passed=sum(len(one.inventory.packages) for one in examined) - len(_hit(examined)),
        checks=len(checks),
        seconds=time.monotonic() - begun,
    )
    code, reason = verdict(scan, how.fail_on, how.allow_incomplete)
    if not examined:
        reason = "nothing to judge: no image was read"
    report = Report(
        scan=scan,
        checks=checks,
        exit=code,
        reason=reason,
        next=_next(examined, target),
        version=__version__,
        show=how.show,
        everything=how.everything,
    )
    return Images(tuple(examined), report, now.isoformat(timespec="seconds").replace("+00:00", "Z"))


_OURS: Final = frozenset(f"IMG-{n:03d}" for n in (1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 14, 19, 20, 21))


def _hit(examined: Sequence[Examined]) -> set[tuple[int, Any]]:
    return {(n, r.match.package) for n, one in enumerate(examined) for r in one.ruled}


def end_of_life(inventory: Inventory, database: Database | None) -> str:
    """The ISO day on which the support of an image's distribution ends; empty: not known."""
    ecosystem = next((p.ecosystem for p in inventory.packages if p.type in _SYSTEMS), "")
    return database.end_of_life(ecosystem) if database is not None and ecosystem else ""


_SYSTEMS: Final = frozenset(("deb", "apk", "rpm"))


def _next(examined: Sequence[Examined], target: str) -> str:
    several = len({e.inventory.name for e in examined}) > 1 or any(e.used for e in examined)
    alone = not several and " " not in target  # what was typed is the image
    if any(not one.data.digest for one in examined):
        needed = f" --for {shlex.quote(clean(target))}" if alone and target != "-" else ""
        return f"martello db update{needed}"
    worst = [(fix, one) for one in examined for fix in fixes(one)[:1]]
    if not worst:
        return ""
    first, one = min(worst, key=lambda pair: LEVELS.index(pair[0].severity))
    name = target if alone else one.inventory.name
    return f"martello image explain {first.matches[0].id} {shlex.quote(clean(name))}"
