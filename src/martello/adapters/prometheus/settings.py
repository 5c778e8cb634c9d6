"""How a Prometheus is spoken to: address, who we are, trust, and what bounds every question.

`settings` takes what the command line's options say. They map one to one:

    --prometheus URL            url            may hold a path (Mimir: https://HOST/prometheus) and
                                               USER:PASSWORD@, which is never shown
    --prometheus-token FILE     token_file     a bearer token; read anew for every question
    --prometheus-user FILE      user_file      USER:PASSWORD in a file, likewise
    --prometheus-header TEXT    headers        "NAME: VALUE" or "NAME: @FILE", repeatable;
                                               X-Scope-OrgID is Mimir's and Cortex' tenant
    --ca FILE                   ca             as everywhere: an authority to trust besides
    --cert FILE, --key FILE     cert, key      a certificate of ours
    --insecure                  insecure       as everywhere: plain HTTP for credentials, TLS that
                                               nobody verifies
    --cluster-label NAME=VALUE  cluster_label  of what several clusters report, only this one
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from martello.core.errors import BadInput, NotPermitted
from martello.core.secret import NOTHING, Secret

# Labels that only tell which of several equal servers has scraped.
REPLICAS: Final = (
    "prometheus_replica",
    "replica",
    "__replica__",
    "prometheus",
    "receive_replica",
    "rule_replica",
)
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+").fullmatch
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*").fullmatch
_OURS: Final = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "accept-encoding", "te")
)
_TELLING: Final = frozenset(("authorization", "cookie", "proxy-authorization"))
_LARGEST: Final = 64 << 10  # bytes of a file with a token


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All that may differ between two runs. Durations are seconds, sizes bytes."""

    url: str  # without user, query, fragment, and slash at its end
    token_file: str = ""
    user_file: str = ""
    user: Secret = NOTHING  # USER:PASSWORD
    headers: tuple[tuple[str, Secret], ...] = ()
    ca: str = ""
    cert: str = ""
    key: str = ""
    insecure: bool = False
    cluster: tuple[str, str] | None = None  # label and value
    replicas: tuple[str, ...] = REPLICAS
    partial: bool = False  # Thanos: go on where one of its stores is down
    environ: Mapping[str, str] = os.environ
    seconds: float = 60.0  # one exchange, whatever the other side does
    connect: float = 10.0
    largest: int = 64 << 20  # one answer, unpacked
    packed: bool = True  # gzip: a third of the bytes, for twice our work and more of the server's
    samples: int = 300_000  # wanted of one answer
    first: float = 3600.0  # the first piece of time that is asked for
    smallest: float = 60.0  # no piece is halved below this
    step: float = 300.0  # of what hardly ever changes: limits, the way a container ended
    tries: int = 5  # failures one after another
    wait: float = 0.5  # before the second try, doubled before each further one
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


def settings(
    url: str,
    *,
    token_file: str = "",
    user_file: str = "",
    headers: Iterable[str] = (),
    ca: str = "",
    cert: str = "",
    key: str = "",
    insecure: bool = False,
    cluster_label: str = "",
) -> Settings:
    """The settings that options say. Raises BadInput for an address that is none, a header that
    cannot be sent, credentials that would go out in the clear, and NotPermitted for a file that
    cannot be read. No message holds a secret.
    """
    address, user = _address(url)
    host = urlsplit(address).hostname or ""
    found = Settings(
        url=address,
        token_file=token_file,
        user_file=user_file,
        user=user,
        headers=tuple(map(_header, headers)),
        ca=ca,
        cert=cert,
        key=key,
        insecure=insecure,
        cluster=_cluster(cluster_label) if cluster_label else None,
        packed=not _here(host),
    )
    who = [one for one in (token_file, user_file, user) if one]
    if len(who) > 1:
        raise BadInput(
            "there are two answers to who we are",
            "a bearer token, a user's file and a user in the URL exclude each other",
            "give one of them",
        )
    telling = bool(who) or any(name.lower() in _TELLING for name, _ in found.headers)
    if telling and not insecure and address.startswith("http://") and not _here(host):
        raise BadInput(
            "credentials are not sent in the clear",
            f"{host} is asked over plain HTTP",
            "use https, forward a port, or say --insecure",
        )
    authorization(found)
    return found


def authorization(settings: Settings) -> tuple[Secret, Secret]:
    """The value of the Authorization header, read anew, and the word in it that nobody may see;
    NOTHING where there are no credentials. Raises NotPermitted for a file that cannot be read or
    holds none.
    """
    import base64

    if settings.token_file:
        token = read(settings.token_file, "the token file")
        return Secret(f"Bearer {token}"), Secret(token)
    told = settings.user.reveal()
    if settings.user_file:
        told = read(settings.user_file, "the user's file")
        if ":" not in told:
            raise NotPermitted(
                "cannot read the user's file", f"{settings.user_file} holds no USER:PASSWORD"
            )
    if not told:
        return NOTHING, NOTHING
    word = Secret(told.partition(":")[2])
    return Secret(f"Basic {base64.b64encode(told.encode()).decode()}"), word


def read(file: str, what: str) -> str:
    """The one line in a small file that holds a secret. Raises NotPermitted."""
    try:
        with Path(file).expanduser().open("rb") as opened:
            text = opened.read(_LARGEST + 1).decode("utf-8").strip()
    except OSError as error:
        why = f"{file}: {error.strerror or type(error).__name__}"
        raise NotPermitted(f"cannot read {what}", why, "correct its path, or its rights") from None
    except ValueError:
        text = ""
    if not text or len(text) > _LARGEST or not text.isprintable() or not text.isascii():
        raise NotPermitted(f"cannot read {what}", f"{file} holds no line of printable ASCII")
    return text


def _address(url: str) -> tuple[str, Secret]:
    """The address itself, and who we are there."""
    bad = BadInput("the address of Prometheus is no URL", "", "https://HOST[:PORT][/PATH]")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise bad from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable():
        raise bad
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    name = unquote(parts.username or "")
    user = Secret(f"{name}:{unquote(parts.password or '')}") if name else NOTHING
    place = host if port is None else f"{host}:{port}"
    path = parts.path.rstrip("/").removesuffix("/api/v1")
    return urlunsplit((parts.scheme, place, path, "", "")), user


def _header(text: str) -> tuple[str, Secret]:
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not _NAME(name) or name.lower() in _OURS:
        told = name if colon and _NAME(name) else "what was given"
        raise BadInput(
            f"cannot send a header: {told}", "it is no name of one, or ours to say", "NAME: VALUE"
        )
    if value.startswith("@"):
        value = read(value[1:], f"the file of the header {name}")
    if not value.isprintable() or not value.isascii():
        raise BadInput(f"cannot send the header {name}", "its value is no printable ASCII")
    return name, Secret(value)


def _cluster(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _LABEL(name):
        raise BadInput(f"{text!r} is no label of a cluster", "", "NAME=VALUE, as cluster=prod")
    return name, value


def _here(host: str) -> bool:
    from martello.adapters.registry.addresses import loopback

    return loopback(host)
