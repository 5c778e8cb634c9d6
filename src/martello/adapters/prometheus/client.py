"""One connection pool to one Prometheus: a question, and its answer in bounded time and size."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Final, Self, cast

import httpx
from isal import igzip_lib, isal_zlib

import martello
from martello.adapters.prometheus.failure import Failed, away, judged, malformed, told
from martello.adapters.prometheus.settings import Settings, authorization
from martello.adapters.registry import settings as registry
from martello.adapters.registry.failure import words
from martello.adapters.registry.hosts import Endpoint
from martello.adapters.registry.patience import retry_after
from martello.adapters.registry.proxies import proxy_for
from martello.adapters.registry.transport import Transport, until
from martello.adapters.registry.trust import context
from martello.core.errors import BadInput, Unreachable
from martello.core.usage import Counts

_SMALL: Final = 64 << 10  # bytes of an error
_STEP: Final = 1 << 20  # bytes that are unpacked at once
_GZIP: Final = 31  # of zlib: with a gzip header
_MALFORMED: Final = cast(type[Exception], igzip_lib.IsalError)  # its stub has an instance
_LONGEST: Final = 30.0  # seconds of patience that a server may ask for


class Client:
    """Asks, counts, and never follows where an answer leads to. Closed by its context."""

    def __init__(self, settings: Settings, counts: Counts) -> None:
        self.settings = settings
        self.url = settings.url
        self._counts = counts
        self._hidden: list[str] = []
        try:
            proxy = proxy_for(httpx.URL(settings.url), settings.environ)
            self._http = httpx.Client(
                base_url=f"{settings.url}/api/v1/",
                transport=Transport(_trust(settings), proxy),
                timeout=httpx.Timeout(settings.seconds, connect=settings.connect),
                headers={
                    "User-Agent": f"martello/{martello.__version__}",
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip" if settings.packed else "identity",
                },
                trust_env=False,
                follow_redirects=False,
            )
        except (httpx.InvalidURL, UnicodeError):
            raise BadInput("the address of Prometheus is no URL", "", "https://HOST") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def ask(self, path: str, params: Mapping[str, str]) -> bytes:
        """The body of a good answer to one GET below /api/v1. Raises Failed where something is
        left to try, else Unreachable or NotPermitted.
        """
        settings = self.settings
        headers = {name: value.reveal() for name, value in settings.headers}
        who, word = (one.reveal() for one in authorization(settings))
        if who:
            headers["Authorization"] = who
        parts = [value.partition(" ")[2] for value in headers.values()]
        self._hidden = sorted({*headers.values(), *parts, word}, key=len, reverse=True)
        self._counts.queries += 1
        began = False
        try:
            with until(time.monotonic() + settings.seconds):
                request = self._http.build_request("GET", path, params=params, headers=headers)
                answer = self._http.send(request, stream=True)
                began = True
                with contextlib.closing(answer):
                    good = 200 <= answer.status_code < 300
                    body = self._body(answer, settings.largest if good else _SMALL, cut=not good)
        except (httpx.TransportError, OSError) as error:
            raise away(self.url, error, settings.seconds, began) from None
        except (httpx.InvalidURL, UnicodeError):
            raise BadInput("the address of Prometheus is no URL", "", "https://HOST") from None
        self._counts.bytes += len(body)
        if good:
            return body
        after = min(retry_after(answer.headers, time.time()) or 0.0, _LONGEST)
        location = answer.headers.get("Location", "")
        raise judged(self.url, answer.status_code, self.safe(told(body)), location, after)

    def safe(self, text: str) -> str:
        """What the server says, safe to show: without what we sent, one line, bounded."""
        for one in self._hidden:
            if len(one) > 3:
                text = text.replace(one, "…")
        return words(text)

    def _body(self, answer: httpx.Response, largest: int, *, cut: bool) -> bytes:
        """All of a body, unpacked; only its beginning where it is `cut`."""
        parts: list[bytes] = []
        size = 0
        coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        for part in unpacked(answer.iter_raw(), coding, largest, self.url):
            size += len(part)
            parts.append(part)
            if size > largest:
                if cut:
                    break
                why = f"its answer is larger than {largest / (1 << 20):g} MiB"
                raise Failed("much", Unreachable(f"{self.url} answers with too much", why))
        return b"".join(parts)


def _trust(settings: Settings) -> ssl.SSLContext:
    """Whom we believe to be the server, and the certificate that we show it."""
    if settings.url.startswith("http://"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it trusts nobody, and is not asked to
    mine = ((settings.cert, settings.key),) if settings.cert else ()
    return context(
        registry.Settings(authority=settings.ca, environ=settings.environ),
        Endpoint("", "", "", verify=not settings.insecure, clients=mine),
    )


def unpacked(raw: Iterator[bytes], coding: str, most: int, url: str) -> Iterator[bytes]:
    """The parts of a body, gzip undone in small steps, so that no bomb bursts; it ends soon after
    `most` bytes. Raises Unreachable for another coding, or bytes that are not what they say.
    """
    if coding in ("", "identity"):
        yield from raw
        return
    if coding not in ("gzip", "x-gzip"):
        raise malformed(url, "it is packed in a way that we did not ask for")
    step = min(_STEP, most + 1)
    inflate = isal_zlib.decompressobj(_GZIP)
    size = 0
    try:
        for part in raw:
            waiting, out = part, b""
            while not inflate.eof and (waiting or len(out) == step):
                out = inflate.decompress(waiting, step)
                waiting = inflate.unconsumed_tail
                size += len(out)
                yield out
                if size > most:
                    return
    except _MALFORMED:
        raise malformed(url, "it is not the gzip that it says it is") from None
    if not inflate.eof:
        raise Failed("broken", malformed(url, "its gzip ends too early"))
