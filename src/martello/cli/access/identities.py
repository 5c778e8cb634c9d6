"""Every way to be somebody in a cluster, in the words of the report."""

from __future__ import annotations

from typing import Any, Final

from martello.cli.access.opening import Opened
from martello.cli.access.telling import place
from martello.core.cluster import Cluster
from martello.practices.access.model import Request
from martello.practices.access.posture import (
    Mapping,
    Token,
    anonymous_access,
    mappings,
    outward,
    secret_tokens,
    tokens,
)
from martello.practices.access.principals import account
from martello.report.access.model import Identities, Identity
from martello.report.text import plural

_ANONYMOUS: Final = {
    "yes": "may ask for everything that is granted to it",
    "no": "are not let in",
    "paths": "may ask for {} only",
    "unknown": "are let in unless the API server is told otherwise, which nothing here shows",
}
_SYSTEM: Final = "kube-system"
_EVERYTHING: Final = Request("*", "*", "*")
_KINDS: Final = ("Secret", "ServiceAccount", "ConfigMap")


def identities(opened: Opened, flags: dict[str, Any]) -> Identities:
    """All ways, those of outside first. With -n the tokens of these namespaces only; those of
    kube-system that may do little with --system.
    """
    spaces, cluster = frozenset(flags["namespaces"]), opened.cluster
    rows = [] if spaces else [_anonymous(cluster), *map(_mapped, mappings(cluster))]
    hidden = 0
    for one in _tokens(cluster):
        if spaces and one.namespace not in spaces:
            continue
        row = _token(one, opened)
        if one.namespace == _SYSTEM and not (row.grave or spaces or flags["system"]):
            hidden += 1
        else:
            rows.append(row)
    rows += [
        Identity(
            "cloud", f"{one.namespace}/{one.account}", one.outside, place(one.resource, one.place)
        )
        for one in outward(cluster)
        if not spaces or one.namespace in spaces
    ]
    notes = [f"and {plural(hidden, 'token')} of {_SYSTEM}: --system"] if hidden else []
    notes += [
        f"{kind} could not be listed ({cluster.unlisted[kind]}): there may be more"
        for kind in _KINDS
        if kind in cluster.unlisted
    ]
    missing = opened.missing
    return Identities(
        tuple(rows),
        tuple(notes),
        missing,
        3 if missing and not flags["allow_incomplete"] else 0,
    )


def _anonymous(cluster: Cluster) -> Identity:
    found = anonymous_access(cluster)
    return Identity(
        "anonymous",
        "requests without credentials",
        _ANONYMOUS[found.verdict].format(", ".join(found.paths)),
        found.source,
        grave=found.verdict == "yes",
    )


def _mapped(one: Mapping) -> Identity:
    as_user = f"user {one.username}" if one.username else "a user"
    groups = f" in {', '.join(one.groups)}" if one.groups else ""
    return Identity(
        "bootstrap" if one.resource.ref.kind == "Secret" else "mapped",
        one.outside,
        f"{as_user}{groups}",
        place(one.resource),
        grave=one.is_master,
        note="passes every authorizer" if one.is_master else "",
    )


def _tokens(cluster: Cluster) -> list[Token]:
    """Those of Secrets, then those of pods."""
    held = [*secret_tokens(cluster)]
    for workload in cluster.workloads():
        held += tokens(workload, cluster)
    return held


def _token(one: Token, opened: Opened) -> Identity:
    ref = one.resource.ref
    how = {"automount": "mounted by itself", "projected": "projected", "secret": "a Secret"}
    who = f"{ref.kind} {ref.namespace}/{ref.name}"
    note = ""
    if not one.opens_api:
        note = f"for {one.audience}: the API server does not take it"
    else:
        found = opened.access.can(account(one.namespace, one.account), _EVERYTHING)
        note = "may do everything" if found.verdict == "allowed" else ""
    return Identity(
        "token",
        who if ref.kind == "Secret" else f"{who}, {how[one.how]}",
        f"account {one.namespace}/{one.account}",
        place(one.resource, one.place),
        one.seconds,
        one.opens_api and (note != "" or not one.seconds),
        note,
    )
