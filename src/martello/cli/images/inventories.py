"""From targets to inventories: images, trees and documents, each by its reader."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from martello.cli.images.opening import Opened, open_images
from martello.cli.images.target import ImageTarget, parse_image_target
from martello.cli.progress import Progress
from martello.core.package import Inventory

if TYPE_CHECKING:
    from martello.adapters.registry.settings import Keyring
    from martello.practices.images.facts import FactStore


def inventories(
    words: Sequence[str], flags: Mapping[str, Any], state: str, progress: Progress
) -> list[Inventory]:
    """The inventories of all targets: one for each platform of an index. Raises what reading a
    target raises.
    """
    targets = [parse_image_target(word) for word in words]
    with facts_kept(state, flags) as store:
        return [one for target in targets for one in inventories_of(target, flags, store, progress)]


def inventories_of(
    target: ImageTarget,
    flags: Mapping[str, Any],
    store: FactStore | None,
    progress: Progress,
    *keyrings: Keyring,
) -> Iterator[Inventory]:
    """The inventories of one target."""
    if target.kind == "sbom":
        from martello.cli.images.flow import read_file
        from martello.practices.images.sbom.read import LARGEST, read_sbom

        yield read_sbom(read_file(target.where, LARGEST), target.where)
    elif target.kind in ("rootfs", "dir"):
        yield _tree(target)
    else:
        for opened in open_images(target, flags, *keyrings):
            yield inventory_of(opened, store, progress)


def inventory_of(opened: Opened, store: FactStore | None, progress: Progress) -> Inventory:
    """The inventory of one opened image; layers whose facts are kept are not read."""
    from martello.practices.images.scan import scan_image

    return scan_image(
        opened.manifest,
        opened.place,
        store,
        name=opened.name,
        index=opened.index.digest if opened.index is not None else "",
        progress=progress,
    )


def _tree(target: ImageTarget) -> Inventory:
    """A root file system is read as an image is; a source tree by lock files and for secrets."""
    from martello.adapters.tree import walk_tree
    from martello.practices.images.evidence.locks import settle
    from martello.practices.images.evidence.readers import LOCK_READERS
    from martello.practices.images.scan import scan_tree
    from martello.practices.images.secrets.source import READERS as SOURCE_READERS

    root = Path(target.where)
    if target.kind == "rootfs":
        return scan_tree(lambda: walk_tree(root), name=str(target))
    readers = (*LOCK_READERS, *SOURCE_READERS)
    return scan_tree(lambda: walk_tree(root), name=str(target), readers=readers, settle=settle)


@contextlib.contextmanager
def facts_kept(state: str, flags: Mapping[str, Any]) -> Iterator[FactStore | None]:
    """The store of facts while the block runs; None where nothing shall be kept."""
    if flags.get("no_cache"):
        yield None
        return
    from martello.cli.images.keeping import open_facts

    with open_facts(state) as store:
        yield store
