"""Manifests as a git revision holds them: `git:REV[:DIR]`, read without a checkout."""

from __future__ import annotations

import subprocess
from typing import Final

import msgspec

from martello.core.errors import BadInput
from martello.core.finding import Unassessed
from martello.core.reading import Reading
from martello.core.resource import Location

_ENDS: Final = (".yaml", ".yml", ".json")
_LINK: Final = "a symbolic link, which is not followed in a revision"
_MOST_FILES: Final = 20_000
_MOST_BYTES: Final = 256 << 20


def is_revision(word: str) -> bool:
    """Whether a word names a revision."""
    return word.startswith("git:")


def read_revision(word: str) -> Reading:
    """The manifests of a revision, under the paths that they have there. Raises BadInput."""
    from martello.adapters.manifests import read_texts

    revision, _, folder = word.removeprefix("git:").partition(":")
    commit = _commit(revision, word)
    files, links = _files(commit, folder.strip("/"), word)
    found = read_texts(_texts(files, word), word)
    left = tuple(Unassessed(_LINK, Location(path, 1, 1)) for path in links)
    return msgspec.structs.replace(found, unassessed=(*found.unassessed, *left))


def _git(*words: str, given: bytes = b"") -> bytes:
    """What git prints. Raises BadInput with what it says where it fails."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *words],  # noqa: S607
            input=given,
            capture_output=True,
            timeout=120,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput("cannot run git", str(error), "install git, or name a directory") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise BadInput("git refused", said[-1] if said else "it says no reason", "see git log")
    return done.stdout


def _commit(revision: str, word: str) -> str:
    if not revision or revision.startswith("-"):
        raise BadInput(f"no revision in {word}", "it is git:REV or git:REV:DIR", "git:main:deploy")
    try:
        found = _git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
    except BadInput as error:
        if error.what != "git refused":
            raise
        why = "this directory is in no git repository, or has no such commit"
        raise BadInput(f"no revision {revision}", why, "git log --oneline") from None
    return found.decode().strip()


def _files(commit: str, folder: str, word: str) -> tuple[list[tuple[str, str]], list[str]]:
    """(object, path) of the manifests, and the paths of links; submodules are left out."""
    words = ["ls-tree", "-r", "-z", "--full-tree", commit]
    if folder and folder != ".":
        words += ["--", folder]
    found: list[tuple[str, str]] = []
    links: list[str] = []
    for entry in _git(*words).split(b"\0"):
        head, _, raw = entry.partition(b"\t")
        path = raw.decode(errors="surrogateescape")
        parts = head.split()
        if len(parts) != 3 or not path.endswith(_ENDS):
            continue
        if parts[0] in (b"100644", b"100755"):
            found.append((parts[2].decode(), path))
        elif parts[0] == b"120000":
            links.append(path)
    if not found:
        raise BadInput(
            f"no manifests in {word}", "no .yaml, .yml or .json lies there", "git ls-tree -r REV"
        )
    if len(found) > _MOST_FILES:
        raise BadInput(f"too many files in {word}", f"{len(found):,} manifests", "name a directory")
    return found, links


def _texts(files: list[tuple[str, str]], word: str) -> dict[str, bytes]:
    """The contents by path."""
    asked = "".join(f"{name}\n" for name, _ in files).encode()
    told = _git("cat-file", "--batch-check", given=asked).splitlines()
    told_sizes = [line.split()[-1] for line in told]
    for length, (_, path) in zip(told_sizes, files, strict=True):
        if not length.isdigit():
            why = f"{path} is not in this clone"
            raise BadInput(f"cannot read all of {word}", why, "git fsck, or a whole clone")
    total = sum(map(int, told_sizes))
    if total > _MOST_BYTES:
        raise BadInput(f"too much in {word}", f"{total >> 20} MiB", "name a directory")
    raw = _git("cat-file", "--batch", given=asked)
    texts: dict[str, bytes] = {}
    at = 0
    for _, path in files:
        begin = raw.index(b"\n", at) + 1
        size = int(raw[at:begin].split()[2])
        texts[path] = raw[begin : begin + size]
        at = begin + size + 1
    return texts
