"""ACC-903: steps that lead from a foothold to what was named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.practices.access.ways import hits

_BINDING = """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: deployers},
              subjects: [{kind: ServiceAccount, name: deployer, namespace: shop}],
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,
                name: operator}}
"""


@check(
    "ACC-903",
    severity="high",
    profile="opt-in",
    kinds=("cluster",),
    facts=("paths",),
    fix="Make the edits that `martello paths cut` proposes, the cheapest that end it.",
    frameworks={"owasp-k8s": ["K03"]},
    examples=(
        Example(True, "{apiVersion: v1, kind: Pod, metadata: {name: other}}"),
        Example(True, "{apiVersion: v1, kind: Namespace, metadata: {name: other}}"),
        Example(False, _BINDING, at="subjects[0]"),
        Example(
            False,
            _BINDING
            + """
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: deployer, namespace: shop}}
            """,
            at="subjects[0]",
        ),
    ),
)
def path_to_goal(cluster: Cluster, *, facts: Mapping[str, Any]) -> Iterator[Hit]:
    """Path leads to what must not be reached.

    Steps that are harmless one by one lead together from where an attacker may begin to what
    `[crown]` of martello.toml or `martello paths --to` names. The evidence lists them in their
    order.
    """
    yield from hits(cluster, facts["paths"], "ACC-903")
