"""ACC-031: a service account is bound that does not exist."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.bindings import BINDINGS, Subject
from martello.practices.access.born import of_platform
from martello.practices.access.gaps import phantom
from martello.practices.access.grants import grants


@check(
    "ACC-031",
    severity="medium",
    kinds=BINDINGS,
    needs=("ServiceAccount",),
    fix="Create the account beside its binding, or remove the subject.",
    frameworks={
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1136"],
        "owasp-k8s": ["K03"],
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: ci, namespace: shop}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view},
              subjects: [{kind: ServiceAccount, name: ci}, {kind: ServiceAccount, name: default}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: ci, namespace: shop}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: "system:controller:some"},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view},
              subjects: [{kind: ServiceAccount, name: gone, namespace: kube-system}]}
            """,
        ),
        Example(
            True,
            """
            # The namespace of the account is filled in when the files are applied.
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: ci}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view},
              subjects: [{kind: ServiceAccount, name: ci, namespace: shop}]}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: ci, namespace: other}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view},
              subjects: [{kind: User, name: jo}, {kind: ServiceAccount, name: ci}]}
            """,
            at="subjects[1]",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: ci, namespace: shop}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view},
              subjects: [{kind: User, name: "system:serviceaccount:shop:typo"}]}
            """,
            at="subjects[0]",
        ),
    ),
)
def phantom_subject(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Binding names a service account that does not exist.

    The grant waits for whoever creates an account of that name, and creating accounts is a
    right that many hold. An account that was deleted leaves such bindings behind.
    """
    binding = grants(cluster).binding(resource)
    if of_platform(binding):
        return
    written = resource.raw.get("subjects")
    exact = isinstance(written, list) and len(written) == len(binding.subjects)
    where = "" if cluster.complete else " within these files"
    severity = "" if cluster.complete else "low"
    told: set[Subject] = set()
    for index, subject in enumerate(binding.subjects):
        if subject not in told and phantom(cluster, subject):
            told.add(subject)
            path = ("subjects", index) if exact else ("subjects",)
            yield Hit(resource, path, f"there is no {subject}{where}", severity=severity)
