"""Martello's own reads of a live cluster, so that it does not tell of itself.

Each request bears an id of its own (the header `Audit-ID`, which the API server takes over into its
audit log). It is a UUID of version 8: when, chance, and a code over these and what is asked for,
by a key that only this installation knows. Nobody else can make one, and one that was seen in a log
is good for the same request of the same two minutes only, and only once.
Source: `WithAuditID` of apiserver/pkg/endpoints/filters.
"""

from __future__ import annotations

import hmac
import secrets
import struct
import uuid
from collections import OrderedDict
from typing import Final

VERSION: Final = "8"  # the fifteenth character of an id
_WITHIN: Final = 120  # seconds between asking and the log's time, clocks that differ included
_MOST: Final = 100_000  # ids that are remembered
_CODE: Final = 6  # bytes


class Own:
    """Names requests, and knows those it has named."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"own requests", "sha256")
        self._seen: OrderedDict[tuple[str, str], int] = OrderedDict()

    def name(self, uri: str, now: float) -> str:
        """The id of a request for a path with its query, now (seconds since the epoch)."""
        return self._name(struct.pack(">I", int(now)) + secrets.token_bytes(4), uri)

    def made(self, name: str, uri: str, stage: str, time: int) -> bool:
        """Whether an event is of a request that was named here; `time` is its time (ns). A second
        event of that id and stage at another time is somebody else's.
        """
        try:
            raw = uuid.UUID(name).bytes
        except ValueError:
            return False
        told = raw[:6] + raw[7:8] + raw[9:10]
        (asked,) = struct.unpack(">I", told[:4])
        if abs(time / 1e9 - asked) > _WITHIN:
            return False
        if not hmac.compare_digest(name.encode(), self._name(told, uri).encode()):
            return False
        known = self._seen.setdefault((name, stage), time)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        return known == time

    def _name(self, told: bytes, uri: str) -> str:
        """Time and chance (8 bytes) around the bits of version and variant, and their code."""
        said = told + uri.encode("utf-8", "surrogatepass")
        code = hmac.digest(self._key, said, "sha256")[:_CODE]
        raw = told[:6] + b"\x80" + told[6:7] + b"\x80" + told[7:] + code
        return str(uuid.UUID(bytes=raw))
