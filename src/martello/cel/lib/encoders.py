"""The encoders library: base64 (not in Kubernetes)."""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from typing import Final

from martello.cel.lib.costs import tenth
from martello.cel.types import BYTES, STRING, Library, Overload
from martello.cel.values import EvalError


def decode(text: str) -> bytes:
    """Standard base64, padded or not; line ends are skipped."""
    body = text.replace("\n", "").replace("\r", "")
    if "=" not in body:
        body += "=" * (-len(body) % 4)
    try:
        return a2b_base64(body.encode("ascii"), strict_mode=True)
    except (Error, UnicodeEncodeError):
        raise EvalError("this string is not base64") from None


def encode(octets: bytes) -> str:
    """Standard base64 with padding."""
    return b2a_base64(octets, newline=False).decode("ascii")


LIBRARY: Final = Library(
    "encoders",
    (
        Overload("base64.decode", "base64_decode_string", (STRING,), BYTES, decode, cost=tenth),
        Overload("base64.encode", "base64_encode_bytes", (BYTES,), STRING, encode, cost=tenth),
    ),
)
