"""Which paths of a distribution's file lists are worth keeping.

A package of a language belongs to the distribution if the distribution lists its evidence (E5).
File lists name every file, evidence is few: only paths that a reader of languages may want stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from martello.practices.images.evidence.text import at_most

MOST: Final = 200_000  # of one database or list: whole distributions have fewer
_LONGEST: Final = 4096  # characters of a path: no file has a longer one
_NAMES: Final = frozenset(("METADATA", "PKG-INFO", "package.json", "installed.json", "DESCRIPTION"))
_SUFFIXES: Final = (
    ".egg-info",
    ".egg",
    ".jar",
    ".war",
    ".ear",
    ".par",
    ".sar",
    ".kar",
    ".hpi",
    ".jpi",
    ".gemspec",
    ".deps.json",
    ".app",
)
_PROGRAMS: Final = ("/bin/", "/sbin/", "/libexec/")
# files without a dot in their names are programs nearly everywhere but here
_DATA: Final = (
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/locale/",
    "usr/share/zoneinfo/",
    "usr/share/terminfo/",
    "usr/share/lintian/",
    "usr/share/bash-completion/",
    "usr/share/icons/",
    "usr/include/",
    "usr/src/",
    "lib/terminfo/",
    "usr/lib/terminfo/",
    "etc/",
    "var/",
    "proc/",
    "sys/",
    "dev/",
)


def may_be_evidence(path: str) -> bool:
    """Whether a file at this path may prove a package of a language."""
    name = path[path.rfind("/") + 1 :]
    if name in _NAMES or name.endswith(_SUFFIXES):
        return True
    if path.startswith(_DATA):
        return False
    if "." not in name or ".so" in name:
        return True
    place = "/" + path
    return any(part in place for part in _PROGRAMS)


def worth_keeping(paths: Iterable[str]) -> tuple[str, ...]:
    """The files that may be evidence of a list of paths, as dpkg and rpm write them: `/usr/x` or
    `./usr/x`, each directory before what is in it. Raises TooLarge where they are very many.
    """
    return tuple(at_most(_kept(paths), MOST, "files that may be evidence"))


def _kept(paths: Iterable[str]) -> Iterator[str]:
    before = ""
    for line in paths:
        path = line.lstrip("./") if line[:1] in "./" else line
        if before and not path.startswith(before + "/"):
            yield before
        before = path if len(path) <= _LONGEST and may_be_evidence(path) else ""
    if before:
        yield before
