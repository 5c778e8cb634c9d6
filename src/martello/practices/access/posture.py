"""How the cluster tells who asks, as far as objects show it: anonymous requests, tokens that do not
expire, tokens in pods, and mappings of cloud identities to users.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Resource
from martello.core.workload import Workload
from martello.practices.access.chain import server_flags
from martello.practices.access.model import MASTERS

AUTHENTICATION: Final = "AuthenticationConfiguration.apiserver.config.k8s.io"
CLOUD_ROLES: Final = (
    "eks.amazonaws.com/role-arn",
    "iam.gke.io/gcp-service-account",
    "azure.workload.identity/client-id",
)
_LEGACY: Final = "kubernetes.io/service-account-token"
_BOOTSTRAP: Final = "bootstrap.kubernetes.io/token"
_API: Final = "https://kubernetes.default.svc"
_HOUR: Final = 3600
_LARGEST: Final = 1 << 20  # bytes of a mapping that are read


class Token(msgspec.Struct, frozen=True):
    """A token of a service account. `how` is automount, projected, or secret; `audience` is empty
    for the API server's own; `seconds` is its life, 0 for ever; `place` is where it comes from.
    """

    namespace: str
    account: str
    how: str
    audience: str
    seconds: int
    resource: Resource
    place: Path

    @property
    def opens_api(self) -> bool:
        """Whether the API server takes it, as far as its audience says."""
        return self.audience in ("", _API) or self.audience.startswith(f"{_API}.")


class Mapping(msgspec.Struct, frozen=True):
    """An identity of outside (a cloud role, a bootstrap token) and what it becomes here."""

    outside: str
    username: str
    groups: tuple[str, ...]
    resource: Resource

    @property
    def is_master(self) -> bool:
        """Whether it may do everything."""
        return MASTERS in self.groups


class Outward(msgspec.Struct, frozen=True):
    """An account that may be an identity of a cloud: its annotation names which."""

    namespace: str
    account: str
    outside: str
    resource: Resource
    place: Path


class Anonymous(msgspec.Struct, frozen=True):
    """Whether requests without credentials are let in: `yes`, `no`, `paths` (only those given), or
    `unknown`, where it is the default of the API server: yes.
    """

    verdict: str
    paths: tuple[str, ...] = ()
    source: str = ""


def anonymous_access(cluster: Cluster) -> Anonymous:
    """Whether the API server lets anonymous requests in, by its configuration or its flags."""
    for resource in cluster.of_kind(AUTHENTICATION):
        written = resource.raw.get("anonymous")
        if not isinstance(written, dict):
            continue
        where = str(resource.locate(("anonymous",)))
        conditions = written.get("conditions")
        listed = conditions if isinstance(conditions, list) else []
        paths = tuple(
            c["path"] for c in listed if isinstance(c, dict) and isinstance(c.get("path"), str)
        )
        if written.get("enabled") is not True:
            return Anonymous("no", source=where)
        return Anonymous("paths" if paths else "yes", paths, where)
    flags = server_flags(cluster)
    if flags is None or "authentication-config" in flags[1]:
        return Anonymous("unknown")
    off = flags[1].get("anonymous-auth", "true") == "false"
    return Anonymous("no" if off else "yes", source=str(flags[0].locate()))


def tokens(workload: Workload, cluster: Cluster) -> Iterator[Token]:
    """Every token that the pods of a workload hold: projected ones count though mounting is off.
    The pod's switch wins over its account's; both absent means that one is mounted.
    """
    space, account = workload.namespace, workload.service_account
    volumes = workload.pod.get("volumes")
    for index, volume in enumerate(volumes if isinstance(volumes, list) else ()):
        if not isinstance(volume, dict):
            continue
        place: Path = (*workload.path, "volumes", index)
        for source in _sources(volume):
            audience, seconds = source.get("audience"), source.get("expirationSeconds")
            yield Token(
                space,
                account,
                "projected",
                audience if isinstance(audience, str) else "",
                seconds if isinstance(seconds, int) else _HOUR,
                workload.resource,
                place,
            )
        yield from _mounted_secret(volume, workload, cluster, place)
    own = workload.pod.get("automountServiceAccountToken")
    if own is None:
        found = cluster.get("ServiceAccount", space, account)
        own = found.raw.get("automountServiceAccountToken") if found else None
    if own is not False:
        place = (*workload.path, "automountServiceAccountToken")
        life = _HOUR if cluster.kubernetes >= 21 else 0  # before, the Secret of the account
        yield Token(space, account, "automount", "", life, workload.resource, place)


def _sources(volume: dict[str, Any]) -> Iterator[dict[str, Any]]:
    projected = volume.get("projected")
    sources = projected.get("sources") if isinstance(projected, dict) else None
    for source in sources if isinstance(sources, list) else ():
        token = source.get("serviceAccountToken") if isinstance(source, dict) else None
        if isinstance(token, dict):
            yield token


def _mounted_secret(
    volume: dict[str, Any], workload: Workload, cluster: Cluster, place: Path
) -> Iterator[Token]:
    secret = volume.get("secret")
    name = secret.get("secretName") if isinstance(secret, dict) else None
    if isinstance(name, str):
        found = cluster.get("Secret", workload.namespace, name)
        account = account_of_secret(found) if found else ""
        if account:
            yield Token(workload.namespace, account, "secret", "", 0, workload.resource, place)


def account_of_secret(secret: Resource) -> str:
    """The account whose token a Secret is asked to hold; empty for other Secrets."""
    if secret.raw.get("type") != _LEGACY:
        return ""
    return secret.annotations.get("kubernetes.io/service-account.name", "")


def secret_tokens(cluster: Cluster) -> Iterator[Token]:
    """The Secrets that hold a token which does not expire."""
    for secret in cluster.of_kind("Secret"):
        account = account_of_secret(secret)
        if account:
            yield Token(secret.ref.namespace, account, "secret", "", 0, secret, ("type",))


def mappings(cluster: Cluster) -> Iterator[Mapping]:
    """The identities of outside that objects map to users: aws-auth, IAMIdentityMapping, bootstrap
    tokens.
    """
    found = cluster.get("ConfigMap", "kube-system", "aws-auth")
    if found is not None:
        yield from _aws(found)
    for resource in cluster.of_kind("IAMIdentityMapping.iamauthenticator.k8s.aws"):
        yield from _mapping(resource.spec, "arn", resource)
    for secret in cluster.of_kind("Secret", "kube-system"):
        if secret.raw.get("type") == _BOOTSTRAP:
            name = secret.ref.name.removeprefix("bootstrap-token-")
            groups = ("system:bootstrappers", "system:authenticated")
            yield Mapping(f"bootstrap token {name}", f"system:bootstrap:{name}", groups, secret)


def outward(cluster: Cluster) -> Iterator[Outward]:
    """The accounts whose tokens a cloud takes for one of its own identities."""
    for resource in cluster.of_kind("ServiceAccount"):
        for key in CLOUD_ROLES:
            role = resource.annotations.get(key)
            if isinstance(role, str) and role:
                ref, place = resource.ref, ("metadata", "annotations", key)
                yield Outward(ref.namespace, ref.name, role, resource, place)


def _aws(found: Resource) -> Iterator[Mapping]:
    data = found.raw.get("data")
    for field, word in (("mapRoles", "rolearn"), ("mapUsers", "userarn")):
        text = data.get(field) if isinstance(data, dict) else None
        if not isinstance(text, str) or len(text) > _LARGEST:
            continue
        try:
            listed = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError):
            continue
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict):
                yield from _mapping(entry, word, found)


def _mapping(entry: dict[str, Any], word: str, resource: Resource) -> Iterator[Mapping]:
    outside, username, groups = entry.get(word), entry.get("username"), entry.get("groups")
    if isinstance(outside, str):
        listed = groups if isinstance(groups, list) else []
        named = tuple(group for group in listed if isinstance(group, str))
        yield Mapping(outside, username if isinstance(username, str) else "", named, resource)
