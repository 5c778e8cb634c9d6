"""What the body of an audited request says, as columns: pods and their templates, roles, bindings,
services and webhooks.

The request's body counts. Of a JSON patch, which is a list of operations, the object in the answer
does. A body is what a client sent: every value may be of any type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

MOST_CONTAINERS: Final = 200
_MOST_NODES: Final = 2000  # of a custom resource that are looked at for templates of pods
_RBAC: Final = "rbac.authorization.k8s.io"
_HOOKS: Final = "admissionregistration.k8s.io"
_LISTS: Final = (
    ("containers", "main"),
    ("initContainers", "init"),
    ("ephemeralContainers", "ephemeral"),
)
_HOST: Final = (
    ("hostNetwork", "spec_host_network"),
    ("hostPID", "spec_host_pid"),
    ("hostIPC", "spec_host_ipc"),
)
# Where the template of a built-in kind stands; of `pods` the object itself is it.
_TEMPLATE: Final[dict[str, tuple[str, ...]]] = {
    "pods": ("spec",),
    "podtemplates": ("template", "spec"),
    "replicationcontrollers": ("spec", "template", "spec"),
    "deployments": ("spec", "template", "spec"),
    "replicasets": ("spec", "template", "spec"),
    "statefulsets": ("spec", "template", "spec"),
    "daemonsets": ("spec", "template", "spec"),
    "jobs": ("spec", "template", "spec"),
    "cronjobs": ("spec", "jobTemplate", "spec", "template", "spec"),
}
# Groups of the API server's own: a resource of another group is a custom one.
_OWN: Final = frozenset({"", "apps", "batch", "extensions", "policy", "autoscaling"})
Raw = dict[str, Any]


def custom(group: str) -> bool:
    """Whether a resource of this group is a custom one, which may hold templates anywhere."""
    return group not in _OWN and not group.endswith(".k8s.io")


def columns(group: str, resource: str, request: Any, response: Any) -> tuple[Raw, bool]:
    """The columns that a body fills, and whether something was left out of them."""
    body = request if isinstance(request, dict) else None
    if isinstance(request, list) and isinstance(response, dict):
        body = response
    if body is None or not resource:
        return {}, False
    if custom(group):
        return _pods(tuple(_templates(body)))
    if resource in _TEMPLATE:
        spec = _at(body, _TEMPLATE[resource])
        if spec is None and resource == "pods" and body.get("kind") == "EphemeralContainers":
            spec = body
        return _pods((spec,) if spec is not None else ())
    if resource == "services" and group == "":
        kind = _text(_at(body, ("spec",)), "type")
        return ({"svc_type": kind} if kind else {}), False
    if group == _RBAC:
        return _rbac(body)
    if group == _HOOKS:
        found = (_text(_at(one, ("clientConfig",)), "url") for one in _parts(body, "webhooks"))
        return _lists(webhook_urls=found), False
    return {}, False


def _rbac(body: Raw) -> tuple[Raw, bool]:
    """Subjects are named as users are: a service account by its full user name."""
    role = _text(_at(body, ("roleRef",)), "name")
    found: Raw = {"rbac_role": role} if role else {}
    rules = tuple(_parts(body, "rules"))
    found |= _lists(
        rbac_subjects=(_subject(one) for one in _parts(body, "subjects")),
        rbac_verbs=(verb for rule in rules for verb in _texts(rule, "verbs")),
        rbac_resources=(name for rule in rules for name in _texts(rule, "resources")),
    )
    return found, False


def _subject(raw: Raw) -> str:
    name = _text(raw, "name")
    if raw.get("kind") == "ServiceAccount" and name:
        return f"system:serviceaccount:{_text(raw, 'namespace')}:{name}"
    return name


def _lists(**found: Iterable[str]) -> Raw:
    """Each text once, in order, without empty ones."""
    kept = {name: list(dict.fromkeys(filter(None, texts))) for name, texts in found.items()}
    return {name: texts for name, texts in kept.items() if texts}


def _pods(specs: tuple[Raw, ...]) -> tuple[Raw, bool]:
    """The columns of pod specs: of several, as a custom resource may hold them, all containers."""
    found: Raw = {}
    slots: list[tuple[Any, ...]] = []
    paths: list[str] = []
    for spec in specs:
        slots += _containers(spec)
        paths += _host_paths(spec)
        for name, column in _HOST:
            if isinstance(spec.get(name), bool):
                found[column] = found.get(column, False) or spec[name]
        account = _text(spec, "serviceAccountName") or _text(spec, "serviceAccount")
        if account:
            found.setdefault("spec_sa", account)
    cut = len(slots) > MOST_CONTAINERS
    if slots:
        by_column = zip(_SLOT, zip(*slots[:MOST_CONTAINERS], strict=True), strict=True)
        found |= {name: list(values) for name, values in by_column}
    return found | _lists(spec_host_path=paths), cut


_SLOT: Final = (
    "spec_container",
    "spec_container_kind",
    "spec_image",
    "spec_command",
    "spec_privileged",
    "spec_caps_add",
    "spec_uid",
)


def _containers(spec: Raw) -> Iterator[tuple[Any, ...]]:
    """One slot a container, in the order of `_SLOT`; None where it says nothing."""
    uid = _int(_at(spec, ("securityContext",)), "runAsUser")
    for key, kind in _LISTS:
        for one in _parts(spec, key):
            context = _at(one, ("securityContext",)) or {}
            privileged = context.get("privileged")
            own = _int(context, "runAsUser")
            yield (
                _text(one, "name") or None,
                kind,
                _text(one, "image") or None,
                " ".join((*_texts(one, "command"), *_texts(one, "args"))) or None,
                privileged if isinstance(privileged, bool) else None,
                ",".join(_texts(_at(context, ("capabilities",)) or {}, "add")) or None,
                uid if own is None else own,
            )


def _host_paths(spec: Raw) -> Iterator[str]:
    for one in _parts(spec, "volumes"):
        yield _text(_at(one, ("hostPath",)), "path")


def _templates(body: Raw) -> Iterator[Raw]:
    """The pod specs in a custom resource: what has a list of containers, the outermost first."""
    queue: list[Any] = [body]
    for place, one in enumerate(queue):  # grows while it is walked
        if place >= _MOST_NODES:
            return
        if isinstance(one, list):
            queue += [inner for inner in one[:_MOST_NODES] if isinstance(inner, dict | list)]
        elif any(True for key, _ in _LISTS for _ in _parts(one, key)):
            yield one
        else:
            queue += [inner for inner in one.values() if isinstance(inner, dict | list)]


def _at(raw: Any, path: tuple[str, ...]) -> Raw | None:
    for step in path:
        raw = raw.get(step) if isinstance(raw, dict) else None
    return raw if isinstance(raw, dict) else None


def _parts(raw: Raw, key: str) -> Iterator[Raw]:
    value = raw.get(key)
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def _texts(raw: Raw, key: str) -> list[str]:
    value = raw.get(key)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _text(raw: Raw | None, key: str) -> str:
    value = raw.get(key) if raw is not None else None
    return value if isinstance(value, str) else ""


def _int(raw: Raw | None, key: str) -> int | None:
    value = raw.get(key) if raw is not None else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -(1 << 63) <= value < 1 << 63 else None
