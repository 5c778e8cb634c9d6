"""What went wrong between us and an API server, in words: what, why, and what to do next."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from martello.core.errors import MartelloError, NotPermitted, Unreachable


class Denied(Exception):
    """The API server answered a call with an error status. `why` is its own explanation."""

    def __init__(self, status: int, why: str, body: Any = None) -> None:
        super().__init__(f"{why} ({status})")
        self.status = status
        self.why = why
        self.body = body


class TooLarge(Exception):
    """An answer is larger than we hold in memory at once."""


def words(message: Any, limit: int = 400) -> str:
    """A server's message, safe to show: printable, one line, bounded."""
    if not isinstance(message, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in message[:limit]).strip()


def unauthorized(server: str, source: str, why: str) -> NotPermitted:
    """401: nobody, or an expired or unknown somebody."""
    return NotPermitted(
        f"{server} does not accept who we are (401)",
        f"{source} is expired or unknown there" + (f": {why}" if why else ""),
        "sign in again, or choose another --context",
    )


def lost(server: str, error: BaseException, tries: int) -> MartelloError:
    """A transport error of any depth, as Unreachable with its cause."""
    cause = _root(error)
    what = f"cannot reach {server}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unreachable(
            f"cannot trust {server}",
            f"its certificate does not hold: {words(cause.verify_message)}",
            "set certificate-authority (or tls-server-name) of this cluster in the kubeconfig",
        )
    if isinstance(cause, ssl.SSLError):
        if "CERTIFICATE" in (cause.reason or "") or "ALERT" in (cause.reason or ""):
            why = "it refused our client certificate or TLS version"
        else:
            why = "it does not speak TLS as we do"
        reason = words((cause.reason or "").lower().replace("_", " "))
        return Unreachable(what, f"{why}: {reason}", "check the server address and certificates")
    if isinstance(cause, socket.gaierror):
        return Unreachable(what, "its name cannot be resolved", "check the server address, or VPN")
    if isinstance(cause, ConnectionRefusedError):
        why = f"nothing listens there (connection refused, {tries} tries)"
        return Unreachable(what, why, "start the cluster, or choose another --context")
    if isinstance(cause, TimeoutError) or "Timeout" in type(error).__name__:
        why = f"it did not answer in time ({tries} tries)"
        return Unreachable(what, why, "check the network, VPN, proxy-url or firewall")
    if type(error).__name__ == "ProxyError":
        return Unreachable(what, f"the proxy refused: {words(str(error))}", "check proxy-url")
    why = words(str(cause)) or type(cause).__name__
    return Unreachable(what, f"the connection broke: {why} ({tries} tries)", "try again")


def _root(error: BaseException) -> BaseException:
    seen: BaseException | None = error
    found = error
    for _ in range(16):
        if seen is None:
            break
        found = seen
        if isinstance(seen, ssl.SSLError | socket.gaierror | ConnectionRefusedError | TimeoutError):
            return seen
        if isinstance(seen, BaseExceptionGroup) and seen.exceptions:
            seen = seen.exceptions[0]
        else:
            seen = seen.__cause__ or seen.__context__
    return found
