"""Uses of rights that alerts of the state store stand on: what was seen, of the steps of paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from martello.core.alert import Alert
from martello.core.event import AuditEvent
from martello.practices.access.uses import Use, observe

_MOST: Final = 10_000  # alerts that are read, the newest first


def alerted(state: str) -> tuple[Use, ...]:
    """The allowed requests in the evidence of the alerts of a state store; nothing where none is
    named. Raises what opening it raises.
    """
    if not state:
        return ()
    from martello.store.outbox import Outbox
    from martello.store.state import open_state

    with open_state(state) as kept:
        return uses(Outbox(kept).alerts(most=_MOST))


def uses(alerts: Iterable[Alert]) -> tuple[Use, ...]:
    """The allowed requests in the evidence of alerts."""
    return observe(_events(alerts)).uses


def _events(alerts: Iterable[Alert]) -> Iterator[AuditEvent]:
    for alert in alerts:
        for one in alert.evidence:
            if one.columns.get("kind") == "audit":
                yield _event(one.event, one.time, one.columns)


def _event(id: str, time: int, columns: Mapping[str, Any]) -> AuditEvent:
    """The request of an audit event. What it asks for is in its address, whatever else is kept."""
    uri = _text(columns, "api_uri")
    code = columns.get("api_code")
    event = AuditEvent(
        api_verb=_text(columns, "api_verb"),
        actor_user=_text(columns, "actor_user"),
        api_uri=uri,
        api_id=id,
        time=time,
        api_code=code if isinstance(code, int) else 0,
        actor_as=_text(columns, "actor_as"),
        k8s_ns=_text(columns, "k8s_ns"),
    )
    return msgspec.structs.replace(event, **_asked(uri))


def _asked(uri: str) -> dict[str, str]:
    """Group, resource, name and subresource of an address: /api/V/… or /apis/GROUP/V/…"""
    parts = uri.partition("?")[0].strip("/").split("/")
    group = ""
    if parts[0] == "apis" and len(parts) > 3:
        group, parts = parts[1], parts[3:]
    elif parts[0] == "api" and len(parts) > 2:
        parts = parts[2:]
    else:
        return {}
    space = {}
    if parts[0] == "namespaces" and len(parts) > 2:
        space, parts = {"k8s_ns": parts[1]}, parts[2:]
    resource, name, sub, *_ = (*parts, "", "", "")
    told = {"k8s_group": group, "k8s_resource": resource, "k8s_name": name, "k8s_subresource": sub}
    return told | space


def _text(columns: Mapping[str, Any], key: str) -> str:
    value = columns.get(key)
    return value if isinstance(value, str) else ""
