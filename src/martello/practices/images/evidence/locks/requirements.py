"""requirements*.txt: what is pinned. What is not pinned has no version to judge, and is told.

Sources: pip's requirements file format, PEP 508, PEP 440.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from martello.core.package import Package, Unread
from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.model import Body, Parsed, Reader

_NAME: Final = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*")
_PIN: Final = re.compile(r"\(?\s*===?\s*([A-Za-z0-9.!+_-]+)\s*\)?\s*\Z")
_WHEEL: Final = re.compile(r"/([A-Za-z0-9._]+)-(\d[^-/]*)-[^/]*\.whl(?:[#?]|\Z)")
_SHOWN: Final = 5
_DEV_NAME: Final = re.compile(r"(?:\A|[-_.])(?:dev|development|test|tests|testing|lint|docs?)[-_.]")


def _read(path: str, body: Body) -> Parsed:
    packages: list[Package] = []
    loose: list[str] = []
    others: list[str] = []
    dev = _DEV_NAME.search(path.rpartition("/")[2]) is not None
    for line in _lines(parse.text(body)):
        if line.startswith("-"):
            option, value = _option(line)
            if option in ("-r", "--requirement", "-c", "--constraint"):
                # Read as a file of its own if its name is one of a requirements file.
                if option in ("-r", "--requirement") and not wanted(value):
                    others.append(value)
            elif option in ("-e", "--editable") and not value.startswith((".", "/", "file:")):
                loose.append(value)
            continue
        name, version = _pinned(line)
        if version:
            packages.append(parse.package("pypi", name, version, dev=dev))
        elif name:
            loose.append(name)
    unread = [
        Unread("requirements", path, f"it refers to {_list(others)}, which is read by no reader")
    ] * bool(others)
    if loose:
        why = f"no pinned version of {_list(loose)}: lock it, or scan what is installed"
        unread.append(Unread("requirements", path, why))
    return Parsed(packages=parse.unique(packages), unread=tuple(unread))


def _lines(text: str) -> Iterator[str]:
    """Logical lines, without comments, hashes and other options of one requirement."""
    joined = ""
    for raw in text.splitlines():
        # A comment ends a line even if it ends with a backslash.
        line = re.sub(r"(?:^|(?<=\s))#.*", "", raw)
        if line.rstrip().endswith("\\"):
            joined += line.rstrip()[:-1] + " "
            continue
        whole = (joined + line).strip()
        joined = ""
        if whole:
            yield whole
    if joined.strip():
        yield joined.strip()


def _option(line: str) -> tuple[str, str]:
    parts = re.match(r"(--[a-z-]+|-[a-zA-Z])[=\s]*(.*)", line)
    return (parts[1], parts[2].strip()) if parts else (line, "")


def _pinned(line: str) -> tuple[str, str]:
    """Name and exact version; an empty version where it is not pinned, an empty name for a file
    or directory.
    """
    plain = re.split(r"\s--[a-z]", line, maxsplit=1)[0].partition(";")[0].strip()
    if plain.startswith((".", "/", "file:")):
        return "", ""
    wheel = _WHEEL.search(plain)
    if wheel:
        return wheel[1], wheel[2]
    named = _NAME.match(plain)
    if named is None:
        return plain[:60], ""
    rest = plain[named.end() :]
    # `===` takes any text; `== 1.*` is a range, several clauses may still hold one exact pin
    for clause in rest.split(","):
        pin = _PIN.match(clause.strip())
        if pin and not rest.startswith("@"):
            return named[1], pin[1]
    return named[1], ""


def _list(names: list[str]) -> str:
    shown = ", ".join(name[:60] for name in names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def wanted(path: str) -> bool:
    """Whether a file is one of pip's requirements, by its name or its directory."""
    directory, _, name = path.rpartition("/")
    if not name.endswith(".txt"):
        return False
    return (
        name.startswith("requirements")
        or name.endswith(("requirements.txt", "-requirements.txt"))
        or directory.rpartition("/")[2] == "requirements"
    )


READERS = (Reader(name="requirements", read=_read, suffixes=(".txt",), accepts=wanted),)
