"""A Pod, or anything with a pod template, seen as one thing: defaults filled in, inheritance
resolved, every container.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.core.defaults import defaulted_pod
from martello.core.path import Path, look_up, show
from martello.core.resource import Resource, kind_of, strings

# Where the pod template of a kind lies. Any other kind counts when `spec.template.spec.containers`
# is a list.
_TEMPLATES: Final[dict[str, Path]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "CronJob.batch": ("spec", "jobTemplate", "spec", "template"),
}
_TEMPLATE: Final[Path] = ("spec", "template")
_CONTROLLERS: Final = frozenset(
    (
        "Deployment.apps",
        "StatefulSet.apps",
        "DaemonSet.apps",
        "ReplicaSet.apps",
        "ReplicationController",
        "Job.batch",
        "DeploymentConfig.apps.openshift.io",
        "DeploymentConfig",
    )
)
_LISTS: Final = (
    ("containers", "regular"),
    ("initContainers", "init"),
    ("ephemeralContainers", "ephemeral"),
)
# What a container takes from its pod when it does not say otherwise. windowsOptions is inherited
# field by field.
INHERITED: Final = frozenset(
    (
        "runAsUser",
        "runAsGroup",
        "runAsNonRoot",
        "seLinuxOptions",
        "seccompProfile",
        "appArmorProfile",
    )
)


class Container(msgspec.Struct, frozen=True, eq=False):
    """One container: `raw` has the defaults filled in; `role` is regular, init, sidecar or
    ephemeral.
    """

    raw: dict[str, Any]
    role: str
    path: Path
    name: str


class Malformed(msgspec.Struct, frozen=True):
    """A place of the object that the API server would refuse, so that nothing can be judged
    there.
    """

    path: Path
    reason: str


class Workload(msgspec.Struct, frozen=True, eq=False):
    """A resource that makes pods. `pod` is the defaulted pod spec, `path` where it lies in the
    object.
    """

    resource: Resource
    pod: dict[str, Any]
    metadata: dict[str, Any]  # the pods' metadata: the template's, or the Pod's own
    path: Path
    metadata_path: Path
    containers: tuple[Container, ...]
    malformed: tuple[Malformed, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the pods, which selectors and policies look at."""
        return strings(self.metadata.get("labels"))

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations of the pods."""
        return strings(self.metadata.get("annotations"))

    @property
    def namespace(self) -> str:
        """The namespace of the object and its pods."""
        return self.resource.ref.namespace

    @property
    def service_account(self) -> str:
        """The service account of the pods: `default` unless said otherwise."""
        account = self.pod.get("serviceAccountName")
        return account if isinstance(account, str) and account else "default"

    def security(self, container: Container, field: str) -> Any:
        """The effective value of a securityContext field: the container's, or the pod's where it is
        inherited, or None.
        """
        own = look_up(container.raw, ("securityContext", field))
        if field == "windowsOptions":
            pods = look_up(self.pod, ("securityContext", field))
            merged = {
                **(pods if isinstance(pods, dict) else {}),
                **(own if isinstance(own, dict) else {}),
            }
            return merged or None
        if own is None and field in INHERITED:
            return look_up(self.pod, ("securityContext", field))
        return own


def template_path(resource: Resource) -> Path | None:
    """Where the pod (template) of this object lies: () for a Pod itself, None for what makes no
    pods.
    """
    kind = resource.ref.group_kind
    path = _TEMPLATES.get(kind)
    if path is not None:
        return path
    if kind in _CONTROLLERS:
        return _TEMPLATE
    spec = resource.raw.get("spec")
    if isinstance(spec, dict) and isinstance(
        look_up(spec, ("template", "spec", "containers")), list
    ):
        return _TEMPLATE
    return None


def workload_of(resource: Resource) -> Workload | None:
    """The object as a Workload, or None where it makes no pods. What cannot be read is listed in
    `malformed`.
    """
    template = template_path(resource)
    if template is None:
        return None
    malformed: list[Malformed] = []
    outer = look_up(resource.raw, template)
    if not isinstance(outer, dict):
        malformed.append(Malformed(template, f"{show(template)} is {_article(outer)}"))
        outer = {}
    spec = outer.get("spec")
    path = (*template, "spec")
    if not isinstance(spec, dict):
        if not malformed:
            malformed.append(Malformed(path, f"{show(path)} is {_article(spec)}"))
        spec = {}
    metadata = outer.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        reason = f"{show((*template, 'metadata'))} is {_article(metadata)}"
        malformed.append(Malformed((*template, "metadata"), reason))
        metadata = None
    pod = defaulted_pod(spec)
    return Workload(
        resource,
        pod,
        metadata or {},
        path,
        (*template, "metadata"),
        tuple(_containers(pod, path, malformed)),
        tuple(malformed),
    )


def _containers(pod: dict[str, Any], path: Path, malformed: list[Malformed]) -> list[Container]:
    found: list[Container] = []
    for key, role in _LISTS:
        elements = pod.get(key)
        if elements is None:
            continue
        if not isinstance(elements, list):
            where = (*path, key)
            malformed.append(Malformed(where, f"{show(where)} is {_article(elements)}"))
            continue
        for index, element in enumerate(elements):
            where = (*path, key, index)
            if not isinstance(element, dict):
                malformed.append(Malformed(where, f"{show(where)} is {_article(element)}"))
                continue
            name = element.get("name")
            sidecar = role == "init" and element.get("restartPolicy") == "Always"
            found.append(
                Container(
                    element,
                    "sidecar" if sidecar else role,
                    where,
                    name if isinstance(name, str) else f"{key}[{index}]",
                )
            )
    return found


def _article(value: Any) -> str:
    word = kind_of(value)
    return "missing" if word == "null" else f"a {word}"
