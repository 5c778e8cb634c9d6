"""What went wrong between us and a registry, in words: what, why, and what to do next."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

import httpx
import msgspec

from martello.adapters.registry.transport import OutOfTime
from martello.core.errors import BadInput, MartelloError, NotPermitted, Unreachable

_TOLD: Final = 300  # characters of a registry's own explanation
_PHRASES: Final[Mapping[int, str]] = {
    429: "it asks for fewer requests (429)",
    500: "it failed inside (500)",
    502: "what stands before it cannot reach it (502)",
    503: "it is overloaded or down (503)",
    504: "what stands before it got no answer from it (504)",
}


class NotTrusted(Unreachable):
    """The certificate of a host does not hold: there is no use in trying again."""


class TooSlow(Unreachable):
    """The deadline has passed: a second try would take as long."""


class Missing(BadInput):
    """The registry answered that there is no such thing (404): it was asked in vain."""

    exit_code = 4


def words(message: Any, limit: int = _TOLD) -> str:
    """What a registry says, safe to show: printable, one line, bounded."""
    if not isinstance(message, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in message[: limit * 2]).split())[
        :limit
    ]


def told(content: bytes) -> tuple[str, str]:
    """The first code and the messages of a registry's error answer; empty where it is none."""
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(errors, list) or not errors:
        return "", ""
    found = [error for error in errors[:3] if isinstance(error, dict)]
    codes = [words(error.get("code"), 60) for error in found]
    messages = [
        words(error.get("message")) or code for error, code in zip(found, codes, strict=True)
    ]
    return next(iter(codes), ""), words("; ".join(filter(None, messages)))


def denied(what: str, host: str, status: int, content: bytes, tried: str = "") -> MartelloError:
    """An answer that is none of the wanted ones. `what` names what could not be done, `tried` what
    was done about it.
    """
    _, message = told(content)
    after = f", {tried}" if tried else ""
    detail = f": {message}" if message else ""
    if status == 404:
        return Missing(what, f"{host} does not have it (404){detail}{after}", "check the name")
    if status == 401:
        return NotPermitted(
            what,
            f"{host} does not accept who we are (401){detail}{after}",
            f"sign in (docker login {host}), or correct the credentials",
        )
    if status == 403:
        return NotPermitted(
            what, f"{host} refuses it (403){detail}{after}", "ask for the right, or sign in anew"
        )
    if status == 405:
        return NotPermitted(what, f"{host} does not allow it (405){detail}{after}")
    if status in _PHRASES or status >= 500:
        phrase = _PHRASES.get(status, f"it failed ({status})")
        return Unreachable(what, f"{host} did not help: {phrase}{detail}{after}", "try again later")
    if 400 <= status < 500:
        return BadInput(what, f"{host} does not take it ({status}){detail}{after}")
    return Unreachable(
        what,
        f"{host} answered with status {status}, which no registry should{after}",
        "check that this is the address of a registry",
    )


def lost(host: str, error: BaseException, tries: int) -> MartelloError:
    """A transport error of any depth, with its cause."""
    what = f"cannot reach {host}"
    cause = _root(error)
    count = f"{tries} {'try' if tries == 1 else 'tries'}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NotTrusted(
            f"cannot trust {host}",
            f"its certificate does not hold: {words(cause.verify_message)}",
            "name its certificate authority (SSL_CERT_FILE, or ca.crt in certs.d)",
        )
    if isinstance(cause, ssl.SSLError):
        reason = words((cause.reason or "").lower().replace("_", " "))
        if "certificate" in reason:
            why = f"it wants a client certificate, or does not take ours: {reason}"
            return NotTrusted(what, why, "put client.cert and client.key into its certs.d")
        why = f"it does not speak TLS as we do: {reason}"
        return Unreachable(what, why, "declare it insecure if it has no TLS, or check the port")
    if isinstance(cause, socket.gaierror):
        return Unreachable(what, "its name cannot be resolved", "check the name, DNS, or VPN")
    if isinstance(cause, ConnectionRefusedError):
        why = f"nothing listens there (connection refused, {count})"
        return Unreachable(what, why, "check the address and the port")
    if isinstance(error, OutOfTime) or isinstance(cause, OutOfTime):
        why = f"its answer came too slowly to be of use ({count})"
        return TooSlow(what, why, "check the network, or try again later")
    if isinstance(cause, TimeoutError) or "Timeout" in type(error).__name__:
        why = f"it did not answer in time ({count})"
        return Unreachable(what, why, "check the network, VPN, proxy or firewall")
    if isinstance(error, httpx.ProxyError):
        return Unreachable(what, "the proxy refused", "check HTTPS_PROXY and NO_PROXY")
    if isinstance(error, httpx.RemoteProtocolError):
        why = f"what it sends is no HTTP/1.1, or was cut short ({count})"
        return Unreachable(what, why, "check that this is the address of a registry")
    why = f"the connection broke: {words(str(cause)) or type(cause).__name__} ({count})"
    return Unreachable(what, why, "try again")


def _root(error: BaseException) -> BaseException:
    found, seen = error, error.__cause__ or error.__context__
    for _ in range(16):
        if isinstance(
            found,
            ssl.SSLError | socket.gaierror | ConnectionRefusedError | TimeoutError | OutOfTime,
        ):
            return found
        if seen is None:
            return found
        found, seen = seen, seen.__cause__ or seen.__context__
    return found
