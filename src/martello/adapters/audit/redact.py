"""Takes secrets out of an audit event before it is kept: what stays is a keyed hash of each.

Equal secrets have equal hashes under one key, so that a search for a leaked value still finds it;
who does not hold the key learns nothing, not even by guessing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any, Final

DEEPEST: Final = 100
_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_BODIES: Final = ("requestObject", "responseObject", "request", "response")
_DATA: Final = frozenset({"data", "stringData", "binaryData"})
# Kind → where a token stands in it.
_TOKENS: Final = {
    "TokenRequest": ("status", "token"),
    "TokenReview": ("spec", "token"),
}
_SECRET_KINDS: Final = frozenset({"Secret", "SecretList"})
_IN_URI: Final = re.compile(r"([?&](?:access_)?token=)([^&#]+)", re.IGNORECASE)
Raw = dict[str, Any]


def redacted(event: Raw, key: bytes) -> Raw:
    """The event with its secrets covered; shares with the given one what holds none. Nothing of a
    body that is nested too deeply is kept.
    """
    about = event.get("objectRef")
    about = about if isinstance(about, dict) else {}
    secret = about.get("resource") == "secrets" or "/secrets" in str(event.get("resourceName"))
    token = about.get("subresource") == "token" or about.get("resource") == "tokenreviews"
    result = dict(event)
    for name in _BODIES:
        if name in event:
            try:
                result[name] = _body(event[name], secret, token, key, 0)
            except RecursionError:
                result[name] = None
    uri = event.get("requestURI")
    if isinstance(uri, str):
        result["requestURI"] = _IN_URI.sub(lambda m: m[1] + covered(m[2], key), uri)
    payload = event.get("protoPayload")
    if isinstance(payload, dict):
        result["protoPayload"] = redacted(payload, key)
    return result


def holds_none(resource: str, subresource: str, body: bytes) -> bool:
    """Whether a body of a request about this resource, as JSON without needless escapes, surely
    holds no secret and is not nested too deeply.
    """
    if resource in ("secrets", "tokenreviews") or subresource == "token":
        return False
    if b"Secret" in body or b"Token" in body:  # the kinds
        return False
    return body.count(b"{") + body.count(b"[") < DEEPEST


def covered(value: Any, key: bytes) -> str:
    """What stands for a secret value."""
    text = value if isinstance(value, str) else repr(value)
    return "hmac:" + hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _body(value: Any, secret: bool, token: bool, key: bytes, depth: int) -> Any:
    """A body. `secret`: it is one, a list of them or a patch of one; `token`: it holds one."""
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, list):
        return [_operation(one, secret, token, key, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("kind")
    kind = kind if isinstance(kind, str) else ""
    secret = secret or kind in _SECRET_KINDS
    place = _TOKENS.get(kind) or (("status", "token") if token else None)
    result: Raw = {}
    for name, inner in value.items():
        if secret and name in _DATA:
            result[name] = _all(inner, key, depth + 1)
        elif secret and name == _APPLIED:
            result[name] = covered(inner, key)
        elif place is not None and name in ("status", "spec") and isinstance(inner, dict):
            result[name] = {
                k: covered(v, key)
                if k == "token" and v
                else _body(v, secret, token, key, depth + 1)
                for k, v in inner.items()
            }
        else:
            result[name] = _body(inner, secret, token, key, depth + 1)
    return result


def _operation(value: Any, secret: bool, token: bool, key: bytes, depth: int) -> Any:
    """An element of a list: where that is a JSON patch of a secret, its values are covered."""
    if secret and isinstance(value, dict) and "op" in value and "path" in value:
        return {k: _all(v, key, depth) if k == "value" else v for k, v in value.items()}
    return _body(value, secret, token, key, depth)


def _all(value: Any, key: bytes, depth: int) -> Any:
    """Every text and number in it covered."""
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        return {name: _all(inner, key, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_all(inner, key, depth + 1) for inner in value]
    return value if value is None or isinstance(value, bool) else covered(value, key)
