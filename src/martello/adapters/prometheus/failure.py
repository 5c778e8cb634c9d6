"""What went wrong between us and a Prometheus: what to try next, and in words what, why, and what a
person can do.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx
import msgspec

from martello.adapters.registry.failure import NotTrusted, TooSlow, lost, words
from martello.core.errors import MartelloError, NotPermitted, Unreachable

Kind = Literal[
    "much",  # asked for more than it, or we, can bear: ask for less
    "broken",  # it may have been too much, it may be the moment: wait, and ask for less
    "away",  # it is not there, or asks for patience: wait, and ask again
    "refused",  # of this question there will never be an answer
]
# What Prometheus, Thanos, Mimir, Cortex and VictoriaMetrics say of a question that is too large.
_MUCH: Final = re.compile(
    r"too many|too large|limit|exceed|max[-_. ]|maximum|-search\.|out of memory|"
    r"timed out|timeout|deadline",
    re.IGNORECASE,
).search


class Failed(Exception):
    """One question without an answer. `error` is what is raised where there is no use in going on;
    `after` the seconds that the server asks for.
    """

    def __init__(self, kind: Kind, error: MartelloError, after: float = 0.0) -> None:
        super().__init__(error.what)
        self.kind = kind
        self.error = error
        self.after = after

    @property
    def why(self) -> str:
        """In one line."""
        return self.error.why or self.error.what


class _Told(msgspec.Struct):
    error: Any = ""
    message: Any = ""


_decoder: Final = msgspec.json.Decoder(_Told)


def told(content: bytes) -> str:
    """A server's own explanation of an error, as it came; empty where it is none."""
    try:
        body = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = content.decode("latin-1").strip()
        return "" if text.startswith(("<", "{", "[")) else text
    return next((one for one in (body.error, body.message) if isinstance(one, str) and one), "")


def judged(url: str, status: int, why: str, location: str = "", after: float = 0.0) -> Exception:
    """What an answer that is none means: Failed where something is left to try, else the error."""
    detail = f": {why}" if why else ""
    if status == 401:
        return NotPermitted(
            f"{url} does not accept who we are (401)",
            why or "it gave no reason",
            "give a token or a user's file; through a forwarded port none may be needed",
        )
    if status == 403:
        return NotPermitted(
            f"{url} refuses the question (403)",
            why or "it gave no reason",
            "ask for the right to query, or name the tenant by a header (X-Scope-OrgID)",
        )
    if status in (404, 405):
        return Unreachable(
            f"{url} is no Prometheus API",
            f"it does not know /api/v1/query ({status})",
            "add the path it is served under (Mimir: /prometheus, VictoriaMetrics cluster: "
            "/select/0/prometheus)",
        )
    if 300 <= status < 400:
        return Unreachable(
            f"{url} is no Prometheus API",
            f"it leads elsewhere ({status}){_place(location)}: credentials do not follow",
            "give the address it leads to, or credentials that it does not send to a sign-in",
        )
    error = Unreachable(f"{url} did not answer", f"it failed ({status}){detail}", "try again later")
    if status == 429:
        return Failed("away", error, after)
    if status in (408, 413, 414, 504):
        return Failed("much", error)
    if status in (422, 500, 503) and _MUCH(why):
        return Failed("much", error)
    if status >= 500:
        return Failed("broken", error, after)
    if 400 <= status < 500:
        return Failed("refused", Unreachable(f"{url} does not take the question ({status})", why))
    return Unreachable(
        f"{url} is no Prometheus API", f"it answered with status {status}", "check the address"
    )


def away(url: str, error: Exception, seconds: float, connected: bool) -> Exception:
    """A transport error, in the same way. `connected`: some of an answer had come."""
    host = urlsplit(url).netloc
    trouble = lost(host, error, 1)
    if isinstance(trouble, NotTrusted):
        next = "name its certificate authority (--ca), or ours for it (--cert, --key)"
        return Unreachable(trouble.what, trouble.why, next)
    if isinstance(trouble, TooSlow):
        why = f"its answer did not come within {seconds:g} s"
        return Failed("much", Unreachable(f"{host} is too slow", why, "try again, or a nearer one"))
    next = "check the address, the port that is forwarded, the network or the proxy"
    why = trouble.why.replace(" (1 try)", "").replace(", 1 try)", ")")
    slow = isinstance(error, httpx.TimeoutException)
    kind: Kind = "broken" if connected or slow else "away"
    return Failed(kind, Unreachable(trouble.what, why, next))


def malformed(url: str, why: str) -> Unreachable:
    """An answer that Prometheus would not give."""
    return Unreachable(
        f"{url} is no Prometheus API", f"its answer is none: {why}", "check the address"
    )


def _place(location: str) -> str:
    """Where a redirect leads to, without what may be secret in it."""
    try:
        host = urlsplit(location).netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return f", to {words(host, 100)}" if host else ""
