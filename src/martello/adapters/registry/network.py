"""The connections of one run: pools by trust and proxy, tokens and schemes by host, kept for all
repositories and threads.
"""

from __future__ import annotations

import contextlib
import threading
import time
from http.cookiejar import DefaultCookiePolicy
from typing import Final

import httpx

import martello
from martello.adapters.registry import trust
from martello.adapters.registry.addresses import loopback
from martello.adapters.registry.auth import Desk
from martello.adapters.registry.credentials import keyrings
from martello.adapters.registry.failure import NotTrusted, lost
from martello.adapters.registry.hosts import Endpoint
from martello.adapters.registry.proxies import proxy_for
from martello.adapters.registry.settings import Credential, Settings
from martello.adapters.registry.transport import Transport, until
from martello.core.closing import Closing
from martello.core.errors import MartelloError

_SMALL: Final = 4 << 10  # bytes that are read so that the connection can be used again
_AGENT: Final = f"martello/{martello.__version__}"


class Network(Closing):
    """What all Registry objects of one run share. Thread safe; `close` ends its connections."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._keyrings = keyrings(settings)
        self._clients: dict[object, httpx.Client] = {}
        self._desks: dict[str, Desk] = {}
        self._schemes: dict[str, str] = {}
        self._lock = threading.RLock()

    def close(self) -> None:
        """Closes all connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def credentials(self, endpoint: Endpoint) -> tuple[Credential, ...]:
        """Who we may be there, in the order to try. Raises NotPermitted where a helper fails and
        no other credential is there.
        """
        found: list[Credential] = []
        trouble: MartelloError | None = None
        for keyring in self._keyrings:
            try:
                found += keyring.find(endpoint.name)
            except MartelloError as error:
                trouble = trouble or error
        if trouble is not None and not found:
            raise trouble
        return tuple(found)

    def desk(self, endpoint: Endpoint) -> Desk:
        """Where an endpoint's host is signed in to. What is granted there is kept by scope, which
        names the repository: one name's credentials never serve another's.
        """
        with self._lock:
            desk = Desk(endpoint.host, self.settings.ticks)
            return self._desks.setdefault(endpoint.address, desk)

    def scheme(self, endpoint: Endpoint) -> str:
        """https or http: as configured, else what a host that may have no TLS answers to when
        asked without credentials.
        """
        if endpoint.scheme:
            return endpoint.scheme
        with self._lock:
            known = self._schemes.get(endpoint.address)
        if known is not None:
            return known
        troubles: list[MartelloError] = []
        local = loopback(httpx.URL(f"https://{endpoint.address}").host)
        for scheme in ("http", "https") if local else ("https", "http"):
            try:
                status = self._probe(endpoint, scheme)
            except (httpx.TransportError, OSError) as error:
                troubles.append(lost(endpoint.host, error, 1))
                continue
            if scheme == "http" and status == 400:  # Go's answer to HTTP where TLS is spoken
                continue
            with self._lock:
                self._schemes[endpoint.address] = scheme
            return scheme
        untrusted = [trouble for trouble in troubles if isinstance(trouble, NotTrusted)]
        raise [*untrusted, *troubles][0]

    def client(self, endpoint: Endpoint, url: httpx.URL) -> httpx.Client:
        """The pool for a URL that an endpoint led to. Its authorities hold for all that it leads
        to; its client certificate is for it alone, and so is its leave not to be verified.
        """
        itself = httpx.URL(f"https://{endpoint.address}").host == url.host
        proxy = proxy_for(url, self.settings.environ)
        key = (
            endpoint.authorities,
            endpoint.clients if itself else (),
            endpoint.verify or not itself,
            str(proxy),
        )
        with self._lock:
            client = self._clients.get(key)
            if client is None:
                client = self._clients[key] = self._open(endpoint, itself, proxy)
        return client

    def _open(self, endpoint: Endpoint, itself: bool, proxy: httpx.URL | None) -> httpx.Client:
        if not itself:
            endpoint = Endpoint("", "", "", authorities=endpoint.authorities)
        context = trust.context(self.settings, endpoint)
        limits = self.settings
        client = httpx.Client(
            transport=Transport(context, proxy),
            timeout=httpx.Timeout(limits.silence, connect=limits.connect, pool=limits.exchange),
            headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"},
            trust_env=False,
            follow_redirects=False,
        )
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return client

    def _probe(self, endpoint: Endpoint, scheme: str) -> int:
        url = httpx.URL(f"{scheme}://{endpoint.address}{endpoint.root}/")
        client, size = self.client(endpoint, url), 0
        with until(time.monotonic() + self.settings.connect):
            answer = client.send(client.build_request("GET", url), stream=True)
            with contextlib.closing(answer):
                for part in answer.iter_raw():
                    size += len(part)
                    if size > _SMALL:
                        break
        return answer.status_code
