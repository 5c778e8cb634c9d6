"""A small TOML file of a machine's configuration, read with its name in every complaint."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from martello.core.errors import BadInput

_LARGEST: Final = 1 << 20


def load(path: Path) -> Mapping[str, Any] | None:
    """The file's table, or None where there is no such file. Raises BadInput."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is none"
        raise BadInput(f"cannot read {path}", why.lower()) from None
    if len(content) > _LARGEST:
        raise BadInput(f"cannot read {path}", "it is larger than 1 MiB")
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:200] or "it nests too deeply"
        raise BadInput(f"cannot read {path}", why, "correct the file") from None


def text(table: Mapping[str, Any], key: str, path: Path) -> str:
    """A string, empty where it is absent. Raises BadInput for another type."""
    value = table.get(key, "")
    if not isinstance(value, str):
        raise BadInput(f"cannot read {path}", f"{key} is no string")
    return value


def flag(table: Mapping[str, Any], key: str, path: Path) -> bool:
    """A boolean, false where it is absent. Raises BadInput for another type."""
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise BadInput(f"cannot read {path}", f"{key} is neither true nor false")
    return value


def tables(table: Mapping[str, Any], key: str, path: Path) -> list[Mapping[str, Any]]:
    """An array of tables. Raises BadInput for another type."""
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise BadInput(f"cannot read {path}", f"{key} is no array of tables")
    return value
