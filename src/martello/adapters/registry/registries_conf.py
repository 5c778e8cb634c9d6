"""registries.conf, version 2: which mirrors podman, CRI-O and skopeo ask for an image.

Source: containers-registries.conf(5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.adapters.registry import toml
from martello.core.errors import BadInput

_WHEN: Final = ("all", "digest-only", "tag-only")


class Mirror(msgspec.Struct, frozen=True):
    """Another place for the images of a table. `when`: all, digest-only or tag-only."""

    location: str
    insecure: bool
    when: str


class Table(msgspec.Struct, frozen=True):
    """One [[registry]]: what it applies to, and where that really lies."""

    prefix: str
    location: str
    insecure: bool
    blocked: bool
    mirrors: tuple[Mirror, ...]
    file: str


def read(named: str | None, environ: Mapping[str, str]) -> tuple[Table, ...]:
    """The tables of the named file, or of the machine's own where it is None. Raises BadInput."""
    if named == "":
        return ()
    explicit = named or environ.get("CONTAINERS_REGISTRIES_CONF", "")
    if explicit:
        found = toml.load(Path(explicit))
        if found is None:
            raise BadInput(f"cannot read {explicit}", "there is no such file")
        return tuple(_tables(found, Path(explicit)))
    home = environ.get("HOME", "")
    places = [Path("/etc/containers")]
    if home:
        places.insert(0, Path(home, ".config/containers"))
    by_prefix: dict[str, Table] = {}
    for place in places:
        file = place / "registries.conf"
        found = toml.load(file)
        if found is not None:
            by_prefix.update((table.prefix, table) for table in _tables(found, file))
            break
    for place in reversed(places):
        for file in sorted((place / "registries.conf.d").glob("*.conf")):
            found = toml.load(file)
            by_prefix.update((table.prefix, table) for table in _tables(found or {}, file))
    return tuple(by_prefix.values())


def matching(tables: Sequence[Table], name: str) -> Table | None:
    """The table with the longest prefix for `host/repository`, by components."""
    fitting = [table for table in tables if leading(table.prefix, name)]
    return max(fitting, key=lambda table: len(table.prefix), default=None)


def leading(prefix: str, name: str) -> str:
    """The part of the name that a prefix (`host`, `host/path`, `*.domain`) covers; empty where it
    covers none.
    """
    if prefix.startswith("*."):
        host = name.partition("/")[0]
        domain, colon, _ = host.partition(":")
        fits = host.endswith(prefix[1:]) or (colon and domain.endswith(prefix[1:]))
        return host if fits else ""
    return prefix if name == prefix or name.startswith(f"{prefix}/") else ""


def _tables(found: Mapping[str, Any], path: Path) -> list[Table]:
    if isinstance(found.get("registries"), dict):
        why = "it is of version 1, which container engines no longer read"
        raise BadInput(f"cannot read {path}", why, "write [[registry]] tables")
    result = []
    for entry in toml.tables(found, "registry", path):
        location = _place(entry, path)
        prefix = toml.text(entry, "prefix", path).rstrip("/") or location
        if not prefix or (not location and not prefix.startswith("*.")):
            raise BadInput(f"cannot read {path}", "a [[registry]] has no location")
        by_digest = toml.flag(entry, "mirror-by-digest-only", path)
        mirrors = []
        for mirror in toml.tables(entry, "mirror", path):
            when = toml.text(mirror, "pull-from-mirror", path) or (
                "digest-only" if by_digest else "all"
            )
            place = _place(mirror, path)
            if when not in _WHEN or not place:
                why = "a mirror has no location" if not place else "pull-from-mirror is unknown"
                raise BadInput(f"cannot read {path}", why)
            mirrors.append(Mirror(place, toml.flag(mirror, "insecure", path), when))
        insecure = toml.flag(entry, "insecure", path)
        blocked = toml.flag(entry, "blocked", path)
        result.append(Table(prefix, location, insecure, blocked, tuple(mirrors), str(path)))
    return result


def _place(entry: Mapping[str, Any], path: Path) -> str:
    location = toml.text(entry, "location", path).rstrip("/")
    if "://" in location or "@" in location or "?" in location:
        raise BadInput(f"cannot read {path}", "a location is written as host[:port]/path")
    return location
