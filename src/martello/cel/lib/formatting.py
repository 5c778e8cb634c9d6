"""`string.format`, once as CEL's specification has it and once as Kubernetes does."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from martello.cel.equality import LISTS, is_map
from martello.cel.lib.operators import MAX_TEXT
from martello.cel.values import Duration, EvalError, Timestamp, TypeValue, UInt, type_name

_MAX_PRECISION: Final = 100
_DEFAULT_PRECISION: Final = 6
_INTEGERS: Final = frozenset((int, UInt))
_SUPERSCRIPT: Final = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")

Clause = Callable[[Any, int], str]


def interpolate(template: str, args: Sequence[Any], clauses: dict[str, Clause]) -> str:
    """Replace each clause of `template` (`%s`, `%.2f`) with the next argument, `%%` with `%`."""
    pieces: list[str] = []
    taken = at = size = 0
    while True:
        mark = template.find("%", at)
        if mark < 0:
            break
        pieces.append(template[at:mark])
        if template.startswith("%%", mark):
            pieces.append("%")
            at = mark + 2
            continue
        if taken >= len(args):
            raise EvalError("format: more clauses than arguments")
        precision, at = _precision(template, mark + 1)
        clause = clauses.get(template[at : at + 1])
        if clause is None:
            raise EvalError("format: unknown clause")
        pieces.append(clause(args[taken], precision))
        size += len(pieces[-1])
        if size > MAX_TEXT:
            raise EvalError("cost: the result is too large")
        taken += 1
        at += 1
    pieces.append(template[at:])
    return "".join(pieces)


def _precision(template: str, at: int) -> tuple[int, int]:
    if not template.startswith(".", at):
        return _DEFAULT_PRECISION, at
    end = at + 1
    while end < len(template) and template[end] in "0123456789":
        end += 1
    digits = template[at + 1 : end]
    if not digits or end == len(template) or len(digits) > 9 or int(digits) > _MAX_PRECISION:
        raise EvalError("format: bad precision")
    return int(digits), end


def refuse(kind: str, value: Any) -> EvalError:
    """The error for a value that a clause cannot print."""
    return EvalError(f"format: a {kind} clause cannot print {type_name(value)}")


def plain_double(value: float) -> str:
    """The shortest digits that read back as the same double, never with an exponent."""
    special = _special(value)
    if special:
        return special
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(exponent or 0)
    if shift > 0:
        fraction = fraction.ljust(shift, "0")
        whole, fraction = whole + fraction[:shift], fraction[shift:]
    elif shift < 0:
        whole = whole.rjust(1 - shift, "0")
        whole, fraction = whole[:shift], whole[shift:] + fraction
    fraction = fraction.rstrip("0")
    whole = whole.lstrip("0") or "0"
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


def _special(value: float) -> str:
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return ""


def text_of(value: Any, depth: int = 0) -> str:
    """What `%s` prints by the specification."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind in _INTEGERS:
        return str(int(value))
    if kind is float:
        return plain_double(value)
    if kind is bytes:
        return str(value, "utf-8", "replace")
    if value is None:
        return "null"
    if kind is TypeValue:
        return str(value.name)
    if kind is Timestamp or kind is Duration:
        return _time_text(value)
    if depth > 200:
        raise EvalError("format: nested too deeply")
    if kind in LISTS:
        return f"[{', '.join(text_of(item, depth + 1) for item in value)}]"
    if is_map(value):
        pairs = [(text_of(key), text_of(item, depth + 1)) for key, item in value.items()]
        return f"{{{', '.join(f'{key}: {item}' for key, item in sorted(pairs))}}}"
    raise refuse("string", value)


def _time_text(value: Timestamp | Duration) -> str:
    if type(value) is Duration:
        whole = abs(value.nanos) // 1_000_000_000
        rest = abs(value.nanos) % 1_000_000_000
        return f"{plain_double(math.copysign(whole + rest / 1e9, value.nanos or 1))}s"
    from martello.cel.lib.time import text_of_timestamp

    return text_of_timestamp(value)  # type: ignore[arg-type]


def _string(value: Any, _precision: int) -> str:
    return text_of(value)


def _decimal(value: Any, _precision: int) -> str:
    if type(value) in _INTEGERS or type(value) is float:
        return text_of(value)
    raise refuse("decimal", value)


def _number(kind: str, value: Any) -> float:
    if type(value) is float or type(value) in _INTEGERS:
        return float(value)
    raise refuse(kind, value)


def _fixed(value: Any, precision: int) -> str:
    number = _number("fixed-point", value)
    return _special(number) or f"{number:.{precision}f}"


def _scientific(value: Any, precision: int) -> str:
    number = _number("scientific", value)
    return _special(number) or f"{number:.{precision}e}"


def _binary(value: Any, _precision: int) -> str:
    if type(value) is bool:
        return "1" if value else "0"
    if type(value) in _INTEGERS:
        return f"{int(value):b}"
    raise refuse("binary", value)


def _octal(value: Any, _precision: int) -> str:
    if type(value) in _INTEGERS:
        return f"{int(value):o}"
    raise refuse("octal", value)


def _hexadecimal(value: Any, _precision: int) -> str:
    if type(value) in _INTEGERS:
        return f"{int(value):x}"
    if type(value) is str:
        return value.encode("utf-8", "replace").hex()
    if type(value) is bytes:
        return value.hex()
    raise refuse("hexadecimal", value)


def _upper_hexadecimal(value: Any, precision: int) -> str:
    return _hexadecimal(value, precision).upper()


SPECIFICATION: Final[dict[str, Clause]] = {
    "s": _string,
    "d": _decimal,
    "f": _fixed,
    "e": _scientific,
    "b": _binary,
    "o": _octal,
    "x": _hexadecimal,
    "X": _upper_hexadecimal,
}


def go_quote(text: str) -> str:
    """Go's `%q`: double quotes around, what cannot be printed escaped."""
    return f'"{"".join(_quoted(char) for char in text)}"'


_ESCAPES: Final = dict(zip('\a\b\f\n\r\t\v\\"', 'abfnrtv\\"', strict=True))


def _quoted(char: str) -> str:
    if char in _ESCAPES:
        return f"\\{_ESCAPES[char]}"
    if char.isprintable():
        return char
    point = ord(char)
    if point < 0x80:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _kubernetes_text(value: Any, inside: bool = False, depth: int = 0) -> str:
    kind = type(value)
    if kind in LISTS or is_map(value):
        return _kubernetes_items(value, depth)
    if kind is str:
        return go_quote(value) if inside else str(value)
    if kind is bytes:
        try:
            text = str(value, "utf-8")
        except UnicodeDecodeError:
            raise EvalError("format: these bytes are not UTF-8") from None
        return f"b{go_quote(text)}" if inside else text
    if kind is float:
        return _kubernetes_double(value, inside)
    if kind is Timestamp or kind is Duration:
        name = "timestamp" if kind is Timestamp else "duration"
        return f"{name}({go_quote(_exact_time(value))})" if inside else _exact_time(value)
    return text_of(value)


def _exact_time(value: Timestamp | Duration) -> str:
    from martello.cel.lib import time

    if type(value) is Duration:
        return time.text_of_duration(value)
    return time.text_of_timestamp(value)  # type: ignore[arg-type]


def _kubernetes_double(value: float, inside: bool) -> str:
    if not inside:
        from martello.cel.lib.standard import text_of_double

        return text_of_double(value)
    if math.isfinite(value):
        return f"{value:.6f}"
    return f'"{"NaN" if value != value else "+Inf" if value > 0 else "-Inf"}"'


def _kubernetes_items(value: Any, depth: int) -> str:
    if depth > 200:
        raise EvalError("format: nested too deeply")
    if not is_map(value):
        return f"[{', '.join(_kubernetes_text(item, True, depth + 1) for item in value)}]"
    pairs: list[tuple[str, str]] = []
    for key, item in value.items():
        if type(key) not in (str, bool, int, UInt):
            raise refuse("string", key)
        pairs.append((_kubernetes_text(key, True), _kubernetes_text(item, True, depth + 1)))
    return f"{{{', '.join(f'{key}:{item}' for key, item in sorted(pairs))}}}"


def _kubernetes_string(value: Any, _precision: int) -> str:
    return _kubernetes_text(value)


def _kubernetes_decimal(value: Any, _precision: int) -> str:
    if type(value) in _INTEGERS:
        return str(int(value))
    raise refuse("decimal", value)


def _kubernetes_number(kind: str, value: Any) -> float:
    if type(value) is float or (type(value) is str and value in ("NaN", "Infinity", "-Infinity")):
        return float(value)
    raise refuse(kind, value)


def _signs(value: float) -> str:
    return "NaN" if value != value else "∞" if value > 0 else "-∞"


def _kubernetes_fixed(value: Any, precision: int) -> str:
    number = _kubernetes_number("fixed-point", value)
    return f"{number + 0.0:,.{precision}f}" if math.isfinite(number) else _signs(number)


def _kubernetes_scientific(value: Any, precision: int) -> str:
    # The server hands the precision over as a width: six digits are printed whatever it says.
    number = _kubernetes_number("scientific", value)
    if not math.isfinite(number):
        return _signs(number).rjust(precision)
    mantissa, _, exponent = f"{number + 0.0:.6e}".partition("e")
    power = exponent.removeprefix("+").translate(_SUPERSCRIPT)
    return f"{mantissa}\u202f\u00d7\u202f10{power}".rjust(precision)


KUBERNETES: Final[dict[str, Clause]] = SPECIFICATION | {
    "s": _kubernetes_string,
    "d": _kubernetes_decimal,
    "f": _kubernetes_fixed,
    "e": _kubernetes_scientific,
}
