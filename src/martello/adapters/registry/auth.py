"""Signing in to one registry: Basic, or Bearer tokens kept by scope until they expire.

Source: the distribution project's token, OAuth2 and scope specifications.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import httpx
import msgspec

from martello.adapters.registry.addresses import bare, usable
from martello.adapters.registry.challenge import Challenge
from martello.adapters.registry.failure import denied, told
from martello.adapters.registry.settings import Credential
from martello.core.errors import MartelloError, NotPermitted, Unreachable
from martello.core.secret import NOTHING, Secret

_SHORTEST: Final = 60.0  # seconds that a token lives where its service says nothing
_LONGEST: Final = 12 * 3600.0
_EARLY: Final = 10.0  # seconds before its end at which a token is no longer used
_ANONYMOUS: Final = Credential("no credentials")
_CLIENT: Final = "martello"
_KEPT: Final = 10_000
_TOKEN: Final = re.compile(r"[!-~]+").fullmatch


class Grant(msgspec.Struct, frozen=True):
    """What is sent as Authorization, and until when. `credential` is the place in the order."""

    header: Secret
    until: float
    credential: int


class Reply(Protocol):
    """An answer, whole."""

    @property
    def status(self) -> int: ...
    @property
    def content(self) -> bytes: ...


Send = Callable[[str, httpx.URL, Mapping[str, str], bytes | None], Reply]


class Desk:
    """Where one registry is signed in to, for any number of threads."""

    def __init__(self, host: str, ticks: Callable[[], float]) -> None:
        self.host = host
        self._ticks = ticks
        self._grants: dict[tuple[str, ...], Grant] = {}
        self._challenges: dict[tuple[str, ...], tuple[Challenge, ...]] = {}
        self._lock = threading.Lock()
        self._secrets: set[str] = set()

    def known(self, scopes: tuple[str, ...]) -> Grant | None:
        """What was granted for the scopes before, if it still holds."""
        with self._lock:
            grant = self._grants.get(scopes)
        return grant if grant is not None and grant.until > self._ticks() else None

    def obtain(
        self,
        challenges: Sequence[Challenge],
        scopes: tuple[str, ...],
        credentials: Sequence[Credential],
        tried: Iterable[int],
        send: Send,
        *,
        plain: bool,
    ) -> Grant | None:
        """A new grant from the first credential that was not tried and that the token service
        takes, else without any; None where all are used up.

        `plain` says that the registry itself is spoken to without TLS. Raises Unreachable where the
        token service does not answer, NotPermitted where it may not be asked.
        """
        used = set(tried)
        with self._lock:
            if challenges:
                self._challenges[scopes] = tuple(challenges)
            challenges = self._challenges.get(scopes, ())
        bearer = next(
            (c for c in challenges if c.scheme == "bearer" and c.params.get("realm")), None
        )
        basic = any(c.scheme == "basic" for c in challenges)
        order = [*credentials, *([_ANONYMOUS] if bearer else [])]
        for place, credential in enumerate(order):
            if place in used:
                continue
            self._remember(credential)
            grant = None
            if bearer is not None:
                grant = self._by_bearer(bearer, scopes, place, credential, send, plain)
            elif basic and (credential.user or credential.password):
                grant = Grant(_basic(credential), float("inf"), place)
            if grant is not None:
                with self._lock:
                    if len(self._grants) >= _KEPT:
                        self._grants.clear()
                    self._grants[scopes] = grant
                return grant
        with self._lock:
            self._grants.pop(scopes, None)
        return None

    def hidden(self, text: str) -> str:
        """A text without any secret that was used here, should a peer have echoed one."""
        with self._lock:
            secrets = sorted(self._secrets, key=len, reverse=True)
        for secret in secrets:
            text = text.replace(secret, "(redacted)")
        return text

    def _remember(self, credential: Credential, *more: str) -> None:
        values = [credential.password, credential.identity, credential.bearer]
        found = {value.reveal() for value in values if value} | {m for m in more if m}
        if credential.password:
            found.add(_basic(credential).reveal().partition(" ")[2])
        with self._lock:
            if len(self._secrets) < _KEPT:
                self._secrets |= {secret for secret in found if len(secret) >= 4}

    def _by_bearer(
        self,
        challenge: Challenge,
        scopes: tuple[str, ...],
        place: int,
        credential: Credential,
        send: Send,
        plain: bool,
    ) -> Grant | None:
        if credential.bearer:
            return Grant(_bearer(credential.bearer.reveal()), float("inf"), place)
        realm = _realm(challenge, self.host, plain)
        service = challenge.params.get("service", "")
        wanted = list(scopes)
        offered = challenge.params.get("scope", "")
        wanted += [scope for scope in offered.split()[:16] if scope not in wanted]
        reply = _ask(realm, service, wanted, credential, send)
        if reply.status in (400, 401, 403, 404):
            return None  # this credential is not taken: the next may be
        if reply.status != 200:
            what = f"cannot sign in to {self.host}"
            raise denied(what, bare(realm), reply.status, reply.content)
        token, seconds = _token(reply.content, realm, self.host)
        self._remember(credential, token)
        return Grant(_bearer(token), self._ticks() + seconds - min(_EARLY, seconds / 2), place)


def refused(
    what: str, host: str, content: bytes, credentials: Sequence[Credential]
) -> MartelloError:
    """401 after all credentials: names where they were found, never what they are."""
    sources = list(dict.fromkeys(credential.source for credential in credentials))
    tried = f"tried with {', '.join(sources)}" if sources else "and there are no credentials for it"
    _, message = told(content)
    detail = f": {message}" if message else ""
    return NotPermitted(
        what,
        f"{host} does not accept who we are (401){detail}; {tried}",
        "correct or renew those credentials" if sources else f"sign in: docker login {host}",
    )


def _realm(challenge: Challenge, host: str, plain: bool) -> httpx.URL:
    what = f"cannot sign in to {host}"
    try:
        realm = httpx.URL(challenge.params["realm"])
    except (httpx.InvalidURL, ValueError):
        realm = httpx.URL()
    if not usable(realm):
        raise Unreachable(what, "the token service that it names is no address")
    if realm.scheme == "http" and not plain:
        raise NotPermitted(
            what, f"it wants credentials to be sent without TLS, to {bare(realm)}: we do not"
        )
    return realm.copy_with(username=None, password=None, fragment=None)


def _ask(
    realm: httpx.URL, service: str, scopes: list[str], credential: Credential, send: Send
) -> Reply:
    if credential.identity:
        form = {
            "grant_type": "refresh_token",
            "service": service,
            "client_id": _CLIENT,
            "scope": " ".join(scopes),
            "refresh_token": credential.identity.reveal(),
        }
        return send("POST", realm, _FORM, urlencode(form).encode())
    pairs = [("service", service)] if service else []
    pairs += [("scope", scope) for scope in scopes]
    headers = {}
    if credential.user or credential.password:
        pairs += [("account", credential.user)]
        headers["Authorization"] = _basic(credential).reveal()
    reply = send("GET", _with(realm, pairs), headers, None)
    if reply.status == 405 and credential.password:
        form = {
            "grant_type": "password",
            "service": service,
            "client_id": _CLIENT,
            "scope": " ".join(scopes),
            "username": credential.user,
            "password": credential.password.reveal(),
        }
        return send("POST", realm, _FORM, urlencode(form).encode())
    return reply


_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


def _with(realm: httpx.URL, pairs: list[tuple[str, str]]) -> httpx.URL:
    return realm.copy_with(params=httpx.QueryParams([*realm.params.multi_items(), *pairs]))


def _token(content: bytes, realm: httpx.URL, host: str) -> tuple[str, float]:
    body: Any = None
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = None
    found = (body.get("token") or body.get("access_token")) if isinstance(body, dict) else None
    if not isinstance(found, str) or len(found) > 64 << 10 or not _TOKEN(found):
        why = f"what {bare(realm)} answers holds no token"
        raise Unreachable(f"cannot sign in to {host}", why, "check the registry's token service")
    seconds = body.get("expires_in")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds > 0:
        seconds = _SHORTEST
    return found, min(float(seconds), _LONGEST)


def _basic(credential: Credential) -> Secret:
    pair = f"{credential.user}:{credential.password.reveal()}"
    return Secret(f"Basic {base64.b64encode(pair.encode()).decode()}")


def _bearer(token: str) -> Secret:
    return Secret(f"Bearer {token}") if token else NOTHING
