"""Credentials from the files that docker, podman and skopeo write, and from those named to us.

Source: docker's config.json, containers-auth.json(5).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.adapters.registry import helpers
from martello.adapters.registry.settings import Credential, Keyring, Settings
from martello.core.errors import BadInput, NotPermitted
from martello.core.secret import NOTHING, Secret

_LARGEST: Final = 4 << 20
_FRESH: Final = 600.0  # seconds for which a helper is not asked again for the same host
_HUB: Final = "https://index.docker.io/v1/"
_HUBS: Final = frozenset(("docker.io", "index.docker.io", "registry-1.docker.io"))


class Given(msgspec.Struct, frozen=True):
    """One credential for whatever is asked for below a name: `reg.local`, `reg.local/team`."""

    prefix: str
    credential: Credential

    def find(self, name: str) -> tuple[Credential, ...]:
        """The credential, where the name lies below the prefix."""
        below = name == self.prefix or name.startswith(f"{self.prefix}/")
        return (self.credential,) if below or not self.prefix else ()


class ConfigFile:
    """One config.json or auth.json, read when it is first asked."""

    def __init__(self, path: str, environ: Mapping[str, str], seconds: float = 30.0) -> None:
        self._path = path
        self._environ = environ
        self._seconds = seconds
        self._body: Mapping[str, Any] | None = None
        self._asked: dict[str, tuple[float, Credential | None]] = {}

    def __repr__(self) -> str:
        return f"ConfigFile({self._path})"

    def find(self, name: str) -> tuple[Credential, ...]:
        """The credential helper of the host, else the most specific entry for `host/repository`.

        Raises BadInput for a file that is none, NotPermitted where a helper fails.
        """
        if self._body is None:
            self._body = _read(self._path)
        host = name.partition("/")[0]
        key = _HUB if host in _HUBS else host
        named = _mapping(self._body.get("credHelpers"))
        helper = next((named[k] for k in (host, key) if k in named), None)
        if helper is None and host in _HUBS:
            helper = next((named[k] for k in _HUBS if k in named), None)
        found = []
        trouble: NotPermitted | None = None
        for program in (helper,) if helper is not None else (self._body.get("credsStore"),):
            if isinstance(program, str) and program:
                try:
                    answer = self._ask(program, key)
                except NotPermitted as error:
                    trouble, answer = error, None
                if answer is not None:
                    found.append(answer)
        entry = self._entry(name)
        if entry is not None:
            found.append(entry)
        if trouble is not None and not found:
            raise trouble
        return tuple(found)

    def _ask(self, program: str, host: str) -> Credential | None:
        now = time.monotonic()
        when, answer = self._asked.get(host, (float("-inf"), None))
        if now - when > _FRESH:
            answer = helpers.ask(program, host, self._environ, self._seconds, self._path)
            self._asked[host] = now, answer
        return answer

    def _entry(self, name: str) -> Credential | None:
        host, _, repository = name.partition("/")
        entries: dict[str, Any] = {}
        for key, value in _mapping(_mapping(self._body).get("auths")).items():
            entries.setdefault(_normal(key), value)
        hosts = [host, *sorted(_HUBS)] if host in _HUBS else [host]
        parts = repository.split("/") if repository else []
        for length in range(len(parts), -1, -1):
            for each in hosts:
                value = entries.get("/".join([each, *parts[:length]]))
                credential = parse_entry(value, self._path) if value is not None else None
                if credential is not None:
                    return credential
        return None


def keyrings(settings: Settings) -> tuple[Keyring, ...]:
    """The keyrings to try, in order: those that were named, else the files of this machine."""
    if settings.keyrings is not None:
        return settings.keyrings
    environ = settings.environ
    home, running = environ.get("HOME", ""), environ.get("XDG_RUNTIME_DIR", "")
    paths = [environ.get("REGISTRY_AUTH_FILE", "")]
    docker = environ.get("DOCKER_CONFIG", "") or (f"{home}/.docker" if home else "")
    paths.append(f"{docker}/config.json" if docker else "")
    paths.append(f"{running}/containers/auth.json" if running else "")
    paths.append(f"{home}/.config/containers/auth.json" if home else "")
    found: dict[str, Keyring] = {}
    for path in paths:
        if path and Path(path).is_file():
            found[path] = ConfigFile(path, environ, settings.helper)
    return tuple(found.values())


def parse_entry(value: Any, source: str) -> Credential | None:
    """One entry of `auths`: `auth`, or username and password, or a token; None where it is empty.
    Raises BadInput for an `auth` that is none.
    """
    entry = _mapping(value)
    user, password = _text(entry, "username"), _text(entry, "password")
    packed = _text(entry, "auth")
    if packed:
        try:
            plain = base64.b64decode("".join(packed.split()), validate=True).decode()
        except (binascii.Error, ValueError):
            raise BadInput(f"cannot read {source}", "an auth in it is no base64") from None
        user, colon, password = plain.partition(":")
        if not colon:
            raise BadInput(f"cannot read {source}", "an auth in it is no user:password")
        password = password.rstrip("\0")
    identity, bearer = _text(entry, "identitytoken"), _text(entry, "registrytoken")
    if user == "<token>" and password and not identity:
        user, identity, password = "", password, ""
    if not (identity or bearer or user or password):
        return None
    return Credential(
        source,
        user,
        Secret(password) if password else NOTHING,
        Secret(identity) if identity else NOTHING,
        Secret(bearer) if bearer else NOTHING,
    )


def _read(path: str) -> Mapping[str, Any]:
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is none"
        raise BadInput(f"cannot read {path}", why.lower()) from None
    body: Any = None
    if len(content) <= _LARGEST:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            body = msgspec.json.decode(content or b"{}")
    if not isinstance(body, dict):
        raise BadInput(f"cannot read {path}", "it is no JSON object of at most 4 MiB")
    return body


def _normal(key: str) -> str:
    """`https://host/v1/` is `host`."""
    key = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    for version in ("/v1", "/v2"):
        key = key.removesuffix(version)
    return key


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""
