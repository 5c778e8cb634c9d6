"""What is wrong in well-known Sigma rules for Kubernetes, and what they mean.

Rules that name fields which no audit event has can never fire; rules that know only one of two
verbs are blind to half of what they are about. The corrections are opt-in and each one is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# A field that audit.k8s.io/v1 does not have, and the one that is meant (a path, or our column of
# all containers of a pod or template).
FIELDS: Final[Mapping[str, str]] = {
    "hostPath": "spec_host_path",
    "capabilities": "spec_caps_add",
    "apiGroup": "objectRef.apiGroup",
}
_CODE: Final = "responseStatus.code"
_DECISION: Final = "annotations.authorization.k8s.io/decision"
_STREAMS: Final = frozenset(("exec", "attach", "portforward"))


def kubernetes(detection: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The `detection` of a rule as it is meant, and what was changed."""
    notes: list[str] = []
    changed = {
        name: value if name in ("condition", "timeframe") else _corrected(value, notes)
        for name, value in detection.items()
    }
    return changed, tuple(dict.fromkeys(notes))


def _corrected(value: Any, notes: list[str]) -> Any:
    if isinstance(value, list):
        return [_corrected(each, notes) if isinstance(each, dict) else each for each in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, wanted in value.items():
        field, bar, modifiers = str(key).partition("|")
        if field in FIELDS:
            notes.append(f"{field} is read as {FIELDS[field]}")
            found[FIELDS[field] + bar + modifiers] = wanted
        elif field == _CODE and not bar and _is_word(wanted):
            notes.append(f"{_CODE}: {wanted} is read as {_DECISION}: {str(wanted).lower()}")
            found[_DECISION] = "allow" if str(wanted).lower() == "allow" else "forbid"
        else:
            found[key] = wanted
    return _streams(found, notes)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value.lower() in ("allow", "deny", "forbid")


def _streams(found: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """`kubectl exec` over websockets is a GET: a rule that asks for `create` does not see it."""
    wanted = found.get("objectRef.subresource")
    named = wanted if isinstance(wanted, list) else [wanted]
    if not all(isinstance(each, str) and each.lower() in _STREAMS for each in named):
        return found
    verbs = found.get("verb")
    listed = verbs if isinstance(verbs, list) else [verbs]
    if "create" in listed and "get" not in listed:
        notes.append("verb: create is read as create or get (websocket clients send GET)")
        return {**found, "verb": [*listed, "get"]}
    return found
