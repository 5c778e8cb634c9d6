"""Waivers at work: which findings are accepted, by whom, until when, and which waivers are void."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from martello.catalogue.aliases import Names
from martello.catalogue.baseline import digest
from martello.catalogue.compile import condition
from martello.catalogue.exceptions import Exemption
from martello.catalogue.foreign import Skip, covers, skips
from martello.catalogue.subject import Subject
from martello.cel.values import EvalError
from martello.core.check import Check, Hit
from martello.core.errors import BadInput
from martello.core.finding import Finding, Unassessed, Waived
from martello.core.resource import Location, Ref, Resource
from martello.core.waiver import ANNOTATION, KIND, Waiver, inline_of, waiver_of
from martello.core.workload import Workload

if TYPE_CHECKING:
    from martello.core.cluster import Cluster


class Waivers:
    """All waivers of one scan. `unassessed` names those that are written wrongly, `notes` what is
    stale or unknown; neither hides anything.
    """

    __slots__ = (
        "_by_check",
        "_cluster",
        "_exemptions",
        "_expressions",
        "_foreign",
        "_inline",
        "_latest",
        "_names",
        "_today",
        "_too_long",
        "_used",
        "notes",
        "unassessed",
    )

    def __init__(
        self,
        waivers: Iterable[Waiver],
        names: Names,
        cluster: Cluster,
        *,
        today: date,
        foreign: bool = True,
        max_days: int = 365,
        exemptions: Sequence[Exemption] = (),
    ) -> None:
        self.notes: list[str] = []
        self.unassessed: list[Unassessed] = []
        self._cluster = cluster
        self._names = names
        self._today = today.isoformat()
        self._foreign = foreign
        self._exemptions = tuple(exemptions) if foreign else ()
        self._used: set[str] = set()
        self._expressions: dict[str, Callable[[Subject], Any]] = {}
        self._by_check: dict[str, list[Waiver]] = {}
        self._inline: dict[int, list[tuple[Waived, frozenset[str], Skip | None]]] = {}
        self._latest = (today + timedelta(days=max_days)).isoformat()
        self._too_long = f"more than {max_days} days: it is not honoured"
        for waiver in waivers:
            self._add(waiver)
        for resource in cluster.of_kind(KIND):
            try:
                self._add(waiver_of(resource))
            except BadInput as error:
                reason = f"{error.what}: {error.why}"
                place = resource.locate(("spec",))
                self.unassessed.append(Unassessed(reason, place, ref=resource.ref))

    def find(self, check: Check, hit: Hit) -> Waived | None:
        """Who waives this hit; None where it counts."""
        for waiver in self._by_check.get(check.id, ()):
            if self._matches(waiver, hit):
                self._used.add(waiver.source)
                by = waiver.owner
                return Waived(by, waiver.reason, waiver.until, waiver.source)
        for waived, ids, skip in self._of(hit.resource):
            if check.id not in ids or (waived.foreign and self._critical(check, hit)):
                continue
            if skip is None or covers(skip, hit.resource, hit.path):
                return waived
        if self._exemptions and not self._critical(check, hit):
            return self._exempt(check, hit)
        return None

    def stale(self, ran: frozenset[str]) -> dict[str, str]:
        """A note, by its source, for each waiver that matched nothing though every check it names
        ran.
        """
        found: dict[str, Waiver] = {}
        for waivers in self._by_check.values():
            for waiver in waivers:
                ids = frozenset().union(*(self._names.find(name) for name in waiver.checks))
                if waiver.source not in self._used and ids <= ran:
                    found[waiver.source] = waiver
        return {s: f"waiver {w.name} ({s}) matches nothing" for s, w in found.items()}

    def _add(self, waiver: Waiver) -> None:
        if waiver.until > self._latest:
            reason = f"the waiver {waiver.name} runs until {waiver.until}, {self._too_long}"
            self.unassessed.append(Unassessed(reason, _place(waiver.source)))
            return
        if waiver.match.expression:
            problem = self._compile(waiver.match.expression)
            if problem:
                reason = f"the expression of the waiver {waiver.name} is not usable: {problem}"
                self.unassessed.append(Unassessed(reason, _place(waiver.source)))
                return
        if waiver.until < self._today:
            return  # void: POD-090 says so
        for id in self._meant(waiver.checks, f"waiver {waiver.name}"):
            self._by_check.setdefault(id, []).append(waiver)

    def _meant(self, names: Iterable[str], whose: str) -> frozenset[str]:
        """The checks that a waiver names; what is unknown is noted."""
        meant: frozenset[str] = frozenset()
        for name in names:
            ids = self._names.find(name)
            if not ids:
                near = self._names.nearest(name)
                hint = f", did you mean {near}?" if near else ""
                self.notes.append(f"{whose} names the unknown check {name}{hint}")
            meant |= ids
        return meant

    def _compile(self, text: str) -> str:
        if text not in self._expressions:
            try:
                self._expressions[text] = condition(text)
            except BadInput as error:
                return error.why
        return ""

    def _matches(self, waiver: Waiver, hit: Hit) -> bool:
        match, resource = waiver.match, hit.resource
        ref = resource.ref
        if match.kinds and ref.kind not in match.kinds and ref.group_kind not in match.kinds:
            return False
        if match.namespaces and not _any(match.namespaces, ref.namespace):
            return False
        if match.names and not _any(match.names, ref.name):
            return False
        if match.labels and not match.labels.items() <= resource.labels.items():
            return False
        if match.images and not _images(match.images, self._cluster.workload(resource), hit):
            return False
        return not match.expression or self._holds(match.expression, resource)

    def _holds(self, text: str, resource: Resource) -> bool:
        try:
            workload = self._cluster.workload(resource)
            return self._expressions[text](Subject(resource, workload, self._cluster)) is True
        except EvalError:
            return False

    def _of(self, resource: Resource) -> list[tuple[Waived, frozenset[str], Skip | None]]:
        """What is waived at the object itself: by us, then by peers."""
        found = self._inline.get(id(resource))
        if found is None:
            found = self._inline[id(resource)] = []
            for entry in inline_of(resource):
                if isinstance(entry, BadInput):
                    reason = f"{entry.what}: {entry.why}"
                    self.unassessed.append(Unassessed(reason, ref=resource.ref))
                elif entry.until > self._latest:
                    reason = f"the annotation {ANNOTATION} runs until {entry.until}"
                    place = resource.locate(entry.path)
                    reason = f"{reason}, {self._too_long}"
                    self.unassessed.append(Unassessed(reason, place, ref=resource.ref))
                elif entry.until >= self._today:
                    ids = self._meant(
                        entry.checks, f"the annotation {ANNOTATION} of {resource.ref}"
                    )
                    source = str(resource.locate(entry.path))
                    waived = Waived("annotation", entry.reason, entry.until, source)
                    found.append((waived, ids, None))
            if self._foreign:
                found.extend(self._peers(resource))
        return found

    def _peers(self, resource: Resource) -> Iterable[tuple[Waived, frozenset[str], Skip | None]]:
        for skip in skips(resource):
            ids = self._names.of_peer(skip.peer, skip.name)
            if ids and (not skip.until or skip.until >= self._today):
                place = resource.locate(())
                source = f"{place.file}:{skip.line - 1}" if skip.line else str(place)
                waived = Waived(skip.peer, skip.reason, skip.until, source, foreign=True)
                yield waived, ids, skip if skip.line else None

    def _exempt(self, check: Check, hit: Hit) -> Waived | None:
        for exemption in self._exemptions:
            if exemption.until and exemption.until < self._today:
                continue
            ids = frozenset().union(
                *(self._names.of_peer(exemption.peer, name) for name in exemption.names)
            )
            if check.id in ids and exemption.covers(hit.resource):
                by, until = exemption.peer, exemption.until
                return Waived(by, exemption.reason, until, exemption.source, foreign=True)
        return None

    @staticmethod
    def _critical(check: Check, hit: Hit) -> bool:
        return (hit.severity or check.severity) == "critical"


def expired(waivers: Iterable[Waiver], check: Check, today: date) -> Iterator[Finding]:
    """Findings about waivers that came from outside what was scanned and have run out."""
    for waiver in waivers:
        if waiver.until >= today.isoformat():
            continue
        mark = digest(check.id, waiver.name, "")
        names = ", ".join(waiver.checks)
        yield Finding(
            check=check.id,
            ref=Ref("", "martello.dev/v1alpha1", "Waiver", "", waiver.name),
            path=("spec", "until"),
            location=_place(waiver.source),
            message=f"the waiver of {waiver.owner} for {names} ran out on {waiver.until}",
            severity=check.severity,
            fix=check.fix,
            fingerprint=mark,
            parts=(mark,),
            cause=check.id,
        )


def _place(source: str) -> Location:
    """The place that `str(location)` wrote."""
    file, line, column = [*source.rsplit(":", 2), "", ""][:3]
    if line.isdigit() and column.isdigit():
        return Location(file, int(line), int(column))
    return Location(source)


def _any(patterns: Iterable[str], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _images(patterns: Sequence[str], workload: Workload | None, hit: Hit) -> bool:
    """Whether the container that the hit lies in, or else every one, runs a matching image."""
    if workload is None:
        return False
    meant = [c for c in workload.containers if hit.path[: len(c.path)] == c.path]
    images = [c.raw.get("image") for c in meant or workload.containers]
    return bool(images) and all(isinstance(i, str) and _any(patterns, i) for i in images)
