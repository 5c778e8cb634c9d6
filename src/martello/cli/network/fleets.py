"""Several clusters by a fleet file: each read from where it says, with its own ranges."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from martello.cli.network.opening import Opened, opened_reading
from martello.cli.network.promising import text_of
from martello.cli.one_world import read_one
from martello.cli.progress import Progress
from martello.core.errors import MartelloError
from martello.core.reading import Reading
from martello.core.resource import Ref
from martello.practices.network.addresses import name_of
from martello.practices.network.fleets.file import Member, members
from martello.practices.network.fleets.fleet import Fleet
from martello.practices.network.lint.together import Noted

if TYPE_CHECKING:
    from martello.practices.network.fleets.fleet import Crossing

_SHOWN = 50


class Fleeted(msgspec.Struct, frozen=True, eq=False):
    """A fleet with what was read of each cluster."""

    fleet: Fleet
    clusters: dict[str, Opened]


def fleet_of(file: str, flags: Mapping[str, Any], progress: Progress) -> Fleeted:
    """Reads every cluster of a fleet file; paths are meant from where the file lies. Raises what
    reading raises.
    """
    from martello.catalogue.document import read_document

    document = read_document(text_of(file, "--fleet"), file)
    document.finish()
    found = members(document.data)
    clusters: dict[str, Opened] = {}
    for number, member in enumerate(found):
        progress("reading clusters", number, len(found))
        clusters[member.name] = _opened(member, os.path.dirname(file), flags, progress)
    fleet = Fleet(found, {name: one.reach for name, one in clusters.items()})
    return Fleeted(fleet, clusters)


def _opened(member: Member, home: str, flags: Mapping[str, Any], progress: Progress) -> Opened:
    given = {
        **flags,
        "context": None,
        "cni": member.cni,
        "pod_ranges": member.pods,
        "service_ranges": member.services,
    }
    words = (f"cluster:{member.context}",) if member.context else (_path(member.files, home),)
    try:
        reading = read_one(words, given, progress)
        return opened_reading(_named(reading, member.name), given)
    except MartelloError as error:
        error.what = f"cluster {member.name}: {error.what}"
        raise


def _path(word: str, home: str) -> str:
    """A path of the fleet file from where it lies; other kinds of targets as they are."""
    kind, colon, rest = word.partition(":")
    if colon and kind == "bundle":
        return f"bundle:{os.path.join(home, rest)}"
    if word == "demo" or (colon and kind in ("git", "cluster")):
        return word
    return os.path.join(home, word)


def _named(reading: Reading, name: str) -> Reading:
    return msgspec.structs.replace(reading, cluster=reading.cluster or name)


def fleet_facts(flags: Mapping[str, Any], progress: Progress) -> tuple[Reading, dict[str, Any]]:
    """One reading of all clusters, and what is wrong between them, for the check of it."""
    fleeted = fleet_of(flags["fleet"], flags, progress)
    resources = tuple(
        msgspec.structs.replace(r, ref=msgspec.structs.replace(r.ref, cluster=name))
        for name, one in fleeted.clusters.items()
        for r in one.reading.resources
    )
    first = next(iter(fleeted.clusters.values())).reading
    reading = msgspec.structs.replace(
        first,
        target=flags["fleet"],
        resources=resources,
        unassessed=tuple(u for one in fleeted.clusters.values() for u in one.reading.unassessed),
        files=sum(one.reading.files for one in fleeted.clusters.values()),
    )
    return reading, {"fleet": tuple(notes(fleeted.fleet))}


def notes(fleet: Fleet) -> list[Noted]:
    """What overlaps, and what passes between clusters and is not exported."""
    nobody = Ref("", "v1", "Cluster", "", "")
    found = [Noted("NET-021", nobody, str(one)) for one in fleet.overlaps]
    for crossing in fleet.crossings():
        if len(found) >= _SHOWN:
            break
        if crossing.passes.yes and not _exported(fleet, crossing):
            source, to = crossing.source, crossing.destination
            ends = f"{source[0]}/{name_of(source[1])} reaches {to[0]}/{name_of(to[1])}"
            told = f"{ends} on {crossing.passes.yes}, which is not exported"
            found.append(Noted("NET-021", nobody, told))
    return found


def _exported(fleet: Fleet, crossing: Crossing) -> bool:
    """Whether all that passes is exported."""
    place = crossing.destination[1]
    held = getattr(place, "addresses", ())
    allowed = [
        fleet.allowed(crossing.source[0], crossing.destination[0], version, at)
        for version, at in held
        if version == crossing.family
    ]
    if not allowed:
        return False
    return not any(crossing.passes.yes - one for one in allowed)
