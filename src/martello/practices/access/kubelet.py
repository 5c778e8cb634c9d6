"""What requests to a kubelet, and to pods through the API server, are to the authorizer.

Source: pkg/kubelet/server/auth.go; kubernetes#78741 for streams that begin with a GET.
"""

from __future__ import annotations

from typing import Final

from martello.practices.access.model import Request

FINE_SINCE: Final = 33  # nodes/pods, nodes/healthz, nodes/configz beside nodes/proxy
CREATE_SINCE: Final = 35  # streams over websockets need create too
_VERBS: Final = {
    "POST": "create",
    "GET": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_PARTS: Final = {"stats": "stats", "metrics": "metrics", "logs": "log", "checkpoint": "checkpoint"}
_FINE: Final = {
    "pods": "pods",
    "runningpods": "pods",
    "healthz": "healthz",
    "configz": "configz",
}


def kubelet_requests(method: str, path: str, node: str, minor: int) -> tuple[Request, ...]:
    """What a kubelet asks about a request to its own port, where it asks the API server at all: one
    of these allowed suffices. Everything that runs code (`/exec`, `/run`) is `nodes/proxy`, and a
    websocket begins with a GET, so that `get` on it is enough.
    """
    verb = _VERBS.get(method.upper(), "")
    first = path.lstrip("/").partition("?")[0].partition("/")[0]
    parts = [_PARTS.get(first, "proxy")]
    if minor >= FINE_SINCE and first in _FINE:
        parts.insert(0, _FINE[first])
    return tuple(Request(verb, "", "nodes", part, node) for part in parts)


def stream_requests(pod: str, namespace: str, kind: str, minor: int) -> tuple[Request, ...]:
    """What may be held to open a stream (`exec`, `attach`, `portforward`) into a pod: one of these
    allowed suffices. Before 1.35 `get` opened it as well, by a websocket.
    """
    verbs = ("create",) if minor >= CREATE_SINCE else ("create", "get")
    return tuple(Request(verb, "", "pods", kind, pod, namespace) for verb in verbs)
