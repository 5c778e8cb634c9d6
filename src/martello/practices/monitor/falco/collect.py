"""What several files together say: later items replace, extend or switch earlier ones.

Every item keeps the place among its kind where it was first defined; `last` is when it was last
changed: what an item can refer to hangs on both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from martello.practices.monitor.falco.fields import Source
from martello.practices.monitor.falco.items import Exempt, Warn, Written
from martello.practices.monitor.falco.problems import Place, refuse
from martello.practices.monitor.falco.syntax import (
    MODIFIERS,
    OPERATORS,
    TEXTUAL,
    Malformed,
    parse_field,
)

ENGINE: Final = (0, 63, 0)  # the engine whose rules are understood


class Listed(msgspec.Struct):
    """A list: its items, when it was first and last written."""

    name: str
    items: list[str]
    place: Place
    first: int
    last: int


class Macro(msgspec.Struct):
    """A macro: its condition."""

    name: str
    condition: str
    place: Place
    where: Place
    first: int
    last: int


class RuleText(msgspec.Struct):
    """A rule as all files together say it."""

    name: str
    place: Place
    where: dict[str, Place]
    condition: str = ""
    output: str = ""
    desc: str = ""
    priority: str = "debug"
    source: str = "syscall"
    tags: tuple[str, ...] = ()
    exceptions: list[Exempt] = []
    enabled: bool = True
    capture: bool = False
    capture_duration: int = 0
    warn_evttypes: bool = True
    skip: bool = False
    known: bool = True


_SEMVER: Final = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+].*)?")


class Collector:
    """The lists, macros and rules of all files so far."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = sources
        self.lists: dict[str, Listed] = {}
        self.macros: dict[str, Macro] = {}
        self.rules: dict[str, RuleText] = {}
        self.plugins: list[tuple[str, str]] = []
        self._now = 0

    def engine(self, version: str, place: Place) -> None:
        """A required version of the engine. Raises Fault."""
        if version.isdigit():
            wanted: tuple[int, ...] = (0, int(version[:9]), 0)
        else:
            found = _SEMVER.fullmatch(version)
            why = (
                f"Unable to parse engine version '{version}' as a semver string. "
                'Expected "x.y.z" semver format.'
            )
            refuse(found is None, why, place, "LOAD_ERR_YAML_VALIDATE")
            wanted = tuple(int(part) for part in found.groups()) if found else ENGINE
        mine, theirs = (".".join(map(str, one)) for one in (ENGINE, wanted))
        fits = wanted[0] == ENGINE[0] and wanted[1:] <= ENGINE[1:]
        why = f"Rules require engine version {theirs}, but engine version is {mine}"
        refuse(not fits, why, place)

    def simple(self, one: Written) -> None:
        """A list or a macro. Raises Fault."""
        self._now += 1
        if one.kind == "list":
            self._list(one)
        else:
            self._macro(one)

    def _list(self, one: Written) -> None:
        before = self.lists.get(one.name)
        items = one.says["items"]
        if one.appended:
            why = (
                "List uses 'append' or 'override.items: append' but no list by that name already "
                "exists"
            )
            refuse(before is None, why, one.place)
            assert before is not None
            before.items = [*before.items, *items]
            before.last = self._now
        else:
            first = before.first if before else self._now
            self.lists[one.name] = Listed(one.name, items, one.place, first, self._now)

    def _macro(self, one: Written) -> None:
        before = self.macros.get(one.name)
        condition = one.says["condition"]
        if one.appended:
            why = (
                "Macro uses 'append' or 'override.condition: append' but no macro by that name "
                "already exists"
            )
            refuse(before is None, why, one.place)
            assert before is not None
            before.condition += " " + condition
            before.last = self._now
            return
        first = before.first if before else self._now
        self.macros[one.name] = Macro(
            one.name, condition, one.place, one.where["condition"], first, self._now
        )

    def rule(self, one: Written, warn: Warn) -> None:
        """A rule, or a change of one. Raises Fault."""
        self._now += 1
        before = self.rules.get(one.name)
        if one.kind == "enabled":
            why = "Rule has 'enabled' key but no rule by that name already exists"
            refuse(before is None, why, one.place)
            assert before is not None
            before.enabled = one.says["enabled"]
            return
        given = one.says.get("source", "")
        changed = one.append or one.replace or one.appended
        if (one.append or one.replace) and "condition" not in one.says:
            given = ""
        if not changed:
            given = given or "syscall"
        why = "Rule has been re-defined with a different source"
        refuse(before is not None and given and given != before.source, why, one.place)
        if not changed:
            self._define(one, given, warn)
            return
        if one.append or one.appended:
            self._append(one, before)
        if one.replace:
            self._replace(one, before)

    def _define(self, one: Written, source: str, warn: Warn) -> None:
        known = source in self.sources
        if not known:
            warn("LOAD_UNKNOWN_SOURCE", f"Unknown source {source}, skipping", one.place)
        made = RuleText(one.name, one.place, dict(one.where), source=source, known=known)
        _set(made, one.says)
        for exempt in made.exceptions:
            why = "Rule exception item must have fields property with a list of fields"
            refuse(not exempt.fields, why, exempt.place)
            check(exempt, self.sources.get(source))
        self.rules[one.name] = made

    def _append(self, one: Written, before: RuleText | None) -> None:
        why = (
            "Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists"
        )
        refuse(before is None, why, one.place)
        assert before is not None
        says = {k: v for k, v in one.says.items() if one.appended or k in one.append}
        says.pop("source", None)
        why = "Appended rule must have exceptions or condition property"
        refuse(not says, why, one.place)
        for key in ("condition", "output", "desc"):
            if key in says:
                setattr(before, key, f"{getattr(before, key)} {says[key]}")
        before.tags = tuple(sorted({*before.tags, *says.get("tags", ())}))
        for exempt in says.get("exceptions", ()):
            self._exempt(exempt, before)

    def _exempt(self, exempt: Exempt, before: RuleText) -> None:
        place = exempt.place
        known = next((one for one in before.exceptions if one.name == exempt.name), None)
        if known is None:
            why = "Rule exception must have fields property with a list of fields"
            refuse(not exempt.fields, why, place)
            why = "Rule exception must have values property with a list of values"
            refuse(not exempt.values, why, place)
            check(exempt, self.sources.get(before.source))
            before.exceptions = [*before.exceptions, exempt]
            return
        why = "Can not append exception {} to existing exception, only values"
        refuse(exempt.fields is not None, why.format("fields"), place)
        refuse(exempt.comps is not None, why.format("comps"), place)
        known.values = [*known.values, *exempt.values]

    def _replace(self, one: Written, before: RuleText | None) -> None:
        why = (
            "An 'override.<key>: replace' to a rule was requested but no rule by that name already "
            "exists"
        )
        refuse(before is None, why, one.place)
        assert before is not None
        _set(before, {k: v for k, v in one.says.items() if k in one.replace})
        before.where.update({k: v for k, v in one.where.items() if k in one.replace})


def _set(made: RuleText, says: Mapping[str, Any]) -> None:
    for key, value in says.items():
        if key == "tags":
            made.tags = tuple(sorted(set(value)))
        elif key == "skip-if-unknown-filter":
            made.skip = value
        elif key != "source":
            setattr(made, key, value)


def check(exempt: Exempt, source: Source | None) -> None:
    """Fields, operators and their numbers of an exception, as they are defined. Raises Fault."""
    place = exempt.place
    if isinstance(exempt.fields, list):
        if exempt.comps is None:
            exempt.comps = ["="] * len(exempt.fields)
        comps = exempt.comps if isinstance(exempt.comps, list) else []
        why = "Fields and comps lists must have equal length"
        refuse(len(exempt.fields) != len(comps), why, place)
        exempt.comps = [str(one).strip(" \t\r\n") for one in comps]
        for one in exempt.comps:
            why = f"'{one}' is not a supported comparison operator"
            refuse(one not in OPERATORS and not modified(one), why, place)
    else:
        if exempt.comps is None:
            exempt.comps = "in"
        why = "Fields and comps must both be strings"
        refuse(not isinstance(exempt.comps, str), why, place)
        exempt.comps = exempt.comps.strip(" \t\r\n")
        why = (
            "When fields is a single value, comps must be one of (in, pmatch, intersects) or a "
            "modifier operator (e.g. startswith oneof)"
        )
        known = exempt.comps in ("in", "pmatch", "intersects") or modified(exempt.comps)
        refuse(not known, why, place)
    if source is None:
        return
    for field in exempt.fields if isinstance(exempt.fields, list) else [exempt.fields]:
        why = f"'{field}' is not a supported filter field"
        refuse(not _is_field(field, source), why, place)


def modified(op: str) -> bool:
    """Whether an operator is one of texts with oneof, anyof or allof."""
    first, _, over = op.partition(" ")
    return first in TEXTUAL and over in MODIFIERS


def _is_field(text: Any, source: Source) -> bool:
    from martello.practices.monitor.falco.sides import CannotRun, sided

    if not isinstance(text, str):
        return False
    try:
        found, size = parse_field(text)
        sided(source, found, "left")
    except Malformed:
        return False
    except CannotRun:
        return True
    return size == len(text)
