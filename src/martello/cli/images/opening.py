"""Opens images: where they lie, which of an index are meant, by which name they are known."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from martello.adapters.registry.settings import Keyring, Settings
from martello.cli.images.target import ImageTarget, reference_of
from martello.core.artifact import (
    Index,
    Manifest,
    Repository,
    parse_manifest,
)
from martello.core.errors import BadInput, MartelloError
from martello.core.image import parse_image
from martello.core.platforms import choose, parse_platform

_DEEPEST = 4  # indexes within indexes


class Opened(msgspec.Struct, frozen=True):
    """One image that can be read: its name, its manifest, the index that lists it, and the one that
    was named, where indexes are nested.
    """

    name: str
    place: Repository
    manifest: Manifest
    index: Index | None = None
    top: Index | None = None


def registry_settings(flags: Mapping[str, Any], name: str = "", *keyrings: Keyring) -> Settings:
    """How registries are spoken to, by settings.registry_flags. `name` is the image that --insecure
    is meant for.
    """
    image = parse_image(name) if name else None
    insecure = (image.registry,) if flags.get("insecure") and image is not None else ()
    settings = Settings(
        insecure=insecure,
        authority=flags.get("ca", "") or os.environ.get("MARTELLO_CA", ""),
        registries=flags.get("mirrors") or None,
    )
    return msgspec.structs.replace(settings, keyrings=keyrings) if keyrings else settings


def open_images(
    target: ImageTarget, flags: Mapping[str, Any], *keyrings: Keyring
) -> tuple[Opened, ...]:
    """The images of a target: one, or one for each platform of an index. Raises BadInput,
    Unreachable, NotPermitted, Refused.
    """
    place, reference, name = _place(target, flags, keyrings)
    try:
        return _opened(place, reference, name, flags)
    except BaseException:
        _close(place)
        raise


def _opened(
    place: Repository, reference: str, name: str, flags: Mapping[str, Any]
) -> tuple[Opened, ...]:
    raw, media = place.manifest(reference)
    top = parse_manifest(raw, media, f"the manifest of {name}")
    if isinstance(top, Manifest):
        return (Opened(name, place, top),)
    platforms = [parse_platform(flags["platform"])] if flags.get("platform") else []
    found = tuple(_children(top, place, name, platforms, _DEEPEST))
    if not found:
        asked = f" for {flags['platform']}" if platforms else ""
        raise BadInput(
            f"{name} holds no image{asked}", "its index lists none", "--platform OS/ARCH"
        )
    return tuple(msgspec.structs.replace(one, top=top) for one in found)


@contextlib.contextmanager
def closing_images(
    target: ImageTarget, flags: Mapping[str, Any], *keyrings: Keyring
) -> Iterator[tuple[Opened, ...]]:
    """The same, and the place where they lie is closed at the end: connections, files."""
    opened = open_images(target, flags, *keyrings)
    try:
        yield opened
    finally:
        _close(opened[0].place)


def _close(place: Repository) -> None:
    close = getattr(place, "close", None)
    if close is not None:
        close()


def _children(
    index: Index, place: Repository, name: str, platforms: Sequence[Any], depth: int
) -> list[Opened]:
    found: list[Opened] = []
    for child in choose(index, platforms):
        raw, media = place.manifest(child.digest)
        opened = parse_manifest(raw, media or child.media, f"a manifest of {name}")
        if isinstance(opened, Manifest):
            found.append(Opened(name, place, opened, index))
        elif depth <= 1:
            raise BadInput(f"cannot read {name}", "its indexes are nested too deeply")
        else:
            found += _children(opened, place, name, platforms, depth - 1)
    return found


def _place(
    target: ImageTarget, flags: Mapping[str, Any], keyrings: Sequence[Keyring]
) -> tuple[Repository, str, str]:
    """The place, what to ask it for, and the image's name."""
    from martello.adapters.archive import open_archive, read_archive
    from martello.adapters.layout import open_layout

    if target.kind == "oci":
        return open_layout(Path(target.where)), target.tag, str(target)
    if target.kind in ("archive", "docker-archive", "oci-archive"):
        archive = open_archive(Path(target.where))
        return archive, "", _tagged(archive.tags, str(target))
    if target.kind == "stdin":
        archive = read_archive(sys.stdin.buffer)
        return archive, "", _tagged(archive.tags, "standard input")
    if target.kind in ("docker", "podman"):
        return _engine(target), "", target.where
    if target.kind == "reference":
        local = _local(target.where)
        if local is not None:
            return local, "", target.where
    return _remote(target.where, flags, keyrings)


def _tagged(tags: Sequence[str], name: str) -> str:
    """An archive is known by the one name that it gives to its image."""
    return tags[0] if len(tags) == 1 else name


def _engine(target: ImageTarget) -> Repository:
    from martello.adapters.engine import open_engine

    if target.kind == "docker":
        return open_engine("docker", target.where, os.environ)
    return open_engine("podman", target.where, os.environ)


def _local(name: str) -> Repository | None:
    """What an engine of this machine has under the name; engines that are not here have nothing.
    A digest is asked of the registry: an engine may hold other bytes under it.
    """
    if reference_of(name).digest or os.environ.get("MARTELLO_LOCAL") == "0":
        return None
    for kind in ("docker", "podman"):
        # one that is not here, or does not have it, leaves it to the registry
        with contextlib.suppress(MartelloError):
            return _engine(ImageTarget(kind, name))
    return None


def _remote(
    name: str, flags: Mapping[str, Any], keyrings: Sequence[Keyring]
) -> tuple[Repository, str, str]:
    from martello.adapters.registry.client import connect

    registry = connect(name, registry_settings(flags, name, *keyrings))
    return registry, registry.reference, name
