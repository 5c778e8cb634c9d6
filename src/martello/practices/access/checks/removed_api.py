"""POD-046: objects of an apiVersion that the target version does not serve."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.kinds import removed, successor
from martello.core.resource import Resource


@check(
    "POD-046",
    severity="medium",
    kinds=("*",),
    fix="Write the object in the apiVersion that the message names; fields may have moved.",
    frameworks={"nsa-cisa": ("upgrading",), "owasp-k8s": ("K01",)},
    aliases={"kube-linter": ("no-extensions-v1beta",), "trivy": ("KSV-0107",)},
    examples=(
        Example(
            good=True,
            text="""\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
""",
        ),
        Example(
            good=True,
            kubernetes="1.24",
            text="""\
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: still-served}
""",
        ),
        Example(
            good=True,
            text="""\
apiVersion: extensions.example.com/v1beta1
kind: Deployment
metadata: {name: a-custom-kind}
""",
        ),
        Example(
            good=False,
            at="apiVersion",
            text="""\
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: web}
spec: {backend: {serviceName: web, servicePort: 80}}
""",
        ),
        Example(
            good=False,
            at="apiVersion",
            kubernetes="1.25",
            text="""\
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: no-successor}
spec: {privileged: false}
""",
        ),
    ),
)
def removed_api(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Object of an API version that is gone

    The API server refuses an object whose apiVersion it no longer serves, so the change is lost
    on the first cluster that is new enough. For policies, webhooks and roles this means that
    the protection is not there after an upgrade, and nothing says so but a failed deployment.
    """
    api_version, kind = resource.ref.api_version, resource.ref.kind
    gone = removed(api_version, kind)
    if gone is None or gone > cluster.kubernetes:
        return
    better = successor(api_version, kind, cluster.kubernetes)
    advice = f"use {better}" if better else "nothing of that name replaces it"
    message = f"{api_version} {kind} is not served since Kubernetes 1.{gone}; {advice}"
    yield Hit(resource, ("apiVersion",), message)
