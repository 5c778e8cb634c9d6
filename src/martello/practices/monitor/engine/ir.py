"""The one tree that the rules of every language become.

`scalar.py` evaluates it over one event, `compile.py` over columns; both follow what is written
here. An event is flat: column → value, as in `core.event.COLUMNS`; a missing column, a null and an
empty list are *missing*.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import msgspec

Value: TypeAlias = str | int | float | bool | bytes


class Column(msgspec.Struct, frozen=True, tag=True):
    """A column of the event; list columns give lists."""

    name: str


class At(msgspec.Struct, frozen=True, tag=True):
    """One element of a list, counted from 0; missing where the list is shorter."""

    of: Term
    index: int


class Key(msgspec.Struct, frozen=True, tag=True):
    """The value of a key of a map column."""

    of: Term
    key: str


class Pointer(msgspec.Struct, frozen=True, tag=True):
    """A place in `raw`, which is JSON: the value's text, or the JSON text of what is not a text.

    A step is a key or an index. Of a key written twice the last one counts. Other steps begin with
    a sign, and make the term a list but for `|` and `+`:
      `*`         every element of an array or object; what is missing below one is left out
      `*k=v`      every element whose key `k` is the text `v`
      `~k`        the keys of an object other than `k`
      `|a|b`      the first of these keys that is there
      `+`         the texts of an array joined by blanks
      `\\key`     the key after the backslash, whatever sign it begins with
    """

    path: tuple[str, ...]


class Call(msgspec.Struct, frozen=True, tag=True):
    """A function of terms: `FUNCTIONS` names them. Missing where an argument is missing."""

    name: str
    of: tuple[Term, ...]
    extra: tuple[Value, ...] = ()


class Literally(msgspec.Struct, frozen=True, tag=True):
    """A constant where a term is asked for."""

    value: Value


Term: TypeAlias = Column | At | Key | Pointer | Call | Literally

# What functions give. Over a list `lower`, `upper`, `text`, `basename`, `b64` work by element.
FUNCTIONS: Final = {
    "lower": "ASCII letters small",
    "upper": "ASCII letters capital",
    "text": "a number or boolean as text: 200, true",
    "number": "a text that is a decimal number as a number; else missing",
    "basename": "what follows the last slash",
    "length": "characters of a text, elements of a list (0 of one that is missing)",
    "b64": "the text that a text in base64 stands for; missing where it is none",
    "dirname": "what precedes the last slash; a slash where there is none, or it is the first sign",
    "join": "the texts of all terms joined by the first extra",
    "concat": "the texts of all terms, one after another",
    "words": "those texts of the terms that are there and not empty, joined by blanks",
    "first": "the first of the terms that is there",
    "rest": "what follows the first blank of a text; missing where there is none",
    "result": "0 of SUCCESS, minus its number of the name of an error, the number that a text is",
    "repository": "an image reference without its tag and digest",
    "effective": "of every container (a list of JSON texts) what its securityContext says of the"
    " first extra, else the second term, else the second extra",
    "accounts": "of every subject (a list of JSON texts) its namespace, a colon, its name",
    "param": "the value of a query parameter (the first extra) of a URI",
    "cel": "what the first extra, CEL over `e` and `params`, is of these columns, with the second "
    "extra as parameters (JSON): true, false, or missing where CEL gives an error; no argument "
    "need be there",
}

# How an operator compares. Texts are compared by code point.
#   = != < <= > >=       of one value; numbers with numbers, texts with texts, else false
#   in                   the value is one of the operand's
#   contains startswith endswith       of texts; with i: ASCII letters of either case are equal
#   glob iglob           the whole text by * and ? and [...] as fnmatch does: * crosses slashes, a
#                        backslash takes the next sign as it is
#   like ilike           the whole text by * and ? alone; a backslash takes the next *, ? or
#                        backslash as it is
#   matches              an RE2 expression is found in the text; fullmatch: it is the whole text
#   pmatch               the text is below one of the operand's paths, component by component
#   cidr                 the address lies in one of the operand's networks
#   exists               the term is there
#   subset intersects    of lists (and of single values): all elements, some, are operand's
OPS: Final = (
    frozenset(
        (
            "=",
            "!=",
            "<",
            "<=",
            ">",
            ">=",
            "in",
            "contains",
            "icontains",
            "startswith",
            "istartswith",
        )
    )
    | frozenset(
        (
            "endswith",
            "iendswith",
            "iequals",
            "glob",
            "iglob",
            "like",
            "ilike",
            "matches",
            "fullmatch",
        )
    )
    | frozenset(("pmatch", "cidr", "exists", "subset", "intersects", "bcontains", "bstartswith"))
)
Over = Literal["one", "any", "all", "oneof", "anyof", "allof"]


class Atom(msgspec.Struct, frozen=True, tag=True):
    """One comparison. `operand` is constants or another term.

    `over` says what is quantified: `one` compares the term itself; `any` and `all` its elements
    (of a term that is no list: itself; `all` of an empty list is true where `null` is set);
    `oneof`, `anyof`, `allof` the operands: exactly one, at least one, every one of them satisfies
    the operator (never with none).

    `null`: where something is missing the atom is null and Kleene's logic goes on with it, as in
    CEL; else it is false, and `not` of it true, as in Falco and Sigma.
    """

    term: Term
    op: str
    operand: tuple[Value, ...] | Term = ()
    over: Over = "one"
    null: bool = False


class And(msgspec.Struct, frozen=True, tag=True):
    """All of the parts; none: true."""

    parts: tuple[Node, ...]


class Or(msgspec.Struct, frozen=True, tag=True):
    """At least one of the parts; none: false."""

    parts: tuple[Node, ...]


class Not(msgspec.Struct, frozen=True, tag=True):
    """The opposite; null stays null."""

    part: Node


class Constant(msgspec.Struct, frozen=True, tag=True):
    """True or false for every event."""

    value: bool


Node: TypeAlias = And | Or | Not | Constant | Atom
TRUE: Final = Constant(True)
FALSE: Final = Constant(False)


def both(*parts: Node) -> Node:
    """All of them, without constants and nested `And`s."""
    kept: list[Node] = []
    for part in parts:
        if part == FALSE:
            return FALSE
        if isinstance(part, And):
            kept.extend(part.parts)
        elif part != TRUE:
            kept.append(part)
    return kept[0] if len(kept) == 1 else And(tuple(kept)) if kept else TRUE


def either(*parts: Node) -> Node:
    """At least one of them, without constants and nested `Or`s."""
    kept: list[Node] = []
    for part in parts:
        if part == TRUE:
            return TRUE
        if isinstance(part, Or):
            kept.extend(part.parts)
        elif part != FALSE:
            kept.append(part)
    return kept[0] if len(kept) == 1 else Or(tuple(kept)) if kept else FALSE


def opposite(part: Node) -> Node:
    """Not the part; twice is the part itself."""
    if isinstance(part, Constant):
        return Constant(not part.value)
    return part.part if isinstance(part, Not) else Not(part)


def atoms(node: Node) -> Iterator[Atom]:
    """Every atom of a tree, from the left, as often as it occurs."""
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, Atom):
            yield one
        elif isinstance(one, Not):
            stack.append(one.part)
        elif isinstance(one, And | Or):
            stack.extend(reversed(one.parts))


def columns(node: Node) -> frozenset[str]:
    """The columns that a tree reads; `raw` where it reads a place in it."""
    found: set[str] = set()
    for atom in atoms(node):
        stack: list[Term] = [atom.term]
        if not isinstance(atom.operand, tuple):
            stack.append(atom.operand)
        while stack:
            term = stack.pop()
            if isinstance(term, Column):
                found.add(term.name)
            elif isinstance(term, Pointer):
                found.add("raw")
            elif isinstance(term, Call):
                stack.extend(term.of)
            elif isinstance(term, At | Key):
                stack.append(term.of)
    return frozenset(found)
