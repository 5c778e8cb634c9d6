"""What is wrong with rules of Falco's: where, of which item, and Falco's own code."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

_LONGEST = 500


class Place(msgspec.Struct, frozen=True):
    """Where something is written; lines and columns count from 1. `items` are what it lies in, from
    the outside: (`rule`, its name), (`exception`, its name).
    """

    file: str
    line: int = 1
    column: int = 1
    items: tuple[tuple[str, str], ...] = ()

    def within(self, kind: str, name: str, line: int, column: int) -> Place:
        """A place inside of this one."""
        return Place(self.file, line, column, (*self.items, (kind, name)))


class Problem(msgspec.Struct, frozen=True):
    """An error or a warning: Falco's code, what is wrong, and where."""

    code: str
    why: str
    place: Place

    def __str__(self) -> str:
        named = [f"{kind} {name!r}" for kind, name in self.place.items if name]
        inside = f" ({', '.join(named)})" if named else ""
        return f"{self.place.file}:{self.place.line}:{self.place.column}: {self.why}{inside}"


class Fault(Exception):
    """An error that ends the reading of an item."""

    def __init__(self, code: str, why: str, place: Place) -> None:
        super().__init__(why)
        self.problem = Problem(code, short(why), place)


def short(text: str) -> str:
    """A text that a screen can hold."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def refuse(wrong: object, why: str, place: Place, code: str = "LOAD_ERR_VALIDATE") -> None:
    """Raises Fault where something is wrong."""
    if wrong:
        raise Fault(code, why, place)


YAML = "LOAD_ERR_YAML_VALIDATE"
CONDITION = "LOAD_ERR_COMPILE_CONDITION"
OUTPUT = "LOAD_ERR_COMPILE_OUTPUT"


def of_code(problems: Sequence[Problem], code: str) -> list[Problem]:
    """The problems with a code."""
    return [one for one in problems if one.code == code]
