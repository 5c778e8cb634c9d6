"""Images that `docker save` wrote, and other archives of images, as repositories.

A docker archive has no manifest: one is made of its configuration and its layers as they lie
there, the same bytes each time. Both forms are read: a directory with `layer.tar` for each layer,
and `blobs/sha256` since Docker 25.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from martello.adapters import tar
from martello.adapters.files import Files, TarFiles, stream_files, tar_files, whole
from martello.adapters.layout import Layout
from martello.adapters.unpack import kind_of
from martello.core import plain_json
from martello.core.artifact import (
    LARGEST_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    digest_of,
    parse_digest,
)
from martello.core.errors import BadInput
from martello.core.image import parse_image

_LARGEST_CONFIG: Final = 16 << 20


class _Listed(msgspec.Struct, rename="pascal"):
    config: str
    repo_tags: list[str] | None = None
    layers: list[str] | None = None


class _RootFs(msgspec.Struct):
    diff_ids: list[str] = []


class _Config(msgspec.Struct):
    rootfs: _RootFs = msgspec.field(default_factory=_RootFs)


class DockerArchive:
    """A docker archive as a repository. Its references are tags as `docker save` writes them,
    digests of manifests or configurations, or nothing where it holds one image.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.where = files.where
        raw = whole(files, "manifest.json", LARGEST_MANIFEST)
        body = plain_json.read(raw, plain_json.DOCKER_ARCHIVE, f"manifest.json of {self.where}")
        try:
            self._listed = msgspec.convert(body, list[_Listed])
        except (msgspec.MsgspecError, RecursionError):
            raise self._broken("its manifest.json is malformed") from None
        if not self._listed:
            raise self._broken("it holds no image")
        self._made: dict[int, bytes] = {}
        self._paths: dict[str, str] = {}  # digest → path in the archive

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of its images, in their order."""
        return tuple(tag for listed in self._listed for tag in listed.repo_tags or ())

    def manifest(self, reference: str) -> tuple[bytes, str]:
        """The manifest made for an image. Raises BadInput."""
        if not reference:
            if len(self._listed) > 1:
                raise self._unknown("it holds several images, and none was named")
            return self._manifest(0), OCI_MANIFEST
        wanted = parse_image(reference)
        for at, listed in enumerate(self._listed):
            for tag in listed.repo_tags or ():
                if tag == reference or (wanted is not None and parse_image(tag) == wanted):
                    return self._manifest(at), OCI_MANIFEST
        for at, listed in enumerate(self._listed):
            raw = self._manifest(at)
            config = self._config(listed)
            if reference in (digest_of(raw), digest_of(config)):
                return raw, OCI_MANIFEST
        raise self._unknown(f"it holds no image {reference}")

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A configuration or a layer as it lies there. Raises BadInput."""
        path = self._paths.get(descriptor.digest)
        if path is None:
            for at in range(len(self._listed)):
                self._manifest(at)
            path = self._paths.get(descriptor.digest)
        if path is None:
            raise self._broken(f"it holds no {descriptor.digest}")
        return self._files.parts(path)

    def _manifest(self, at: int) -> bytes:
        if at not in self._made:
            self._made[at] = self._made_of(self._listed[at])
        return self._made[at]

    def _made_of(self, listed: _Listed) -> bytes:
        config = self._config(listed)
        try:
            diff_ids = msgspec.json.decode(config, type=_Config).rootfs.diff_ids
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise self._broken(f"the configuration {listed.config[:90]} is malformed") from None
        layers = listed.layers or []
        if len(layers) != len(diff_ids):
            why = f"the configuration has {len(diff_ids)} layers, manifest.json {len(layers)}"
            raise self._broken(why)
        digest = digest_of(config)
        self._paths[digest] = self._path(listed.config)
        body = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": digest, "size": len(config)},
            "layers": [self._layer(p, d) for p, d in zip(layers, diff_ids, strict=True)],
        }
        return msgspec.json.encode(body, order="sorted")

    def _layer(self, name: str, diff_id: str) -> dict[str, Any]:
        """A layer's descriptor. One that is not compressed has its diff-id for a digest: it is a
        claim of the configuration, to which whoever reads the layer holds it.
        """
        path = self._path(name)
        size = self._files.size(path)
        if size is None:
            raise self._broken(f"it holds no layer {name[:200]}")
        kind = kind_of(b"".join(self._files.parts(path, 8)))
        digest = self._hashed(path) if kind else parse_digest(diff_id)
        self._paths[digest] = path
        media = f"{OCI_LAYER}+{kind}" if kind else OCI_LAYER
        return {"mediaType": media, "digest": digest, "size": size}

    def _hashed(self, path: str) -> str:
        digest = hashlib.sha256()
        for part in self._files.parts(path):
            digest.update(part)
        return f"sha256:{digest.hexdigest()}"

    def _config(self, listed: _Listed) -> bytes:
        return whole(self._files, self._path(listed.config), _LARGEST_CONFIG)

    def _path(self, name: str) -> str:
        path = tar.clean(name)
        if not path:
            raise self._broken("its manifest.json names a file outside of it")
        return path

    def _broken(self, why: str) -> BadInput:
        return BadInput(f"cannot read {self.where}", why)

    def _unknown(self, why: str) -> BadInput:
        tags = self.tags
        more = f" and {len(tags) - 10} more" if len(tags) > 10 else ""
        listed = f"it has {', '.join(tags[:10])}{more}" if tags else "its images have no tags"
        return BadInput(
            f"cannot choose an image of {self.where}", f"{why}; {listed}", "name one by its tag"
        )


def open_archive(path: Path, where: str = "") -> DockerArchive | Layout:
    """The images of an archive: a file, compressed or not, or a pipe. Raises BadInput,
    NotPermitted.
    """
    where = where or f"docker-archive:{path}"
    return archive_of(tar_files(path, where))


def read_archive(stream: BinaryIO, where: str = "standard input") -> DockerArchive | Layout:
    """The images of an archive that comes once and in order, such as the output of `docker save`;
    it is kept in a temporary file meanwhile. Raises BadInput.
    """
    return archive_of(stream_files(stream, where))


def archive_of(files: TarFiles) -> DockerArchive | Layout:
    """A docker archive, or an OCI layout within an archive. Raises BadInput where it is neither,
    and closes the files then.
    """
    try:
        if files.size("manifest.json") is not None:
            return DockerArchive(files)
        if files.size("index.json") is not None:
            return Layout(files)
        why = "it has neither manifest.json nor index.json: it is no archive of images"
        raise BadInput(f"cannot read {files.where}", why)
    except BaseException:
        files.close()
        raise
