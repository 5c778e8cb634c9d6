"""The operators of the tree on single values: each becomes a test of a value, made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final

from martello.cel.re2 import Regex
from martello.cel.values import EvalError
from martello.practices.monitor.engine.ir import Value
from martello.practices.monitor.engine.terms import lower

Test = Callable[[Any], bool]
Pair = Callable[[Any, Any], bool]


class Bad(ValueError):
    """An operand with which no value can be compared: a broken expression or network."""


def test(op: str, operand: Value) -> Test:
    """Whether a value stands in this relation to the constant. Raises Bad."""
    if op in ("matches", "fullmatch", "glob", "iglob", "like", "ilike"):
        return _pattern(op, str(operand))
    if op == "cidr":
        return _within((operand,))
    pair = PAIRS.get(op)
    if pair is None:
        raise Bad(f"{op} is no operator of one value")
    if op == "=" and isinstance(operand, str):
        return lambda value: bool(value == operand)
    if op[0] == "i" and isinstance(operand, str):
        return _folded(pair_of(op[1:]), lower(operand))
    return lambda value: pair(value, operand)


def pair_of(op: str) -> Pair:
    """The operator over two values. Raises Bad."""
    if op == "equals":
        op = "="
    if op in PAIRS:
        return PAIRS[op]
    if op in ("glob", "iglob", "like", "ilike", "matches", "fullmatch"):
        return lambda value, pattern: isinstance(pattern, str) and _cached(op, pattern)(value)
    if op == "cidr":
        return lambda value, net: isinstance(net, str) and _cached(op, net)(value)
    raise Bad(f"{op} takes no other term")


@lru_cache(maxsize=1024)
def _cached(op: str, operand: str) -> Test:
    try:
        return test(op, operand)
    except Bad:
        return lambda value: False


def _folded(pair: Pair, operand: str) -> Test:
    return lambda value: isinstance(value, str) and pair(lower(value), operand)


def comparable(one: Any, other: Any) -> bool:
    """Numbers with numbers, texts with texts, booleans with booleans."""
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool)
    if isinstance(one, int | float):
        return isinstance(other, int | float)
    return isinstance(one, str) and isinstance(other, str)


def _text(pair: Callable[[str, str], bool]) -> Pair:
    return lambda one, other: (
        isinstance(one, str) and isinstance(other, str) and bool(pair(one, other))
    )


def _fold(pair: Callable[[str, str], bool]) -> Pair:
    return _text(lambda one, other: pair(lower(one), lower(other)))


def _bytes(pair: Callable[[bytes, bytes], bool]) -> Pair:
    def compared(one: Any, other: Any) -> bool:
        left, right = (
            value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
            for value in (one, other)
        )
        return isinstance(left, bytes) and isinstance(right, bytes) and pair(left, right)

    return compared


PAIRS: Final[dict[str, Pair]] = {
    "=": lambda one, other: comparable(one, other) and bool(one == other),
    "!=": lambda one, other: comparable(one, other) and bool(one != other),
    "<": lambda one, other: comparable(one, other) and bool(one < other),
    "<=": lambda one, other: comparable(one, other) and bool(one <= other),
    ">": lambda one, other: comparable(one, other) and bool(one > other),
    ">=": lambda one, other: comparable(one, other) and bool(one >= other),
    "contains": _text(lambda one, other: other in one),
    "startswith": _text(str.startswith),
    "endswith": _text(str.endswith),
    "iequals": _fold(lambda one, other: one == other),
    "icontains": _fold(lambda one, other: other in one),
    "istartswith": _fold(str.startswith),
    "iendswith": _fold(str.endswith),
    "bcontains": _bytes(lambda one, other: other in one),
    "bstartswith": _bytes(bytes.startswith),
}


def _pattern(op: str, pattern: str) -> Test:
    folded = op in ("iglob", "ilike")
    if op in ("glob", "iglob", "like", "ilike"):
        pattern = expression(lower(pattern) if folded else pattern, classes=op.endswith("glob"))
        plain = None
    else:
        plain = pattern if op == "matches" and pattern.isalnum() else None
        pattern = f"\\A(?:{pattern})\\z" if op == "fullmatch" else pattern
    try:
        matches = Regex(pattern).matches
    except (EvalError, RecursionError) as fault:
        raise Bad(f"the expression cannot be read: {fault}") from fault
    if folded:
        return lambda value: isinstance(value, str) and matches(lower(value))
    if plain is not None:
        return lambda value: isinstance(value, str) and plain in value
    return lambda value: isinstance(value, str) and matches(value)


def expression(pattern: str, *, classes: bool = True) -> str:
    """A shell pattern as an RE2 expression of the whole text. With `classes` as fnmatch(3) without
    flags reads it; else only `*`, `?` and a backslash before these or itself are special.
    """
    made: list[str] = []
    at, end = 0, len(pattern)
    while at < end:
        sign = pattern[at]
        at += 1
        if sign == "*":
            if made[-1:] != [".*"]:
                made.append(".*")
        elif sign == "?":
            made.append(".")
        elif sign == "\\" and at < end and (classes or pattern[at] in "*?\\"):
            made.append(_plain(pattern[at]))
            at += 1
        elif sign == "[" and classes and (closed := _class_end(pattern, at)):
            made.append(_class(pattern[at : closed - 1]))
            at = closed
        else:
            made.append(_plain(sign))
    return rf"(?s)\A{''.join(made)}\z"


def _plain(sign: str) -> str:
    return sign if sign.isalnum() or ord(sign) > 127 else rf"\x{ord(sign):02x}"


def _class_end(pattern: str, at: int) -> int:
    """Where a bracket ends (after its `]`); 0 where it does not."""
    if pattern[at : at + 1] in ("!", "^"):
        at += 1
    start = at
    while at < len(pattern):
        if pattern[at] == "]" and at > start:
            return at + 1
        if pattern[at : at + 2] == "[:" and (close := pattern.find(":]", at + 2)) > 0:
            at = close + 1
        elif pattern[at] == "\\":
            at += 1
        at += 1
    return 0


def _class(inside: str) -> str:
    """A bracket; one that holds a range backwards or a class unknown to C matches nothing."""
    negated = inside[:1] in ("!", "^")
    made = ["[^" if negated else "["]
    at, last, open_ = 1 if negated else 0, "", False
    while at < len(inside):
        if inside[at : at + 2] == "[:" and (close := inside.find(":]", at + 2)) > 0:
            if inside[at + 2 : close] not in _NAMED:
                return _NOTHING
            made.append(inside[at : close + 2])
            at, last = close + 2, ""
            continue
        sign = inside[at]
        at += 1
        if sign == "-" and last and at < len(inside) and not open_:
            made.append("-")
            open_ = True
            continue
        if sign == "\\" and at < len(inside):
            sign = inside[at]
            at += 1
        if open_ and sign < last:
            return _NOTHING
        made.append(_plain(sign))
        last, open_ = ("" if open_ else sign), False
    return "".join(made) + "]"


_NOTHING: Final = r"[^\x00-\x{10ffff}]"
_NAMED: Final = frozenset(
    (
        *("alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct"),
        *("space", "upper", "xdigit"),
    )
)


def _within(operands: Sequence[Value]) -> Test:
    nets: list[IPv4Network | IPv6Network] = []
    for one in operands:
        try:
            nets.append(ip_network(str(one), strict=False))
        except ValueError as fault:
            raise Bad(f"{one!r} is no network") from fault

    @lru_cache(maxsize=4096)
    def inside(value: str) -> bool:
        try:
            address = ip_address(value)
        except ValueError:
            return False
        return any(address in net for net in nets)

    return lambda value: isinstance(value, str) and inside(value)


def among(op: str, operands: Sequence[Value]) -> Test:
    """Whether one value is in, below or inside one of the operands: `in`, `pmatch`, `cidr`."""
    if op == "cidr":
        return _within(operands)
    if op == "pmatch":
        return _below([str(one) for one in operands])
    texts = frozenset(one for one in operands if isinstance(one, str))
    others = [one for one in operands if not isinstance(one, str)]
    equal = PAIRS["="]

    def inside(value: Any) -> bool:
        if value.__class__ is str:
            return value in texts
        return any(equal(value, one) for one in others) if others else False

    return inside


def _below(paths: Sequence[str]) -> Test:
    literal: set[tuple[str, ...]] = set()
    globs: list[list[Test]] = []
    for path in paths:
        parts = _parts(path)
        if any(sign in path for sign in "*?["):
            globs.append([test("glob", part) for part in parts])
        else:
            literal.add(tuple(parts))
    longest = max((len(one) for one in literal), default=-1)

    def below(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        parts = tuple(_parts(value))
        if any(parts[:size] in literal for size in range(min(len(parts), longest) + 1)):
            return True
        return any(
            len(one) <= len(parts) and all(t(p) for t, p in zip(one, parts, strict=False))
            for one in globs
        )

    return below


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]
