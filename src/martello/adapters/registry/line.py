"""One repository at one host, spoken to: redirects, sign-in, retries, bounded answers.

A redirect to another scheme, host or port loses Authorization; one from https to http is refused.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import httpx
import msgspec

from martello.adapters.registry.addresses import bare, origin, usable
from martello.adapters.registry.auth import Desk, Grant, refused
from martello.adapters.registry.challenge import parse
from martello.adapters.registry.failure import NotTrusted, TooSlow, denied, lost
from martello.adapters.registry.hosts import Endpoint
from martello.adapters.registry.network import Network
from martello.adapters.registry.patience import AGAIN, Patience, retry_after
from martello.adapters.registry.settings import Credential
from martello.adapters.registry.transport import until
from martello.core.artifact import LARGEST_MANIFEST
from martello.core.errors import BadInput, MartelloError, NotPermitted, Unreachable

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_HOPS: Final = 5
_SMALL: Final = 64 << 10  # bytes of an error answer that are read
Content = bytes | Callable[[], Iterator[bytes]] | None


class Reply(msgspec.Struct, frozen=True):
    """An answer, whole. `url` is where it came from in the end."""

    status: int
    headers: httpx.Headers
    content: bytes
    url: httpx.URL


class Line:
    """The way to one endpoint. Thread safe."""

    def __init__(self, endpoint: Endpoint, network: Network) -> None:
        self.endpoint = endpoint
        self.network = network
        self.host = endpoint.host
        self.desk: Desk = network.desk(endpoint)
        self._credentials: tuple[Credential, ...] | None = None

    def url(self, path: str, **params: str) -> httpx.URL:
        """The address of a path below the repository: `manifests/latest`."""
        point = self.endpoint
        scheme = self.network.scheme(point)
        base = f"{scheme}://{point.address}{point.root}/{point.repository}/{path}"
        try:
            url = httpx.URL(base)
        except (httpx.InvalidURL, ValueError):
            raise BadInput(f"cannot use the address {point.host}") from None
        merged = {**params, **point.params}
        return url.copy_merge_params(merged) if merged else url

    def scope(self, *actions: str) -> tuple[str, ...]:
        """The token scope for actions on this repository."""
        return (f"repository:{self.endpoint.repository}:{','.join(actions)}",)

    def call(
        self,
        what: str,
        method: str,
        url: httpx.URL,
        *,
        scopes: tuple[str, ...],
        headers: Mapping[str, str] | None = None,
        content: Content = None,
        largest: int = LARGEST_MANIFEST,
        wanted: Sequence[int] = (200,),
        again: bool = True,
        seconds: float = 0.0,
    ) -> Reply:
        """One exchange, whole. `what` says in errors what could not be done; `wanted` are the
        statuses that are answers. `again` allows it to be repeated, `seconds` to last longer.
        """
        patience = Patience(self.network.settings)
        deadline = time.monotonic() + max(seconds, self.network.settings.exchange)
        while True:
            with contextlib.closing(
                self.open(
                    what,
                    method,
                    url,
                    scopes=scopes,
                    headers=headers,
                    content=content,
                    again=again,
                    deadline=deadline,
                    patience=patience,
                )
            ) as answer:
                bad = answer.status_code not in wanted
                try:
                    with until(deadline + patience.waited):
                        body = _whole(answer, _SMALL if bad else largest, cut=bad)
                except httpx.TransportError as error:
                    trouble = lost(self.host, error, patience.tries)
                    if not again or isinstance(trouble, TooSlow) or not patience.wait():
                        raise trouble from None
                    continue
            if body is None:
                size = f"{largest >> 20} MiB" if largest >= 1 << 20 else f"{largest} bytes"
                raise BadInput(what, f"{self.host} answers with more than {size}")
            if bad:
                raise self.denied(what, answer.status_code, body, patience)
            return Reply(answer.status_code, answer.headers, body, answer.url)

    def open(
        self,
        what: str,
        method: str,
        url: httpx.URL,
        *,
        scopes: tuple[str, ...],
        deadline: float,
        patience: Patience,
        headers: Mapping[str, str] | None = None,
        content: Content = None,
        again: bool = True,
    ) -> httpx.Response:
        """An answer whose body is still to be read, and which the caller closes. Statuses that ask
        for patience or for another sign-in are dealt with; others are the caller's. The deadline
        moves by what was waited on request.
        """
        grant = self.desk.known(scopes)
        tried: set[int] = set()
        while True:
            try:
                with until(deadline + patience.waited):
                    answer = self._follow(what, method, url, headers or {}, grant, content)
            except (httpx.TransportError, OSError) as error:
                trouble = lost(self.host, error, patience.tries)
                over = isinstance(trouble, NotTrusted | TooSlow)
                if over or not again or not patience.wait():
                    raise trouble from None
                continue
            status = answer.status_code
            own = origin(answer.url) == origin(self.url(""))
            if own and (status == 401 or (status == 403 and grant is not None)):
                body = self.drained(answer, deadline + patience.waited)
                renewed = self._renew(answer, scopes, grant, tried, deadline + patience.waited)
                if renewed is None and status == 401:
                    content_ = self.desk.hidden(body.decode("utf-8", "replace")).encode()
                    raise refused(what, self.host, content_, self._known_credentials())
                if renewed is None:
                    raise self.denied(what, status, body, patience)
                grant = renewed
                tried.add(renewed.credential)
                continue
            if status in AGAIN and again:
                asked = retry_after(answer.headers, self.network.settings.now())
                body = self.drained(answer, deadline + patience.waited)
                if not patience.wait(asked):
                    raise self.denied(what, status, body, patience)
                continue
            return answer

    def denied(self, what: str, status: int, body: bytes, patience: Patience) -> MartelloError:
        """The error for an answer that is none of the wanted ones."""
        safe = self.desk.hidden(body.decode("utf-8", "replace")).encode()
        tried = patience.words() if status in AGAIN or patience.tries > 1 else ""
        return denied(what, self.host, status, safe, tried)

    def target(self, what: str, answered: httpx.URL, location: str) -> httpx.URL:
        """Where a Location or Link leads, seen from the address that answered with it. Raises
        NotPermitted for a step from https to http, Unreachable for what is no address.
        """
        try:
            url = answered.join(location[:8192])
        except (httpx.InvalidURL, ValueError):
            url = httpx.URL()
        if not usable(url):
            raise Unreachable(what, f"{self.host} leads to what is no address")
        if answered.scheme == "https" and url.scheme == "http":
            why = f"{self.host} leads from https to plain http, to {bare(url)}: we do not follow"
            raise NotPermitted(what, why, "correct the registry's external address")
        return url.copy_with(username=None, password=None, fragment=None)

    def _known_credentials(self) -> tuple[Credential, ...]:
        if self._credentials is None:
            self._credentials = self.network.credentials(self.endpoint)
        return self._credentials

    def _renew(
        self,
        answer: httpx.Response,
        scopes: tuple[str, ...],
        grant: Grant | None,
        tried: set[int],
        deadline: float,
    ) -> Grant | None:
        challenges = parse(answer.headers.get_list("www-authenticate"))
        if answer.status_code == 403 and grant is not None:
            # Known, and not allowed: another credential may be, nobody surely is not.
            tried.update((grant.credential, len(self._known_credentials())))
            challenges = ()
        plain = self.network.scheme(self.endpoint) == "http"

        def send(
            method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None
        ) -> Reply:
            return self._token(method, url, headers, content, deadline)

        return self.desk.obtain(
            challenges, scopes, self._known_credentials(), tried, send, plain=plain
        )

    def _token(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes | None,
        deadline: float,
    ) -> Reply:
        """One question to a token service. It is sent what `headers` say, and nothing of ours."""
        what = f"cannot sign in to {self.host}"
        patience = Patience(self.network.settings)
        while True:
            try:
                with until(deadline + patience.waited):
                    answer = self._follow(what, method, url, headers, None, content, own=False)
            except (httpx.TransportError, OSError) as error:
                trouble = lost(bare(url), error, patience.tries)
                if isinstance(trouble, NotTrusted | TooSlow) or not patience.wait():
                    raise trouble from None
                continue
            body = self.drained(answer, deadline + patience.waited, 1 << 20)
            if answer.status_code in AGAIN:
                asked = retry_after(answer.headers, self.network.settings.now())
                if patience.wait(asked):
                    continue
                raise denied(what, bare(url), answer.status_code, body, patience.words())
            return Reply(answer.status_code, answer.headers, body, answer.url)

    def _follow(
        self,
        what: str,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        grant: Grant | None,
        content: Content,
        *,
        own: bool = True,
    ) -> httpx.Response:
        home = origin(self.url("")) if own else origin(url)
        seen: set[str] = set()
        for _ in range(_HOPS + 1):
            if str(url) in seen:
                raise Unreachable(what, f"{self.host} redirects in a circle")
            seen.add(str(url))
            sent = dict(headers)
            if origin(url) != home:
                sent.pop("Authorization", None)
            elif own:
                sent |= {name: value.reveal() for name, value in self.endpoint.headers.items()}
                if grant is not None:
                    sent["Authorization"] = grant.header.reveal()
            client = self.network.client(self.endpoint, url)
            body = content() if callable(content) else content
            try:
                answer = client.send(
                    client.build_request(method, url, headers=sent, content=body), stream=True
                )
            except (httpx.InvalidURL, UnicodeError):  # httpx reads a Location on its own, too
                raise Unreachable(what, f"{self.host} leads to what is no address") from None
            location = answer.headers.get("location", "")
            if answer.status_code not in _REDIRECTS or not location:
                return answer
            self.drained(answer, time.monotonic() + self.network.settings.connect)
            kept = answer.status_code in (307, 308)
            if (method == "POST" and not own) or (not kept and method not in ("GET", "HEAD")):
                why = f"{self.host} redirects what is sent to it ({answer.status_code})"
                raise Unreachable(what, why, "check the registry's address")
            url = self.target(what, url, location)
        raise Unreachable(what, f"{self.host} redirects more than {_HOPS} times")

    def drained(self, answer: httpx.Response, deadline: float, largest: int = _SMALL) -> bytes:
        """What an answer says, as far as it is worth reading; closes it."""
        limit = min(deadline, time.monotonic() + 10.0)
        with contextlib.closing(answer), contextlib.suppress(httpx.TransportError), until(limit):
            return _whole(answer, largest, cut=True) or b""
        return b""


def _whole(answer: httpx.Response, largest: int, *, cut: bool) -> bytes | None:
    """The body as sent; None, or its beginning with `cut`, where it is larger."""
    parts: list[bytes] = []
    size = 0
    for part in answer.iter_raw():
        size += len(part)
        parts.append(part)
        if size > largest:
            return b"".join(parts)[:largest] if cut else None
    return b"".join(parts)
