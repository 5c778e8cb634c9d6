"""The order of Conan's versions: any count of items, each a number, a word or a number and letters.

Source: Conan's reference of its Version class: items, then pre-release, then build metadata. Items
of mixed kind, which Conan compares as text, go by their number first: `1.1.1` < `1.1.1a`.
"""

from __future__ import annotations

import re
from typing import Final

from martello.practices.images.versions.encoding import memoised, number, text
from martello.practices.images.versions.semver import identifiers

_ITEM: Final = re.compile(r"([0-9]*)(.*)", re.DOTALL)


@memoised
def key(version: str) -> bytes:
    """Zeros at the end do not count; a word (`cci.20200101`) comes before all numbers but zero."""
    rest, _, build = version.strip().lower().partition("+")
    main, _, pre = rest.partition("-")
    items = [_item(part) for part in main.removeprefix("v").split(".")]
    while items and items[-1] == _item("0"):
        items.pop()
    encoded = b"".join([b"\1" + item for item in items]) + b"\0"
    return encoded + identifiers(pre) + (identifiers(build) if build else b"\0")


def _item(part: str) -> bytes:
    match = _ITEM.match(part)
    digits, letters = (match[1], match[2]) if match else ("", part)
    return (b"\1" + number(digits) if digits else b"\0") + text(letters)
