"""ImageReview of imagepolicy.k8s.io/v1alpha1, which the API server's own plug-in ImagePolicyWebhook
sends for pods. It tells neither who asks nor whether it is a dry run, and no image volumes.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from martello.core.errors import BadInput
from martello.gate.judge import Request, Verdict
from martello.gate.review import decode

VERSION: Final = "imagepolicy.k8s.io/v1alpha1"


def read(body: bytes) -> Request:
    """The review as the creation of a pod with these images. Raises BadInput."""
    spec = decode(body, "ImageReview", VERSION).get("spec")
    if not isinstance(spec, dict):
        raise BadInput("no review", "spec is no mapping")
    namespace, containers = spec.get("namespace") or "", spec.get("containers") or []
    if not isinstance(namespace, str) or not isinstance(containers, list):
        raise BadInput("no review", "spec.namespace or spec.containers is of a wrong type")
    pod: dict[str, Any] = {"spec": {"containers": containers}}
    return Request("CREATE", "", "v1", "pods", "Pod", "", namespace, pod)


def answer(verdict: Verdict) -> bytes:
    """The review with the verdict. What warnings say goes into the audit log here."""
    status: dict[str, Any] = {"allowed": verdict.allowed}
    if not verdict.allowed:
        status["reason"] = verdict.message
    told = dict(verdict.annotations)
    if verdict.warnings:
        told["warnings"] = "; ".join(verdict.warnings)[:1000]
    if told:
        status["auditAnnotations"] = told
    return orjson.dumps({"apiVersion": VERSION, "kind": "ImageReview", "status": status})
