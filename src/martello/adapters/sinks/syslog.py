"""Syslog: messages of RFC 5424 over UDP (RFC 5426), TCP with octet counting (RFC 6587) and TLS
(RFC 5425).

Over TCP and TLS each alert has a connection that is ended in order, and the receiver's end of it is
waited for: one that died with the alert unread resets the connection, and it is sent again. UDP
knows no answer: what is lost on the way is lost.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from typing import Final

import msgspec

from martello.adapters.sinks.text import heading, moment, places, plain
from martello.core.alert import Alert
from martello.core.sink import NotSent

_FACILITY: Final = 13  # log audit
_LEVELS: Final = {"critical": 2, "high": 3, "medium": 4, "low": 5, "info": 6}
_SECONDS: Final = 10.0
_PATIENCE: Final = 5.0  # seconds that the receiver may take to end the connection
_LARGEST: Final = 7_000  # bytes: receivers cut at 8 KiB
_DATAGRAM: Final = 1_400  # bytes: fits a packet everywhere
_BOM: Final = b"\xef\xbb\xbf"
# RFC 5424, 6.3.2: a name of one's own has an enterprise number; this one is for documentation.
_DATA: Final = "martello@32473"


class Address(msgspec.Struct, frozen=True):
    """Where, and how: udp, tcp or tls."""

    how: str
    host: str
    port: int


class Syslog:
    """One receiver. `context` is needed for TLS alone."""

    def __init__(self, name: str, address: Address, context: ssl.SSLContext | None = None) -> None:
        self.name = name
        self._at = address
        self._context = context

    def send(self, alert: Alert) -> None:
        """Sends one message."""
        largest = _DATAGRAM if self._at.how == "udp" else _LARGEST
        told = message(alert, socket.gethostname(), largest)
        try:
            if self._at.how == "udp":
                self._datagram(told)
            else:
                self._stream(b"%d %s" % (len(told), told))
        except OSError as error:
            raise NotSent(_words(error)) from None

    def check(self) -> None:
        """Connects (TCP, TLS) or looks the name up (UDP)."""
        try:
            if self._at.how == "udp":
                socket.getaddrinfo(self._at.host, self._at.port, type=socket.SOCK_DGRAM)
            else:
                self._stream(b"")
        except OSError as error:
            raise NotSent(_words(error)) from None

    def _datagram(self, told: bytes) -> None:
        found = socket.getaddrinfo(self._at.host, self._at.port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as opened:
            opened.sendto(told, address)

    def _stream(self, told: bytes) -> None:
        place = (self._at.host, self._at.port)
        with socket.create_connection(place, timeout=_SECONDS) as opened:
            if self._context is None:
                opened.sendall(told)
                _ended(opened)
                return
            with self._context.wrap_socket(opened, server_hostname=self._at.host) as secured:
                secured.sendall(told)
                secured.settimeout(_PATIENCE)
                # A receiver may end the connection without taking leave in TLS.
                with contextlib.suppress(ssl.SSLError, TimeoutError):
                    try:
                        _ended(secured.unwrap())
                    except ConnectionError:
                        raise
                    except OSError as error:
                        if error.errno:
                            raise


def _ended(opened: socket.socket) -> None:
    """Waits until the receiver has read everything and ends the connection. Raises
    ConnectionResetError where it went without reading.
    """
    opened.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + _PATIENCE
    opened.settimeout(_PATIENCE)
    with contextlib.suppress(TimeoutError):  # some leave it open: what was sent has arrived
        while opened.recv(4096) and time.monotonic() < deadline:
            pass


def message(alert: Alert, host: str, largest: int = _LARGEST) -> bytes:
    """The message of an alert, of at most so many bytes; what is cut is the end of its text."""
    told = {
        "id": alert.id,
        "key": alert.key,
        "rule": alert.rule,
        "severity": alert.severity,
        "state": alert.state,
        "repeats": str(alert.repeats),
        "first": moment(alert.first),
        **{name: value for name, value in places(alert).items() if _name(name) == name},
    }
    data = " ".join(f'{name}="{_quoted(value)}"' for name, value in told.items())
    head = (
        f"<{_FACILITY * 8 + _LEVELS.get(alert.severity, 4)}>1 {moment(alert.last)} "
        f"{_name(host, 255)} martello {os.getpid()} {_name(alert.rule, 32)} [{_DATA} {data}] "
    ).encode()
    text = plain(f"{heading(alert)}: {alert.says}").encode("utf-8", "replace")
    mark = b"" if text.isascii() else _BOM
    room = max(0, largest - len(head) - len(mark))
    cut = text[:room].decode("utf-8", "ignore").encode()
    return head + mark + cut


def _name(text: str, most: int = 32) -> str:
    """A word of printable ASCII."""
    kept = "".join(c for c in text if "!" <= c <= "~" and c not in '="]')
    return kept[:most] or "-"


def _quoted(value: str) -> str:
    """A value of structured data: `"`, `\\` and `]` are escaped (RFC 5424, 6.3.3)."""
    shown = plain(value, 200)
    return "".join(f"\\{c}" if c in '"\\]' else c for c in shown)


def _words(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return plain(error.strerror or str(error) or type(error).__name__, 200)
