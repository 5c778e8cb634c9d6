"""Would these objects be admitted: the engine's answers in the words of the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from martello.cli.progress import Progress
from martello.cli.readings import Source, read_targets
from martello.cli.resources.opening import Opened, called, missing_of, place
from martello.cli.target import parse_target
from martello.core.errors import BadInput
from martello.core.path import Path, show
from martello.core.resource import Resource
from martello.core.workload import workload_of
from martello.practices.resources.admission.charges import kind_of
from martello.practices.resources.admission.later import changers
from martello.practices.resources.admission.pipeline import Admission, Message
from martello.practices.resources.admission.quotas import Limited, Quota, limited_of
from martello.practices.resources.admission.server import Server
from martello.practices.resources.amounts import Malformed, text
from martello.report.resources.model import Answer, Answers, Filled, Reason, Share
from martello.report.text import encoded

_CONFIGURATIONS: Final = ("AdmissionConfiguration", "ResourceQuotaConfiguration", "Configuration")
_FIRST: Final = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "LimitRange",
    "ResourceQuota",
)


def answers(opened: Opened, words: Sequence[str], flags: dict[str, Any]) -> Answers:
    """What becomes of the objects of these files, in their order; what bounds others comes first.
    Raises BadInput.
    """
    with Progress() as progress:
        readings = read_targets(
            [parse_target(word) for word in words], Source(kubeconfig=flags["kubeconfig"]), progress
        )
    objects = [r for reading in readings for r in reading.resources]
    missing = (*opened.missing, *(told for reading in readings for told in missing_of(reading)))
    if not objects:
        why = "; ".join(missing[:3]) or "they hold no Kubernetes objects"
        raise BadInput("nothing to admit", why, "name manifests, or - for stdin")
    objects.sort(key=lambda r: _FIRST.index(r.ref.kind) if r.ref.kind in _FIRST else len(_FIRST))
    server = Server(opened.cluster, limited=_limited(flags["configuration"]))
    told = []
    for raw in objects:
        ref = msgspec.structs.replace(raw.ref, cluster=opened.reading.cluster)
        resource = msgspec.structs.replace(raw, ref=ref)
        resource = server.placed(resource, flags["namespace"] or "default")
        before = _quotas(server, resource.ref.namespace)
        found = server.admit(resource, flags["replicas"])
        told.append(_answer(resource, found, before, server))
    return Answers(tuple(told), missing, _exit(told, missing, flags))


def _exit(told: Sequence[Answer], missing: Sequence[str], flags: dict[str, Any]) -> int:
    if any(one.verdict == "refused" for one in told):
        return 1
    unknown = any(one.verdict == "unassessed" for one in told) or bool(missing)
    return 3 if unknown and not flags["allow_incomplete"] else 0


def _limited(file: str | None) -> tuple[Limited, ...]:
    """`limitedResources` of a configuration file. Raises BadInput."""
    if file is None:
        return ()
    with Progress() as progress:
        (reading,) = read_targets([parse_target(file)], Source(kubeconfig=None), progress)
    for resource in reading.resources:
        if resource.ref.kind in _CONFIGURATIONS:
            try:
                return limited_of(resource.raw)
            except Malformed as error:
                where = place(resource, error.path)
                raise BadInput(f"{where}: no admission configuration", str(error), "") from error
    told = missing_of(reading)
    why = told[0] if told else f"it holds none of {', '.join(_CONFIGURATIONS)}"
    raise BadInput(
        f"{file} is no admission configuration", why, "name the file that the API server reads"
    )


def _quotas(server: Server, namespace: str) -> tuple[Quota, ...]:
    try:
        return server.quotas(namespace)
    except Malformed:
        return ()


def _answer(
    resource: Resource, found: Admission, before: Sequence[Quota], server: Server
) -> Answer:
    workload = workload_of(resource)
    own = found.verdict == "refused" and found.treated is None and found.wanted == found.fitting
    makes = workload is not None and resource.ref.group_kind != "Pod" and not own
    later = changers(server.world, workload) if workload is not None else ()
    pod = found.pod if found.verdict != "unassessed" else None
    return Answer(
        object=called(resource),
        where=place(resource),
        verdict=found.verdict,
        code=found.code,
        step=_step(found),
        says=says(resource, found),
        reasons=tuple(_reason(resource, message) for message in found.messages),
        filled=tuple(_filled(found)),
        shares=tuple(_shares(before, found)) if found.verdict != "unassessed" else (),
        qos="" if pod is None else pod["status"]["qosClass"],
        wanted=found.wanted if makes else None,
        fitting=found.fitting if makes else None,
        later=tuple(
            f"{called(one)} ({place(one)})" if place(one) else called(one) for one in later
        ),
        notes=found.notes,
        unassessed=found.reason,
    )


def _step(found: Admission) -> str:
    """Where it stops: what refuses."""
    if found.verdict != "refused":
        return ""
    if found.code in (400, 422):
        return {400: "decoding", 422: "validation"}[found.code]
    if found.messages[0].path == ("metadata", "namespace"):
        return "NamespaceLifecycle"
    if found.code in (404, 405):
        return "the API"
    by = next((m.by for m in found.messages if m.by is not None), None)
    return by.ref.kind if by is not None else "admission"


def says(resource: Resource, found: Admission) -> str:
    """The whole message, as the server wraps it; of several that refuse, the first one's."""
    if not found.messages:
        return ""
    first = found.messages[0]
    group = [m.text for m in found.messages if m.by is first.by]
    texts = list(dict.fromkeys(group))
    told = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    kind, name = kind_of(resource), resource.ref.name
    pods = found.treated is not None
    if not pods and found.wanted != found.fitting:  # what is refused is made for the pods
        return told
    match found.code:
        case 403:
            return f'{"pods" if pods else kind} "{name}" is forbidden: {told}'
        case 422:
            return f'{"Pod" if pods else resource.ref.group_kind} "{name}" is invalid: {told}'
    return told


def _reason(resource: Resource, message: Message) -> Reason:
    guard = message.by
    return Reason(
        says=message.text,
        where=place(resource, message.path),
        path=show(message.path),
        guard=called(guard) if guard is not None else "",
        guard_where=place(guard, message.at) if guard is not None else "",
    )


def _filled(found: Admission) -> Iterator[Filled]:
    for path, value, by in found.changes:
        yield Filled(
            show(path),
            value if isinstance(value, str) else encoded(value),
            called(by) if by is not None else "",
            place(by, _rule(by)) if by is not None else "",
        )


def _rule(by: Resource) -> Path:
    """Where in a LimitRange the defaults of containers stand; of other objects the whole."""
    items = by.spec.get("limits")
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict) and item.get("type") == "Container":
            return ("spec", "limits", index)
    return ()


def _shares(before: Sequence[Quota], found: Admission) -> Iterator[Share]:
    """The keys of quotas that stand otherwise afterwards."""
    held = {id(quota.resource): quota for quota in before}
    for quota in found.quotas:
        old = held.get(id(quota.resource))
        for key, hard in quota.hard.items():
            was = old.used.get(key, 0) if old is not None else 0
            now = quota.used.get(key, 0)
            if was != now:
                yield Share(
                    called(quota.resource),
                    place(quota.resource, ("spec", "hard", key)),
                    key,
                    text(was),
                    text(now),
                    text(hard),
                )
