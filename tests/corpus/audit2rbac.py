"""Replays audit2rbac's cases: our roles under `widen` and `refused`, against those it made.

Ours must grant nothing that the expected ones do not (permissions are compared, not the order of
rules), and allow every request of the case.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

from martello.adapters.audit.cloud import unwrapped
from martello.adapters.audit.files import read_audit
from martello.core.cluster import Cluster
from martello.core.event import AuditEvent
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.access.cover import singles
from martello.practices.access.edits import GRANT
from martello.practices.access.replay import replay as replay_uses
from martello.practices.access.requests import request_of
from martello.practices.access.rules import read_role
from martello.practices.access.trim import Options, trim
from martello.practices.access.uses import observe

Case = tuple[str, bool, str]
Right = tuple[Any, ...]


def replay(path: Path) -> Iterator[Case]:
    """The cases of roles, the conversions of events, and the sample log."""
    for line in (path / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["name"], *_case(row)
    for line in (path / "event_conversion.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["name"], *_conversion(row)
    for who in ("bob", "alice", "system:serviceaccount:ns1:sa1"):
        yield f"demo log, {who}, sufficient", *_demo(path / "demo.log", who)


def _case(row: dict[str, Any]) -> tuple[bool, str]:
    lines = "\n".join(json.dumps(event) for event in row["audit_events"]).encode()
    observed = observe(read_audit(["-"], stdin=BytesIO(lines)))
    if not observed.events:
        return not row["expected"], "roles were expected of no event"
    given = row["options"]
    widen = {
        "verbs": given["verb_expansions"],
        "names": given["expand_multiple_names"],
        "namespaces": given["expand_multiple_namespaces"],
    }
    options = Options(
        widen=frozenset(key for key, on in widen.items() if on),
        refused=True,
        only=frozenset({row["user"]}),
    )
    cluster = Cluster(resource_of(one, Nowhere()) for one in row["existing"] or ())
    found = trim(observed, cluster, options)
    wanted = _rights([resource_of(one, Nowhere()) for one in row["expected"]])
    made = _rights([one for edit in found.edits if edit.kind == GRANT for one in edit.changed])
    more, less = made - wanted, wanted - made
    if more or less:
        return False, f"more: {sorted(map(str, more))}; less: {sorted(map(str, less))}"
    asked = replay_uses(found.after, (*observed.uses, *observed.refused))
    return not asked.denied, f"{len(asked.denied)} requests are denied"


def _rights(objects: list[Resource]) -> set[Right]:
    """Every right that is granted, with its scope and whom it is granted to."""
    roles = {(r.ref.kind, r.ref.namespace, r.ref.name): r for r in objects}
    found: set[Right] = set()
    for binding in objects:
        if not binding.ref.kind.endswith("Binding"):
            continue
        scope, role = binding.ref.namespace, binding.raw["roleRef"]
        space = scope if role["kind"] == "Role" else ""
        rules = read_role(roles[(role["kind"], space, role["name"])]).rules
        for subject, right in product(binding.raw["subjects"], singles(rules)):
            found.add((subject["kind"], subject["name"], scope, *right))
    return found


def _conversion(row: dict[str, Any]) -> tuple[bool, str]:
    event = {"user": {"username": "somebody"}, **row["event"]}
    (found,) = unwrapped(event)
    if not isinstance(found, AuditEvent):
        return False, str(found)
    request, wanted = request_of(found), row["request"]
    made = (request.verb, request.group, request.resource, request.namespace, request.name)
    keys = ("verb", "apiGroup", "resource", "namespace", "name")
    return made == tuple(wanted[key] for key in keys), f"it became {made}"


def _demo(path: Path, who: str) -> tuple[bool, str]:
    observed = observe(read_audit([str(path)]))
    options = Options(refused=True, only=frozenset({who}))
    found = trim(observed, Cluster(()), options)
    mine = [u for u in (*observed.uses, *observed.refused) if u.principal.username == who]
    asked = replay_uses(found.after, mine)
    return bool(mine) and not asked.denied and not asked.unknown, f"{len(asked.denied)} denied"
