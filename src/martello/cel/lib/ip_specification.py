"""IP addresses as the specification tests them: an IPv4-mapped address in hexadecimal is IPv4."""

from __future__ import annotations

from typing import Final

from martello.cel.lib import ip
from martello.cel.lib.costs import tenth
from martello.cel.types import BOOL, STRING, Library, Overload
from martello.cel.values import EvalError


def parse(text: str) -> ip.IP:
    """Read an address; `::ffff:c0a8:1` is 192.168.0.1, with dots inside it is refused."""
    if ":" in text and "." not in text:
        value = ip.value6(text)
        if value >> 32 == 0xFFFF:
            return ip.IP(value & 0xFFFFFFFF, 32)
    return ip.parse(text)


def is_ip(text: str) -> bool:
    """Whether `parse` takes the text."""
    try:
        parse(text)
    except EvalError:
        return False
    return True


_OWN: Final = (
    Overload("ip", "string_to_ip", (STRING,), ip.TYPE, parse, cost=tenth),
    Overload("isIP", "is_ip", (STRING,), BOOL, is_ip, cost=tenth),
)
_REPLACED: Final = frozenset(overload.id for overload in _OWN)

LIBRARY: Final = Library(
    "ip_specification",
    (*_OWN, *(one for one in ip.LIBRARY.overloads if one.id not in _REPLACED)),
    types=ip.LIBRARY.types,
    classes=ip.LIBRARY.classes,
)
