"""N15: which children of an index are judged."""

from __future__ import annotations

import pytest

from martello.core.artifact import OCI_INDEX, OCI_MANIFEST, Descriptor, Index, Platform
from martello.core.errors import BadInput
from martello.core.platforms import choose, normal, parse_platform


def index(*platforms: str) -> Index:
    """An index with a child for each platform; an empty text is a child without."""
    children = [
        Descriptor(
            OCI_MANIFEST,
            f"sha256:{number:064x}",
            1,
            platform=Platform(*text.split("/")) if text else None,
        )
        for number, text in enumerate(platforms)
    ]
    return Index(b"", OCI_INDEX, "", tuple(children))


def chosen(listed: Index, *wanted: str) -> list[int]:
    """The places of the children that were chosen."""
    found = choose(listed, [parse_platform(text) for text in wanted])
    return [int(child.digest[7:], 16) for child in found]


LISTED = index(
    "linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "unknown/unknown", "",
    "windows/amd64",
)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ((), [0, 1, 2, 3, 5, 6]),
        (("linux/amd64",), [0, 5]),
        (("linux/x86_64",), [0, 5]),
        (("linux/arm64",), [1, 5]),
        (("linux/aarch64", "linux/amd64"), [0, 1, 5]),
        (("linux/arm/v7",), [2, 3, 5]),
        (("linux/arm/v6",), [2, 5]),
        (("linux/s390x",), [5]),
    ],
)
def test_N15_the_platforms_of_the_nodes(wanted: tuple[str, ...], places: list[int]) -> None:
    assert chosen(LISTED, *wanted) == places


def test_N15_a_child_listed_twice_is_judged_once() -> None:
    child = index("linux/amd64").manifests[0]
    assert choose(Index(b"", OCI_INDEX, "", (child, child))) == (child,)


@pytest.mark.parametrize("text", ["", "linux", "linux/", "a/b/c/d", "/"])
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(BadInput):
        parse_platform(text)


def test_spellings() -> None:
    assert normal(Platform("Linux", "aarch64")) == normal(Platform("linux", "arm64", "8"))
    assert str(parse_platform("linux/armhf")) == "linux/arm"
