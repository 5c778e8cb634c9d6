"""Audit events as JSON, many of them damaged or forged in some way."""

from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import Any, Final

_ANY: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    7,
    -1,
    2.5,
    10**25,
    "",
    "7",
    "true",
    "null",
    "[x",
    "é😀",
    "a\0b",
    "\x08\x1f\x7f\u2028",
    [],
    ["x"],
    [1],
    [None],
    [["x"]],
    {},
    {"a": "b"},
    {"a": {"b": 1}},
)
_PLACES: Final = (
    ("kind",),
    ("level",),
    ("auditID",),
    ("stage",),
    ("requestURI",),
    ("verb",),
    ("user",),
    ("user", "username"),
    ("user", "uid"),
    ("user", "groups"),
    ("user", "extra"),
    ("user", "extra", "authentication.kubernetes.io/pod-name"),
    ("impersonatedUser",),
    ("impersonatedUser", "groups"),
    ("sourceIPs",),
    ("userAgent",),
    ("objectRef",),
    ("objectRef", "resource"),
    ("objectRef", "apiGroup"),
    ("objectRef", "apiVersion"),
    ("objectRef", "subresource"),
    ("objectRef", "uid"),
    ("responseStatus",),
    ("responseStatus", "code"),
    ("responseStatus", "reason"),
    ("responseStatus", "metadata"),
    ("responseStatus", "details"),
    ("annotations",),
    ("annotations", "authorization.k8s.io/decision"),
    ("requestReceivedTimestamp",),
    ("stageTimestamp",),
    ("requestObject",),
    ("responseObject",),
    ("unknown",),
)
_TIMES: Final = (
    "2026-11-01T10:00:00Z",
    "2026-11-01T10:00:00.123456789Z",
    "2026-11-01T10:00:00.1234567891Z",
    "2026-11-01T10:00:00.5+02:00",
    "2026-11-01t10:00:00z",
    "2026-11-01 10:00:00Z",
    "2026-11-01T24:00:00Z",
    "2026-02-30T10:00:00Z",
    "2026-11-01T10:00:60Z",
    "1999-01-01T00:00:00Z",
    "2999-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "yesterday",
    "",
)
_URIS: Final = (
    "/api/v1/namespaces/a/pods/p/exec?command=sh&container=main",
    "/api/v1/secrets?token=abc",
    "/api/v1/secrets?limit=500&TOKEN=abc",
    "/healthz?verbose",
)


def benign(number: int) -> dict[str, Any]:
    """An event as the API server writes it."""
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"id-{number}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/a/pods/web",
        "verb": "get",
        "user": {
            "username": "bob",
            "groups": ["system:authenticated"],
            "extra": {"authentication.kubernetes.io/pod-name": ["web-1"]},
        },
        "sourceIPs": ["192.0.2.1"],
        "userAgent": "kubectl/v1.31",
        "objectRef": {"resource": "pods", "namespace": "a", "name": "web", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-11-01T10:00:00.000000Z",
        "stageTimestamp": "2026-11-01T10:00:00.250000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
    }


def line(random: Random, number: int) -> bytes:
    """One line: a benign event in a third of the cases."""
    event = benign(number)
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        _change(random, event)
    text = json.dumps(
        event,
        separators=random.choice(((",", ":"), (",", ":"), (",", ":"), (", ", ": "))),
        ensure_ascii=random.random() < 0.5,
    )
    damage = random.random()
    if damage < 0.08:
        text = _twice(random, text)
    elif damage < 0.1:
        text = "[" + text + "]"
    elif damage < 0.12:
        text = json.dumps({"properties": {"log": text}})
    elif damage < 0.14:
        text = text.replace("bob", "bo\\u0062")
    data = text.encode("utf-8", "surrogatepass")
    if damage > 0.97:
        return data.replace(
            b"bob", random.choice((b"b\xff", b"\xed\xa0\x80", b"\\ud800", b"\\udc00x"))
        )
    if damage > 0.94:
        return data.replace(b"200", random.choice((b"1e999", b"NaN", b"2e2", b"200.0", b"9" * 50)))
    if damage > 0.92:
        return data.replace(b"}", random.choice((b",}", b"]", b"}}", b"")), 1)
    if damage > 0.91:
        return data[:-1] + b',"x":' + b"[" * 2000 + b"]" * 2000 + b"}"
    if damage > 0.9:
        return random.choice((b" ", b"\xef\xbb\xbf")) + data + b"\r"
    return data


def _change(random: Random, event: dict[str, Any]) -> None:
    chance = random.random()
    if chance < 0.1:
        event[random.choice(("stageTimestamp", "requestReceivedTimestamp"))] = random.choice(_TIMES)
    elif chance < 0.16:
        event["requestURI"] = random.choice(_URIS)
    elif chance < 0.24:
        event["verb"] = random.choice(("create", "patch", "update"))
        event["requestObject"] = _body(random)
    elif chance < 0.28:
        if isinstance(event.get("objectRef"), dict):
            event["objectRef"] |= {"resource": "deployments", "apiGroup": "apps"}
    else:
        place = random.choice(_PLACES)
        at: Any = event
        for step in place[:-1]:
            at = at.get(step) if isinstance(at, dict) else None
        if isinstance(at, dict):
            if random.random() < 0.2:
                at.pop(place[-1], None)
            else:
                at[place[-1]] = deepcopy(random.choice(_ANY))


def _body(random: Random) -> Any:
    spec: dict[str, Any] = {
        "containers": random.choice(
            ([{"name": "a", "image": "b", "securityContext": {"privileged": True}}], {}, [7], "x")
        ),
        "hostNetwork": random.choice((True, False, "true")),
        "volumes": [{"hostPath": {"path": "/"}}, 7],
    }
    return random.choice(
        (
            {"kind": "Pod", "metadata": {"name": "p"}, "spec": spec},
            {"spec": {"template": {"spec": spec}}},
            [{"op": "replace", "path": "/spec", "value": spec}],
            {"kind": "Secret", "data": {"password": "cGFzcw=="}},
            deepcopy(random.choice(_ANY)),
        )
    )


def _twice(random: Random, text: str) -> str:
    """A key that is written twice, at the top or within."""
    key, value = random.choice(
        (
            ("verb", '"delete"'),
            ("user", '{"username":"eve"}'),
            ("username", '"eve"'),
            ("name", '"x"'),
        )
    )
    if key in ("verb", "user"):
        return text[:-1] + f',"{key}":{value}}}'
    return text.replace(f'"{key}":', f'"{key}":{value},"{key}":', 1)
