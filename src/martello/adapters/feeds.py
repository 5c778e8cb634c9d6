"""Reads public feeds over HTTP(S): what changed, a part at a time, with patience and limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import msgspec

import martello
from martello.core.errors import BadInput, MartelloError, NotPermitted, Refused, Unreachable

_AGAIN: Final = frozenset((429, 500, 502, 503, 504))
_TRIES: Final = 4
_HOPS: Final = 5
_LONGEST_WAIT: Final = 30.0
_LONGEST: Final = 3600.0  # seconds for one feed
_PART: Final = 1 << 18


class Answer(msgspec.Struct, frozen=True):
    """A feed that changed: its bytes, its size (-1: not said), and what to ask with next time."""

    content: Iterator[bytes]
    size: int
    etag: str
    time: str  # RFC 3339, of Last-Modified; empty: not said


class Feeds:
    """One pool of connections. `tell` hears of each address that is asked."""

    def __init__(
        self,
        *,
        authority: str = "",
        tell: Callable[[str], None] = lambda url: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import ssl

        try:
            context = ssl.create_default_context()
            if authority:
                context.load_verify_locations(authority)
        except (OSError, ssl.SSLError) as error:
            raise BadInput(f"cannot read {authority}", str(error), "name a PEM file") from None
        self._http = httpx.Client(
            headers={"User-Agent": f"martello/{martello.__version__}"},
            timeout=httpx.Timeout(60.0, connect=15.0),
            verify=context,
            follow_redirects=True,
            max_redirects=_HOPS,
        )
        self._tell = tell
        self._sleep = sleep
        self._clock = clock

    def get(self, url: str, etag: str = "") -> Answer | None:
        """The feed, or None where it is still what `etag` names. Raises Unreachable, NotPermitted
        and BadInput (not there).
        """
        self._tell(url)
        headers = {"If-None-Match": etag} if etag else {}
        for tried in range(1, _TRIES + 1):
            try:
                request = self._http.build_request("GET", url, headers=headers)
                reply = self._http.send(request, stream=True)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if tried == _TRIES or isinstance(error, httpx.InvalidURL | httpx.TooManyRedirects):
                    raise _lost(url, error) from None
                self._sleep(2.0 ** (tried - 1))
                continue
            if reply.status_code in _AGAIN and tried < _TRIES:
                wait = _wait(reply, tried)
                reply.close()
                self._sleep(wait)
                continue
            return self._judged(url, reply)
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """Closes all connections."""
        self._http.close()

    def _judged(self, url: str, reply: httpx.Response) -> Answer | None:
        status = reply.status_code
        if status == 304:
            reply.close()
            return None
        if status != 200:
            reply.close()
            raise _denied(url, status)
        if url.startswith("https://") and reply.url.scheme != "https":
            reply.close()
            why = f"its server leads to {reply.url.scheme}://{reply.url.host}, without encryption"
            raise Refused(f"will not read {url}", why, "name another --base")
        coded = "content-encoding" in reply.headers
        length = reply.headers.get("content-length", "")
        size = int(length) if length.isdecimal() and not coded else -1
        changed = _time(reply.headers.get("last-modified", ""))
        return Answer(self._content(url, reply), size, reply.headers.get("etag", ""), changed)

    def _content(self, url: str, reply: httpx.Response) -> Iterator[bytes]:
        """The bytes, for so long: a server that drips them is no server."""
        until = self._clock() + _LONGEST
        try:
            for part in reply.iter_bytes(_PART):
                if self._clock() > until:
                    raise Unreachable(
                        f"cannot read {url}", f"it took {_LONGEST:.0f} s", "--base URL"
                    )
                yield part
        except httpx.HTTPError as error:
            raise _lost(url, error) from None
        finally:
            reply.close()


def _wait(reply: httpx.Response, tried: int) -> float:
    asked = reply.headers.get("retry-after", "")
    return min(float(asked) if asked.isdecimal() else 2.0 ** (tried - 1), _LONGEST_WAIT)


def _time(text: str) -> str:
    try:
        return parsedate_to_datetime(text).isoformat().replace("+00:00", "Z")
    except (ValueError, TypeError):
        return ""


def _denied(url: str, status: int) -> MartelloError:
    if status in (401, 403):
        return NotPermitted(f"cannot read {url}", f"its server refuses ({status})", "try a mirror")
    if status in (404, 410):
        return BadInput(f"cannot read {url}", f"it is not there ({status})", "check --base")
    return Unreachable(f"cannot read {url}", f"its server answers {status}", "try again later")


def _lost(url: str, error: Exception) -> Unreachable:
    why = str(error) or type(error).__name__
    return Unreachable(f"cannot read {url}", why, "check the network and proxy, or name a --base")
