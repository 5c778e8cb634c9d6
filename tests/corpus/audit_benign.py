"""Real audit events of a quiet cluster: each converts, and each question that arises is answered.

The events name no groups and no cluster comes with them, so that only the questions are real: they
are asked of a world in which everybody is granted exactly what it used. Nodes are not granted
anything: the Node authorizer, which no object shows, allowed what they did.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from martello.adapters.audit.files import read_audit
from martello.core.cluster import Cluster
from martello.core.event import AuditEvent
from martello.practices.access.answers import access
from martello.practices.access.model import Request
from martello.practices.access.requests import NotRead, tried
from martello.practices.access.trim import Options, trim
from martello.practices.access.uses import observe

Case = tuple[str, bool, str]


def replay(path: Path) -> Iterator[Case]:
    """A case for each event, each use, and for the world as a whole."""
    events = list(read_audit([str(path / "events.jsonl.gz")]))
    for event in events:
        yield event.api_id, *_converted(event)
    observed = observe(events)
    made = trim(observed, Cluster(()), Options(refused=True))
    found = access(made.after)
    for use in (*observed.uses, *observed.refused):
        if use.principal.kind == "node":
            continue
        for request in use.requests:
            verdict = found.can(use.principal, request).verdict
            yield f"{use.principal.username} {request}", verdict == "allowed", verdict
    again = trim(observed, made.after)
    kinds = [edit.kind for edit in again.edits]
    yield "what was made is tight", not kinds, f"{kinds[:5]} would follow"


def _converted(event: AuditEvent) -> tuple[bool, str]:
    try:
        found = [one.request for one in tried(event)]
    except NotRead as why:
        return False, str(why)
    return len(found) == 1 and _whole(event, found[0]), f"it became {found}"


def _whole(event: AuditEvent, request: Request) -> bool:
    """Whether the request is for what the event is about."""
    if request.path:
        return not event.k8s_resource and event.api_uri.partition("?")[0] == request.path
    return (request.resource, request.namespace) == (event.k8s_resource, event.k8s_ns) and (
        request.name == event.k8s_name or request.verb == "create"
    )
