"""Bodies of an audit webhook with events that rules know, and who posts them."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from typing import Any, Final

RULES: Final = """
id: TST-101
title: Secrets read
kind: audit
severity: high
when: e.api_verb == "list" && e.k8s_resource == "secrets"
group: [actor_user]
---
id: TST-102
title: Secrets read often
kind: audit
severity: high
when: {name: read, when: e.api_verb == "list" && e.k8s_resource == "secrets"}
correlate: {type: count, by: [actor_user], within: 10m, at_least: 3}
"""


def rules(place: Path) -> Path:
    """A file with a rule for what `event` makes of every tenth number."""
    file = place / "rules.yaml"
    file.write_text(RULES.split("---")[0], encoding="utf-8")
    return file


def moment(at: float) -> str:
    """As the API server writes it."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return f"{whole}.{int(at % 1 * 1e6):06d}Z"


def event(number: int, user: str = "", at: float | None = None) -> dict[str, Any]:
    """The event of a number: every tenth lists secrets, by a user of its own."""
    now = moment(time.time() if at is None else at)
    bad = number % 10 == 0
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"00000000-0000-4000-8000-{number:012d}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/secrets" if bad else f"/api/v1/namespaces/shop/pods/p-{number}",
        "verb": "list" if bad else "get",
        "user": {"username": user or f"user-{number}", "groups": ["system:authenticated"]},
        "sourceIPs": ["10.1.2.3"],
        "userAgent": "kubectl/v1.31.0",
        "objectRef": {"resource": "secrets", "apiVersion": "v1"}
        if bad
        else {"resource": "pods", "namespace": "shop", "name": f"p-{number}", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": now,
        "stageTimestamp": now,
        "annotations": {"authorization.k8s.io/decision": "allow", "note": "x" * 500},
    }


def body(numbers: range, at: float | None = None) -> bytes:
    """An EventList, as the webhook sends it."""
    items = [event(number, at=at) for number in numbers]
    told = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items}
    return json.dumps(told).encode()


def post(port: int, content: bytes, path: str = "/audit", timeout: float = 20.0) -> int:
    """Posts a body; the status, 0 where nobody answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", path, content, {"Content-Type": "application/json"})
        return connection.getresponse().status
    except OSError:
        return 0
    except http.client.HTTPException:
        return 0
    finally:
        connection.close()


def got(port: int, path: str) -> tuple[int, str]:
    """What a page of the door says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
