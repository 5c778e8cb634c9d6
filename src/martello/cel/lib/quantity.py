"""Kubernetes quantities (`500m`, `1Gi`): exact values that print as the API server prints them."""

from __future__ import annotations

from typing import Final

from martello.cel.types import BOOL, DOUBLE, INT, STRING, Library, Overload, Type
from martello.cel.values import INT_MAX, INT_MIN, EvalError

DECIMAL: Final = "DecimalSI"
BINARY: Final = "BinarySI"
EXPONENT: Final = "DecimalExponent"

_NANO: Final = -9
_MAX_LENGTH: Final = 1000
_MAX_EXPONENT: Final = 5000
_SUFFIX_LETTERS: Final = frozenset("eEinumkKMGTP")
_DECIMALS: Final = dict(zip(("n", "u", "m", "", *"kMGTPE"), range(-9, 19, 3), strict=True))
_BINARIES: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES: Final = {exponent: name for name, exponent in _DECIMALS.items()}
_BINARY_NAMES: Final = {exponent: name for name, exponent in _BINARIES.items()}


class Quantity:
    """An immutable amount: `unscaled` times ten to the power `scale`, exactly.

    `format` is how it prints. `small` says whether the API server holds it in 64 bits; otherwise it
    never counts as an integer (`isInteger` of `1.5Gi` is false). Equal and ordered by value alone.
    """

    __slots__ = ("_text", "format", "scale", "small", "unscaled")

    def __init__(
        self,
        unscaled: int,
        scale: int = 0,
        format: str = DECIMAL,
        *,
        small: bool = True,
        text: str = "",
    ) -> None:
        self.unscaled = unscaled
        self.scale = scale
        self.format = format
        self.small = small
        self._text = text

    def ceil(self, scale: int = 0) -> int:
        """The value in units of ten to the power `scale` (-3: milli), rounded away from zero."""
        return _away_from_zero(self.unscaled, self.scale - scale)

    @property
    def integer(self) -> int | None:
        """The value as the API server's `AsInt64` gives it, or None."""
        if not self.small or self.scale < 0 or self.scale > 18:
            return 0 if self.small and self.scale > 18 and not self.unscaled else None
        value: int = self.unscaled * 10**self.scale
        return value if INT_MIN <= value <= INT_MAX else None

    def __float__(self) -> float:
        try:
            base = float(self.unscaled)
        except OverflowError:
            return float("inf") if self.unscaled > 0 else float("-inf")
        return base * float(f"1e{self.scale}") if self.scale and base else base

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and compare(self, other) == 0

    def __lt__(self, other: Quantity) -> bool:
        return compare(self, other) < 0

    def __le__(self, other: Quantity) -> bool:
        return compare(self, other) <= 0

    def __gt__(self, other: Quantity) -> bool:
        return compare(self, other) > 0

    def __ge__(self, other: Quantity) -> bool:
        return compare(self, other) >= 0

    def __hash__(self) -> int:
        return hash(_without_zeros(self.unscaled, self.scale))

    def __add__(self, other: Quantity) -> Quantity:
        format = self.format if self.unscaled else other.format
        small = self.small and other.small
        if small and not other.unscaled:
            return Quantity(self.unscaled, self.scale, format)
        if small and not self.unscaled:
            return Quantity(other.unscaled, other.scale, format)
        one, two, scale = _aligned(self, other)
        fits = small and all(INT_MIN <= value <= INT_MAX for value in (one, two, one + two))
        return Quantity(one + two, scale, format, small=fits)

    def __neg__(self) -> Quantity:
        return Quantity(-self.unscaled, self.scale, self.format, small=self.small)

    def __sub__(self, other: Quantity) -> Quantity:
        return self + -other

    def __str__(self) -> str:
        return self._text or canonical(self)

    def __repr__(self) -> str:
        return f"quantity({str(self)!r})"


def _aligned(one: Quantity, other: Quantity) -> tuple[int, int, int]:
    """Both amounts in units of the finer scale."""
    scale = min(one.scale, other.scale)
    return (
        one.unscaled * 10 ** (one.scale - scale),
        other.unscaled * 10 ** (other.scale - scale),
        scale,
    )


def compare(one: Quantity, other: Quantity) -> int:
    """-1, 0 or 1."""
    left, right, _ = _aligned(one, other)
    return (left > right) - (left < right)


def _without_zeros(value: int, scale: int, factor: int = 10) -> tuple[int, int]:
    if not value:
        return 0, 0
    while value % factor == 0:
        value //= factor
        scale += 1
    return value, scale


def _away_from_zero(value: int, scale: int) -> int:
    """`value` times ten to the power `scale`, rounded away from zero to an integer."""
    if scale >= 0:
        return value * int(10**scale)
    rounded = -(-abs(value) // int(10**-scale))
    return -rounded if value < 0 else rounded


def canonical(amount: Quantity) -> str:
    """No fraction, the largest suffix, the amount's own family of suffixes where it is exact."""
    if not amount.unscaled:
        return "0"
    if amount.format == BINARY:
        whole = amount.ceil()
        exact = amount.scale >= 0 or whole * 10**-amount.scale == amount.unscaled
        if exact and abs(whole) >= 1024:
            value, times = _without_zeros(whole, 0, 1024)
            return f"{value}{_BINARY_NAMES.get(times * 10, '')}"
    value, exponent = _without_zeros(amount.unscaled, amount.scale)
    value, exponent = value * int(10 ** (exponent % 3)), exponent - exponent % 3
    if amount.format == EXPONENT:
        return f"{value}e{exponent}" if exponent else str(value)
    return f"{value}{_DECIMAL_NAMES.get(exponent, '')}"


def parse(text: str) -> Quantity:
    """Read a quantity as `resource.ParseQuantity` does; `EvalError` when it would refuse."""
    if not text or len(text) > _MAX_LENGTH:
        raise _bad()
    negative, whole, fraction, suffix = _split(text)
    format, exponent = _suffix(suffix)
    if format == BINARY:
        room = 14 - len(whole) - exponent * 3 // 10 if not fraction else -1
        scale, factor = 0, 1 << exponent
    else:
        room = 18 - len(whole) - len(fraction)
        scale, factor = exponent - len(fraction), 1
    digits = whole + fraction
    value = int(digits) * factor
    if negative:
        value = -value
    if room >= 0 and scale >= _NANO and abs(value) <= INT_MAX:
        return Quantity(value, scale, format, text=_kept(text, digits, scale, exponent, format))
    if not any("0" <= char <= "9" for char in text.removesuffix(suffix)):
        raise _bad()
    return _large(value, scale - (len(fraction) if format == BINARY else 0), format)


def _kept(text: str, digits: str, scale: int, exponent: int, format: str) -> str:
    """The text itself where the server prints it back unchanged, else nothing."""
    if format == BINARY:
        return text if exponent % 10 == 0 and int(digits) & 7 else ""
    plain = scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"
    return text if plain or text == "0" else ""


def _large(value: int, scale: int, format: str) -> Quantity:
    if not value:
        return Quantity(0, scale, format, small=False)
    value, scale = _away_from_zero(value, scale - _NANO), _NANO
    if format == BINARY:
        limit = INT_MAX * 10**-_NANO
        value = max(-limit, min(value, limit))
        if abs(value) < 10**-_NANO:
            format = DECIMAL
    return Quantity(value, scale, format, small=False)


def _bad() -> EvalError:
    return EvalError("this string is no quantity")


def _digits(text: str, start: int) -> int:
    while start < len(text) and "0" <= text[start] <= "9":
        start += 1
    return start


def _split(text: str) -> tuple[bool, str, str, str]:
    """Sign, digits before the point (no leading zeros), digits after it, suffix."""
    start = 1 if text[0] in "+-" else 0
    end = _digits(text, start)
    whole = text[start:end].lstrip("0") or "0"
    fraction = ""
    if text.startswith(".", end):
        start, end = end + 1, _digits(text, end + 1)
        fraction = text[start:end]
    start = end
    while end < len(text) and text[end] in _SUFFIX_LETTERS:
        end += 1
    if end < len(text) and text[end] in "+-":
        end += 1
    if _digits(text, end) != len(text):
        raise _bad()
    return text[0] == "-", whole, fraction, text[start:]


def _suffix(suffix: str) -> tuple[str, int]:
    """Format and exponent of a suffix."""
    if suffix in _DECIMALS:
        return DECIMAL, _DECIMALS[suffix]
    if suffix in _BINARIES:
        return BINARY, _BINARIES[suffix]
    number = suffix[1:]
    unsigned = number[1:] if number[:1] in ("+", "-") else number
    if suffix[:1] not in ("e", "E") or not unsigned.isdigit():
        raise _bad()
    exponent = int(number) if len(unsigned) < 20 else _MAX_EXPONENT + 1
    if abs(exponent) > _MAX_EXPONENT:
        raise EvalError("this quantity is out of range")
    return EXPONENT, exponent


def is_quantity(text: str) -> bool:
    """Whether `parse` takes the text."""
    try:
        parse(text)
    except EvalError:
        return False
    return True


def as_integer(amount: Quantity) -> int:
    """`asInteger()`: the value as an int, or an error."""
    value = amount.integer
    if value is None:
        raise EvalError("this quantity is no 64-bit integer")
    return value


def sign(amount: Quantity) -> int:
    """-1, 0 or 1."""
    return (amount.unscaled > 0) - (amount.unscaled < 0)


def _of_int(value: int) -> Quantity:
    return Quantity(value, 0, EXPONENT)


def _cost(text: str, _result: object) -> int:
    return -(-len(text) // 10)


QUANTITY: Final = Type("kubernetes.Quantity")
_TWO: Final = (QUANTITY, QUANTITY)
_WITH_INT: Final = (QUANTITY, INT)

LIBRARY: Final = Library(
    "quantity",
    (
        Overload("quantity", "string_to_quantity", (STRING,), QUANTITY, parse, cost=_cost),
        Overload("isQuantity", "is_quantity_string", (STRING,), BOOL, is_quantity, cost=_cost),
        Overload("sign", "quantity_sign", (QUANTITY,), INT, sign),
        Overload(
            "isGreaterThan", "quantity_is_greater_than", _TWO, BOOL, Quantity.__gt__, member=True
        ),
        Overload("isLessThan", "quantity_is_less_than", _TWO, BOOL, Quantity.__lt__, member=True),
        Overload("compareTo", "quantity_compare_to", _TWO, INT, compare, member=True),
        Overload(
            "asApproximateFloat", "quantity_get_float", (QUANTITY,), DOUBLE, float, member=True
        ),
        Overload("asInteger", "quantity_get_int", (QUANTITY,), INT, as_integer, member=True),
        Overload(
            "isInteger",
            "quantity_is_integer",
            (QUANTITY,),
            BOOL,
            lambda amount: amount.integer is not None,
            member=True,
        ),
        Overload("add", "quantity_add", _TWO, QUANTITY, Quantity.__add__, member=True),
        Overload(
            "add",
            "quantity_add_int",
            _WITH_INT,
            QUANTITY,
            lambda amount, value: amount + _of_int(value),
            member=True,
        ),
        Overload("sub", "quantity_sub", _TWO, QUANTITY, Quantity.__sub__, member=True),
        Overload(
            "sub",
            "quantity_sub_int",
            _WITH_INT,
            QUANTITY,
            lambda amount, value: amount - _of_int(value),
            member=True,
        ),
    ),
    since=28,
    types={QUANTITY.name: QUANTITY},
    classes={Quantity: QUANTITY},
)
