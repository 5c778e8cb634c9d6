"""Plain YAML scalars as the API server reads them: go-yaml v2's rules, then JSON's values.

Sources: resolve.go and decode.go of the goyaml.v2 package of sigs.k8s.io/yaml, and its YAMLToJSON,
which makes the keys strings. Dates and sexagesimals stay strings there.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any, Final

from martello.adapters.manifests.limits import Unreadable

# What can be anything but a string starts with one of these, or is empty.
HINTS: Final = frozenset((*"0123456789+-.yYnNtTfFoO~", ""))

_MISSING: Final = object()
_TRUE: Final = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE: Final = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(
        ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True
    ),
    **dict.fromkeys(
        ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False
    ),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER: Final = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))"
)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_POINT: Final = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9:.]+(?:Z|[-+][0-9:]+)?)?")
_LONGEST_INTEGER: Final = 512  # digits; a longer one is out of every range
_TAG: Final = "tag:yaml.org,2002:"
_RESOLVED: Final = frozenset(("bool", "int", "float", "null", "timestamp"))


def value_of(text: str) -> Any:
    """The JSON value of a plain scalar. Raises Unreadable for .inf and .nan, which JSON lacks."""
    found = _WORDS.get(text, _MISSING)
    if found is _MISSING:
        if text[0] not in "0123456789+-.":
            return text
        found = _number(text)
    return in_json(found)


def key_of(text: str) -> str:
    """The string that a plain scalar becomes as a key. Raises Unreadable for null."""
    found = _WORDS.get(text, _MISSING)
    if found is _MISSING:
        if text[0] not in "0123456789+-.":
            return text
        found = _number(text)
    return as_key(found)


def in_json(value: Any) -> Any:
    """A resolved scalar as a Kubernetes decoder gets it out of JSON: whole floats are integers."""
    kind = value.__class__
    if kind is float:
        if not math.isfinite(value):
            raise Unreadable("infinity and not-a-number have no JSON value")
        whole = -(2.0**63) <= value < 2.0**63 and value.is_integer()
        return _integer(value) if whole else value
    if kind is int and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def as_key(value: Any) -> str:
    """A resolved scalar as the key of a JSON object."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_key(value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return str(value)
    raise Unreadable("a key is null, too large a number, or no scalar")


def tagged(tag: str, text: str) -> Any:
    """A scalar with an explicit tag, resolved. Tags of applications are ignored, as they are there.

    Raises Unreadable where the text is not what the tag says.
    """
    short = tag.removeprefix(_TAG) if tag.startswith(_TAG) else ""
    if short == "binary":
        return _binary(text)
    if short not in _RESOLVED:
        return text
    if short == "timestamp" and _DATE.fullmatch(text):
        return text
    found = _WORDS.get(text, _MISSING)
    if found is _MISSING:
        found = _number(text) if text[0] in "0123456789+-." else text
    names = {bool: "bool", int: "int", float: "float", str: "str"}
    name = names.get(found.__class__, "null")
    if short == "float" and name == "int" and -(2**63) <= found < 2**63:
        return float(found)
    if name != short:
        raise Unreadable(f"a scalar is no {short}, as its tag says")
    return found


def _number(text: str) -> Any:
    if text[0] == ".":
        return _finite(text, text) if _POINT.fullmatch(text) else text
    plain = text.replace("_", "")
    match = _INTEGER.fullmatch(plain)
    if match is not None and len(plain) <= _LONGEST_INTEGER:
        sign, hexadecimal, binary, octal, decimal = match.groups()
        digits, base = next(
            (d, b)
            for d, b in ((hexadecimal, 16), (binary, 2), (octal, 8), (decimal, 10))
            if d is not None
        )
        value = int(digits, base)
        value = -value if sign == "-" else value
        if -(2**63) <= value < (2**63 if sign else 2**64):
            return value
    return _finite(plain, text) if _FLOAT.fullmatch(plain) else text


def _finite(number: str, text: str) -> float | str:
    value = float(number)
    return text if math.isinf(value) else value


def _integer(value: float) -> int:
    """The integer that Go prints for a whole float: the fewest digits, then zeros."""
    digits, _, exponent = repr(value).partition("e")
    if not exponent:
        return int(value)
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    return int(whole + fraction + "0" * (int(exponent) - len(fraction)))


def _binary(text: str) -> str:
    import binascii

    try:
        data = binascii.a2b_base64(text.replace("\r", "").replace("\n", ""), strict_mode=True)
    except ValueError as error:
        raise Unreadable("a !!binary scalar is no base64") from error
    return data.decode("utf-8", "replace")


def _float_key(value: float) -> str:
    """Go's FormatFloat(value, 'g', -1, 32): the fewest digits that give the same 32-bit float."""
    if math.isnan(value):
        return ".nan"
    try:
        (narrow,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        narrow = math.copysign(math.inf, value)
    if math.isinf(narrow):
        return ".inf" if narrow > 0 else "-.inf"
    for digits in range(9):
        text = f"{narrow:.{digits}e}"
        if struct.pack("f", float(text)) == struct.pack("f", narrow):
            break
    mantissa, _, exponent = text.partition("e")
    power = int(exponent)
    if -4 <= power < 6:
        return f"{narrow:.{max(digits - power, 0)}f}"
    return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
