"""go.mod and go.sum.

Source: the Go modules reference: since go 1.17 go.mod lists all modules of the build; before, what
is needed indirectly stands in go.sum only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from martello.core.package import Package
from martello.practices.images.evidence.golang import release as stated
from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.model import Body, Parsed, Reader, Sibling

_VERSION: Final = re.compile(r"v\d")
_RELEASE: Final = re.compile(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?((?:rc|beta)\d+)?")


class _Replacement(msgspec.Struct):
    old: str
    old_version: str  # empty: all
    new: str
    new_version: str  # empty: a directory


def _mod(path: str, body: Body) -> Parsed:
    required: list[tuple[str, str]] = []
    replaced: list[_Replacement] = []
    main = release = toolchain = ""
    for verb, values in _directives(parse.text(body)):
        if verb == "module" and values:
            main = values[0]
        elif verb == "go" and values:
            release = values[0]
        elif verb == "toolchain" and values:
            toolchain = values[0]
        elif verb == "require":
            if len(values) < 2 or not _VERSION.match(values[1]) or "(" in values[0]:
                raise ValueError(f"a requirement without version: {' '.join(values)[:80]}")
            required.append((values[0], values[1]))
        elif verb == "replace" and "=>" in values:
            replaced.append(_replacement(values))
    if not main and not required:
        raise ValueError("neither a module nor requirements")
    modules = [_settled(*pair, replaced) for pair in required]
    old = _old(release)
    return Parsed(
        packages=parse.unique([*modules, *_standard_library(release, toolchain)]),
        projects=(Package("golang", main, ""),) if main else (),
        sibling=Sibling(
            "go.mod",
            wanted=("go.sum",) if old else (),
            # what go.sum must not bring back in another version
            roots=tuple(
                {main, *(name for name, _ in required), *(one.new for one in replaced)} - {""}
            ),
        ),
    )


def _directives(text: str) -> Iterator[tuple[str, list[str]]]:
    block = ""
    for raw in text.splitlines():
        line = raw.partition("//")[0].strip()
        if not line:
            continue
        if block:
            if line == ")":
                block = ""
            else:
                yield block, [_unquoted(part) for part in line.split()]
            continue
        verb, *values = line.replace("(", " ( ", 1).split() if line.endswith("(") else line.split()
        if values == ["("]:
            block = verb
        elif values != ["(", ")"]:
            yield verb, [_unquoted(part) for part in values]


def _replacement(values: list[str]) -> _Replacement:
    at = values.index("=>")
    old, new = values[:at], values[at + 1 :]
    if not old or not new:
        raise ValueError(f"an incomplete replacement: {' '.join(values)[:80]}")
    return _Replacement(
        old[0], old[1] if len(old) > 1 else "", new[0], new[1] if len(new) > 1 else ""
    )


def _settled(name: str, version: str, replaced: list[_Replacement]) -> Package:
    fitting = [one for one in replaced if one.old == name and one.old_version in ("", version)]
    # A replacement of one version goes before one of all versions.
    for one in sorted(fitting, key=lambda one: not one.old_version):
        if not one.new_version:
            return parse.package("golang", name, "")  # a directory: of no version that is known
        return parse.package("golang", one.new, one.new_version)
    return parse.package("golang", name, version)


def _old(release: str) -> bool:
    """Whether go.mod leaves out what is needed indirectly. Without a go line it is as of 1.16."""
    parts = _RELEASE.match(release)
    return parts is None or (int(parts[1]), int(parts[2])) < (1, 17)


def _standard_library(release: str, toolchain: str) -> Iterator[Package]:
    # Since 1.21 both lines are a minimum that the go command holds to; before, a hint only.
    least, chosen = _RELEASE.match(release), _RELEASE.match(toolchain)
    if least is None or (int(least[1]), int(least[2])) < (1, 21):
        return
    parts = chosen or least
    if parts[3] is not None or parts[4]:
        yield parse.package("golang", "stdlib", stated(f"go{parts[0].removeprefix('go')}"))


def _sum(path: str, body: Body) -> Parsed:
    found: dict[str, str] = {}
    for line in parse.text(body).splitlines():
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 3:
            raise ValueError(f"no module, version and hash: {line[:80]}")
        # Of modules with a hash of go.mod only, no package is part of any build. The file is
        # sorted: the last version is the highest, which is the one selected.
        if not parts[1].endswith("/go.mod"):
            found[parts[0]] = parts[1]
    packages = (parse.package("golang", name, version) for name, version in found.items())
    return Parsed(sibling=Sibling("go.sum", packages=parse.unique(packages)))


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] in '"`' and text[-1] == text[0] else text


READERS = (
    Reader(name="go.mod", read=_mod, names=frozenset(("go.mod",))),
    Reader(name="go.sum", read=_sum, names=frozenset(("go.sum",))),
)
