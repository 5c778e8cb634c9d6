"""ACC-027: a role is aggregated into a default role and makes it more powerful."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.grants import grants
from martello.practices.access.powers import POWERS, SHIPPED, first_held, own_role
from martello.practices.access.rules import CLUSTER_ROLE

_LABEL: Final = "rbac.authorization.k8s.io/aggregate-to-"


@check(
    "ACC-027",
    severity="high",
    kinds=(CLUSTER_ROLE,),
    fix="Remove the aggregation label and bind the role to those who need it.",
    frameworks={
        "cis-kubernetes": ["5.1.8"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1098.006"],
        "owasp-k8s": ["K03"],
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: crd-edit,
              labels: {rbac.authorization.k8s.io/aggregate-to-edit: "true"}},
              rules: [{verbs: ["*"], apiGroups: [example.com], resources: [widgets]}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: plain,
              labels: {rbac.authorization.k8s.io/aggregate-to-view: "false"}},
              rules: [{verbs: [get], apiGroups: [""], resources: [secrets]}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: more,
              labels: {rbac.authorization.k8s.io/aggregate-to-edit: "true"}},
              rules: [{verbs: [get], apiGroups: [""], resources: [secrets]}]}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: more,
              labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}},
              rules: [{verbs: [get], apiGroups: [""], resources: [pods]},
                {verbs: [get], apiGroups: [""], resources: [secrets]}]}
            """,
            at="rules[1]",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: more,
              labels: {rbac.authorization.k8s.io/aggregate-to-admin: "true"}},
              rules: [{verbs: [bind], apiGroups: [rbac.authorization.k8s.io], resources: [roles]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def widens_aggregated_role(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Role is aggregated into a default role and makes it more powerful.

    A ClusterRole with an aggregation label adds its rules to admin, edit or view, and so to
    everybody who is bound to these in any namespace. Nobody looks there when he reviews a
    binding to view.
    """
    role = grants(cluster).role(resource)
    if own_role(resource.ref.name):
        return
    for target in ("view", "edit", "admin"):
        if resource.labels.get(_LABEL + target) != "true":
            continue
        if role.broken:
            yield Hit(resource, ("rules",), role.broken, unassessed=True)
        for check_id, powers in POWERS.items():
            found = None if check_id in SHIPPED[target] else first_held(powers, role.rules)
            if found is not None:
                rule, right = found
                message = f"everybody bound to {target} gains the right to {right}"
                yield Hit(resource, ("rules", rule.index), message)
                return
