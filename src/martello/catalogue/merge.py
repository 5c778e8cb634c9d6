"""Hits become findings: those of one object and one check are one, which lists its elements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from martello.catalogue.baseline import Baseline, digest, fingerprint
from martello.catalogue.waivers import Waivers
from martello.core.check import Check, Hit
from martello.core.cluster import Cluster
from martello.core.finding import Finding, Unassessed, Waived, rank
from martello.core.path import Path
from martello.core.path import parse as parse_path
from martello.core.resource import Resource

_MESSAGES: Final = 3
_Like = tuple[str, int, tuple[str, ...], Waived | None]
_Pack = tuple[Check, Resource, list[Hit], Waived | None]


class Merger:
    """Collects hits, an object and check at a time; waived ones are kept apart from those that
    count. What an owned object shares with its owner is said once, for the owner.
    """

    __slots__ = (
        "_baseline",
        "_cluster",
        "_mappings",
        "_once",
        "_owned",
        "_packs",
        "_said",
        "_waivers",
        "unassessed",
    )

    def __init__(self, cluster: Cluster, waivers: Waivers, baseline: Baseline) -> None:
        self._cluster = cluster
        self._waivers = waivers
        self._baseline = baseline
        self._mappings: dict[str, frozenset[str]] = {}
        self._packs: dict[tuple[str, int, Waived | None], _Pack] = {}
        self._once: dict[tuple[str, Waived | None], list[_Pack]] = {}  # one finding for all objects
        self._said: set[tuple[str, int]] = set()
        # One object of those that an owner made, and how many are like it.
        self._owned: dict[_Like, tuple[_Pack, list[int]]] = {}
        self.unassessed: list[Unassessed] = []

    def add(self, check: Check, resource: Resource, hits: Sequence[Hit]) -> None:
        """Takes the hits of one check in one object."""
        root = self._cluster.root(resource)
        for waived, members in self._parted(check, hits).items():
            pack = (check, resource, members, waived)
            if all(hit.once for hit in members):
                self._once.setdefault((check.id, waived), []).append(pack)
            elif root is resource:
                self._said.add((check.id, id(resource)))
                same = self._packs.setdefault((check.id, id(resource), waived), pack)
                if same is not pack:
                    same[2].extend(members)
            else:
                names = tuple(dict.fromkeys(h.element for h in members))
                like = self._owned.setdefault((check.id, id(root), names, waived), (pack, [0]))
                like[1][0] += 1

    def _parted(self, check: Check, hits: Sequence[Hit]) -> dict[Waived | None, list[Hit]]:
        """The hits by who waives them; those without a verdict are noted."""
        parts: dict[Waived | None, list[Hit]] = {}
        for hit in hits:
            if hit.unassessed:
                place = hit.resource.locate(existing(hit.resource.raw, hit.path))
                reason = f"{hit.element}: {hit.message}" if hit.element else hit.message
                ref = hit.resource.ref
                self.unassessed.append(Unassessed(reason, place, check.id, ref, hit.asked))
            else:
                parts.setdefault(self._waivers.find(check, hit), []).append(hit)
        return parts

    def findings(self) -> Iterator[Finding]:
        """The findings of all that was added."""
        for pack in self._packs.values():
            yield self._finding(pack)
        for packs in self._once.values():
            yield self._for_all(packs)
        for (id_, root_id, *_), (pack, (count,)) in self._owned.items():
            if (id_, root_id) not in self._said:
                root = self._cluster.root(pack[1])
                yield self._finding(pack, (f"{count} made by {root.ref}, whose template differs",))

    def _for_all(self, packs: list[_Pack]) -> Finding:
        """One finding for several objects, at the first of them by name."""
        packs.sort(key=lambda pack: (str(pack[1].ref), str(pack[1].locate(()))))
        check, resource, _, waived = packs[0]
        hits = [hit for pack in packs for hit in pack[2]]
        roots = dict.fromkeys(str(self._cluster.root(pack[1]).ref) for pack in packs)
        others = sorted(roots.keys() - {str(self._cluster.root(resource).ref)})
        return self._finding((check, resource, hits, waived), (_and(others),) if others else ())

    def _finding(self, pack: _Pack, evidence: tuple[str, ...] = ()) -> Finding:
        check, resource, hits, waived = pack
        first = hits[0]
        path = existing(resource.raw, first.path)
        messages = tuple(dict.fromkeys(h.message for h in hits))
        more = len(messages) - _MESSAGES
        said = [*messages[:_MESSAGES], *([f"and {more} more"] if more > 0 else [])]
        parts = tuple(dict.fromkeys(fingerprint(check.id, h) for h in hits))
        finding = Finding(
            check=check.id,
            ref=resource.ref,
            path=path,
            location=resource.locate(path),
            message="; ".join(said),
            severity=min((h.severity or check.severity for h in hits), key=rank),
            elements=tuple(dict.fromkeys(h.element for h in hits if h.element)),
            evidence=tuple(dict.fromkeys(e for h in hits for e in h.evidence)) + evidence,
            fix=check.fix,
            waived=waived,
            fingerprint=parts[0] if len(parts) == 1 else digest(*sorted(parts)),
            parts=parts,
            cause=self._cause(check, hits),
            because=first.because if all(h.because == first.because for h in hits) else None,
        )
        return self._marked(finding, check)

    def _marked(self, finding: Finding, check: Check) -> Finding:
        if finding.waived is not None or not self._baseline.knows(finding, check):
            return finding
        import msgspec

        return msgspec.structs.replace(finding, known=True)

    def _cause(self, check: Check, hits: Iterable[Hit]) -> str:
        """The mapping that the fix of every hit fills, where nothing stands yet; else the check."""
        mappings = self._mappings.get(check.id)
        if mappings is None:
            mappings = self._mappings[check.id] = frozenset(_filled(check))
        found: set[Any] = set()
        for hit in hits:
            path = hit.path
            if len(existing(hit.resource.raw, path)) == len(path):
                return check.id
            found.add(next((part for part in path if part in mappings), check.id))
        return found.pop() if len(found) == 1 else check.id


def _and(others: Sequence[str]) -> str:
    """The first of the other objects, and how many there are."""
    more = f" and {len(others) - _MESSAGES} more" if len(others) > _MESSAGES else ""
    return f"so do {', '.join(others[:_MESSAGES])}{more}"


def _filled(check: Check) -> Iterator[str]:
    """The mappings into which the fix of a check sets a field."""
    fix = (check.rule or {}).get("fix") or {}
    for edit in fix.get("edits", ()):
        text = edit.get("set") or edit.get("add")
        path = parse_path(text) if text else ()
        if len(path) > 1 and isinstance(path[0], str):
            yield path[0]


def existing(raw: Any, path: Path) -> Path:
    """The part of a path that is there: the node itself, or its nearest existing ancestor."""
    value = raw
    for length, part in enumerate(path):
        if isinstance(part, str):
            if not isinstance(value, dict) or part not in value:
                return path[:length]
        elif not isinstance(value, list) or part >= len(value):
            return path[:length]
        value = value[part]
    return path
