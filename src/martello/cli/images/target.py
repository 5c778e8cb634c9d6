"""Which image is meant: the words of the command line, read without guessing."""

from __future__ import annotations

import difflib
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


# How files are called that people scan, and images hardly ever.
_FILES: Final = (
    ".tar", ".gz", ".tgz", ".zst", ".zip", ".json", ".jsonl", ".xml", ".spdx", ".txt", ".lock",
    ".yaml", ".yml", ".toml",
)  # fmt: skip
_MOST_NAMES: Final = 10_000


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
        if where == "-" and kind.endswith("-archive"):
            return ImageTarget("stdin", "-")
        return _formed(kind, where)
    if os.path.lexists(word):
        return _path(word)
    if word.startswith(("./", "../", "/", "~")) or word.endswith(_FILES):
        raise BadInput(f"cannot read {word}", "there is no such file or directory", "check it")
    layout, colon, _ = word.rpartition(":")
    if colon and os.path.exists(os.path.join(layout, "oci-layout")):
        meant = f"oci:{word}, or registry:{word} if a registry is meant"
        raise BadInput(f"cannot read {word}", f"{layout} is an OCI layout here", meant)
    reference_of(word)
    _no_slip(word)
    return ImageTarget("reference", word)


def _no_slip(word: str) -> None:
    """A bare word may be a mistyped path: it does not go online where something here is called
    much the same, or its first part is a directory. Raises BadInput.
    """
    first, slash, _ = word.partition("/")
    if ":" in word or "@" in word or (slash and "." in first) or first == "localhost":
        return
    meant = f"martello image VERB registry:{word}, if the image is meant"
    if slash and os.path.isdir(first):
        raise BadInput(f"cannot read {word}", f"there is no such file in {first}", meant)
    try:
        here = sorted(os.listdir("."))[:_MOST_NAMES]
    except OSError:
        return
    near = difflib.get_close_matches(word, here, 1, 0.8)
    if near:
        why = f"there is no such file or directory; did you mean {near[0]}?"
        raise BadInput(f"cannot read {word}", why, meant)


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
        directory, at, digest = where.rpartition("@")
        if at and not os.path.exists(where):
            where, tag = directory, digest
            if os.path.exists(where):
                return ImageTarget(kind, where, tag)
    if kind not in ("docker", "podman") and not os.path.exists(where):
        why = "there is no such file or directory"
        raise BadInput(f"cannot read {kind}:{where}", why, f"{kind}: {FORMS[kind]}")
    wants_directory = kind in ("oci", "rootfs", "dir")
    if kind not in ("docker", "podman") and wants_directory != os.path.isdir(where):
        why = "it is no directory" if wants_directory else "it is a directory"
        raise BadInput(f"cannot read {kind}:{where}", why, f"{kind}: {FORMS[kind]}")
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
