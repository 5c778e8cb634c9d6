"""Martello's own reads of a live cluster, so that it does not tell of itself.

Each request bears an id of its own (the header `Audit-ID`, which the API server takes over into its
audit log). It is a UUID of version 8: when, chance, and a code over these, the method and the URI,
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
_METHODS: Final = {  # of a verb of the log; requests for no resource have the method itself there
    **dict.fromkeys(("get", "list", "watch"), "GET"),
    **dict.fromkeys(("create", "post"), "POST"),
    **dict.fromkeys(("update", "put"), "PUT"),
    **dict.fromkeys(("delete", "deletecollection"), "DELETE"),
    "patch": "PATCH",
}


class Own:
    """Names requests, and knows those it has named."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"own requests", "sha256")
        self._seen: OrderedDict[tuple[str, str], int] = OrderedDict()

    def name(self, method: str, uri: str, now: float) -> str:
        """The id of a request for a path with its query, now (seconds since the epoch)."""
        return self._name(struct.pack(">I", int(now)) + secrets.token_bytes(4), f"{method} {uri}")

    def made(
        self, name: str, verb: str, uri: str, stage: str, time: int, spent: float = 0.0
    ) -> bool:
        """Whether an event is of a request that was named here; `time` is its time (ns), `spent`
        seconds after the request came: what is watched ends late. A second event of that id and
        stage at another time is somebody else's.
        """
        try:
            raw = uuid.UUID(name).bytes
        except ValueError:
            return False
        told = raw[:6] + raw[7:8] + raw[9:10]
        (asked,) = struct.unpack(">I", told[:4])
        if abs(time / 1e9 - spent - asked) > _WITHIN:
            return False
        if not hmac.compare_digest(
            name.encode(), self._name(told, f"{_METHODS.get(verb)} {uri}").encode()
        ):
            return False
        known = self._seen.setdefault((name, stage), time)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        return known == time

    def _name(self, told: bytes, request: str) -> str:
        """Time and chance (8 bytes) around the bits of version and variant, and their code."""
        said = told + request.encode("utf-8", "surrogatepass")
        code = hmac.digest(self._key, said, "sha256")[:_CODE]
        raw = told[:6] + b"\x80" + told[6:7] + b"\x80" + told[7:] + code
        return str(uuid.UUID(bytes=raw))
