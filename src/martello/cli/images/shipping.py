"""The advisory database on its way through a registry: packed, signed, checked, put in place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from martello.adapters.registry.client import Registry, connect
from martello.cli.images import signing
from martello.cli.images.opening import registry_settings
from martello.core.artifact import Manifest, parse_manifest, read_blob
from martello.core.errors import BadInput, MartelloError, Refused
from martello.practices.images.advisories.db import Database, open_database
from martello.practices.images.advisories.ship import (
    LARGEST_CONFIG,
    Label,
    label_of,
    pack,
    unpack,
)
from martello.practices.images.attest.verify import Wanted, verify
from martello.report.images.explain import size

_PART = 1 << 20
Tell = Callable[[str], None]


def push(reference: str, database: str, key: str, flags: Mapping[str, Any], tell: Tell) -> str:
    """Packs the database and puts it under the reference's tag; a line that says so. Raises Stale,
    BadInput, Unreachable, NotPermitted.
    """
    signer = signing.signing_key(key) if key else None
    with (
        connect(reference, registry_settings(flags, reference)) as registry,
        tempfile.TemporaryDirectory(prefix="martello-") as directory,
    ):
        if registry.image.digest:
            raise BadInput(f"cannot push to {reference}", "it names a digest", "name a tag")
        tell("packing the database")
        parcel = pack(Path(database), Path(directory) / "layer")
        layer = parcel.layer_descriptor
        tell(f"pushing {size(layer.size)}")
        registry.upload_bytes(parcel.config)
        how = registry.upload(layer.digest, layer.size, lambda: _parts(parcel.layer))
        digest = registry.put(parcel.manifest)
        if signer is not None:
            signing.sign(registry, digest, signer)
        media = parse_manifest(parcel.manifest, "", reference).media
        registry.point(registry.reference, parcel.manifest, media)
    sent = "" if how == "sent" else ", which was there already"
    signed = ", signed" if signer is not None else ""
    return f"{registry.image}  {digest}  {size(layer.size)}{sent}{signed}"


def _parts(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while part := source.read(_PART):
            yield part


def pull(
    reference: str, database: str, keys: Sequence[str], flags: Mapping[str, Any], tell: Tell
) -> list[str]:
    """Fetches what the reference names and puts it in place of the database; lines that say so.
    Raises BadInput, Refused, Unreachable, NotPermitted: then the old one stays.
    """
    public = signing.verifying_keys(keys)
    out = Path(database)
    with connect(reference, registry_settings(flags, reference)) as registry:
        raw, media = registry.manifest()
        manifest = parse_manifest(raw, media, f"the manifest of {reference}")
        if not isinstance(manifest, Manifest):
            raise BadInput(f"cannot read {reference}", "it is an index, and no advisory database")
        by = _verified(registry, manifest.digest, public) if public else ""
        label = label_of(manifest, read_blob(registry, manifest.config, LARGEST_CONFIG))
        named = f"{registry.image.name}@{manifest.digest}"
        known, built = _here(out)
        if known == label.digest:
            return [f"unchanged  {named}{by}", f"{out}  {known}"]
        tell(f"pulling {size(manifest.layers[0].size)}")
        _replace(registry, manifest, label, out)
    lines = [f"pulled  {named}{by}", f"{out}  {size(label.size)}  {label.digest}"]
    if label.built < built:
        lines.append(f"note: it is of {label.built}, older than the one before, of {built}")
    return lines


def _here(out: Path) -> tuple[str, str]:
    """The digest and the time of the database that is here; nothing where none can be read."""
    try:
        with open_database(out) as opened:
            return opened.digest, opened.built
    except MartelloError:
        return "", ""


def _verified(registry: Registry, digest: str, public: Sequence[Any]) -> str:
    found = verify(
        signing.attached(registry, digest), list(public), Wanted(digest), datetime.now(UTC)
    )
    if not found.ok:
        why = "; ".join(f.message for f in found.failures) or "nobody has signed it"
        raise Refused(f"{registry.where}@{digest} is not signed by these keys", why)
    return f", signed by {found.verified[0].key}"


def _replace(registry: Registry, manifest: Manifest, label: Label, out: Path) -> None:
    """What came is opened before it takes the place of a database that worked."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".martello-", dir=out.parent) as directory:
            made = Path(directory) / "advisories.db"
            unpack(manifest, label, registry.blob(manifest.layers[0]), made)
            with open_database(made) as opened:
                _whole(opened)
            os.replace(made, out)
    except OSError as error:
        raise BadInput(f"cannot write {out}", error.strerror or str(error)) from error


def _whole(database: Database) -> None:
    damage = database.check()
    if damage:
        raise Refused("the advisory database is damaged", damage)
