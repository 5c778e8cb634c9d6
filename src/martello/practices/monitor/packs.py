"""Rules of any language, told apart by what their files look like, in one pack."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from martello.core.errors import BadInput
from martello.practices.monitor.engine.rule import Pack, Rule
from martello.practices.monitor.falco import problems as falco_problems
from martello.practices.monitor.problems import Loaded, Problem

DEFAULT: Final = "default"
RULES: Final = Path(__file__).parent / "rules"
_LARGEST: Final = 16 << 20  # bytes of one file
_MOST_FILES: Final = 20_000
_FALCO: Final = re.compile(
    r"^\s*-\s+(?:rule|macro|list|required_engine_version|required_plugin_versions)\s*:", re.M
)
_SIGMA: Final = re.compile(r"^(?:logsource|detection|correlation)\s*:", re.M)


def language(text: str) -> str:
    """falco, sigma or martello: the one whose keys a file has."""
    if _FALCO.search(text):
        return "falco"
    return "sigma" if _SIGMA.search(text) else "martello"


def load(files: Iterable[tuple[str, str]], *, correct: bool = True) -> Loaded:
    """The rules of files (name and text), each by its own language. Of two rules with one id the
    later one counts; within a language files see one another. `correct` mends Sigma rules that
    can never fire as they are written.
    """
    by_language: dict[str, list[tuple[str, str]]] = {}
    for name, text in files:
        by_language.setdefault(language(text), []).append((name, text))
    rules: list[Rule] = []
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for spoken, told in by_language.items():
        for one in _read(spoken, told, correct):
            rules.extend(one.pack)
            errors.extend(one.errors)
            warnings.extend(one.warnings)
    return Loaded(Pack(rules), tuple(errors), tuple(warnings))


def _read(spoken: str, files: list[tuple[str, str]], correct: bool) -> Iterator[Loaded]:
    if spoken == "falco":
        from martello.practices.monitor.falco import load as falco

        found = falco.load(files)
        yield Loaded(found.pack, _plainly(found.errors), _plainly(found.warnings))
    elif spoken == "sigma":
        from martello.practices.monitor.sigma import read as sigma

        yield sigma.load(dict(files), correct=correct)
    else:
        from martello.practices.monitor.own import load as own

        yield own.load(dict(files))


def _plainly(problems: Iterable[falco_problems.Problem]) -> tuple[Problem, ...]:
    return tuple(
        Problem(one.place.file, one.place.line, one.place.column, one.why) for one in problems
    )


@lru_cache(maxsize=1)
def default() -> Pack:
    """Martello's own rules."""
    return load(texts((str(RULES),))).pack


def named(names: Iterable[str], *, correct: bool = True) -> Loaded:
    """The rules that `--rules` names: `default`, files, directories. Raises BadInput."""
    files: list[str] = []
    for name in names or (DEFAULT,):
        files.append(str(RULES) if name == DEFAULT else name)
    return load(texts(files), correct=correct)


def texts(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The files that are meant, directories with what lies in them. Raises BadInput."""
    count = 0
    for name in names:
        path = Path(name)
        if path.is_dir():
            found = sorted(_within(path))
        elif path.exists():
            found = [path]
        else:
            raise BadInput(f"no rules at {name}", "no such file or directory", "check the path")
        for one in found:
            count += 1
            if count > _MOST_FILES:
                raise BadInput(f"more than {_MOST_FILES:,} files in {name}", "", "name fewer")
            yield str(one), _text(one)


def _within(directory: Path) -> Iterator[Path]:
    """The files of rules below a directory. One that may not be read would hide its rules: it
    raises BadInput.
    """

    def refuse(error: OSError) -> None:
        why = error.strerror or str(error)
        raise BadInput(f"cannot read {error.filename}", why, "check it") from None

    for place, _, names in os.walk(directory, onerror=refuse):
        yield from (Path(place, name) for name in names if name.endswith((".yaml", ".yml")))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise BadInput(f"cannot read {path}", error.strerror or str(error), "check it") from None
    if len(data) > _LARGEST:
        raise BadInput(f"{path} is over {_LARGEST >> 20} MiB", "no file of rules is", "split it")
    return data.decode("utf-8", "replace")
