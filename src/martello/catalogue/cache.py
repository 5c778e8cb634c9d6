"""The packaged checks in one file of the user's cache: their parts, and their programs compiled."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from martello import __version__
from martello.catalogue.load import Deferred, Source, read
from martello.cel.cache import Directory, dump, key
from martello.cel.issues import BadInput
from martello.core.check import Check, Example

_KEPT: Final = 4


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A Check as plain data; `module` and `name` lead to a Python check's function."""

    id: str
    name: str
    title: str
    severity: str
    profile: str
    practice: str
    why: str
    kinds: tuple[str, ...]
    fix: str
    frameworks: dict[str, Any]
    aliases: dict[str, tuple[str, ...]]
    file: str
    params: dict[str, Any]
    needs: tuple[str, ...]
    facts: tuple[str, ...]
    examples: tuple[tuple[bool, str, str, dict[str, Any], str, str, str], ...]
    rule: dict[str, Any] | None
    module: str
    function: str


def cached(sources: Sequence[Source], environ: Mapping[str, str] = os.environ) -> tuple[Check, ...]:
    """The checks of these files: from the cache, or read, compiled and kept for the next time.

    The cache holds code. It is only used in a directory that belongs to the user alone; where there
    is none and none can be made, everything is read anew, which is slower and the same.
    """
    directory = _directory(environ)
    if directory is None:
        return tuple(read(source) for source in sources)
    mark = key(__version__, *_own_marks(), *(f"{s.file} {s.mark}" for s in sources))
    name = f"checks-{mark[:40]}"
    records = _load(directory, name)
    if records is not None:
        return tuple(map(_check, records))
    checks = tuple(read(source) for source in sources)
    _keep(directory, name, [_record(check) for check in checks])
    return checks


def _directory(environ: Mapping[str, str]) -> Directory | None:
    home = environ.get("XDG_CACHE_HOME") or ""
    if not os.path.isabs(home):
        if not os.path.isabs(environ.get("HOME", "")):
            return None
        home = os.path.join(environ["HOME"], ".cache")
    try:
        return Directory(Path(home) / "martello")
    except BadInput:
        return None


def _load(directory: Directory, name: str) -> list[Record] | None:
    """The checks that are kept under a name; None where they are not there or not whole."""
    data = directory.read(name)
    if data is None:
        return None
    try:
        return msgspec.msgpack.decode(data, type=list[Record])
    except msgspec.DecodeError:
        return None


def _keep(directory: Directory, name: str, records: list[Record]) -> None:
    """Keeps checks and drops the oldest; a full disk is no error."""
    try:
        directory.write(name, msgspec.msgpack.encode(records))
        for old in _oldest(directory.path):
            old.unlink(missing_ok=True)
    except OSError:
        pass


def _oldest(directory: Path) -> list[Path]:
    """All caches but the newest few: several versions of Python or Martello may take turns."""
    found = sorted(directory.glob("checks-*"), key=lambda p: p.stat().st_mtime, reverse=True)
    return found[_KEPT:]


def _own_marks() -> Iterator[str]:
    """What tells that the code changed which makes programs of check files."""
    with os.scandir(os.path.dirname(__file__)) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.name.endswith(".py"):
                about = entry.stat()
                yield f"{entry.name}:{about.st_mtime_ns}:{about.st_size}"


def _record(check: Check) -> Record:
    function, rule = check.function, check.rule
    if rule is not None:
        from martello.catalogue.programs import programs

        rule = {**rule, "programs": dump(programs(rule))}
    module, name = "", ""
    if isinstance(function, Deferred):
        module, name = function.module, function.name
    return Record(
        check.id,
        check.name,
        check.title,
        check.severity,
        check.profile,
        check.practice,
        check.why,
        check.kinds,
        check.fix,
        dict(check.frameworks),
        dict(check.aliases),
        check.file,
        dict(check.params),
        check.needs,
        check.facts,
        tuple(
            (e.good, e.text, e.at, dict(e.params), e.kubernetes, e.message, e.fixed)
            for e in check.examples
        ),
        None if rule is None else dict(rule),
        module,
        name,
    )


def _check(record: Record) -> Check:
    return Check(
        record.id,
        record.name,
        record.title,
        record.severity,
        record.profile,
        record.practice,
        record.why,
        record.kinds,
        record.fix,
        record.frameworks,
        record.aliases,
        record.file,
        record.params,
        record.needs,
        record.facts,
        tuple(Example(*parts) for parts in record.examples),
        record.rule,
        Deferred(record.module, record.function) if record.module else None,
    )
