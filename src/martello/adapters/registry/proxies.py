"""The proxy that the environment names for a host: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY.

As Go's httpproxy reads them, for that is what container runtimes do: upper or lower case, domains
with their subdomains, addresses, CIDR ranges, ports, `*`, and never a proxy for this machine.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Mapping

import httpx

from martello.adapters.registry.addresses import loopback, usable
from martello.core.errors import BadInput


def proxy_for(url: httpx.URL, environ: Mapping[str, str]) -> httpx.URL | None:
    """The proxy for a URL, or None. Raises BadInput for one that cannot be used."""
    text = _named(environ, f"{url.scheme}_proxy") or _named(environ, "all_proxy")
    if not text or loopback(url.host) or _exempt(url, _named(environ, "no_proxy")):
        return None
    if "://" not in text:
        text = f"http://{text}"
    with contextlib.suppress(httpx.InvalidURL, ValueError):
        proxy = httpx.URL(text)
        if usable(proxy):
            return proxy
    raise BadInput(
        "cannot use the proxy that the environment names",
        f"{url.scheme.upper()}_PROXY or ALL_PROXY is no http:// or https:// address",
        "correct it, or list the registry in NO_PROXY",
    )


def _named(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _exempt(url: httpx.URL, listed: str) -> bool:
    host = url.host.lower().rstrip(".")
    port = url.port or (443 if url.scheme == "https" else 80)
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None = None
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
    for raw in listed.split(","):
        entry = raw.strip().lower()
        if entry == "*":
            return True
        if not entry:
            continue
        if address is not None and "/" in entry:
            with contextlib.suppress(ValueError):
                if address in ipaddress.ip_network(entry, strict=False):
                    return True
            continue
        name, colon, digits = entry.rpartition(":")
        if colon and digits.isdecimal() and (":" not in name or name.endswith("]")):
            if int(digits[:6]) != port:
                continue
            entry = name
        entry = entry.strip("[]")
        if address is not None:
            if entry == host:
                return True
            continue
        entry = entry.removeprefix("*")
        if host == entry or host.endswith(entry if entry.startswith(".") else f".{entry}"):
            return True
    return False
