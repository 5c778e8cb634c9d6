"""Finds every check: the practices' own, without a central list, and those of other directories."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.core.check import AREAS, Check, Declared, Hit
from martello.core.errors import BadInput

_ROOT: Final = Path(__file__).resolve().parent.parent
_PRACTICES: Final = _ROOT / "practices"


class Source(msgspec.Struct, frozen=True, order=True):
    """One file of a check: where it is, how it is called in messages, and what tells that it
    changed. `module` is empty for YAML.
    """

    path: str
    file: str
    practice: str
    module: str
    mark: str


class Deferred:
    """A Python check's function, imported when it is called first."""

    __slots__ = ("_function", "module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name
        self._function: Any = None

    def __call__(self, *args: Any, **named: Any) -> Iterable[Hit]:
        if self._function is None:
            from importlib import import_module

            self._function = getattr(import_module(self.module), self.name)
        found: Iterable[Hit] = self._function(*args, **named)
        return found


def load(extra_dirs: Sequence[str] = (), *, cache: bool = True) -> tuple[Check, ...]:
    """Every check, by id. Ours come from the cache where there is one; `extra_dirs` hold more check
    files (YAML, read anew each time).

    Raises one BadInput with all errors of a file, and for ids or names used twice.
    """
    if cache:
        from martello.catalogue.cache import cached

        own = cached(tuple(packaged()))
    else:
        own = tuple(read(source) for source in packaged())
    extra = tuple(read(source) for source in _given(extra_dirs))
    checks = sorted((*own, *extra), key=lambda c: c.id)
    _distinct(checks)
    return tuple(checks)


def packaged() -> Iterator[Source]:
    """The files of the checks that the practices ship."""
    for practice in sorted(set(AREAS.values())):
        directory = os.path.join(_PRACTICES, practice, "checks")
        if not os.path.isdir(directory):
            continue
        for name, path, mark in _files(directory, (".yaml", ".py")):
            if name.startswith("_"):
                continue
            stem = name.removesuffix(".py")
            module = f"martello.practices.{practice}.checks.{stem}" if stem != name else ""
            yield Source(path, f"practices/{practice}/checks/{name}", practice, module, mark)


def _given(directories: Sequence[str]) -> Iterator[Source]:
    for directory in directories:
        if not os.path.isdir(directory):
            raise BadInput(
                f"no directory {directory}",
                "policies are read from a directory of check files",
                "see --policies DIR",
            )
        found = _files(directory, (".yaml", ".yml"))
        if not found:
            raise BadInput(
                f"no check files in {directory}",
                "a check is a file .yaml or .yml directly in it",
                "see --policies DIR",
            )
        for _, path, mark in found:
            yield Source(path, path, "", "", mark)


def _files(directory: str, ends: tuple[str, ...]) -> list[tuple[str, str, str]]:
    with os.scandir(directory) as entries:
        found = [e for e in entries if e.name.endswith(ends) and e.is_file()]
        marks = [(e.name, e.path, e.stat()) for e in found]
    return sorted((name, path, f"{s.st_mtime_ns}:{s.st_size}") for name, path, s in marks)


def read(source: Source) -> Check:
    """Reads one file. Raises BadInput naming file, line and key of everything wrong."""
    if source.module:
        return _python(source)
    from martello.catalogue.checkfile import parse_check

    try:
        text = Path(source.path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {source.file}", str(error)) from None
    return parse_check(text, source.file, limited=not source.practice)


def _python(source: Source) -> Check:
    from importlib import import_module

    from msgspec.structs import replace

    module = import_module(source.module)
    marked = [
        (name, value)
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == source.module
        and hasattr(value, "__martello_check__")
    ]
    stem = source.module.rpartition(".")[2]
    if len(marked) != 1 or marked[0][0] != stem:
        raise BadInput(
            f"cannot use {source.file}", f"it must hold one function with @check, called {stem}"
        )
    name, function = marked[0]
    declared: Declared = function.__martello_check__
    title, _, why = (function.__doc__ or "").strip().partition("\n")
    return Check(
        id=declared.id,
        name=name.replace("_", "-"),
        title=title.strip().rstrip("."),
        severity=declared.severity,
        profile=declared.profile,
        practice=source.practice,
        why=_dedent(why),
        kinds=declared.kinds,
        fix=declared.fix,
        frameworks=declared.frameworks,
        aliases={peer: tuple(names) for peer, names in declared.aliases.items()},
        file=source.file,
        params=declared.params,
        needs=declared.needs,
        facts=declared.facts,
        examples=tuple(replace(e, text=_dedent(e.text)) for e in declared.examples),
        function=Deferred(source.module, name),
    )


def _dedent(text: str) -> str:
    from textwrap import dedent

    return dedent(text).strip()


def _distinct(checks: Iterable[Check]) -> None:
    """An id or a name stands for one check."""
    seen: dict[str, Check] = {}
    for check in checks:
        for word in (check.id, check.name):
            other = seen.setdefault(word, check)
            if other is not check:
                raise BadInput(
                    f"two checks are called {word}", f"{other.file} and {check.file}", "rename one"
                )
