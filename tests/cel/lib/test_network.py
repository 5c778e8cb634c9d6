"""IP addresses and CIDR blocks: Go's rules, and Python's `ipaddress` where the two agree."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.cel.lib import cidr, ip, ip_specification
from martello.cel.types import Library
from martello.cel.values import EvalError


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::", "::"),
        ("::1", "::1"),
        ("2001:DB8::ABCD", "2001:db8::abcd"),
        ("2001:db8:0:0:0:0:0:abcd", "2001:db8::abcd"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1:0:0:2:3:0:0:4", "1::2:3:0:0:4"),
        ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::1.2.3.4", "::102:304"),
    ],
)
def test_addresses(text: str, printed: str) -> None:
    assert str(ip.parse(text)) == printed
    assert ip.is_canonical(text) is (text == printed)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "1.2.3.", "1.2.3.4 ", "1.2.3.\u0664"),
        *("::ffff:1.2.3.4", "::ffff:102:304", "fe80::1%eth0", ":::1", "1::2::3", "1:2:3:4:5:6:7"),
        *("1:2:3:4:5:6:7::8", "12345::", "g::", ":", "::1:", "::01.2.3.4", "1.2.3.4::"),
    ],
)
def test_no_addresses(text: str) -> None:
    assert ip.is_ip(text) is False
    with pytest.raises(EvalError):
        ip.is_canonical(text)


PREDICATES = [
    ip.is_unspecified,
    ip.is_loopback,
    ip.is_link_local_multicast,
    ip.is_link_local_unicast,
    ip.is_global_unicast,
]


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("0.0.0.0", {0}),
        ("::", {0}),
        ("127.9.9.9", {1}),
        ("::1", {1}),
        ("224.0.0.1", {2}),
        ("224.0.1.1", set()),
        ("ff02::1", {2}),
        ("ff12::1", {2}),
        ("ff05::1", set()),
        ("169.254.169.254", {3}),
        ("febf::1", {3}),
        ("fec0::1", {4}),
        ("10.0.0.1", {4}),
        ("240.0.0.1", {4}),
        ("255.255.255.255", set()),
        ("2001:db8::abcd", {4}),
        ("fd00::1", {4}),
    ],
)
def test_predicates_are_those_of_go(text: str, true: set[int]) -> None:
    address = ip.parse(text)
    assert {at for at, holds in enumerate(PREDICATES) if holds(address)} == true


def call(library: Library, id: str, *args: Any) -> Any:
    """Call the overload of an id."""
    return next(item for item in library.overloads if item.id == id).function(*args)


@pytest.mark.parametrize(
    ("block", "address", "inside"),
    [
        ("192.168.0.0/24", "192.168.0.1", True),
        ("192.168.0.0/24", "192.168.1.1", False),
        ("192.168.0.77/24", "192.168.0.1", True),
        ("0.0.0.0/0", "::1", False),
        ("::/0", "1.2.3.4", False),
        ("2001:db8::/32", "2001:db8:1::1", True),
    ],
)
def test_blocks_and_addresses(block: str, address: str, inside: bool) -> None:
    parsed = cidr.parse(block)
    assert call(cidr.LIBRARY, "cidr_contains_ip_string", parsed, address) is inside
    assert call(cidr.LIBRARY, "cidr_contains_ip_ip", parsed, ip.parse(address)) is inside


@pytest.mark.parametrize(
    ("block", "other", "inside"),
    [
        ("192.168.0.0/16", "192.168.10.0/24", True),
        ("192.168.0.0/16", "192.168.0.0/16", True),
        ("192.168.10.0/24", "192.168.0.0/16", False),
        ("192.168.1.0/24", "192.168.2.0/24", False),
        ("0.0.0.0/0", "::/0", False),
    ],
)
def test_blocks_and_blocks(block: str, other: str, inside: bool) -> None:
    parsed = cidr.parse(block)
    assert call(cidr.LIBRARY, "cidr_contains_cidr_string", parsed, other) is inside
    assert call(cidr.LIBRARY, "cidr_contains_cidr", parsed, cidr.parse(other)) is inside


def test_host_bits_are_kept() -> None:
    block = cidr.parse("192.168.0.1/24")
    assert str(block) == "192.168.0.1/24"
    assert block.ip == ip.parse("192.168.0.1")
    assert str(block.masked) == "192.168.0.0/24"
    assert block != block.masked
    assert len({block, cidr.parse("192.168.0.1/24")}) == 1


@pytest.mark.parametrize(
    "text",
    [
        *("10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/08", "10.0.0.0/+8", "/8"),
        *("10.0.0.0/-1", "10.0.0/8", "::ffff:1.2.3.4/120", "fe80::1%e/64", "10.0.0.0/8/8"),
        "10.0.0.0/\u0668",
    ],
)
def test_no_blocks(text: str) -> None:
    assert cidr.is_cidr(text) is False
    with pytest.raises(EvalError):
        cidr.parse(text)


def test_costs() -> None:
    costs = {item.id: item.cost for item in (*ip.LIBRARY.overloads, *cidr.LIBRARY.overloads)}
    canonical, holds = costs["ip_is_canonical"], costs["cidr_contains_ip_string"]
    covers = costs["cidr_contains_cidr_string"]
    assert canonical is not None
    assert holds is not None
    assert covers is not None
    assert canonical("2001:db8::abcd", True) == 3
    assert holds(cidr.parse("192.168.0.0/24"), "192.168.0.1", True) == 1 + 2
    assert covers(cidr.parse("192.168.0.0/24"), "192.168.0.0/24", True) == 1 + 2 + 1 + 1


def test_the_specification_maps_addresses() -> None:
    assert ip_specification.parse("::ffff:c0a8:1") == ip.parse("192.168.0.1")
    assert ip_specification.parse("2001:db8::1") == ip.parse("2001:db8::1")
    assert ip_specification.is_ip("::FFFF:0:1") is True
    assert ip_specification.is_ip("::ffff:192.168.0.1") is False
    assert ip_specification.is_ip("::g") is False
    ids = [overload.id for overload in ip_specification.LIBRARY.overloads]
    assert sorted(ids) == sorted(overload.id for overload in ip.LIBRARY.overloads)


@given(st.ip_addresses())
def test_agrees_with_ipaddress(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    text = str(address)
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    assert ip.is_ip(text) is not mapped
    if not mapped:
        parsed = ip.parse(text)
        assert (parsed.value, parsed.family) == (int(address), address.version)
        assert str(parsed) == text
        assert ip.parse(address.exploded) == parsed
        assert ip.is_loopback(parsed) is address.is_loopback


@given(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_blocks_agree_with_ipaddress(
    address: ipaddress.IPv4Address, length: int, other: ipaddress.IPv4Address
) -> None:
    network = ipaddress.ip_network((address, length), strict=False)
    block = cidr.parse(f"{address}/{length}")
    assert str(block.masked) == str(network)
    assert block.holds(ip.parse(str(other))) is (other in network)


@given(st.text(alphabet="0123456789abcdef:./%", max_size=20))
def test_any_text_is_answered(text: str) -> None:
    if ip.is_ip(text):
        assert ip.parse(str(ip.parse(text))) == ip.parse(text)
    if cidr.is_cidr(text):
        assert cidr.parse(str(cidr.parse(text))) == cidr.parse(text)
