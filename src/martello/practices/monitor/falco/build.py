"""From the texts of items to expressions: lists are put in as text, exceptions are added, macros
take their place (F3, F4, F8, F9). All of it is bounded, however items refer to each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.practices.monitor.falco import expression
from martello.practices.monitor.falco.collect import Listed, Macro, modified
from martello.practices.monitor.falco.expression import Check, Expression
from martello.practices.monitor.falco.filter import DEEPEST
from martello.practices.monitor.falco.items import Exempt
from martello.practices.monitor.falco.problems import CONDITION, Fault, Place, refuse
from martello.practices.monitor.falco.syntax import LISTED, LONGEST, Malformed, parse

DEPTH: Final = 1000  # of a condition's brackets, as Falco counts them
MOST_PARTS: Final = 50_000  # comparisons of a condition whose macros are put in
_BLANKS: Final = " \t\n\r"
_WORDS: Final = re.compile(r"[ \t\n\r(),=]+")
_AROUND: Final = frozenset(_BLANKS + "(),=")


def flat(lists: Mapping[str, Listed]) -> tuple[dict[str, str], set[str]]:
    """What stands for each list: its items as text, those that are lists defined before replaced
    by theirs; and the lists that others use.
    """
    found: dict[str, str] = {}
    used: set[str] = set()
    total = 0
    for one in lists.values():
        items: list[str] = []
        for item in one.items:
            other = lists.get(item)
            if other is not None and other.first < one.last:
                used.add(item)
                items.extend(other.items)
                total += len(other.items)
            else:
                items.append(item)
            refuse(total > MOST_PARTS * 20, "lists that grow without bound", one.place)
        found[one.name] = ", ".join(map(quoted, items))
    return found, used


def quoted(text: str) -> str:
    """A value with a blank in double quotes, if it has none."""
    return f'"{text}"' if " " in text and text[0] not in "\"'" else text


def substitute(text: str, name: str, value: str) -> str | None:
    """The text with the value for a list's name wherever it stands alone; None: it does not. An
    empty value takes one comma with it.
    """
    if not name or name not in text:
        return None
    made: list[str] = []
    done, at, used = 0, text.find(name), False
    size = 0
    while at >= 0:
        end = at + len(name)
        alone = (at == 0 or text[at - 1] in _AROUND) and (end >= len(text) or text[end] in _AROUND)
        if not alone or at < done:
            at = text.find(name, at + 1)
            continue
        head = text[done:at].rstrip(_BLANKS)
        while end < len(text) and text[end] in _BLANKS:
            end += 1
        if not value:
            if head.endswith(","):
                head = head[:-1]
            elif text[end : end + 1] == ",":
                end += 1
        made.append(f"{head} {value} " if head or made else f"{value} ")
        size += len(made[-1])
        if size > LONGEST:
            raise Malformed(f"a condition of more than {LONGEST} characters", 0)
        used, done = True, end
        at = text.find(name, end)
    return "".join((*made, text[done:])) if used else None


class Builder:
    """Conditions of one load: how lists and macros are used is told at the end."""

    def __init__(self, lists: Mapping[str, Listed], macros: Mapping[str, Macro]) -> None:
        self.lists, self.macros = lists, macros
        self.values, self.used_lists = flat(lists)
        self.used_macros: set[str] = set()
        self.made: dict[str, Expression] = {}
        self.texts: dict[str, str] = {}
        self._odd = {name for name in self.values if _WORDS.search(name)}
        self._known: dict[str, frozenset[str]] = {}
        self._left = 4 * LONGEST
        self._parts = 10 * MOST_PARTS

    def parsed(self, text: str, where: Place) -> Expression:
        """The expression of a condition after its lists are put in. Raises Fault."""
        try:
            if self._left < 0:
                raise Malformed("conditions that grow without bound", 0)
            words = set(_WORDS.split(text))
            for name, value in self.values.items():
                if name not in words and name not in self._odd:
                    continue
                put = substitute(text, name, value)
                if put is not None:
                    text = put
                    words |= self._within(name)
                    self.used_lists.add(name)
            self._left -= len(text)
            if self._left < 0:
                raise Malformed("conditions that grow without bound", 0)
            return parse(text, DEPTH)
        except Malformed as fault:
            raise Fault(CONDITION, fault.why, at(where, text, fault.at)) from fault

    def _within(self, name: str) -> frozenset[str]:
        """The words of a list's text."""
        if name not in self._known:
            self._known[name] = frozenset(_WORDS.split(self.values[name]))
        return self._known[name]

    def resolved(self, one: Expression, last: int | None, where: Place) -> Expression:
        """The expression with macros in the place of their names: those first defined before
        `last`. Raises Fault.
        """
        put = _Put(self.macros, self.made, last, where)
        try:
            found = put.into(one, (), 0)
        finally:
            self._parts -= put.parts
        refuse(self._parts < 0, "conditions that grow without bound", where)
        self.used_macros |= put.used
        return found


class _Put:
    def __init__(
        self,
        macros: Mapping[str, Macro],
        made: Mapping[str, Expression],
        last: int | None,
        where: Place,
    ) -> None:
        self.macros, self.made, self.last, self.where = macros, made, last, where
        self.used: set[str] = set()
        self.parts = 0

    def _visible(self, name: str) -> Expression | None:
        macro = self.macros.get(name)
        if macro is None or (self.last is not None and macro.first >= self.last):
            return None
        return self.made.get(name)

    def into(self, one: Expression, path: tuple[str, ...], depth: int) -> Expression:
        refuse(depth > DEEPEST, f"a condition nested deeper than {DEEPEST}", self.where)
        if isinstance(one, Check):
            self.parts += 1
            refuse(self.parts > MOST_PARTS, "a condition that grows without bound", self.where)
            return one
        if isinstance(one, expression.Macro):
            macro = self._visible(one.name)
            why = f"Undefined macro '{one.name}' used in filter."
            refuse(macro is None, why, self.where)
            refuse(one.name in path, f"reference loop in macro '{one.name}'", self.where)
            assert macro is not None
            self.used.add(one.name)
            return self.into(macro, (*path, one.name), depth + 1)
        if isinstance(one, expression.No):
            return msgspec.structs.replace(one, part=self.into(one.part, path, depth + 1))
        parts = tuple([self.into(part, path, depth + 1) for part in one.parts])
        return msgspec.structs.replace(one, parts=parts)


def at(where: Place, text: str, offset: int) -> Place:
    """The place of an offset into a condition: within its item, counted from where it begins."""
    before = text[:offset]
    lines = before.count("\n")
    column = offset - before.rfind("\n") if lines else where.column + offset
    return Place(where.file, where.line + lines, column, where.items)


def excepting(condition: str, exceptions: Sequence[Exempt]) -> str:
    """The condition and none of its exceptions. Raises Fault."""
    made = [f"({condition})"]
    for one in exceptions:
        inside = _several(one) if isinstance(one.fields, list) else _single(one)
        if inside:
            made.append(f" and not {inside}")
    return "".join(made)


def _single(one: Exempt) -> str:
    values = []
    for value in one.values:
        refuse(
            not isinstance(value, str),
            "Expected values array to contain a list of strings",
            one.place,
        )
        values.append(quoted(value))
    return f"({one.fields} {one.comps} ({', '.join(values)}))" if values else ""


def _several(one: Exempt) -> str:
    alternatives = []
    for values in one.values:
        given = values if isinstance(values, list) else ()
        why = "Fields and values lists must have equal length"
        refuse(len(given) != len(one.fields), why, one.place)
        parts = [
            f" {field} {comp} {_right(comp, value)}"
            for field, comp, value in zip(one.fields, one.comps, given, strict=True)
        ]
        alternatives.append(f"({' and '.join(parts)})")
    return f"({' or '.join(alternatives)})" if alternatives else ""


def _right(comp: str, value: Any) -> str:
    if isinstance(value, list):
        return f"({', '.join(quoted(str(item)) for item in value)})"
    text = str(value)
    if comp in LISTED or modified(comp):
        return text if text.startswith("(") else f"({text})"
    return quoted(text)


def unused(names: Iterable[str], used: set[str]) -> list[str]:
    """The names that nothing uses."""
    return [name for name in names if name not in used]
