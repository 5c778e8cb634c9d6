"""Lines of an audit log, as an API server writes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta


def line(
    number: int,
    account: str,
    verb: str,
    resource: str,
    *,
    namespace: str = "",
    name: str = "",
    group: str = "",
    hour: int = 0,
    code: int = 200,
) -> str:
    """One request of the account NS/NAME, so many hours after the first of November."""
    space, _, own = account.partition("/")
    at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=hour)
    time = at.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    path = f"/apis/{group}/v1" if group else "/api/v1"
    where = f"/namespaces/{namespace}" if namespace else ""
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"id-{number}",
        "stage": "ResponseComplete",
        "requestURI": f"{path}{where}/{resource}{name and '/' + name}",
        "verb": verb,
        "user": {
            "username": f"system:serviceaccount:{space}:{own}",
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{space}",
                "system:authenticated",
            ],
        },
        "sourceIPs": ["10.0.0.1"],
        "objectRef": {
            "resource": resource,
            "namespace": namespace,
            "name": name,
            "apiGroup": group,
            "apiVersion": "v1",
        },
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": time,
        "stageTimestamp": time,
    }
    return json.dumps(event) + "\n"


def month() -> str:
    """A month of the demo: the deployer lists deployments, the agent watches pods; one refusal."""
    lines: list[str] = []
    for hour in range(0, 31 * 24, 6):
        lines.append(
            line(
                len(lines),
                "shop/deployer",
                "list",
                "deployments",
                namespace="shop",
                group="apps",
                hour=hour,
            )
        )
        lines.append(line(len(lines), "kube-system/log-agent", "watch", "pods", hour=hour))
    refused = line(
        len(lines), "shop/deployer", "delete", "pods", namespace="shop", name="web-1", code=403
    )
    return "".join([*lines, refused])
