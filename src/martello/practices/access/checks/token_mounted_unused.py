"""ACC-034: pods hold a token that opens nothing."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.access.tokens import held, mounted, unlisted


@check(
    "ACC-034",
    severity="low",
    kinds=("workload",),
    fix="Set automountServiceAccountToken to false on the pod or on its account.",
    frameworks={
        "cis-kubernetes": ["5.1.6"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1528"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "checkov": ("CKV_K8S_38",),
        "trivy": ("KSV-0036",),
        "kubescape": ("C-0190", "C-0034", "C-0261"),
        "polaris": ("automountServiceAccountToken",),
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {
              automountServiceAccountToken: false, containers: [{name: c, image: "web:1"}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: shop},
              automountServiceAccountToken: false}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              serviceAccountName: web, containers: [{name: c, image: "web:1"}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              serviceAccountName: web, containers: [{name: c, image: "web:1"}]}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view},
              subjects: [{kind: ServiceAccount, name: web}]}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: shop},
              automountServiceAccountToken: false}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              serviceAccountName: web, automountServiceAccountToken: true,
              containers: [{name: c, image: "web:1"}]}}
            """,
            at="spec.automountServiceAccountToken",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {spec: {
              containers: [{name: c, image: "web:1"}]}}}}
            """,
            at="spec.template.spec",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {
              automountServiceAccountToken: false, containers: [{name: c, image: "web:1"}],
              volumes: [{name: v, emptyDir: {}}, {name: t, projected: {sources: [
                {serviceAccountToken: {path: token}}]}}]}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: "system:discovery"},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,
                name: "system:discovery"},
              subjects: [{kind: Group, name: "system:authenticated"}]}
            """,
            at="spec.volumes[1]",
        ),
    ),
)
def token_mounted_unused(workload: Workload, cluster: Cluster) -> Iterator[Hit]:
    """Pods hold a token that opens nothing.

    A token is mounted, and the account behind it is granted nothing but discovery. It still
    tells an attacker who he is, lets him ask the API server for its version and its resources,
    and gains every right that somebody adds to the account later.
    """
    path = mounted(workload, cluster)
    if path is None:
        return
    switch = workload.pod.get("automountServiceAccountToken")
    if switch is not None and not isinstance(switch, bool):
        reason = "automountServiceAccountToken is no boolean"
        yield Hit(workload.resource, path, reason, unassessed=True)
        return
    if next(held(workload, cluster), None) is not None:
        return
    reason = unlisted(workload, cluster)
    if reason:
        message = f"the grants could not be read: {reason}"
        yield Hit(workload.resource, path, message, unassessed=True)
        return
    account = workload.service_account
    yield Hit(workload.resource, path, f"mounts a token of account {account}, which may do nothing")
