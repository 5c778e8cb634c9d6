"""IP addresses as Kubernetes' CEL reads them: no zones, no IPv4 inside IPv6, no leading zeros."""

from __future__ import annotations

from typing import Final

from martello.cel.lib.costs import fifth, tenth
from martello.cel.types import BOOL, INT, STRING, Library, Overload, Type
from martello.cel.values import EvalError

_HEX: Final = frozenset("0123456789abcdefABCDEF")
_DIGITS: Final = frozenset("0123456789")


class IP:
    """An immutable address: its bits as an int, and how many there are (32 or 128)."""

    __slots__ = ("bits", "value")

    def __init__(self, value: int, bits: int) -> None:
        self.value = value
        self.bits = bits

    @property
    def family(self) -> int:
        """4 or 6."""
        return 4 if self.bits == 32 else 6

    def under(self, prefix: int, length: int) -> bool:
        """Whether the first `length` bits are those of `prefix`."""
        return self.value >> (self.bits - length) == prefix

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IP) and (self.bits, self.value) == (other.bits, other.value)

    def __lt__(self, other: IP) -> bool:
        return (self.bits, self.value) < (other.bits, other.value)

    def __hash__(self) -> int:
        return hash((self.bits, self.value))

    def __str__(self) -> str:
        if self.bits == 32:
            return ".".join(str(self.value >> shift & 255) for shift in (24, 16, 8, 0))
        return _text6([self.value >> shift & 0xFFFF for shift in range(112, -1, -16)])

    def __repr__(self) -> str:
        return f"ip({str(self)!r})"


def _text6(groups: list[int]) -> str:
    """RFC 5952: lower case, and `::` for the first longest run of zero groups."""
    start = length = at = 0
    while at < 8:
        end = at
        while end < 8 and not groups[end]:
            end += 1
        if end - at > length:
            start, length = at, end - at
        at = max(end, at + 1)
    parts = [f"{group:x}" for group in groups]
    if length < 2:
        return ":".join(parts)
    return f"{':'.join(parts[:start])}::{':'.join(parts[start + length :])}"


def parse(text: str) -> IP:
    """Read an address, or `EvalError`."""
    if ":" in text:
        value = value6(text)
        if value >> 32 != 0xFFFF:
            return IP(value, 128)
    elif len(text) <= 15:
        return IP(_value4(text), 32)
    raise _bad()


def _bad() -> EvalError:
    return EvalError("this string is no IP address")


def _value4(text: str) -> int:
    octets = text.split(".")
    value = 0
    for octet in octets:
        if not octet or len(octet) > 3 or not _DIGITS.issuperset(octet):
            raise _bad()
        number = int(octet)
        if number > 255 or (octet[0] == "0" and len(octet) > 1):
            raise _bad()
        value = value << 8 | number
    if len(octets) != 4:
        raise _bad()
    return value


def value6(text: str) -> int:
    """The 128 bits of an IPv6 address without zone, IPv4-mapped ones included."""
    if len(text) > 45:
        raise _bad()
    before, gap, after = text.partition("::")
    left = _groups(before, last=not gap) if before or not gap else []
    right = _groups(after, last=True) if after else []
    missing = 8 - len(left) - len(right)
    if missing < 1 if gap else missing != 0:
        raise _bad()
    value = 0
    for group in (*left, *([0] * missing), *right):
        value = value << 16 | group
    return value


def _groups(text: str, *, last: bool) -> list[int]:
    fields = text.split(":")
    groups: list[int] = []
    for at, field in enumerate(fields):
        if last and "." in field and at == len(fields) - 1:
            value = _value4(field)
            groups += (value >> 16, value & 0xFFFF)
        elif 1 <= len(field) <= 4 and _HEX.issuperset(field):
            groups.append(int(field, 16))
        else:
            raise _bad()
    return groups


def is_ip(text: str) -> bool:
    """Whether `parse` takes the text."""
    try:
        parse(text)
    except EvalError:
        return False
    return True


def is_canonical(text: str) -> bool:
    """Whether an address is spelled as it prints; no address at all is an error."""
    return str(parse(text)) == text


def is_unspecified(address: IP) -> bool:
    """0.0.0.0 or ::."""
    return address.value == 0


def is_loopback(address: IP) -> bool:
    """127.0.0.0/8 or ::1."""
    return address.under(127, 8) if address.bits == 32 else address.value == 1


def is_link_local_multicast(address: IP) -> bool:
    """224.0.0.0/24, or ffx2::/16 whatever the flags."""
    if address.bits == 32:
        return address.under(0xE00000, 24)
    return address.value >> 112 & 0xFF0F == 0xFF02


def is_link_local_unicast(address: IP) -> bool:
    """169.254.0.0/16 or fe80::/10."""
    return address.under(0xA9FE, 16) if address.bits == 32 else address.under(0x3FA, 10)


def is_global_unicast(address: IP) -> bool:
    """As Go's `netip` has it: private addresses are global, broadcast and multicast are not."""
    if address.bits == 32:
        special = address.value == 0xFFFFFFFF or address.under(0xE, 4)
    else:
        special = address.under(0xFF, 8)
    return not (
        special or is_unspecified(address) or is_loopback(address) or is_link_local_unicast(address)
    )


TYPE: Final = Type("net.IP")


def _test(name: str, id: str, function: object) -> Overload:
    return Overload(name, id, (TYPE,), BOOL, function, member=True)  # type: ignore[arg-type]


LIBRARY: Final = Library(
    "ip",
    (
        Overload("ip", "string_to_ip", (STRING,), TYPE, parse, cost=tenth),
        Overload("isIP", "is_ip", (STRING,), BOOL, is_ip, cost=tenth),
        Overload("ip.isCanonical", "ip_is_canonical", (STRING,), BOOL, is_canonical, cost=fifth),
        Overload("family", "ip_family", (TYPE,), INT, lambda address: address.family, member=True),
        Overload("string", "ip_to_string", (TYPE,), STRING, str),
        _test("isUnspecified", "ip_is_unspecified", is_unspecified),
        _test("isLoopback", "ip_is_loopback", is_loopback),
        _test("isLinkLocalMulticast", "ip_is_link_local_multicast", is_link_local_multicast),
        _test("isLinkLocalUnicast", "ip_is_link_local_unicast", is_link_local_unicast),
        _test("isGlobalUnicast", "ip_is_global_unicast", is_global_unicast),
    ),
    since=30,
    types={TYPE.name: TYPE},
    classes={IP: TYPE},
)
