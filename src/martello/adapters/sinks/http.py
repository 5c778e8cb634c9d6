"""One exchange over HTTP with a sink: bounded in time and size, redirected nowhere, and judged.

What the sink may take later (429, 5xx, no answer, a token that was refused) is tried again; what it
says is wrong with the message itself never gets better.
"""

from __future__ import annotations

import base64
import os
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final

import httpx
import msgspec

import martello
from martello.adapters.registry.proxies import proxy_for
from martello.adapters.registry.transport import Transport, until
from martello.adapters.sinks.text import encoded, plain
from martello.core.errors import BadInput
from martello.core.sink import NotSent

SECONDS: Final = 20.0  # of one exchange, whatever the other side does
_LARGEST: Final = 64 << 10  # bytes of an answer
_SHOWN: Final = 200
# The message is at fault: not its sender's rights, not the moment.
_NEVER: Final = frozenset((400, 405, 406, 410, 411, 413, 414, 415, 422, 431))
Value = Callable[[], str]  # reads a secret anew each time: files are rotated


class Trust(msgspec.Struct, frozen=True):
    """Files of the authorities that are trusted (empty: the system's) and of our certificate."""

    ca: str = ""
    cert: str = ""
    key: str = ""

    def context(self) -> ssl.SSLContext:
        """For TLS as a client. Raises BadInput for files that cannot be used."""
        if self == Trust():
            return _system()
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ssl.SSLError) as error:
            told = ", ".join(filter(None, (self.ca, self.cert, self.key)))
            raise BadInput(
                f"cannot use the certificates of a sink: {told}",
                getattr(error, "strerror", "") or str(error),
                "name PEM files by ca=, cert= and key=",
            ) from None
        return context


@lru_cache(maxsize=1)
def _system() -> ssl.SSLContext:
    """The system's authorities, read once for all sinks."""
    return ssl.create_default_context()


def nobody() -> ssl.SSLContext:
    """For what speaks no TLS: it trusts no certificate."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Http:
    """The connections of one sink. `token` is a bearer's, `basic` USER:PASSWORD; both are read for
    every exchange. `secret` is what the body holds.
    """

    def __init__(
        self,
        url: Value,
        *,
        token: Value | None = None,
        basic: Value | None = None,
        secret: Value | None = None,
        trust: Trust | None = None,
        clock: Callable[[], float] = time.time,
        seconds: float = SECONDS,
    ) -> None:
        self._url = url
        self._token = token
        self._basic = basic
        self._secret = secret
        self._clock = clock
        self._seconds = seconds
        try:
            address = httpx.URL(url())
            proxy = proxy_for(address, os.environ)
        except (httpx.InvalidURL, UnicodeError):
            raise BadInput("the address of a sink is no URL", "", "https://HOST/PATH") from None
        if address.scheme not in ("https", "http") or not address.host:
            raise BadInput("the address of a sink is no URL", "", "https://HOST/PATH")
        if (token or basic or secret) and address.scheme != "https" and not _here(address.host):
            raise BadInput(
                "a token is not sent in the clear", f"{address.host} speaks no TLS", "use https"
            )
        trusted = (trust or Trust()).context() if address.scheme == "https" else nobody()
        self._client = httpx.Client(
            transport=Transport(trusted, proxy),
            timeout=httpx.Timeout(seconds, connect=min(10.0, seconds)),
            # Alerts are rare: a connection that waited for the next one would be dead by then.
            headers={"User-Agent": f"martello/{martello.__version__}", "Connection": "close"},
            trust_env=False,
            follow_redirects=False,
        )

    def send(
        self,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
        path: str = "",
        fine: frozenset[int] = frozenset(),
    ) -> bytes:
        """The answer to a body in JSON; a status of `fine` is one too. Raises NotSent."""
        given = {"Content-Type": "application/json"} if body is not None else {}
        content = None if body is None else encoded(body)
        hidden: list[str] = []
        try:
            url = self._url()
            given |= self._authorized(hidden) | dict(headers or {})
            hidden += [url, httpx.URL(url).raw_path.decode()]
            request = self._client.build_request(method, url + path, content=content, headers=given)
            with until(time.monotonic() + self._seconds):
                status, told, answer = self._exchange(request)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise NotSent(_hidden(_words(error), hidden)) from None
        if 200 <= status < 300 or status in fine:
            return answer
        text = _hidden(answer.decode("utf-8", "replace"), hidden)
        why = f"{status} {plain(text, _SHOWN)}".strip()
        raise NotSent(why, _retry_after(told, self._clock()), never=status in _NEVER)

    def _exchange(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        answer = self._client.send(request, stream=True)
        try:
            parts: list[bytes] = []
            size = 0
            for part in answer.iter_raw():
                parts.append(part)
                size += len(part)
                if size > _LARGEST:
                    break
            return answer.status_code, answer.headers, b"".join(parts)[:_LARGEST]
        finally:
            answer.close()

    def _authorized(self, hidden: list[str]) -> dict[str, str]:
        """The header that says who we are; its secrets, and the body's, are added to `hidden`."""
        if self._secret is not None:
            hidden.append(self._secret())
        if self._token is not None:
            hidden.append(self._token())
            return {"Authorization": f"Bearer {hidden[-1]}"}
        if self._basic is not None:
            told = self._basic()
            hidden += [told, base64.b64encode(told.encode()).decode()]
            return {"Authorization": f"Basic {hidden[-1]}"}
        return {}


def _hidden(text: str, secrets: list[str]) -> str:
    """The text without what must not be shown, should the other side repeat it."""
    for one in secrets:
        text = text.replace(one, "…") if len(one) > 1 else text
    return text


def _here(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")


def _words(error: Exception) -> str:
    """What went wrong on the way."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return plain(str(error) or type(error).__name__, _SHOWN)


def _retry_after(headers: httpx.Headers, now: float) -> float | None:
    """The seconds that the other side asks for (RFC 9110, 10.2.3: a number, or a date)."""
    told = headers.get("Retry-After", "").strip()
    if told.isdecimal() and told.isascii():
        return float(told[:12])
    try:
        at = parsedate_to_datetime(told)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.fromtimestamp(now, UTC)).total_seconds())
