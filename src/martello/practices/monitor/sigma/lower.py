"""Sigma's values as atoms of the tree: wildcards, modifiers, types.

A list is OR, with `|all` AND; a mapping is AND; a list of mappings is OR. Texts ignore the case of
ASCII letters, `cased` ones and regular expressions do not. A missing field makes a comparison
false, and `not` of it true.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from sigma.modifiers import (
    SigmaCaseSensitiveModifier,
    SigmaUTF16BEModifier,
    SigmaUTF16Modifier,
    SigmaWideModifier,
)
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from martello.cel import re2
from martello.cel.values import EvalError
from martello.practices.monitor.engine.ir import (
    Atom,
    Call,
    Node,
    Over,
    Term,
    Value,
    both,
    either,
    opposite,
)
from martello.practices.monitor.problems import shown

_WILDCARDS: Final = 40  # in one value
_LONGEST: Final = 10_000  # characters of a value or expression
_COMPARE: Final = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
    CompareOperators.NEQ: "!=",
}
_FLAGS: Final = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
_ENCODED: Final = (SigmaWideModifier, SigmaUTF16Modifier, SigmaUTF16BEModifier)


class Unassessable(Exception):
    """A rule that means something which cannot be evaluated here: the reason."""


class Field(msgspec.Struct, frozen=True):
    """What a Sigma field is of an event. `type` is text, int, bool, or json (the text of whatever
    stands in `raw`); `many`: the term is a list, one of its elements must do. `special` is a field
    that is no term: it turns a value into a tree. `values` are all that it can be, if they are
    few.
    """

    term: Term
    type: str = "text"
    many: bool = False
    special: Callable[[Any], Node] | None = None
    values: tuple[str, ...] = ()


class Lowering(msgspec.Struct, frozen=True, eq=False):
    """How the fields of a rule's log source are found: `field` by name, and the terms that
    keywords search.
    """

    field: Callable[[str], Field]
    search: tuple[Term, ...]


def detection(one: SigmaDetection | SigmaDetectionItem, how: Lowering) -> Node:
    """The tree of a detection. Raises Unassessable."""
    if isinstance(one, SigmaDetectionItem):
        return _item(one, how)
    parts = [detection(each, how) for each in one.detection_items]
    linked = one.item_linking.__name__ if one.item_linking is not None else "ConditionAND"
    return both(*parts) if linked == "ConditionAND" else either(*parts)


def _item(item: SigmaDetectionItem, how: Lowering) -> Node:
    every = item.value_linking.__name__ == "ConditionAND"
    cased = SigmaCaseSensitiveModifier in item.modifiers
    if item.field is None:
        if any(each in item.modifiers for each in _ENCODED):
            raise Unassessable("a keyword in another encoding: events are text")
        parts = [_keyword(value, how, cased) for value in item.value]
    else:
        field = how.field(item.field)
        values = item.value or [SigmaNull()]
        if field.special is not None:
            parts = [field.special(value) for value in values]
        else:
            parts = [_value(field, value, how, cased) for value in values]
    node = _joined(parts, every)
    return opposite(node) if item.negated else node


def _joined(parts: Sequence[Node], every: bool) -> Node:
    """The parts joined; comparisons of one term by one operator become one atom."""
    kept: list[Node] = []
    groups: dict[tuple[Term, str], tuple[int, dict[Value, None]]] = {}
    for part in parts:
        operand = part.operand if isinstance(part, Atom) and part.over == "one" else ()
        if not isinstance(part, Atom) or not isinstance(operand, tuple) or len(operand) != 1:
            kept.append(part)
            continue
        group = groups.get((part.term, part.op))
        if group is None:
            groups[part.term, part.op] = (len(kept), {operand[0]: None})
            kept.append(part)
        else:
            group[1][operand[0]] = None
    for (term, op), (at, values) in groups.items():
        if len(values) > 1:
            kept[at] = _together(term, op, tuple(values), every)
    return both(*kept) if every else either(*kept)


def _together(term: Term, op: str, values: tuple[Value, ...], every: bool) -> Atom:
    if op == "=" and not every:
        return Atom(term, "in", values)
    return Atom(term, op, values, "allof" if every else "anyof")


def _value(field: Field, value: Any, how: Lowering, cased: bool) -> Node:
    """One comparison of a field with one value."""
    term, over = field.term, _over(field)
    if isinstance(value, SigmaExpansion):
        return _joined([_value(field, each, how, cased) for each in value.values], False)
    if isinstance(value, SigmaNull):
        return opposite(Atom(term, "exists"))
    if isinstance(value, SigmaExists):
        found = Atom(term, "exists")
        return found if value.exists else opposite(found)
    if isinstance(value, SigmaString):
        return _text(field, value, cased or isinstance(value, SigmaCasedString))
    if isinstance(value, SigmaBool):
        if field.type == "bool":
            return Atom(term, "=", (value.boolean,), over)
        return Atom(_texts(field), "iequals", ("true" if value.boolean else "false",), over)
    if isinstance(value, SigmaTimestampPart):
        raise Unassessable("parts of dates are not compared")
    if isinstance(value, SigmaNumber):
        if field.type == "int":
            return Atom(term, "=", (value.number,), over)
        return Atom(_texts(field), "=", (_digits(value.number),), over)
    if isinstance(value, SigmaCompareExpression):
        number = term if field.type == "int" else Call("number", (_texts(field),))
        return Atom(number, _COMPARE[value.op], (value.number.number,), over)
    if isinstance(value, SigmaCIDRExpression):
        return Atom(_texts(field), "cidr", (str(value.network),), over)
    if isinstance(value, SigmaRegularExpression):
        return Atom(_texts(field), "matches", (_expression(value),), over)
    if isinstance(value, SigmaFieldReference):
        return _reference(field, value, how)
    raise Unassessable(f"values of the kind {type(value).__name__} are not known")


def _over(field: Field) -> Over:
    return "any" if field.many else "one"


def _texts(field: Field) -> Term:
    """The term of a field as text."""
    return field.term if field.type in ("text", "json") else Call("text", (field.term,))


def _digits(number: int | float) -> str:
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else str(number)


def _reference(field: Field, value: SigmaFieldReference, how: Lowering) -> Node:
    other = how.field(value.field)
    if other.special is not None or other.many or field.many:
        raise Unassessable(f"'{shown(value.field)}' is no single value to compare with")
    op = {
        (False, False): "iequals",
        (True, False): "istartswith",
        (False, True): "iendswith",
        (True, True): "icontains",
    }[value.starts_with, value.ends_with]
    return Atom(_texts(field), op, _texts(other))


def _text(field: Field, value: SigmaString, cased: bool) -> Node:
    op, operand = comparison(value, cased)
    over = _over(field)
    if op == "exists":
        return Atom(field.term, "exists")
    if field.type == "int" and op == "iequals" and _is_number(operand):
        return Atom(field.term, "=", (int(operand),), over)
    if op == "iequals" and field.values:
        # written as events write it, so that the rule can be looked up by this value
        written = next((v for v in field.values if v.lower() == operand.lower()), operand)
        return Atom(field.term, "=", (written,), over)
    if op == "iequals" and not any(c.isascii() and c.isalpha() for c in operand):
        op = "="
    return Atom(_texts(field), op, (operand,), over)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and str(int(text[:19])) == text


def comparison(value: SigmaString, cased: bool) -> tuple[str, str]:
    """The operator and operand of a text with wildcards; `exists` where it is only a star."""
    parts = _parts(value)
    stars = sum(not isinstance(part, str) for part in parts)
    i = "" if cased else "i"
    many = SpecialChars.WILDCARD_MULTI
    if stars > _WILDCARDS:
        raise Unassessable(f"more than {_WILDCARDS} wildcards in a value")
    match parts:
        case []:
            return "=", ""
        case [str() as text]:
            return ("=" if cased else "iequals"), text
        case [star] if star is many:
            return "exists", ""
        case [first, str() as text, last] if first is many and last is many:
            return f"{i}contains", text
        case [first, str() as text] if first is many:
            return f"{i}endswith", text
        case [str() as text, last] if last is many:
            return f"{i}startswith", text
    return f"{i}like", "".join(_escaped(p) if isinstance(p, str) else _sign(p) for p in parts)


def _parts(value: SigmaString) -> list[Any]:
    """Texts and wildcards in turn: neighbouring texts joined, repeated stars one."""
    found: list[Any] = []
    length = 0
    for part in value.s:
        if isinstance(part, Placeholder):
            raise Unassessable(f"no value is given for the placeholder %{shown(part.name)}%")
        if isinstance(part, str):
            length += len(part)
            if length > _LONGEST:
                raise Unassessable(f"a value is longer than {_LONGEST:,} characters")
            if found and isinstance(found[-1], str):
                found[-1] += part
                continue
        elif part is SpecialChars.WILDCARD_MULTI and found and found[-1] is part:
            continue
        found.append(part)
    return found


def _sign(part: SpecialChars) -> str:
    return "*" if part is SpecialChars.WILDCARD_MULTI else "?"


def _escaped(text: str) -> str:
    """A text as a pattern of stars and question marks that means just itself."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def _expression(value: SigmaRegularExpression) -> str:
    """A regular expression with its flags, as the linear engine takes it."""
    if not isinstance(value.regexp, SigmaString):
        raise Unassessable("a regular expression is a text")
    if value.contains_placeholder():
        raise Unassessable("no value is given for a placeholder in a regular expression")
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    text = str(value.regexp)
    if len(text) > _LONGEST:
        raise Unassessable(f"a regular expression is longer than {_LONGEST:,} characters")
    expression = f"(?{flags}){text}" if flags else text
    try:
        re2.compile(expression)
    except (EvalError, RecursionError) as error:
        reason = shown(error, 120) if isinstance(error, EvalError) else "nested too deeply"
        raise Unassessable(f"a regular expression that no linear engine runs: {reason}") from None
    return expression


def _keyword(value: Any, how: Lowering, cased: bool) -> Node:
    """A value without a field: somewhere in the event's text."""
    if isinstance(value, SigmaExpansion):
        return either(*(_keyword(each, how, cased) for each in value.values))
    if isinstance(value, SigmaRegularExpression):
        expression = _expression(value)
        return either(*(Atom(term, "matches", (expression,)) for term in how.search))
    if isinstance(value, SigmaNumber | SigmaBool):
        value = SigmaString(str(value))
    if not isinstance(value, SigmaString):
        raise Unassessable(f"a keyword is a text, not {type(value).__name__}")
    many = SpecialChars.WILDCARD_MULTI
    wide = SigmaString()
    wide.s = [many, *value.s, many]
    if not _parts(wide)[1:]:
        return either(*(Atom(term, "exists") for term in how.search))
    cased = cased or isinstance(value, SigmaCasedString)
    op, operand = comparison(wide, cased)
    written = SigmaString()
    written.s = [json.dumps(p)[1:-1] if isinstance(p, str) else p for p in wide.s]
    quoted = comparison(written, cased)
    parts: list[Node] = []
    for term in how.search:
        parts.append(Atom(term, op, (operand,)))
        if quoted != (op, operand):
            parts.append(Atom(term, quoted[0], (quoted[1],)))
    return _joined(parts, False)
