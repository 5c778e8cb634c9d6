"""Which pods hold a token of the API server, and what the account behind it may do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.workload import Workload
from martello.practices.access.bindings import BINDINGS, Binding
from martello.practices.access.grants import grants
from martello.practices.access.posture import tokens

# What every authenticated client may do: look around in the API.
_DISCOVERY: Final = frozenset(
    (
        "system:basic-user",
        "system:discovery",
        "system:public-info-viewer",
        "system:service-account-issuer-discovery",
    )
)


def mounted(workload: Workload, cluster: Cluster) -> Path | None:
    """Where the pods get a token that the API server takes: a volume, or the switch that mounts it;
    None where they get none.
    """
    return next((token.place for token in tokens(workload, cluster) if token.opens_api), None)


def held(workload: Workload, cluster: Cluster) -> Iterator[Binding]:
    """The bindings that give the account of the pods more than discovery."""
    for binding in grants(cluster).of_account(workload.namespace, workload.service_account):
        if binding.role_name not in _DISCOVERY:
            yield binding


def unlisted(workload: Workload, cluster: Cluster) -> str:
    """Why it is not known whether the pods hold a token, or what it grants; or nothing."""
    kinds = list(BINDINGS)
    if workload.pod.get("automountServiceAccountToken") is None:
        kinds.append("ServiceAccount")
    return next((cluster.unlisted[kind] for kind in kinds if kind in cluster.unlisted), "")
