"""Audit log lines into events and uses, beside `orjson.loads` and a walk, in the same run."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import orjson

from bench.material import BUILD
from martello.adapters.audit.files import read_audit
from martello.practices.access.uses import observe

LINES = 100_000
FLOOR = 50_000  # events a second of CPU
ROUNDS = 3


def main() -> int:
    """Prints events per second of CPU; 1 where they are read more slowly than FLOOR."""
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / "audit.log"
    with path.open("wb") as file:
        file.writelines(_line(at) + b"\n" for at in range(LINES))
    size = path.stat().st_size / LINES
    ours = max(LINES / _read(str(path), False) for _ in range(ROUNDS))
    gathered = max(LINES / _read(str(path), True) for _ in range(ROUNDS))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    plain = max(LINES / _plain(str(path)) for _ in range(ROUNDS))
    path.unlink()
    print(f"  {LINES} audit events of {size:.0f} bytes, a second of CPU")
    print(f"    read into events       {ours:10,.0f}")
    print(f"    gathered into uses     {gathered:10,.0f}   at most {most} MiB")
    print(f"    orjson and a walk      {plain:10,.0f}   ours: {gathered / plain:.2f} x")
    print(f"    at least {FLOOR:,}: {'kept' if gathered >= FLOOR else 'missed'}\n")
    return int(gathered < FLOOR)


def _read(path: str, gather: bool) -> float:
    begun = time.process_time()
    found = read_audit([path])
    number = observe(found).events if gather else sum(1 for _ in found)
    spent = time.process_time() - begun
    assert number == LINES
    return spent


def _plain(path: str) -> float:
    """What a script would do: no time is read, nothing is checked, all names are kept."""
    begun = time.process_time()
    found: dict[tuple[Any, ...], int] = {}
    with open(path, "rb") as file:
        for line in file:
            raw = orjson.loads(line)
            if raw.get("stage") == "RequestReceived":
                continue
            user, about = raw.get("impersonatedUser") or raw["user"], raw.get("objectRef", {})
            key = (
                user["username"],
                tuple(user.get("groups", ())),
                raw["verb"],
                about.get("apiGroup"),
                about.get("resource"),
                about.get("subresource"),
                about.get("namespace"),
                about.get("name"),
            )
            found[key] = found.get(key, 0) + 1
    return time.process_time() - begun


def _line(at: int) -> bytes:
    """One event of the size that API servers write."""
    space, account = f"ns{at % 40}", f"sa{at % 7}"
    name = f"web-{at % 200}"
    moment = f"2026-11-{1 + at % 28:02}T{at % 24:02}:{at % 60:02}:{at % 60:02}.{at % 10**6:06}Z"
    reason = f'RBAC: allowed by RoleBinding "b/{space}" of Role "r" to ServiceAccount "{account}"'
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"033d17af-082d-4b24-aa22-{at:012}",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/{space}/pods/{name}?limit=500",
        "verb": ("get", "patch", "delete")[at % 3],
        "user": {
            "username": f"system:serviceaccount:{space}:{account}",
            "uid": "0c0d86ba-4cbd-4e35-ba05-25df8e630bcb",
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{space}",
                "system:authenticated",
            ],
            "extra": {"authentication.kubernetes.io/pod-name": [f"x-{at % 100}"]},
        },
        "sourceIPs": ["10.2.3.4"],
        "userAgent": "controller/v1.29.2 (linux/amd64) kubernetes/4b8e819",
        "objectRef": {"resource": "pods", "namespace": space, "name": name, "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": moment,
        "stageTimestamp": moment,
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": reason,
        },
    }
    return orjson.dumps(event)


if __name__ == "__main__":
    sys.exit(main())
