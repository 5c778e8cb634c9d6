"""OCI image layouts: read from a directory or an archive, and written, the same bytes each time."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.adapters.files import DirectoryFiles, Files, failed, whole
from martello.core.artifact import (
    LARGEST_MANIFEST,
    OCI_INDEX,
    Descriptor,
    Index,
    Manifest,
    Repository,
    parse_digest,
    parse_manifest,
    verified,
)
from martello.core.errors import BadInput, Refused

REF_NAME: Final = "org.opencontainers.image.ref.name"
_FULL_NAME: Final = "io.containerd.image.name"  # containerd and Docker write both
_DEEPEST: Final = 4  # indexes within indexes


class Layout:
    """An OCI layout as a repository. Its references are tags, digests, or nothing where it holds
    one image, or one image for several platforms.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.where = files.where
        raw = whole(files, "index.json", LARGEST_MANIFEST)
        index = parse_manifest(raw, OCI_INDEX, f"index.json of {files.where}")
        if not isinstance(index, Index):
            raise BadInput(f"cannot read {files.where}", "its index.json is no index")
        self._index = index

    @property
    def images(self) -> tuple[Descriptor, ...]:
        """What index.json lists, in its order."""
        return self._index.manifests

    @property
    def tags(self) -> tuple[str, ...]:
        """The names that it gives, each once, in their order."""
        named = (one.annotations.get(REF_NAME) for one in self.images)
        return tuple(dict.fromkeys(name for name in named if name))

    def manifest(self, reference: str) -> tuple[bytes, str]:
        """By tag, digest, or nothing. Raises BadInput, NotPermitted, Refused."""
        if ":" in reference and reference.partition(":")[0] in ("sha256", "sha512"):
            return self._manifest(parse_digest(reference)), ""
        found = [one for one in self.images if not reference or reference in _names(one)]
        if not found:
            raise self._unknown(f"{self.where} has no image {reference}", "it lists no such image")
        if len({one.digest for one in found}) == 1:
            return self._manifest(found[0].digest), found[0].media
        if not reference and len(self.tags) < 2:
            return self._index.raw, OCI_INDEX
        if reference:
            what = f"{self.where} has several images {reference}"
            raise BadInput(what, "its index.json gives that name to each", "name one by its digest")
        raise self._unknown(f"{self.where} has several images", "none was named")

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """The bytes of a blob as they lie there. Raises BadInput, NotPermitted."""
        return self._files.parts(_path(descriptor.digest))

    def _manifest(self, digest: str) -> bytes:
        return verified(whole(self._files, _path(digest), LARGEST_MANIFEST), digest, self.where)

    def _unknown(self, what: str, why: str) -> BadInput:
        tags = self.tags
        more = f" and {len(tags) - 10} more" if len(tags) > 10 else ""
        listed = f"it has {', '.join(tags[:10])}{more}" if tags else "its images have no tags"
        return BadInput(what, f"{why}; {listed}", "name one by its tag or digest")


def open_layout(directory: Path, where: str = "") -> Layout:
    """The layout in a directory. Raises BadInput where there is none."""
    where = where or f"oci:{directory}"
    if not directory.is_dir():
        raise BadInput(f"cannot read {where}", "there is no such directory")
    files = DirectoryFiles(directory, where)
    if files.size("index.json") is None:
        raise BadInput(f"cannot read {where}", "it has no index.json: it is no OCI layout")
    return Layout(files)


def write_layout(directory: Path, source: Repository, tags: Mapping[str, str]) -> None:
    """Writes images of a repository into a layout: tag in the layout → reference in the source.
    Images that are there already stay, unless they have one of the tags. A blob that is there
    already is not read again. Raises BadInput, NotPermitted, Refused, and what the source raises.
    """
    listed: list[dict[str, Any]] = []
    for tag, reference in tags.items():
        raw, media = source.manifest(reference)
        top = parse_manifest(raw, media, f"{source.where} {reference}".strip())
        _copy(directory, source, top, _DEEPEST)
        entry: dict[str, Any] = {"mediaType": top.media, "digest": top.digest, "size": len(raw)}
        if tag:
            entry["annotations"] = {REF_NAME: tag}
        listed.append(entry)
    kept = _kept(directory, set(tags) - {""}, {str(entry["digest"]) for entry in listed})
    listed = sorted([*kept, *listed], key=lambda entry: (_tag(entry), str(entry["digest"])))
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
    _write(directory / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    _write(directory / "index.json", msgspec.json.encode(body, order="sorted"))


def _names(image: Descriptor) -> tuple[str, ...]:
    names = (image.annotations.get(REF_NAME, ""), image.annotations.get(_FULL_NAME, ""))
    return tuple(name for name in names if name)


def _path(digest: str) -> str:
    algorithm, _, digits = parse_digest(digest).partition(":")
    return f"blobs/{algorithm}/{digits}"


def _tag(entry: Mapping[str, Any]) -> str:
    return str(entry.get("annotations", {}).get(REF_NAME, ""))


def _kept(directory: Path, tags: set[str], digests: set[str]) -> list[dict[str, Any]]:
    """The entries of an index.json that is there, but for those that are written anew."""
    if not (directory / "index.json").exists():
        return []
    open_layout(directory)  # what is no layout is not written into
    body = msgspec.json.decode((directory / "index.json").read_bytes())
    entries: list[dict[str, Any]] = body["manifests"]
    return [
        entry
        for entry in entries
        if _tag(entry) not in tags and (_tag(entry) or entry["digest"] not in digests)
    ]


def _copy(directory: Path, source: Repository, top: Manifest | Index, depth: int) -> None:
    if isinstance(top, Index):
        if not depth:
            raise BadInput(f"cannot copy {top.digest}", "its indexes are nested too deeply")
        for child in top.manifests:
            raw, media = source.manifest(child.digest)
            below = parse_manifest(raw, media or child.media, f"{source.where} {child.digest}")
            _copy(directory, source, below, depth - 1)
    else:
        for descriptor in (top.config, *top.layers):
            if not descriptor.urls:  # those are not distributed with the image
                _copy_blob(directory, source, descriptor)
    path = directory / _path(top.digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, top.raw)


def _copy_blob(directory: Path, source: Repository, descriptor: Descriptor) -> None:
    path = directory / _path(descriptor.digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    algorithm = descriptor.digest.partition(":")[0]
    if path.exists() and path.stat().st_size == descriptor.size:
        with path.open("rb") as file:
            if _named(hashlib.file_digest(file, algorithm).hexdigest(), descriptor):
                return
    _write(path, _checked(source, descriptor))


def _checked(source: Repository, descriptor: Descriptor) -> Iterator[bytes]:
    """The bytes of a blob; Refused instead of their end, where they are not the ones promised."""
    digest = hashlib.new(descriptor.digest.partition(":")[0])
    size = 0
    for part in source.blob(descriptor):
        size += len(part)
        if size > descriptor.size:
            break
        digest.update(part)
        yield part
    if size != descriptor.size or not _named(digest.hexdigest(), descriptor):
        what = f"{source.where} does not hold what it promises"
        raise Refused(what, f"{descriptor.digest} has another size or digest")


def _named(digits: str, descriptor: Descriptor) -> bool:
    return descriptor.digest.partition(":")[2] == digits


def _write(path: Path, content: bytes | Iterator[bytes]) -> None:
    """Writes aside, then renames: a file is whole or not there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            try:
                for part in (content,) if isinstance(content, bytes) else content:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o644)
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        found = failed(str(path), "", error)
        raise type(found)(f"cannot write {path}", found.why) from None
