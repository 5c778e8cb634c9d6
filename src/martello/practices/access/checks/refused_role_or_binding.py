"""ACC-037: a role or binding that the API server refuses to store."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS
from martello.practices.access.refusals import refusals

_SAID_TOO: Final = "roleRef to a Role"  # by ACC-030
_MOST: Final = 50  # faults of one object that are told


@check(
    "ACC-037",
    severity="medium",
    kinds=KINDS,
    fix=(
        "Give each rule verbs and either apiGroups with resources or, in a ClusterRole, "
        "nonResourceURLs; give the subjects of a ClusterRoleBinding their namespace."
    ),
    frameworks={"nsa-cisa": ["authentication-authorization"], "owasp-k8s": ["K03"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
              metadata: {name: r},
              rules: [{verbs: [get], nonResourceURLs: [/metrics]},
                {verbs: [get], apiGroups: [""], resources: [pods]}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r},
              subjects: [{kind: ServiceAccount, name: web}]}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: r, namespace: shop},
              rules: [{verbs: [get], apiGroups: [""], resources: [pods]},
                {verbs: [get], nonResourceURLs: [/metrics]}]}
            """,
            at="rules[1]",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
              metadata: {name: r},
              rules: [{verbs: [get], nonResourceURLs: [/metrics],
                apiGroups: [""], resources: [pods]}]}
            """,
            at="rules[0]",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
              metadata: {name: r},
              rules: [{verbs: [], apiGroups: [""], resources: [pods]}]}
            """,
            at="rules[0]",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
              metadata: {name: r},
              rules: [{verbs: [get], resources: [pods]}]}
            """,
            at="rules[0]",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
              metadata: {name: r},
              rules: [{verbs: [get], apiGroups: [""]}]}
            """,
            at="rules[0]",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r},
              subjects: [{kind: ServiceAccount, name: web}]}
            """,
            at="subjects[0]",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r},
              subjects: [{kind: User, name: jo}]}
            """,
            at="roleRef",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r},
              subjects: [{kind: User, name: jo, apiGroup: v1}]}
            """,
            at="subjects[0]",
        ),
    ),
)
def refused_role_or_binding(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Role or binding is refused by the API server.

    The object never comes into the cluster, so that who needs its rights does not get them, and
    an older one of the same name stays in force. Questions about rights count it as granting
    nothing.
    """
    for path, fault in islice(refusals(resource), _MOST):
        because = ("ACC-030", resource.ref) if fault == _SAID_TOO else None
        yield Hit(resource, path, f"refused: {fault}", because=because)
