"""What is wrong in a file of rules, and what loading such files gives."""

from __future__ import annotations

import msgspec

from martello.practices.monitor.engine.rule import Pack


class Problem(msgspec.Struct, frozen=True):
    """An error or a warning with its place; lines and columns count from 1, 0 is not known. `text`
    holds nothing of the file but names of keys, fields, rules and operators.
    """

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line else ""
        return f"{self.file}{place}: {self.text}"


class Loaded(msgspec.Struct, frozen=True, eq=False):
    """The rules of some files. A rule with an error is in the pack too, as `unassessed`, where
    enough of it could be read to name it.
    """

    pack: Pack
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def shown(text: object, most: int = 80) -> str:
    """A name from a file as a message may show it: one line, no control characters, bounded."""
    plain = "".join(c if c.isprintable() else "?" for c in str(text)[: most + 1])
    return plain if len(plain) <= most else plain[: most - 1] + "…"
