"""The order of Debian's and Ubuntu's versions, and opam's, which is Debian's without its fields.

Source: Debian policy 5.6.12 and deb-version(7): epoch, upstream version, revision; of each, parts
of other characters and parts of digits in turn; `~` before the end, letters before all others.
"""

from __future__ import annotations

import re
from typing import Final

from martello.practices.images.versions.encoding import memoised, number

_PARTS: Final = re.compile(r"([^0-9]*)([0-9]*)")
_EPOCH: Final = re.compile(r"[0-9]+\Z")
_END: Final = b"\2"  # of a part: after `~` (1), before letters


class _Order(dict[int, str]):
    """For str.translate: each character as what sorts in its place."""

    def __missing__(self, code: int) -> str:
        return "{" + chr(code)  # `{` follows `z`: all that is no letter comes after the letters


_ORDER: Final = _Order({c: chr(c) for c in range(0x41, 0x7B) if chr(c).isalpha()} | {0x7E: "\1"})


@memoised
def key(version: str) -> bytes:
    """Without an epoch of digits, the whole is upstream version and revision. Blanks around it do
    not count; characters that the policy forbids have a place all the same.
    """
    rest = version.strip()
    epoch, colon, tail = rest.partition(":")
    if colon and _EPOCH.match(epoch):
        rest = tail
    else:
        epoch = ""
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return number(epoch) + _field(upstream) + _field(revision)


@memoised
def opam_key(version: str) -> bytes:
    """opam has neither epoch nor revision."""
    return _field(version.strip())


def _field(field: str) -> bytes:
    """Pairs of other characters and digits, in which absent digits are a zero."""
    encoded = []
    for others, digits in _PARTS.findall(field):
        if not others and not digits:
            break
        encoded.append(others.translate(_ORDER).encode("utf-8", "surrogatepass"))
        encoded.append(_END)
        encoded.append(number(digits))
    if not encoded:  # nothing is a zero
        encoded = [_END, number("")]
    return b"".join(encoded) + _END
