"""ACC-035: pods name a service account that does not exist."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload


@check(
    "ACC-035",
    severity="medium",
    kinds=("workload",),
    fix="Create the account in the namespace of the workload, or correct its name.",
    frameworks={"nsa-cisa": ["authentication-authorization"], "owasp-k8s": ["K03"]},
    aliases={"kube-linter": ("non-existent-service-account",), "kubescape": ("C-0307",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              serviceAccountName: web, containers: [{name: c, image: "web:1"}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              containers: [{name: c, image: "web:1"}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: other}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              serviceAccountName: web, containers: [{name: c, image: "web:1"}]}}
            """,
            at="spec.serviceAccountName",
        ),
        Example(
            False,
            """
            {apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {
              template: {spec: {serviceAccount: web, containers: [{name: c, image: "web:1"}]}}}}}}
            """,
            at="spec.jobTemplate.spec.template.spec.serviceAccount",
        ),
    ),
)
def service_account_missing(workload: Workload, cluster: Cluster) -> Iterator[Hit]:
    """Pods name a service account that does not exist.

    The API server refuses every pod of this workload until somebody creates the account.
    Whoever does so decides what the workload may do.
    """
    name = workload.pod.get("serviceAccountName")
    key = "serviceAccount" if not _written(workload, "serviceAccountName") else "serviceAccountName"
    path = (*workload.path, key)
    resource = workload.resource
    if not isinstance(name, str):
        yield Hit(resource, path, "the name of the account is no text", unassessed=True)
        return
    if name == "default" or any(cluster.meant("ServiceAccount", workload.namespace, name)):
        return
    reason = cluster.unlisted.get("ServiceAccount")
    if reason is not None:
        yield Hit(resource, path, f"accounts could not be read: {reason}", unassessed=True)
        return
    where = "" if cluster.complete else " within these files"
    message = f"there is no ServiceAccount {name} in its namespace{where}"
    yield Hit(resource, path, message, severity="" if cluster.complete else "low")


def _written(workload: Workload, key: str) -> bool:
    """Whether the field stands in the object itself: the defaults fill both twins."""
    spec: object = workload.resource.raw
    for part in workload.path:
        spec = spec.get(part) if isinstance(spec, dict) else None
    return isinstance(spec, dict) and bool(spec.get(key))
