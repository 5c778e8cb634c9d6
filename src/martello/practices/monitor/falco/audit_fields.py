"""The fields of Falco's plugins k8saudit and json as terms: columns, or places in `raw`.

The plugin's own defects are not copied (K5): `image.repository` keeps a registry's port,
`ka.sourceips` has its values, one container without an image hides no other's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from martello.practices.monitor.engine.ir import (
    At,
    Atom,
    Call,
    Column,
    Key,
    Literally,
    Pointer,
    Term,
    both,
    opposite,
)
from martello.practices.monitor.falco.shape import (
    Cases,
    Shape,
    Unknown,
    exists,
    is_one,
    pointer,
)

_COLUMN: Final[Mapping[str, str]] = {
    "evt.rawtime": "time",
    "evt.rawtime.ns": "time",
    "evt.hostname": "node",
    "ka.auditid": "api_id",
    "ka.stage": "api_stage",
    "ka.auth.decision": "api_decision",
    "ka.user.name": "actor_user",
    "ka.user.groups": "actor_groups",
    "ka.impuser.name": "actor_as",
    "ka.verb": "api_verb",
    "ka.uri": "api_uri",
    "ka.target.name": "k8s_name",
    "ka.target.namespace": "k8s_ns",
    "ka.target.resource": "k8s_resource",
    "ka.target.subresource": "k8s_subresource",
    "ka.req.configmap.name": "k8s_name",
    "ka.response.reason": "api_reason",
    "ka.useragent": "actor_agent",
    "ka.sourceips": "actor_ips",
    "jevt.obj": "raw",
    "json.obj": "raw",
}
_ANNOTATION: Final[Mapping[str, str]] = {
    "ka.auth.reason": "authorization.k8s.io/reason",
    "ka.auth.openshift.decision": "authentication.openshift.io/decision",
    "ka.auth.openshift.username": "authentication.openshift.io/username",
    "ka.validations.admission.policy.failure": (
        "validation.policy.admission.k8s.io/validation_failure"
    ),
    "ka.security.pod.violations": "pod-security.kubernetes.io/audit-violations",
    "ka.cluster.name": "cluster_name",
}
_SPEC: Final = "requestObject spec"
_SUBJECTS: Final = "requestObject subjects"
# Steps below raw; `@` is the element that an argument picks, else every element.
_PLACE: Final[Mapping[str, str]] = {
    "ka.req.binding.subjects": f"{_SUBJECTS} *",
    "ka.req.binding.subjects.user_names": f"{_SUBJECTS} *kind=User name",
    "ka.req.binding.subjects.serviceaccount_names": f"{_SUBJECTS} *kind=ServiceAccount name",
    "ka.req.binding.subjects.group_names": f"{_SUBJECTS} *kind=Group name",
    "ka.req.binding.role": "requestObject roleRef name",
    "ka.req.configmap.obj": "requestObject data",
    "ka.req.container.image": f"{_SPEC} containers 0 image",
    "ka.req.pod.host_ipc": f"{_SPEC} hostIPC",
    "ka.req.pod.host_network": f"{_SPEC} hostNetwork",
    "ka.req.container.host_network": f"{_SPEC} hostNetwork",
    "ka.req.pod.host_pid": f"{_SPEC} hostPID",
    "ka.req.pod.run_as_user": f"{_SPEC} securityContext runAsUser",
    "ka.req.pod.run_as_group": f"{_SPEC} securityContext runAsGroup",
    "ka.req.pod.fs_group": f"{_SPEC} securityContext fsGroup",
    "ka.req.pod.supplemental_groups": f"{_SPEC} securityContext supplementalGroups *",
    "ka.req.role.rules": "requestObject rules *",
    "ka.req.role.rules.apiGroups": "requestObject rules @ apiGroups *",
    "ka.req.role.rules.nonResourceURLs": "requestObject rules @ nonResourceURLs *",
    "ka.req.role.rules.verbs": "requestObject rules @ verbs *",
    "ka.req.role.rules.resources": "requestObject rules @ resources *",
    "ka.req.service.type": f"{_SPEC} type",
    "ka.req.service.ports": f"{_SPEC} ports @",
    "ka.req.pod.volumes.hostpath": f"{_SPEC} volumes @ hostPath path",
    "ka.req.pod.volumes.flexvolume_driver": f"{_SPEC} volumes @ flexVolume driver",
    "ka.req.pod.volumes.volume_type": f"{_SPEC} volumes @ ~name",
    "ka.resp.name": "responseObject metadata name",
}
_CONTAINER: Final[Mapping[str, str]] = {
    "name": "name",
    "image": "image",
    "image.repository": "image",
    "args": "args +",
    "command": "command +",
    "host_port": "ports * |hostPort|containerPort",
    "privileged": "securityContext privileged",
    "allow_privilege_escalation": "securityContext allowPrivilegeEscalation",
    "read_only_fs": "securityContext readOnlyRootFilesystem",
    "run_as_user": "securityContext runAsUser",
    "run_as_group": "securityContext runAsGroup",
    "proc_mount": "securityContext procMount",
    "add_capabilities": "securityContext capabilities add *",
}
# Of every audit event; events are counted from 1.
_SAME: Final[Mapping[str, str | int | bool]] = {
    "evt.num": 1,
    "evt.source": "k8s_audit",
    "evt.pluginname": "k8saudit",
    "evt.is_async": False,
}
_WHERE: Final[Mapping[str, str]] = {
    "verb": "api_verb",
    "stage": "api_stage",
    "level": "api_level",
    "auditID": "api_id",
    "requestURI": "api_uri",
    "userAgent": "actor_agent",
    "user/username": "actor_user",
    "impersonatedUser/username": "actor_as",
    "objectRef/resource": "k8s_resource",
    "objectRef/subresource": "k8s_subresource",
    "objectRef/namespace": "k8s_ns",
    "objectRef/name": "k8s_name",
    "responseStatus/reason": "api_reason",
}


def audit_shape(name: str, arg: str | None) -> Shape:
    """The term of a field of the source k8s_audit."""
    if name in _COLUMN:
        column = Column(_COLUMN[name])
        return column if arg is None else _one(column, arg)
    if name in _ANNOTATION:
        return Key(Column("api_annotations"), _ANNOTATION[name])
    if name in _PLACE:
        return _place(_PLACE[name], arg)
    for several in ("containers", "initContainers", "ephemeralContainers"):
        prefix = f"ka.req.pod.{several}."
        if name.startswith(prefix):
            return _container(several, name[len(prefix) :], arg)
    if name in ("jevt.value", "json.value"):
        return at_pointer(arg or "")
    return _special(name, arg)


def _one(column: Column, arg: str) -> Term:
    return At(column, int(arg) if arg.isdigit() and len(arg) < 6 else 99999)


def _place(steps: str, arg: str | None) -> Term:
    """The steps; an argument that is no index finds nothing."""
    index = "*" if arg is None else arg if arg.isdigit() else "-"
    return Pointer(tuple(index if step == "@" else step for step in steps.split()))


def _container(several: str, field: str, arg: str | None) -> Shape:
    steps = _CONTAINER.get(field)
    if steps is not None:
        place = _place(f"{_SPEC} {several} @ {steps}", arg)
        return Call("repository", (place,)) if field == "image.repository" else place
    wanted = {"eff_run_as_user": "runAsUser", "eff_run_as_group": "runAsGroup"}.get(field)
    if wanted is None:
        return Unknown(f"{field} is not told by audit events")
    pod = _place(f"{_SPEC} securityContext {wanted}", None)
    own = _place(f"{_SPEC} {several} @", arg)
    return Call("effective", (own, pod), (wanted, "0"))


def at_pointer(path: str) -> Term:
    """The place that a JSON pointer names: a column where one says the same."""
    path = path.removeprefix("/")
    if not path:
        return Column("raw")
    column = _WHERE.get(path)
    if column is not None:
        return Column(column)
    return pointer(*(s.replace("~1", "/").replace("~0", "~") for s in path.split("/")))


def _special(name: str, arg: str | None) -> Shape:
    if name in _SAME:
        return Literally(_SAME[name])
    if name == "ka.response.code":
        return Call("text", (Column("api_code"),))
    if name in ("jevt.rawtime", "json.rawtime"):
        return Call("text", (Column("time"),))
    if name == "ka.uri.param":
        return Call("param", (Column("api_uri"),), (arg or "",))
    if name == "ka.target.pod.name":
        pods = both(
            is_one(Column("k8s_resource"), "pods"), opposite(exists(Column("k8s_subresource")))
        )
        return Cases(((pods, pointer("responseObject", "metadata", "name")),))
    if name == "ka.req.binding.subject.has_name":
        return Cases(((exists(Column("api_id")), Literally("true")),))
    if name == "ka.req.container.image.repository":
        return Call("repository", (_place(_PLACE["ka.req.container.image"], None),))
    if name == "ka.req.binding.subjects.serviceaccount_ns_names":
        return Call("accounts", (_place(f"{_SUBJECTS} *kind=ServiceAccount", None),))
    if name == "ka.req.container.privileged":
        each = _place(f"{_SPEC} containers * securityContext privileged", None)
        return _any(Atom(each, "intersects", ("true",)), "containers")
    if name == "ka.req.volume.hostpath":
        paths, wanted = _place(_PLACE["ka.req.pod.volumes.hostpath"], None), arg or ""
        prefix = wanted.endswith("*")
        op = "startswith" if prefix else "="
        operand = wanted[:-1] if prefix else wanted
        return _any(Atom(paths, op, (operand,), over="any"), "volumes")
    return Unknown("audit events do not tell it")


def _any(found: Atom, among: str) -> Cases:
    """`true` where one of the pod's parts is so, `false` where it has such parts at all."""
    there = exists(_place(f"{_SPEC} {among}", None))
    return Cases(((found, Literally("true")), (there, Literally("false"))))
