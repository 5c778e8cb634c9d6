"""A directory of files that people review and apply: each is whole or not there, bears a first line
that says whose it is, and none is lost that somebody else wrote.

What an earlier run left and this one does not write is refused, not removed: somebody may apply
it, and may have changed it.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from martello.core.errors import BadInput
from martello.core.resource import Ref

OBJECTS: Final = "objects"
PATCHES: Final = "patches"
KUBELETS: Final = "kubelets"
_OURS: Final = b"# Made by martello resources, which writes it anew when it is asked again.\n"
_ENDS: Final = (".yaml", ".yml")
_MOST: Final = 100_000  # entries of a directory that are looked at
_NAMED: Final = 3


def free_name(words: str, documents: Mapping[str, str]) -> str:
    """A file's name that is not taken."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", words)[:200]
    name, number = f"{plain}.yaml", 1
    while name in documents or name == "kustomization.yaml":
        number += 1
        name = f"{plain}-{number}.yaml"
    return name


def aimed(ref: Ref) -> dict[str, Any]:
    """Whom a JSON patch of a kustomize component changes: such a patch does not say it itself."""
    group, _, version = ref.api_version.rpartition("/")
    named = {"group": group, "version": version, "kind": ref.kind, "name": ref.name}
    return {"target": {**named, **({"namespace": ref.namespace} if ref.namespace else {})}}


def write_files(documents: Mapping[str, str], folder: str) -> tuple[str, ...]:
    """Writes files by name (`kustomization.yaml`, `patches/web.yaml`), each whole or not at all,
    never through a link; where they lie. Raises BadInput, before anything is written, where a file
    of that name is not ours, or one of ours is there that this run does not write.
    """
    from martello.adapters.whole import whole

    place = Path(folder)
    try:
        _look(place, documents)
        for name, text in documents.items():
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with whole(str(file)) as out:
                out.write(_OURS + text.encode())
    except OSError as error:
        why = error.strerror or str(error)
        raise BadInput(f"cannot write to {folder}", why, "name another directory") from error
    return tuple(str(place / name) for name in documents)


def _look(place: Path, documents: Collection[str]) -> None:
    for inner in sorted({Path(name).parent.name for name in documents} - {""}):
        if os.path.lexists(place / inner) and not stat.S_ISDIR((place / inner).lstat().st_mode):
            raise _elsewhere(place / inner, "directory")
    for name in documents:
        file = place / name
        if not os.path.lexists(file):
            continue
        if not stat.S_ISREG(file.lstat().st_mode):
            raise _elsewhere(file, "file")
        if not _ours(file):
            raise BadInput(
                f"{file} is somebody else's",
                "its first line does not say that martello resources made it",
                "name another directory, or move it away",
            )
    old = [file for file in _earlier(place) if str(file.relative_to(place)) not in documents]
    if old:
        more = f" and {len(old) - _NAMED} more" if len(old) > _NAMED else ""
        raise BadInput(
            f"{place} holds {', '.join(str(file.relative_to(place)) for file in old[:_NAMED])}"
            f"{more} of an earlier run",
            "this run does not make them: whoever applies the directory would apply them, too",
            f"name another directory, or review and remove: rm {shlex.join(map(str, old))}"
            if len(old) <= _NAMED
            else "name another directory, or review them and empty this one",
        )


def _elsewhere(file: Path, kind: str) -> BadInput:
    return BadInput(
        f"{file} is no plain {kind}",
        "what is written there would end up elsewhere",
        "remove it, or name another directory",
    )


def _earlier(place: Path) -> Iterator[Path]:
    """Files that bear our first line, in order; links are not followed."""
    for folder in (place, *(place / name for name in (KUBELETS, OBJECTS, PATCHES))):
        if not os.path.lexists(folder) or (folder != place and folder.is_symlink()):
            continue
        with os.scandir(folder) as entries:
            found = []
            for number, entry in enumerate(entries):
                if number >= _MOST:
                    why = f"it holds more than {_MOST:,} entries"
                    raise BadInput(f"cannot write to {place}", why, "name another directory")
                if entry.name.endswith(_ENDS) and entry.is_file(follow_symlinks=False):
                    found.append(folder / entry.name)
        yield from (file for file in sorted(found) if _ours(file))


def _ours(file: Path) -> bool:
    with file.open("rb") as text:
        return text.read(len(_OURS)) == _OURS
