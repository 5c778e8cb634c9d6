"""The inventory of an image from the facts of its layers. Pure: no layer is read here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from martello.core.package import Inventory, Leak, Package, System, Unread
from martello.practices.images.ecosystems import ecosystem_of
from martello.practices.images.evidence import dpkg, osrelease
from martello.practices.images.evidence.readers import ANCHORS, Choice
from martello.practices.images.facts import LayerFacts
from martello.practices.images.overlay import (
    Held,
    Overlay,
    Paths,
    key_of,
    resolve,
)

DISTRIBUTIONS: Final = ("deb", "apk", "rpm")
_MOST_SETS: Final = 1000
_MOST_UNREAD: Final = 5000
_MOST_LEAKS: Final = 10_000


class Wanted(msgspec.Struct, frozen=True):
    """A file (with a slash at the end: all files of a directory) that only links make evidence."""

    layer: int
    path: str  # in the layer's archive
    alias: str  # the path that it stands for


def lay(layers: Iterable[LayerFacts]) -> Overlay:
    """The layers one over the other, lowest first."""
    overlay = Overlay()
    for number, facts in enumerate(layers):
        overlay.lay(number, facts)
    return overlay


def wanted(overlay: Overlay, layers: Sequence[LayerFacts], choice: Choice) -> tuple[Wanted, ...]:
    """What a second pass must read (L3, L5): targets of hard links and of symbolic links, where a
    reader wants the link's path and none has read the target.
    """
    found: dict[Wanted, None] = {}
    paths = Paths(layers)
    for path, missing in overlay.missing.items():
        layer = paths.highest(missing.target, missing.layer + 1)
        if layer is not None:
            found[Wanted(layer, missing.target, path)] = None
    for path in overlay.links:
        if not choice.wanting(path):
            continue
        real = resolve(path, overlay.links)
        if real is None or real in overlay.evidence or choice.wanting(real):
            continue
        layer = paths.highest(real, len(layers))
        if layer is not None:
            found[Wanted(layer, real, path)] = None
    for anchor in ANCHORS:
        real = resolve(anchor, overlay.links)
        if not real or real == anchor or real in ANCHORS:
            continue
        for layer in paths.with_folder(real):
            found[Wanted(layer, f"{real}/", f"{anchor}/")] = None
    return tuple(found)


def merge(
    layers: Sequence[LayerFacts], *, name: str = "", overlay: Overlay | None = None
) -> Inventory:
    """What is left when all layers are laid, lowest first: packages with the layer that first
    brought them, the system, secrets, and all that was not read.
    """
    laid = overlay if overlay is not None else lay(layers)
    system = _system(laid)
    own = _distribution(laid, system)
    packages = _once((*own, *_others(laid, system, own)))
    files = sum(facts.files for facts in layers)
    return Inventory(
        name=name,
        system=system,
        packages=packages,
        leaks=tuple(_leaks(laid))[:_MOST_LEAKS],
        unread=_at_most(dict.fromkeys(_unread(laid, layers, system, packages, files))),
        files=files,
    )


def _at_most(unread: Iterable[Unread]) -> tuple[Unread, ...]:
    """What was not read; of very much the number."""
    found = tuple(unread)
    if len(found) <= _MOST_UNREAD:
        return found
    why = f"{len(found) - _MOST_UNREAD:,} more parts of it could not be read"
    return (*found[:_MOST_UNREAD], Unread("image", "", why))


def _once(packages: Iterable[Package]) -> tuple[Package, ...]:
    """Each package of each file once, by the lowest layer that has it, in a stable order."""
    found: dict[tuple[str, ...], Package] = {}
    for package in sorted(packages, key=lambda one: one.layer):
        found.setdefault((*key_of(package), package.path), package)
    return tuple(found[key] for key in sorted(found))


def _system(overlay: Overlay) -> System | None:
    sets = dict.fromkeys(
        text for held in overlay.evidence.values() for text in held.parsed.content_sets
    )
    for path in osrelease.ORDER:
        real = resolve(path, overlay.links)
        held = overlay.evidence.get(real or path)
        if held is not None and held.parsed.system is not None:
            found = tuple(sorted(sets))[:_MOST_SETS]
            return msgspec.structs.replace(held.parsed.system, content_sets=found)
    return None


def _packages(held: Held, overlay: Overlay, system: System | None) -> Iterator[Package]:
    """The packages of one file with path, layer and ecosystem."""
    for package in held.parsed.packages:
        yield msgspec.structs.replace(
            package,
            ecosystem=package.ecosystem or ecosystem_of(package.type, system),
            path=package.path or held.shown,
            layer=held.first.get(key_of(package), held.layer),
        )


def _distribution(overlay: Overlay, system: System | None) -> list[Package]:
    """The distribution's packages, each once, with licences where they stand in another file."""
    found: dict[tuple[str, ...], Package] = {}
    for _, held in sorted(overlay.evidence.items()):
        for package in _packages(held, overlay, system):
            if package.type in DISTRIBUTIONS:
                found.setdefault(key_of(package), package)
    return [_licensed(package, overlay) for package in found.values()]


def _licensed(package: Package, overlay: Overlay) -> Package:
    if package.licences or package.type != "deb":
        return package
    real = resolve(f"{dpkg.DOCUMENTS}/{package.name}/copyright", overlay.links)
    held = overlay.evidence.get(real or "")
    if held is None:
        return package
    licences = dict.fromkeys(text for one in held.parsed.licences for text in one.licences)
    return msgspec.structs.replace(package, licences=tuple(licences))


def _others(overlay: Overlay, system: System | None, own: Sequence[Package]) -> Iterator[Package]:
    """Packages of languages, with the distribution's package that owns their evidence (E5)."""
    proof = {
        path: held
        for path, held in overlay.evidence.items()
        if any(package.type not in DISTRIBUTIONS for package in held.parsed.packages)
    }
    owners = _owners(overlay, frozenset(proof), own) if proof and own else {}
    for path, held in proof.items():
        owner, layer = owners.get(path, ("", -1))
        for package in _packages(held, overlay, system):
            if package.type in DISTRIBUTIONS:
                continue
            # a file that came after the package was written over by something else
            owned = bool(owner) and package.layer <= layer
            yield msgspec.structs.replace(package, owner=owner) if owned else package


def _owners(
    overlay: Overlay, paths: frozenset[str], own: Sequence[Package]
) -> Mapping[str, tuple[str, int]]:
    """Path of evidence → the installed package that lists it, and its layer."""
    installed: dict[str, int] = {}
    for package in own:
        installed[package.name] = max(package.layer, installed.get(package.name, -1))
    found: dict[str, tuple[str, int]] = {}
    for _, held in sorted(overlay.evidence.items()):
        for claim in held.parsed.claims:
            layer = installed.get(claim.package)
            if layer is None:
                continue
            for path in claim.paths:
                real = path if path in paths else overlay.place(path)
                if real in paths:
                    found.setdefault(real, (claim.package, layer))
    return found


def _leaks(overlay: Overlay) -> Iterator[Leak]:
    for found in overlay.leaks:
        held = overlay.evidence.get(found.path)
        yield msgspec.structs.replace(
            found.leak,
            path=found.leak.path or found.path,
            layer=found.layer,
            removed=held is None or held.layer != found.layer,
        )


def _unread(
    overlay: Overlay,
    layers: Sequence[LayerFacts],
    system: System | None,
    packages: Sequence[Package],
    files: int,
) -> Iterator[Unread]:
    for facts in layers:
        yield from facts.unread
    yield from overlay.unread
    if len(overlay.leaks) > _MOST_LEAKS:
        why = f"it holds {len(overlay.leaks):,} secrets, of which {_MOST_LEAKS:,} are told"
        yield Unread("secrets", "", why)
    for _, held in sorted(overlay.evidence.items()):
        yield from held.parsed.unread
    for path, missing in sorted(overlay.missing.items()):
        why = f"it is a hard link to {missing.target[:200]}, which is not in the image"
        yield Unread("file", path, why)
    if files and not packages:
        why = "nothing in it was recognised: no package of a distribution or of a language"
        yield Unread("image", "", why)
        return
    has_feed = any(ecosystem_of(kind, system) for kind in DISTRIBUTIONS)
    if system and not any(one.type in DISTRIBUTIONS for one in packages):
        why = "no database of its packages was found"
        if not has_feed:
            why = "its packages are of a kind that is not read, and no advisories are known for it"
        yield Unread("system", system.name or system.id, why)
