"""Lists that come page by page, each naming the next in a Link header (RFC 8288)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import msgspec

from martello.adapters.registry.line import Line, Reply
from martello.core.errors import BadInput, Unreachable

_MOST: Final = 1_000
_LARGEST: Final = 16 << 20
_LINK: Final = re.compile(r"<([^<>]{1,8192})>([^<]*)")
_NEXT: Final = re.compile(r";\s*rel\s*=\s*\"?next\"?\s*(?:[;,]|$)", re.IGNORECASE)


def pages(
    line: Line,
    what: str,
    url: httpx.URL,
    scopes: tuple[str, ...],
    *,
    accept: str = "application/json",
    absent: tuple[int, ...] = (),
) -> Iterator[tuple[Mapping[str, Any], Reply]]:
    """The JSON objects of all pages, each with its answer. Raises BadInput for what is no JSON
    object, for pages that go round in a circle, and after 1,000 of them. Where the first page is
    answered with a status of `absent`, or then with no JSON object, there are none.
    """
    seen: set[str] = set()
    end = time.monotonic() + 10 * line.network.settings.exchange
    for _ in range(_MOST):
        seen.add(str(url))
        reply = line.call(
            what,
            "GET",
            url,
            scopes=scopes,
            headers={"Accept": accept},
            largest=_LARGEST,
            wanted=(200, *absent),
        )
        if reply.status != 200:
            return
        body: Any = None
        try:
            body = msgspec.json.decode(reply.content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            body = None
        if not isinstance(body, dict):
            if absent:
                return
            raise BadInput(what, f"what {line.host} answers is no JSON object")
        yield body, reply
        following = _next(reply.headers.get_list("link"))
        if not following:
            return
        absent = ()
        if time.monotonic() > end:
            raise Unreachable(what, f"{line.host} hands out its pages too slowly to be of use")
        url = line.target(what, reply.url, following)
        if str(url) in seen:
            raise BadInput(what, f"the pages of {line.host} go round in a circle")
    raise BadInput(what, f"{line.host} has more than {_MOST} pages")


def _next(headers: list[str]) -> str:
    for header in headers[:16]:
        for match in _LINK.finditer(header[: 16 << 10]):
            if _NEXT.search(match[2]):
                return match[1]
    return ""
