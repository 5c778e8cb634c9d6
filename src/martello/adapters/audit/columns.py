"""One audit event as a scalar event: column → value, for every column that audit has.

A column that the event does not say is absent; so is one whose text or list is empty. Secrets are
covered before anything else is read, so that no column can hold one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from martello.adapters.audit import body
from martello.adapters.audit.cloud import documents
from martello.adapters.audit.event import NotAnEvent, loosely, nanoseconds
from martello.adapters.audit.redact import redacted
from martello.adapters.audit.text import Parsed, parsed
from martello.core.event import FLAGS, AuditEvent, identity

FIRST: Final = 1_401_580_800_000_000_000  # June 2014: no cluster is older
AHEAD: Final = 86_400_000_000_000  # a clock that is a day ahead is wrong
POD: Final = "authentication.kubernetes.io/pod-name"
_IN_CONTAINER: Final = frozenset({"exec", "attach", "log"})
_LARGEST: Final = (1 << 63) - 1
_encode: Final = msgspec.json.Encoder().encode
_PLAIN: Final = (
    "actor_user",
    "actor_uid",
    "actor_as",
    "actor_agent",
    "api_id",
    "api_level",
    "api_verb",
    "api_uri",
    "api_reason",
    "api_decision",
    "api_grant",
    "k8s_ns",
    "k8s_group",
    "k8s_resource",
    "k8s_subresource",
    "k8s_name",
)
_SEVERAL: Final = ("actor_groups", "actor_as_groups", "actor_ips")
Raw = dict[str, Any]


class Origin(msgspec.Struct, frozen=True):
    """Where events come from: `key` covers secrets, `seen` is when they came (ns UTC; 0: not
    known).
    """

    key: bytes
    cluster: str = ""
    source: str = "audit"
    seen: int = 0


def read(text: bytes, origin: Origin) -> Iterator[Raw | NotAnEvent]:
    """The scalar events of one JSON document: an event, a list of them, a cloud's wrapper. What is
    no event is yielded as NotAnEvent, never raised.
    """
    try:
        document = parsed(text.strip())
    except NotAnEvent as fault:
        yield fault
        return
    for one in documents(document):
        try:
            yield one if isinstance(one, NotAnEvent) else scalar(one, origin)
        except NotAnEvent as fault:
            yield fault


def scalar(document: Parsed, origin: Origin) -> Raw:
    """The scalar event of a parsed audit event; of a mapping without text, `Parsed(mapping)`.
    Raises NotAnEvent.
    """
    if not isinstance(document.value, dict):
        raise NotAnEvent("it is no JSON object")
    kept = redacted(document.value, origin.key)
    event = loosely(kept)
    extra: dict[str, None] = dict.fromkeys((*document.flags, *event.flags))
    found: Raw = {
        "id": identity(origin.cluster, event),
        "kind": "audit",
        "action": event.api_verb,
        "source": origin.source,
        "api_stage": event.api_stage,
        "raw": _told(kept, document),
    }
    found |= {name: value for name in _PLAIN if (value := getattr(event, name))}
    found |= {name: list(value) for name in _SEVERAL if (value := getattr(event, name))}
    if origin.cluster:
        found["cluster"] = origin.cluster
    if origin.seen:
        found["seen"] = origin.seen
    if 0 < event.api_code <= _LARGEST:
        found["api_code"] = event.api_code
    _times(found, kept, event, origin, extra)
    _names(found, kept, event)
    notes = kept.get("annotations")
    if isinstance(notes, dict):
        kept_notes = {k: v for k, v in notes.items() if isinstance(v, str)}
        if kept_notes:
            found["api_annotations"] = kept_notes
    said, cut = of_bodies(
        event.k8s_group,
        event.k8s_resource,
        event.k8s_name,
        _text(_part(kept, "objectRef"), "uid"),
        kept.get("requestObject"),
        kept.get("responseObject"),
    )
    found |= said
    if cut:
        extra["partial"] = None
    if extra:
        found["flags"] = [flag for flag in FLAGS if flag in extra]
    return found


def _told(kept: Raw, document: Parsed) -> str:
    """The event as JSON: the very text where nothing had to be covered."""
    if document.text is not None and kept == document.value:
        return document.text.decode()
    return _encode(kept).decode()


def _times(
    found: Raw, kept: Raw, event: AuditEvent, origin: Origin, extra: dict[str, None]
) -> None:
    """When it happened; when it came where it does not say or says what cannot be."""
    time = event.time
    late = origin.seen and time > origin.seen + AHEAD
    if time < FIRST or time > _LARGEST or late:
        extra["clock"] = None
        time = origin.seen
    if time:
        found["time"] = time
    staged, received = (
        _nanoseconds(kept.get(f"{n}Timestamp")) for n in ("stage", "requestReceived")
    )
    if staged and received and staged >= received:
        found["api_ms"] = (staged - received) // 1_000_000


def _nanoseconds(value: Any) -> int:
    return nanoseconds(value) if isinstance(value, str) else 0


def _names(found: Raw, kept: Raw, event: AuditEvent) -> None:
    """Whose pod is at work, and in which container."""
    pods = _part(_part(kept, "user"), "extra").get(POD)
    if isinstance(pods, list) and pods and isinstance(pods[0], str) and pods[0]:
        found["actor_pod"] = pods[0]
    if event.k8s_group or event.k8s_resource != "pods":
        return
    if event.k8s_subresource in _IN_CONTAINER:
        container = _container(event.api_uri)
        if container:
            found["container_name"] = container


def of_bodies(
    group: str, resource: str, name: str, uid: str, request: Any, response: Any
) -> tuple[Raw, bool]:
    """The columns that bodies have a part in, secrets being covered, and whether something was left
    out of them. The object has a name here also where the request bears none; `name` and `uid` are
    those of the request.
    """
    asked, answered = _part_of(request, "metadata"), _part_of(response, "metadata")
    found: Raw = {}
    name = name or _text(answered, "name") or _text(asked, "name")
    prefix = _text(answered, "generateName") or _text(asked, "generateName")
    uid = uid or _text(answered, "uid") or _text(asked, "uid")
    if name or prefix:
        found["k8s_obj_name"] = name or prefix + "*"
    if uid:
        found["k8s_uid"] = uid
    if resource == "pods" and not group:
        found |= {key: text for key, text in (("pod_name", name), ("pod_uid", uid)) if text}
    said, cut = body.columns(group, resource, request, response)
    return found | said, cut


def _container(uri: str) -> str:
    """The container that the query of a request names."""
    _, _, query = uri.partition("?")
    if "container=" not in query:
        return ""
    try:
        return parse_qs(query, max_num_fields=100).get("container", [""])[0]
    except ValueError:
        return ""


def _part(raw: Raw, key: str) -> Raw:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _part_of(raw: Any, key: str) -> Raw:
    return _part(raw, key) if isinstance(raw, dict) else {}


def _text(raw: Raw, key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""
