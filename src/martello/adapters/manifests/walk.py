"""The files below the given paths, in a stable order; charts are seen as charts."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from martello.adapters.manifests import helm
from martello.core.errors import BadInput
from martello.core.finding import Unassessed
from martello.core.resource import Location

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_SKIPPED: Final = frozenset(("node_modules",))
_DEEPEST: Final = 100  # directories inside each other

Excluded = Callable[[str, bool], bool]


class Found:
    """What lies below the paths. `named` files were given one by one."""

    __slots__ = ("_entered", "empty", "files", "named", "partial", "unassessed")

    def __init__(self) -> None:
        self.files: list[str] = []
        self.named: set[str] = set()
        self.partial = 0  # parts of charts
        self.unassessed: list[Unassessed] = []
        self.empty: list[str] = []  # directories with nothing to read
        self._entered: set[tuple[int, int]] = set()

    def add(self, path: str, excluded: Excluded) -> None:
        """A path of the command line. Raises BadInput where there is nothing."""
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            raise BadInput(
                f"no such file or directory: {path}",
                next="give a file, a directory, or - for standard input",
            ) from None
        except OSError:
            pass  # it is there; reading it says why it cannot be read
        if os.path.isdir(path):
            root = "" if path in (".", "./") else path
            before, entered = self._count(), len(self._entered)
            self._directory(root, "", excluded, 0)
            if self._count() == before and len(self._entered) > entered:
                self.empty.append(path)
        else:
            self.files.append(path)
            self.named.add(path)

    def _count(self) -> int:
        return len(self.files) + self.partial + len(self.unassessed)

    def _directory(self, path: str, inner: str, excluded: Excluded, depth: int) -> None:
        """`inner` is the path from the root that the user gave, which patterns are matched with."""
        try:
            status = os.stat(path or ".")
            if (status.st_dev, status.st_ino) in self._entered:
                return
            self._entered.add((status.st_dev, status.st_ino))
            with os.scandir(path or ".") as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._refuse(path or ".", f"cannot be read: {(error.strerror or 'error').lower()}")
            return
        if depth > _DEEPEST:
            self._refuse(path, f"directories are nested more than {_DEEPEST} deep")
            return
        names = frozenset(entry.name for entry in found)
        chart = helm.unrendered_chart(path, names)
        if chart is not None:
            self.unassessed.append(chart)
        for entry in found:
            name = entry.name
            directory = _is_directory(entry)
            if not directory and not name.lower().endswith(_SUFFIXES):
                continue
            if directory and (name.startswith(".") or name in _SKIPPED):
                continue
            below = f"{inner}/{name}" if inner else name
            if excluded(below, directory):
                continue
            if chart is not None and helm.is_part(name, directory):
                self.partial += not directory
            elif directory:
                self._directory(os.path.join(path, name), below, excluded, depth + 1)
            else:
                self.files.append(os.path.join(path, name))

    def _refuse(self, path: str, reason: str) -> None:
        self.unassessed.append(Unassessed(reason, Location(path)))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """Links count as what they lead to; one that leads nowhere is a file that cannot be read."""
    try:
        return entry.is_dir()
    except OSError:
        return False
