"""AdmissionReview of admission.k8s.io/v1: the question as it comes, the answer as it goes."""

from __future__ import annotations

import base64
from typing import Any, Final

import orjson

from martello.core.errors import BadInput
from martello.gate.judge import Request, User, Verdict

VERSION: Final = "admission.k8s.io/v1"
_OPERATIONS: Final = ("CREATE", "UPDATE", "DELETE", "CONNECT")
_LONGEST: Final = 1024  # characters of a name or uid


def decode(body: bytes, kind: str, version: str) -> dict[str, Any]:
    """The JSON of a review. Raises BadInput where it is none of this kind and version."""
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInput("no review", f"the body is no JSON: {error.msg}") from None
    if not isinstance(review, dict) or review.get("kind") != kind:
        raise BadInput("no review", f"the body is no {kind}")
    if review.get("apiVersion") != version:
        said = str(review.get("apiVersion"))[:60]
        raise BadInput("no review of a version that is spoken here", f"{said}; use {version}")
    return review


def read(body: bytes) -> Request:
    """The request of a review. Raises BadInput for what the API server would not send."""
    asked = _map(decode(body, "AdmissionReview", VERSION).get("request"), "request")
    operation = _text(asked, "operation")
    if operation not in _OPERATIONS:
        raise BadInput("no review", f"request.operation is {operation[:60]!r}")
    kind, resource = _map(asked.get("kind"), "request.kind"), asked.get("resource")
    resource = _map(resource if resource is not None else {}, "request.resource")
    user = _map(asked.get("userInfo") or {}, "request.userInfo")
    uid = _text(asked, "uid")
    if not uid:
        raise BadInput("no review", "request.uid is missing")
    return Request(
        operation=operation,
        group=_text(kind, "group"),
        version=_text(kind, "version"),
        resource=_text(resource, "resource"),
        kind=_text(kind, "kind"),
        name=_text(asked, "name"),
        namespace=_text(asked, "namespace"),
        object=_object(asked.get("object"), "request.object"),
        old=_object(asked.get("oldObject"), "request.oldObject"),
        subresource=_text(asked, "subResource"),
        user=User(_text(user, "username"), _text(user, "uid"), _texts(user.get("groups"))),
        options=_object(asked.get("options"), "request.options"),
        dry_run=asked.get("dryRun") is True,
        uid=uid,
    )


def answer(uid: str, verdict: Verdict, *, patch: bool = False) -> bytes:
    """The review with the verdict; a patch only where it is asked for, and there is one."""
    response: dict[str, Any] = {"uid": uid, "allowed": verdict.allowed}
    if not verdict.allowed:
        causes = [{"field": field, "message": message} for field, message in verdict.causes]
        response["status"] = {
            "status": "Failure",
            "code": verdict.code,
            "reason": verdict.reason,
            "message": verdict.message,
            "details": {"causes": causes},
        }
    if verdict.warnings:
        response["warnings"] = verdict.warnings
    if verdict.annotations:
        response["auditAnnotations"] = verdict.annotations
    if patch and verdict.allowed and verdict.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(orjson.dumps(verdict.patch)).decode()
    return orjson.dumps({"apiVersion": VERSION, "kind": "AdmissionReview", "response": response})


def _map(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput("no review", f"{where} is no mapping")
    return value


def _object(value: Any, where: str) -> dict[str, Any] | None:
    return None if value is None else _map(value, where)


def _text(within: dict[str, Any], key: str) -> str:
    value = within.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise BadInput("no review", f"{key} is no text of a possible length")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    found = value if isinstance(value, list) else []
    return tuple(text for text in found if isinstance(text, str))
