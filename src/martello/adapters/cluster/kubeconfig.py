"""Kubeconfig files, merged and read as kubectl does, and the service account inside a pod."""

from __future__ import annotations

import base64
import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.adapters.cluster import credentials as sign_in
from martello.adapters.cluster.credentials import Credentials, file_or_data, text
from martello.core.errors import BadInput, Unreachable
from martello.core.own import Own
from martello.core.resource import kind_of

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_LARGEST: Final = 16 << 20  # bytes of one kubeconfig
_DEEPEST: Final = 100
_LISTS: Final = (("clusters", "cluster"), ("users", "user"), ("contexts", "context"))


class Access(msgspec.Struct, frozen=True):
    """How to reach one API server, and as whom."""

    name: str  # the context's
    server: str  # https://host:port, without a slash at the end
    credentials: Credentials
    namespace: str = ""
    authority: bytes = b""  # PEM; the system's authorities where it is empty
    insecure: bool = False
    server_name: str = ""
    proxy: str = ""
    own: Own | None = None  # what names our requests in the audit log


class Entry(msgspec.Struct, frozen=True):
    """One named cluster, user or context, and the directory that its relative paths start from."""

    body: Mapping[str, Any]
    base: Path
    where: str


class Config(msgspec.Struct, frozen=True):
    """The merged files: the first one that names a thing wins."""

    files: tuple[Path, ...]
    current: str
    clusters: Mapping[str, Entry]
    users: Mapping[str, Entry]
    contexts: Mapping[str, Entry]


def access(
    context: str | None,
    *,
    kubeconfig: str | None = None,
    environ: Mapping[str, str] | None = None,
    acting_as: str = "",
    groups: tuple[str, ...] = (),
    plugin_seconds: float = 60.0,
) -> Access:
    """How to reach the cluster of a context (the current one for None).

    Without any kubeconfig, and inside a pod, it is the pod's own service account. Raises BadInput
    for an unknown context or a broken file, NotPermitted where credentials cannot be had.
    """
    environ = os.environ if environ is None else environ
    config = load(kubeconfig, environ)
    nothing = not config.contexts and kubeconfig is None and context is None
    if nothing and environ.get("KUBERNETES_SERVICE_HOST"):
        return in_cluster(environ)
    found = _of_context(config, context, environ, plugin_seconds)
    headers = sign_in.acting_as(acting_as, groups)
    if not headers:
        return found
    changed = msgspec.structs.replace(found.credentials, impersonate=headers)
    return msgspec.structs.replace(found, credentials=changed)


def load(kubeconfig: str | None, environ: Mapping[str, str]) -> Config:
    """The merged kubeconfig: the given file, else those of KUBECONFIG, else `~/.kube/config`.

    Files of the list that do not exist are passed over; a file given by name must exist.
    """
    if kubeconfig is not None:
        files = [Path(kubeconfig).expanduser()]
        if not files[0].exists():
            raise BadInput(
                f"cannot read {files[0]}", "there is no such file", "correct --kubeconfig"
            )
    elif environ.get("KUBECONFIG"):
        files = [Path(name) for name in environ["KUBECONFIG"].split(os.pathsep) if name]
    else:
        files = [Path(environ.get("HOME") or "~").expanduser() / ".kube" / "config"]
    read = [(file, _parse(file)) for file in files if file.exists()]
    merged: dict[str, dict[str, Entry]] = {plural: {} for plural, _ in _LISTS}
    current = ""
    for file, body in read:
        current = current or text(body, "current-context", str(file))
        for plural, singular in _LISTS:
            _merge(merged[plural], body.get(plural), singular, file)
    tried = tuple(files)
    return Config(tried, current, merged["clusters"], merged["users"], merged["contexts"])


def in_cluster(environ: Mapping[str, str], directory: Path = SERVICE_ACCOUNT) -> Access:
    """The API server that a pod sees, as the pod's service account."""
    host = environ.get("KUBERNETES_SERVICE_HOST", "")
    port = environ.get("KUBERNETES_SERVICE_PORT") or "443"
    host = f"[{host}]" if ":" in host else host
    token = sign_in.token_file(directory / "token")
    namespace = directory / "namespace"
    return Access(
        name="in-cluster",
        server=f"https://{host}:{port}",
        credentials=Credentials(token, source="the pod's service account"),
        namespace=namespace.read_text().strip() if namespace.is_file() else "",
        authority=sign_in.read_small(directory / "ca.crt", "certificate authority"),
    )


def _parse(file: Path) -> dict[str, Any]:
    import yaml

    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise BadInput(f"cannot read {file}", error.strerror or str(error)) from None
    if len(content) > _LARGEST:
        raise BadInput(f"cannot read {file}", "it is larger than 16 MiB: no kubeconfig")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(content, Loader=loader):  # composing recurses, in C
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise BadInput(f"cannot read {file}", f"it is nested deeper than {_DEEPEST} levels")
        body = yaml.load(content, Loader=loader)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise BadInput(f"cannot read {file}", f"{error.problem}{place}") from None
    except (yaml.YAMLError, RecursionError, ValueError, UnicodeDecodeError):
        raise BadInput(f"cannot read {file}", "it is not YAML") from None
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise BadInput(f"cannot read {file}", f"a kubeconfig is a mapping, not a {kind_of(body)}")
    return body


def _merge(into: dict[str, Entry], entries: Any, singular: str, file: Path) -> None:
    if entries is None:
        return
    if not isinstance(entries, list):
        raise BadInput(f"cannot read {file}", f"{singular}s is a {kind_of(entries)}, not a list")
    for index, entry in enumerate(entries):
        place = f"{singular}s[{index}] of {file}"
        if not isinstance(entry, dict):
            raise BadInput(f"cannot read {place}", f"it is a {kind_of(entry)}, not a mapping")
        name, body = text(entry, "name", place), entry.get(singular)
        if body is None:
            body = {}
        if not isinstance(body, dict):
            raise BadInput(f"cannot read {place}", f"{singular} is a {kind_of(body)}")
        into.setdefault(name, Entry(body, file.parent.absolute(), f"{singular} {name} of {file}"))


def _of_context(
    config: Config, wanted: str | None, environ: Mapping[str, str], seconds: float
) -> Access:
    name = wanted or config.current
    files = ", ".join(map(str, config.files))
    if not name:
        raise Unreachable(
            "there is no cluster to read",
            f"no current context in {files}, and this is no pod",
            "give --kubeconfig FILE or --context NAME",
        )
    context = _named(config.contexts, name, "context", files)
    cluster = _named(
        config.clusters, text(context.body, "cluster", context.where), "cluster", files
    )
    user_name = text(context.body, "user", context.where)
    user = _named(config.users, user_name, "user", files) if user_name else None
    body, where = cluster.body, cluster.where
    server = text(body, "server", where).rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise BadInput(f"cannot read {where}", f"server {server!r} is no https:// address")
    insecure = body.get("insecure-skip-tls-verify") is True
    authority = file_or_data(
        body, "certificate-authority", cluster.base, where, what="certificate authority"
    )
    if insecure and authority:
        why = "it names a certificate-authority and says insecure-skip-tls-verify"
        raise BadInput(f"cannot read {where}", why, "keep one of them")
    return Access(
        name,
        server,
        _credentials(user, cluster, authority, environ, seconds) if user else Credentials(),
        text(context.body, "namespace", context.where),
        authority,
        insecure,
        text(body, "tls-server-name", where),
        text(body, "proxy-url", where),
    )


def _credentials(
    user: Entry, cluster: Entry, authority: bytes, environ: Mapping[str, str], seconds: float
) -> Credentials:
    stanza = user.body.get("exec")
    own = sign_in.static(user.body, user.base, user.where)
    if stanza is None or own.token or own.basic:  # as client-go: what is written wins
        return own
    if not isinstance(stanza, dict):
        raise BadInput(f"cannot read {user.where}", f"exec is a {kind_of(stanza)}, not a mapping")
    from martello.adapters.cluster import exec_plugin

    about: dict[str, Any] = {
        key: cluster.body[key]
        for key in ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
        if key in cluster.body
    }
    if authority:
        about["certificate-authority-data"] = base64.b64encode(authority).decode()
    given = exec_plugin.credentials(
        stanza,
        base=user.base,
        where=user.where,
        cluster=about,
        environ=environ,
        seconds=seconds,
    )
    return msgspec.structs.replace(given, impersonate=own.impersonate)


def _named(entries: Mapping[str, Entry], name: str, what: str, files: str) -> Entry:
    found = entries.get(name)
    if found is not None:
        return found
    near = difflib.get_close_matches(name, list(entries), 1)
    known = ", ".join(sorted(entries)[:10]) or "none"
    raise BadInput(
        f"there is no {what} {name!r} in {files}",
        f"the {what}s there are: {known}",
        f"did you mean {near[0]}?" if near else "",
    )
