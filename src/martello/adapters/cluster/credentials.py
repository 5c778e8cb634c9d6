"""Who we are to an API server: tokens, client certificates and impersonation, which never print."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput, NotPermitted
from martello.core.resource import kind_of
from martello.core.secret import NOTHING, Secret

_LARGEST: Final = 1 << 20  # bytes of a token or certificate file


class Credentials(msgspec.Struct, frozen=True):
    """What is sent to prove who asks. Empty parts are not sent."""

    token: Secret = NOTHING
    basic: Secret = NOTHING  # user:password
    certificate: bytes = b""
    key: Secret = NOTHING
    impersonate: tuple[tuple[str, str], ...] = ()  # headers
    source: str = "no credentials"  # for messages: what kind they are and where they come from

    def headers(self) -> list[tuple[str, str]]:
        """The HTTP headers that carry the token and the impersonation, one for each group."""
        found = list(self.impersonate)
        if self.token:
            found.append(("Authorization", f"Bearer {self.token.reveal()}"))
        elif self.basic:
            words = base64.b64encode(self.basic.reveal().encode()).decode()
            found.append(("Authorization", f"Basic {words}"))
        return found


def text(stanza: Mapping[str, Any], key: str, where: str) -> str:
    """A string of a kubeconfig stanza; empty where it is absent or null."""
    value = stanza.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadInput(
            f"cannot read {where}", f"{key} is a {kind_of(value)}, not a string", "quote the value"
        )
    return value


def file_or_data(
    stanza: Mapping[str, Any], key: str, base: Path, where: str, *, what: str
) -> bytes:
    """The bytes of `KEY-data` (base64), else of the file that `KEY` names, as in kubectl."""
    data = text(stanza, f"{key}-data", where)
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise BadInput(f"cannot read {where}", f"{key}-data is not base64") from None
    name = text(stanza, key, where)
    return read_small(base / name, what) if name else b""


def read_small(file: Path, what: str) -> bytes:
    """A small file that the kubeconfig names. Raises NotPermitted with the file and the reason."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise NotPermitted(
            f"cannot read the {what}",
            f"{file}: {error.strerror or error}",
            "renew it, or correct its path in the kubeconfig",
        ) from None
    if len(content) > _LARGEST:
        raise BadInput(f"cannot read the {what}", f"{file} is larger than 1 MiB")
    return content


def token_file(file: Path) -> Secret:
    """The token in a file, without the line end around it. Raises NotPermitted for an empty one."""
    try:
        token = read_small(file, "token file").decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token:
        raise NotPermitted(
            "cannot read the token file", f"{file} holds no token", "renew the token"
        )
    return Secret(token)


def static(user: Mapping[str, Any], base: Path, where: str) -> Credentials:
    """The credentials that a `user:` stanza holds itself; exec plugins are `exec_plugin`'s.

    Raises BadInput for what it cannot read and NotPermitted for `auth-provider`, which Kubernetes
    1.26 removed.
    """
    if isinstance(user.get("auth-provider"), dict):
        name = user["auth-provider"].get("name", "")
        raise NotPermitted(
            f"cannot sign in with {where}",
            f"it uses auth-provider {name!r}, which Kubernetes removed in 1.26",
            "let the provider's own tool write a kubeconfig with an exec plugin",
        )
    token = Secret(text(user, "token", where))
    source = f"the token in {where}"
    if text(user, "tokenFile", where):
        file = base / text(user, "tokenFile", where)
        token, source = token_file(file), f"the token in {file}"
    certificate = file_or_data(user, "client-certificate", base, where, what="client certificate")
    key = file_or_data(user, "client-key", base, where, what="client key")
    if key and not certificate:
        raise BadInput(f"cannot read {where}", "there is a client-key without client-certificate")
    name, password = text(user, "username", where), text(user, "password", where)
    if not token:
        source = f"the client certificate in {where}" if certificate else "no credentials"
        source = f"the password in {where}" if name else source
    return Credentials(
        token,
        Secret(f"{name}:{password}") if name else NOTHING,
        certificate,
        Secret(key.decode("ascii", "replace")),
        impersonation(user, where),
        source,
    )


def impersonation(user: Mapping[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    """The headers of `as`, `as-uid` and `as-groups`."""
    groups = user.get("as-groups") or []
    if not isinstance(groups, list) or not all(isinstance(g, str) for g in groups):
        raise BadInput(f"cannot read {where}", "as-groups is not a list of strings")
    return acting_as(text(user, "as", where), groups, text(user, "as-uid", where))


def acting_as(
    user: str, groups: list[str] | tuple[str, ...], uid: str = ""
) -> tuple[tuple[str, str], ...]:
    """The impersonation headers for a user and groups. Raises BadInput for groups alone."""
    if not user:
        if groups or uid:
            raise BadInput("cannot act as a group alone", "a user must be named", "give --as USER")
        return ()
    found = [("Impersonate-User", user)]
    if uid:
        found.append(("Impersonate-Uid", uid))
    found += [("Impersonate-Group", group) for group in groups]
    return tuple(found)
