"""Directories like certs.d: containerd's hosts.toml, Docker's CA and client certificates by host.

Source: containerd's docs/hosts.md; dockerd(8) and containers-certs.d(5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from martello.adapters.registry import toml
from martello.adapters.registry.addresses import usable
from martello.core.errors import BadInput
from martello.core.secret import Secret

_ABILITIES: Final = frozenset(("pull", "resolve", "push"))
_MOST: Final = 32


class Host(msgspec.Struct, frozen=True):
    """One host of a hosts.toml; with `override` the path of `url` is the API's root."""

    url: httpx.URL
    override: bool
    abilities: frozenset[str]
    verify: bool
    authorities: tuple[str, ...]
    clients: tuple[tuple[str, str], ...]
    headers: Mapping[str, Secret]
    mirror: bool


def hosts(name: str, directories: Sequence[str]) -> tuple[Host, ...]:
    """The hosts to ask for images of a registry, in order, the server last; empty where no
    hosts.toml is there. Raises BadInput.
    """
    for directory in directories:
        for each in (*_spellings(name), "_default"):
            path = Path(directory, each, "hosts.toml")
            found = toml.load(path)
            if found is not None:
                return _hosts(name, found, path)
    return ()


def certificates(
    name: str, directories: Sequence[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The authorities (*.crt) and client certificates (*.cert with its *.key) for a host."""
    for directory in directories:
        for each in _spellings(name):
            place = Path(directory, each)
            try:
                names = sorted(entry.name for entry in place.iterdir())[:_MOST]
            except (OSError, ValueError):
                continue
            authorities = tuple(str(place / n) for n in names if n.endswith(".crt"))
            pairs = [n.removesuffix(".cert") for n in names if n.endswith(".cert")]
            clients = [(str(place / f"{n}.cert"), str(place / f"{n}.key")) for n in pairs]
            if authorities or clients:
                return authorities, tuple(clients)
    return (), ()


def _spellings(name: str) -> tuple[str, ...]:
    if ".." in name or "/" in name:
        return ()
    host, colon, port = name.rpartition(":")
    if colon and port.isdecimal():
        return (f"{host}_{port}_", name)
    return (name,)


def _hosts(name: str, found: Mapping[str, Any], path: Path) -> tuple[Host, ...]:
    listed = found.get("host", {})
    if not isinstance(listed, dict) or not all(isinstance(v, dict) for v in listed.values()):
        raise BadInput(f"cannot read {path}", "host is no table of tables")
    result = [_host(address, table, path, True) for address, table in [*listed.items()][:_MOST]]
    server = toml.text(found, "server", path) or f"https://{name}"
    result.append(_host(server, found, path, False))
    return tuple(result)


def _host(address: str, table: Mapping[str, Any], path: Path, mirror: bool) -> Host:
    try:
        url = httpx.URL(address if "://" in address else f"https://{address}")
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL()
    if not usable(url) or url.userinfo:
        raise BadInput(f"cannot read {path}", "a host is no http:// or https:// address")
    abilities = table.get("capabilities", sorted(_ABILITIES))
    if not isinstance(abilities, list) or not set(map(str, abilities)) <= _ABILITIES:
        raise BadInput(f"cannot read {path}", "capabilities are pull, resolve and push")
    return Host(
        url=url,
        override=toml.flag(table, "override_path", path),
        abilities=frozenset(abilities),
        verify=not toml.flag(table, "skip_verify", path),
        authorities=tuple(_files(table, "ca", path)),
        clients=tuple(_clients(table, path)),
        headers=_headers(table, path),
        mirror=mirror,
    )


def _files(table: Mapping[str, Any], key: str, path: Path) -> list[str]:
    value = table.get(key, [])
    files = [value] if isinstance(value, str) else value
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise BadInput(f"cannot read {path}", f"{key} is no path and no array of paths")
    return [str(path.parent / file) for file in files]


def _clients(table: Mapping[str, Any], path: Path) -> list[tuple[str, str]]:
    value = table.get("client", [])
    result = []
    for entry in [value] if isinstance(value, str) else value if isinstance(value, list) else [0]:
        pair = [entry, ""] if isinstance(entry, str) else entry
        if not (
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(p, str) for p in pair)
        ):
            raise BadInput(f"cannot read {path}", "client is neither paths nor pairs of paths")
        result.append((str(path.parent / pair[0]), str(path.parent / pair[1]) if pair[1] else ""))
    return result


def _headers(table: Mapping[str, Any], path: Path) -> Mapping[str, Secret]:
    value = table.get("header", {})
    if not isinstance(value, dict):
        raise BadInput(f"cannot read {path}", "header is no table")
    result = {}
    for key, content in value.items():
        parts = content if isinstance(content, list) else [content]
        joined = ", ".join(part for part in parts if isinstance(part, str))
        if not (key.isascii() and key.replace("-", "").isalnum() and joined.isprintable()):
            raise BadInput(f"cannot read {path}", "a header is no text")
        result[key] = Secret(joined)
    return result
