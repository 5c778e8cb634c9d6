"""Addresses that registries lead to: whether they can be used, how they are shown, when two are of
one origin.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import httpx

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?\.?").fullmatch
_SHOWN: Final = 300


def usable(url: httpx.URL) -> bool:
    """Whether a URL is an http or https address of a host that can exist."""
    if url.scheme not in ("http", "https"):
        return False
    try:
        return bool(_HOST(url.host) or ipaddress.IPv6Address(url.host))
    except ValueError:
        return False


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port: what credentials are for."""
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def bare(url: httpx.URL) -> str:
    """A URL without what may hold secrets: user, query and fragment."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = f":{url.port}" if url.port else ""
    text = f"{url.scheme}://{host}{port}{url.path}"
    return "".join(c for c in text if c.isprintable())[:_SHOWN]


def loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
