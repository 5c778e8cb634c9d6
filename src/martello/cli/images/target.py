"""Which image is meant: the words of the command line, read without guessing."""

from __future__ import annotations

import os
import tarfile
from typing import Final

import msgspec

from martello.core.errors import BadInput
from martello.core.image import ImageReference, parse_image

FORMS: Final = {
    "oci": "an OCI layout, DIR[:TAG]",
    "docker-archive": "a file that `docker save` wrote",
    "oci-archive": "a tar of an OCI layout",
    "docker": "an image of the local Docker engine",
    "podman": "an image of the local podman",
    "registry": "an image of a registry, never a local one",
    "rootfs": "a root file system in a directory",
    "dir": "a source tree with lock files",
    "sbom": "a CycloneDX or SPDX document",
}


class ImageTarget(msgspec.Struct, frozen=True):
    """One image to read: `kind` of FORMS, `stdin`, or `reference` (local before remote)."""

    kind: str
    where: str
    tag: str = ""  # of a layout that holds several

    def __str__(self) -> str:
        if self.kind in ("reference", "stdin"):
            return self.where
        return f"{self.kind}:{self.where}{':' + self.tag if self.tag else ''}"


def parse_image_target(word: str) -> ImageTarget:
    """Reads one TARGET. Raises BadInput. What looks like a path is never looked up in a registry,
    and what is a path is taken for one.
    """
    if word == "-":
        return ImageTarget("stdin", "-")
    kind, colon, where = word.partition(":")
    if colon and kind in FORMS:
        if not where:
            raise BadInput(f"{word} names nothing", "", f"{kind}: {FORMS[kind]}")
        return _formed(kind, where)
    if os.path.lexists(word):
        return _path(word)
    if word.startswith(("./", "../", "/", "~")) or word.endswith((".tar", ".tar.gz", ".json")):
        raise BadInput(f"cannot read {word}", "there is no such file or directory", "check it")
    reference_of(word)
    return ImageTarget("reference", word)


def reference_of(word: str) -> ImageReference:
    """The reference that a word is. Raises BadInput where no runtime would take it."""
    reference = parse_image(word)
    if reference is None:
        raise BadInput(
            f"cannot read {word}",
            "it is no file, and no image reference that a container runtime takes",
            f"name an image, or one of {', '.join(f'{form}:' for form in FORMS)}",
        )
    return reference


def _formed(kind: str, where: str) -> ImageTarget:
    if kind == "registry":
        return ImageTarget("registry", str(reference_of(where)))
    if kind == "oci":
        directory, colon, tag = where.rpartition(":")
        if colon and "/" not in tag and not os.path.exists(where) and os.path.exists(directory):
            return ImageTarget(kind, directory, tag)
        directory, at, digest = where.partition("@")
        if at:
            return ImageTarget(kind, directory, digest)
    if kind not in ("docker", "podman") and not os.path.exists(where):
        raise BadInput(f"cannot read {kind}:{where}", "there is no such file or directory", "")
    return ImageTarget(kind, where)


def _path(word: str) -> ImageTarget:
    """What lies there decides: a layout, a root file system, a tree, an archive, a document."""
    if os.path.isdir(word):
        if os.path.exists(os.path.join(word, "oci-layout")):
            return ImageTarget("oci", word)
        for release in ("etc/os-release", "usr/lib/os-release"):
            if os.path.lexists(os.path.join(word, release)):
                return ImageTarget("rootfs", word)
        return ImageTarget("dir", word)
    try:
        if tarfile.is_tarfile(word):
            return ImageTarget("archive", word)
    except OSError as error:
        raise BadInput(f"cannot read {word}", error.strerror or "it cannot be opened") from None
    return ImageTarget("sbom", word)
