"""Objects written to files, one each, whole or not at all, and never through a link."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from martello.core.errors import BadInput

_LONGEST: Final = 120


def write_documents(objects: Sequence[Mapping[str, Any]], folder: str) -> tuple[str, ...]:
    """Writes a YAML file for each object; the files. Nothing is made where there are none. Raises
    BadInput, before anything is written where a link, a pipe or a directory has a file's name.
    """
    from martello.adapters.whole import whole

    if not objects:
        return ()
    place = Path(folder)
    files = [place / name for name in _names(objects)]
    try:
        place.mkdir(parents=True, exist_ok=True)
        for file in files:
            if os.path.lexists(file) and not stat.S_ISREG(file.lstat().st_mode):
                raise BadInput(
                    f"{file} is no plain file",
                    "what is written there would end up elsewhere",
                    "remove it, or name another directory",
                )
        for file, one in zip(files, objects, strict=True):
            with whole(str(file)) as out:
                out.write(document(one).encode())
    except OSError as error:
        why = error.strerror or str(error)
        raise BadInput(f"cannot write to {folder}", why, "name another directory") from error
    return tuple(map(str, files))


def document(one: Mapping[str, Any]) -> str:
    """An object as YAML, keys in their own order, without what a server adds."""
    import yaml

    metadata = {
        key: value
        for key, value in (one.get("metadata") or {}).items()
        if key not in ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
    }
    plain = {**one, "metadata": metadata}
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=False, width=100))


def _names(objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """A name for each, of letters that no file system minds; with a digest where two are alike."""
    parts = []
    for one in objects:
        metadata = one.get("metadata") or {}
        words = (one.get("kind"), metadata.get("namespace"), metadata.get("name"))
        parts.append(tuple(str(word or "") for word in words))
    plain = [re.sub(r"[^A-Za-z0-9._-]", "_", "-".join(filter(None, p))).lower() for p in parts]
    known = Counter(plain)
    return [
        f"{name}.yaml"
        if known[name] == 1 and len(name) <= _LONGEST
        else f"{name[:_LONGEST]}-{sha256(repr(part).encode()).hexdigest()[:12]}.yaml"
        for name, part in zip(plain, parts, strict=True)
    ]
