"""The grammar of Falco's conditions: a text becomes an expression, or an error with its place."""

from __future__ import annotations

import re
from typing import Final, Literal, NoReturn

from martello.practices.monitor.falco.expression import (
    All,
    Any,
    Check,
    Expression,
    Field,
    Macro,
    Made,
    No,
    Operand,
    Operands,
    Several,
    Text,
)
from martello.practices.monitor.falco.quoting import Malformed, unescaped

LONGEST: Final = 2_000_000  # characters of a condition after its lists are put in
_SPACE: Final = " \t\n\v\f\r"
_NOT: Final = re.compile(r"not[ \t\n\v\f\r]+")
_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*+")
_FIELD: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*+(?:\.[a-zA-Z][a-zA-Z0-9_]*+)+")
_ARGUMENT: Final = re.compile(r"[^\]\[\"' \t\n\v\f\r]+")
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]+|[+-]?[0-9]+\.?[0-9]*(?:[eE][+-][0-9]+)?")
_BARE: Final = re.compile(r"[^()\"' \t\n\v\f\r=,]+")
_BLANK: Final = re.compile(r"[ \t\x08\r\n]*")
_KEYWORD: Final = re.compile(r"(?:and|or|not)(?![a-zA-Z0-9])")
_MODIFIER: Final = re.compile(r"(oneof|anyof|allof)[ \t\x08\r\n]+")
_WORD: Final = re.compile(
    r"(glob|iglob|contains|icontains|bcontains|startswith|bstartswith|endswith|regex)[ \t\x08\r\n]+"
)
NUMERIC: Final = ("<=", "<", ">=", ">")
LISTED: Final = ("intersects", "in", "pmatch")
TEXTUAL: Final = (
    "==",
    "=",
    "!=",
    "glob",
    "iglob",
    "contains",
    "icontains",
    "bcontains",
    "startswith",
    "bstartswith",
    "endswith",
    "regex",
)
_PLAIN: Final = ""
MODIFIERS: Final = ("oneof", "anyof", "allof")
OPERATORS: Final = ("exists", *NUMERIC, *TEXTUAL, *LISTED)
TRANSFORMERS: Final = (
    "tolower",
    "toupper",
    "b64",
    "basename",
    "len",
    "join",
    "concat",
    "getopt",
)
IDENTIFIER: Final = _NAME
BARE: Final = _BARE


def parse(text: str, depth: int = 100) -> Expression:
    """The expression of a condition. `depth` is counted as Falco counts it: five for each bracket.
    Raises Malformed.
    """
    if not text:
        raise Malformed("filter input string is empty", 0)
    if len(text) > LONGEST:
        raise Malformed(f"a condition of more than {LONGEST} characters", 0)
    if "\0" in text:
        raise Malformed("a condition holds no NUL", text.index("\0"))
    parser = _Parser(text, depth)
    try:
        found = parser.disjunction(0)
    except RecursionError:
        parser.fail("a condition nested too deep")
    if parser.at != len(text):
        parser.fail(f"unexpected token after '{parser.last}', expecting 'or', 'and'")
    return found


def parse_field(text: str) -> tuple[Operand, int]:
    """The field or transformer call that the text begins with, and how long it is. Raises
    Malformed.
    """
    parser = _Parser(text, 100)
    try:
        found = parser.field() or parser.transformed(1)
    except RecursionError:
        parser.fail("a field nested too deep")
    if found is None:
        parser.fail(f"unexpected token after '{parser.last}'")
    return found, parser.at


class _Parser:
    __slots__ = ("at", "last", "most", "text")

    def __init__(self, text: str, most: int) -> None:
        self.text, self.most = text, most
        self.at = 0
        self.last = ""

    def fail(self, why: str) -> NoReturn:
        raise Malformed(why, self.at)

    def blank(self) -> bool:
        found = _BLANK.match(self.text, self.at)
        end = found.end() if found else self.at
        moved = end > self.at
        self.at = end
        return moved

    def takes(self, sign: str) -> bool:
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        self.last = sign
        return True

    def token(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        self.last = found[0]
        return self.last

    def deep(self, depth: int) -> None:
        if depth >= self.most:
            self.fail(f"exceeded max depth limit of {self.most}")

    def disjunction(self, depth: int, *, embedded: bool = False) -> Expression:
        """`or` of `and`s, with its closing bracket where it is embedded. The depths are those of
        Falco's functions, one within another.
        """
        self.deep(depth + 4)
        start = self.at
        self.blank()
        parts = [self.conjunction(depth + 1)]
        self.blank()
        while self.takes("or"):
            if self.blank():
                parts.append(self.conjunction(depth + 1))
            elif self.takes("("):
                parts.append(self.disjunction(depth + 2, embedded=True))
            else:
                self.fail("expected blank or '(' after 'or'")
            self.blank()
        if embedded and not self.takes(")"):
            self.fail("expected a ')' token")
        return parts[0] if len(parts) == 1 else Any(tuple(parts), start)

    def conjunction(self, depth: int) -> Expression:
        start = self.at
        self.blank()
        parts = [self.negation(depth + 1)]
        self.blank()
        while self.takes("and"):
            if self.blank():
                parts.append(self.negation(depth + 1))
            elif self.takes("("):
                parts.append(self.disjunction(depth + 2, embedded=True))
            else:
                self.fail("expected blank or '(' after 'and'")
            self.blank()
        return parts[0] if len(parts) == 1 else All(tuple(parts), start)

    def negation(self, depth: int) -> Expression:
        start, negated = self.at, False
        self.blank()
        while self.token(_NOT) is not None:
            negated = not negated
        if self.takes("not("):
            negated = not negated
            part: Expression = self.disjunction(depth + 2, embedded=True)
        elif self.takes("("):
            part = self.disjunction(depth + 3, embedded=True)
        else:
            part = self.check(depth + 2)
        return No(part, start) if negated else part

    def check(self, depth: int) -> Expression:
        start = self.at
        left = self.field() or self.transformed(depth)
        if left is not None:
            return self.condition(left, start, depth + 1)
        name = self.token(_NAME)
        if name is None:
            self.fail("expected a '(' token, a field check, or an identifier")
        return Macro(name, start)

    def field(self) -> Field | None:
        start = self.at
        name = self.token(_FIELD)
        return None if name is None else Field(name, self.argument(), start)

    def argument(self) -> str | None:
        if not self.takes("["):
            return None
        found = self.quoted()
        if found is None:
            found = self.token(_ARGUMENT)
        if found is None:
            self.fail("expected a valid field argument: a quoted string or a bare string")
        if not self.takes("]"):
            self.fail("expected a ']' token")
        return found

    def transformed(self, depth: int) -> Made | None:
        start = self.at
        name = next((one for one in TRANSFORMERS if self.takes(one + "(")), None)
        if name is None:
            return None
        self.deep(depth + 2)
        of: list[Operand] = []
        while True:
            self.blank()
            of.append(self.operand(depth + 1))
            self.blank()
            if not self.takes(","):
                break
        if not self.takes(")"):
            self.fail("expected a ')' token closing the transformer")
        return Made(name, tuple(of), self.argument(), start)

    def operand(self, depth: int) -> Operand:
        start = self.at
        if self.token(_NUMBER) is not None:
            return Text(self.last, start)
        text = self.quoted()
        if text is not None:
            return Text(text, start)
        if self.takes("("):
            return self.operands(start, depth)
        found = self.transformed(depth + 1) or self.field()
        if found is None:
            self.fail(
                "expected field transformer argument: field, transformer, quoted string, number, "
                "or transformer list"
            )
        return found

    def operands(self, start: int, depth: int) -> Operands:
        of: list[Operand] = []
        self.blank()
        if self.takes(")"):
            return Operands((), start)
        while True:
            if self.text.startswith("(", self.at):
                self.fail("expected transformer list argument")
            of.append(self.operand(depth))
            self.blank()
            if not self.takes(","):
                break
            self.blank()
        if not self.takes(")"):
            self.fail("expected ')'")
        return Operands(tuple(of), start)

    def condition(self, left: Operand, start: int, depth: int) -> Check:
        self.blank()
        self.deep(depth)
        if self.takes("exists"):
            return Check(left, "exists", at=start)
        self.blank()
        self.deep(depth + 2)
        op = next((one for one in NUMERIC if self.takes(one)), None)
        if op is not None:
            return Check(left, op, self.numeric(depth + 1), at=start)
        op = next((one for one in TEXTUAL[:3] if self.takes(one)), None)
        worded = None if op else _WORD.match(self.text, self.at)
        if worded is not None:
            op, self.at = worded[1], worded.end()
            self.last = op
        if op is not None:
            blank = self.blank() or worded is not None
            over = self.modifier() if blank else _PLAIN
            right = self.listed(depth + 1, fields=False) if over else self.textual(depth + 1)
            return Check(left, op, right, over, start)
        op = next((one for one in LISTED if self.takes(one)), None)
        if op is None:
            self.fail(f"expected a valid check operator: one of {', '.join(OPERATORS)}")
        return Check(left, op, self.listed(depth + 1, fields=True), at=start)

    def modifier(self) -> Literal["", "oneof", "anyof", "allof"]:
        """The word before a list that says how many must match; empty where it is a value."""
        found = _MODIFIER.match(self.text, self.at)
        if found is None:
            return ""
        end = found.end()
        follows = self.text.startswith("(", end) or (
            _NAME.match(self.text, end) and not _KEYWORD.match(self.text, end)
        )
        if not follows:
            return ""
        self.at, self.last = end, found[1]
        return "oneof" if self.last == "oneof" else "anyof" if self.last == "anyof" else "allof"

    def numeric(self, depth: int) -> Operand:
        self.blank()
        start = self.at
        found = self.right(depth)
        if found is None and self.token(_NUMBER) is not None:
            found = Text(self.last, start)
        if found is None:
            self.fail("expected a number value or a field with a valid transformer")
        return found

    def textual(self, depth: int) -> Operand:
        self.blank()
        return self.right(depth) or self.text_value()

    def text_value(self) -> Text:
        self.blank()
        start = self.at
        found = self.quoted()
        if found is None:
            found = self.token(_BARE)
        if found is None:
            self.fail("expected a string value")
        return Text(found, start)

    def listed(self, depth: int, *, fields: bool) -> Operand:
        self.blank()
        start = self.at
        if self.takes("("):
            return self.several(start)
        found: Operand | None = self.right(depth) if fields else None
        if found is None and self.token(_NAME) is not None:
            found = Text(self.last, start)
        if found is None:
            self.fail("expected a list, an identifier, or a field with a valid transformer")
        return found

    def several(self, start: int) -> Several:
        self.blank()
        if self.takes(")"):
            return Several((), start)
        values = [self.text_value().value]
        self.blank()
        while self.takes(","):
            values.append(self.text_value().value)
            self.blank()
        if not self.takes(")"):
            self.fail("expected a ')' token")
        return Several(tuple(values), start)

    def right(self, depth: int) -> Operand | None:
        """A field by `val()`, or a transformer's call, on the right."""
        start = self.at
        if not self.takes("val("):
            return self.transformed(depth + 1)
        self.blank()
        inside = self.field()
        if inside is None:
            self.fail("expected a field within 'val' transformer")
        self.blank()
        if not self.takes(")"):
            self.fail("expected a ')' token closing the transformer")
        return Made("val", (inside,), self.argument(), start)

    def quoted(self) -> str | None:
        delimiter = self.text[self.at : self.at + 1]
        if delimiter not in ("'", '"') or not delimiter:
            return None
        end = self.at + 1
        while (end := self.text.find(delimiter, end)) > 0:
            if self.text[end - 1] != "\\":
                inside = unescaped(self.text[self.at + 1 : end], delimiter, self.at + 1)
                self.at, self.last = end + 1, inside
                return inside
            end += 1
        return None


__all__ = ["Malformed", "parse", "parse_field"]
