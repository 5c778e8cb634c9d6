"""CIDR blocks as Kubernetes' CEL reads them; bits beyond the prefix are kept."""

from __future__ import annotations

from typing import Final

from martello.cel.lib import ip
from martello.cel.lib.costs import tenth
from martello.cel.lib.ip import IP
from martello.cel.types import BOOL, INT, STRING, Library, Overload, Type
from martello.cel.values import EvalError


class CIDR:
    """An immutable block: an address, as it was written, and the length of its prefix."""

    __slots__ = ("ip", "length")

    def __init__(self, address: IP, length: int) -> None:
        self.ip = address
        self.length = length

    @property
    def masked(self) -> CIDR:
        """The same block with the bits beyond the prefix cleared."""
        rest = self.ip.bits - self.length
        return CIDR(IP(self.ip.value >> rest << rest, self.ip.bits), self.length)

    def holds(self, address: IP) -> bool:
        """Whether the address is in the block; another family never is."""
        rest = self.ip.bits - self.length
        return address.bits == self.ip.bits and address.value >> rest == self.ip.value >> rest

    def covers(self, other: CIDR) -> bool:
        """Whether the whole other block is in this one."""
        return self.length <= other.length and self.holds(other.ip)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CIDR) and (self.ip, self.length) == (other.ip, other.length)

    def __hash__(self) -> int:
        return hash((self.ip, self.length))

    def __str__(self) -> str:
        return f"{self.ip}/{self.length}"

    def __repr__(self) -> str:
        return f"cidr({str(self)!r})"


def parse(text: str) -> CIDR:
    """Read a block, or `EvalError`; a length has neither sign nor leading zeros."""
    address, slash, length = text.rpartition("/")
    plain = length.isascii() and length.isdigit() and len(length) <= 3
    if slash and plain and (length == "0" or length[0] != "0") and ip.is_ip(address):
        parsed = ip.parse(address)
        if int(length) <= parsed.bits:
            return CIDR(parsed, int(length))
    raise EvalError("this string is no CIDR")


def is_cidr(text: str) -> bool:
    """Whether `parse` takes the text."""
    try:
        parse(text)
    except EvalError:
        return False
    return True


def _octets(block: CIDR) -> int:
    return -(-block.length // 8)


def _holds_cost(block: CIDR, other: object, _result: bool) -> int:
    return -(-_octets(block) // 5) + (tenth(other) if isinstance(other, str) else 0)


def _covers_cost(block: CIDR, other: object, _result: bool) -> int:
    return _holds_cost(block, other, _result) + -(-_octets(block) // 10) + 1


TYPE: Final = Type("net.CIDR")
_WITH_TEXT: Final = (TYPE, STRING)

LIBRARY: Final = Library(
    "cidr",
    (
        Overload("cidr", "string_to_cidr", (STRING,), TYPE, parse, cost=tenth),
        Overload("isCIDR", "is_cidr", (STRING,), BOOL, is_cidr, cost=tenth),
        Overload("string", "cidr_to_string", (TYPE,), STRING, str),
        Overload("ip", "cidr_ip", (TYPE,), ip.TYPE, lambda block: block.ip, member=True),
        Overload("masked", "cidr_masked", (TYPE,), TYPE, lambda block: block.masked, member=True),
        Overload(
            "prefixLength",
            "cidr_prefix_length",
            (TYPE,),
            INT,
            lambda block: block.length,
            member=True,
        ),
        Overload(
            "containsIP",
            "cidr_contains_ip_ip",
            (TYPE, ip.TYPE),
            BOOL,
            CIDR.holds,
            member=True,
            cost=_holds_cost,
        ),
        Overload(
            "containsIP",
            "cidr_contains_ip_string",
            _WITH_TEXT,
            BOOL,
            lambda block, text: block.holds(ip.parse(text)),
            member=True,
            cost=_holds_cost,
        ),
        Overload(
            "containsCIDR",
            "cidr_contains_cidr",
            (TYPE, TYPE),
            BOOL,
            CIDR.covers,
            member=True,
            cost=_covers_cost,
        ),
        Overload(
            "containsCIDR",
            "cidr_contains_cidr_string",
            _WITH_TEXT,
            BOOL,
            lambda block, text: block.covers(parse(text)),
            member=True,
            cost=_covers_cost,
        ),
    ),
    since=30,
    types={TYPE.name: TYPE},
    classes={CIDR: TYPE},
)
