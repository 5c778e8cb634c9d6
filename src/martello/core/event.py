"""What happens in a cluster: the columns of an event as plain data, and the view that access needs.

Columns are flat and have the same names everywhere: in tables, in rules (which may write dots,
`proc.exe` is `proc_exe`) and in `AuditEvent`. What a source cannot give is null.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

KINDS: Final = (
    "audit",
    "process",
    "file",
    "network",
    "priv",
    "kernel",
    "log",
    "k8s_event",
    "alert",
    "gap",
)
FLAGS: Final = ("truncated", "duplicate_key", "bad_utf8", "partial", "clock", "guessed")
_HOST: Final = ("process", "file", "network", "priv")
_PLACED: Final = ("audit", *_HOST, "kernel", "log", "k8s_event", "alert")
# The kernel and alerts of other systems tell of processes too.
_RUNNING: Final = (*_HOST, "kernel", "alert")


class Column(msgspec.Struct, frozen=True):
    """One column: its type (text, int, bool, time in ns UTC, map, `texts` and the like for lists),
    the kinds of events that have it, and the fields of Falco and Sigma that mean it.
    """

    name: str
    type: str = "text"
    kinds: tuple[str, ...] = KINDS
    falco: tuple[str, ...] = ()
    sigma: tuple[str, ...] = ()


# One line of columns for each type; `texts`, `ints` and `bools` are lists.
_SHAPE: Final[tuple[tuple[tuple[str, ...], str, str], ...]] = (
    (KINDS, "text", "id kind action source cluster node raw"),
    (KINDS, "time", "time seen"),
    (KINDS, "int", "seq"),
    (KINDS, "texts", "flags"),
    (
        _PLACED,
        "text",
        "k8s_ns k8s_group k8s_resource k8s_subresource k8s_name k8s_obj_name k8s_uid pod_name "
        "pod_uid pod_workload pod_template pod_sa container_name container_id image_ref "
        "image_digest",
    ),
    (("audit",), "text", "actor_user actor_uid actor_as actor_agent actor_pod actor_origin"),
    (("audit",), "texts", "actor_groups actor_as_groups actor_ips"),
    (
        ("audit",),
        "text",
        "api_id api_stage api_level api_verb api_uri api_reason api_decision api_grant",
    ),
    (("audit",), "int", "api_code api_ms"),
    (("audit",), "map", "api_annotations"),
    (
        ("audit",),
        "texts",
        "spec_container spec_container_kind spec_image spec_command spec_caps_add spec_host_path "
        "rbac_subjects rbac_verbs rbac_resources webhook_urls",
    ),
    (("audit",), "bools", "spec_privileged"),
    (("audit",), "ints", "spec_uid"),
    (("audit",), "bool", "spec_host_network spec_host_pid spec_host_ipc"),
    (("audit",), "text", "spec_sa rbac_role svc_type"),
    (
        _RUNNING,
        "text",
        "proc_exe proc_name proc_args proc_cwd proc_parent_name proc_parent_exe proc_parent_args "
        "proc_tty proc_exec_id sys_call sys_res",
    ),
    (_RUNNING, "texts", "proc_argv proc_ancestors proc_flags"),
    (_RUNNING, "int", "proc_pid proc_ppid proc_uid proc_auid"),
    (("file", "alert"), "text", "file_path"),
    (("file", "alert"), "texts", "file_flags"),
    (("network", "alert"), "text", "net_proto net_src_ip net_dst_ip net_dst_name"),
    (("network", "alert"), "int", "net_src_port net_dst_port"),
    (("priv", "alert"), "texts", "priv_arg"),
    (("log", "kernel"), "text", "log_stream"),
    (("log", "kernel", "k8s_event"), "text", "log_text"),
    (("k8s_event",), "text", "ev_reason ev_type"),
    (("k8s_event", "gap"), "int", "ev_count"),
    (("alert",), "text", "rule_name rule_priority rule_output"),
)
_FALCO: Final[Mapping[str, str]] = {
    "time": "evt.rawtime jevt.rawtime",
    "action": "evt.type",
    "node": "evt.hostname",
    "k8s_ns": "ka.target.namespace k8s.ns.name",
    "k8s_resource": "ka.target.resource",
    "k8s_subresource": "ka.target.subresource",
    "k8s_name": "ka.target.name",
    "pod_name": "ka.target.pod.name k8s.pod.name",
    "pod_uid": "k8s.pod.id",
    "container_name": "container.name",
    "container_id": "container.id",
    "image_ref": "container.image",
    "image_digest": "container.image.digest",
    "actor_user": "ka.user.name",
    "actor_groups": "ka.user.groups",
    "actor_as": "ka.impuser.name",
    "actor_ips": "ka.sourceips",
    "actor_agent": "ka.useragent",
    "api_id": "ka.auditid",
    "api_stage": "ka.stage",
    "api_verb": "ka.verb",
    "api_uri": "ka.uri",
    "api_code": "ka.response.code",
    "api_reason": "ka.response.reason",
    "api_decision": "ka.auth.decision",
    "api_grant": "ka.auth.reason",
    "spec_image": "ka.req.pod.containers.image",
    "spec_privileged": "ka.req.pod.containers.privileged",
    "spec_caps_add": "ka.req.pod.containers.add_capabilities",
    "spec_host_path": "ka.req.pod.volumes.hostpath",
    "spec_host_network": "ka.req.pod.host_network",
    "spec_host_pid": "ka.req.pod.host_pid",
    "spec_host_ipc": "ka.req.pod.host_ipc",
    "rbac_role": "ka.req.binding.role",
    "rbac_subjects": "ka.req.binding.subjects",
    "rbac_verbs": "ka.req.role.rules.verbs",
    "rbac_resources": "ka.req.role.rules.resources",
    "svc_type": "ka.req.service.type",
    "proc_exe": "proc.exepath",
    "proc_name": "proc.name",
    "proc_args": "proc.cmdline",
    "proc_cwd": "proc.cwd",
    "proc_pid": "proc.pid",
    "proc_ppid": "proc.ppid",
    "proc_parent_name": "proc.pname",
    "proc_parent_exe": "proc.pexepath",
    "proc_parent_args": "proc.pcmdline",
    "proc_tty": "proc.tty",
    "proc_uid": "user.uid",
    "proc_auid": "user.loginuid",
    "sys_call": "syscall.type",
    "sys_res": "evt.res",
    "file_path": "fd.name",
    "net_proto": "fd.l4proto",
    "net_src_ip": "fd.cip",
    "net_src_port": "fd.cport",
    "net_dst_ip": "fd.sip",
    "net_dst_port": "fd.sport",
    "net_dst_name": "fd.sip.name",
}
_SIGMA: Final[Mapping[str, str]] = {
    "k8s_ns": "objectRef.namespace",
    "k8s_group": "objectRef.apiGroup",
    "k8s_resource": "objectRef.resource",
    "k8s_subresource": "objectRef.subresource",
    "k8s_name": "objectRef.name",
    "actor_user": "user.username",
    "actor_uid": "user.uid",
    "actor_groups": "user.groups",
    "actor_as": "impersonatedUser.username",
    "actor_ips": "sourceIPs",
    "actor_agent": "userAgent",
    "api_id": "auditID",
    "api_stage": "stage",
    "api_level": "level",
    "api_verb": "verb",
    "api_uri": "requestURI",
    "api_code": "responseStatus.code",
    "api_reason": "responseStatus.reason",
    "proc_exe": "Image",
    "proc_args": "CommandLine",
    "proc_cwd": "CurrentDirectory",
    "proc_parent_exe": "ParentImage",
    "proc_parent_args": "ParentCommandLine",
    "file_path": "TargetFilename",
    "net_dst_ip": "DestinationIp",
    "net_dst_port": "DestinationPort",
    "net_dst_name": "DestinationHostname",
}
COLUMNS: Final[Mapping[str, Column]] = {
    name: Column(
        name,
        type_,
        kinds,
        tuple(_FALCO.get(name, "").split()),
        tuple(_SIGMA.get(name, "").split()),
    )
    for kinds, type_, names in _SHAPE
    for name in names.split()
}


class Gap(msgspec.Struct, frozen=True):
    """A part of a source that could not be read: everything else stands, this is not known.

    `offset` and `size` are bytes, of the unpacked text where the file is compressed; size 0: not
    known.
    """

    where: str
    offset: int
    size: int
    why: str


class Asked(msgspec.Struct, frozen=True):
    """The question of a review (SubjectAccessReview and its like), as its body was logged.
    `username` is empty where the asker asks for itself. `path` makes it a non-resource question.
    """

    verb: str
    username: str = ""
    groups: tuple[str, ...] = ()
    group: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    path: str = ""


class AuditEvent(msgspec.Struct, frozen=True, gc=False):
    """One audit event as access needs it. Fields are named as the columns they are; `asked` and
    `actor_as_extra` are read from the body and the impersonated user.

    `time` is ns since 1970, UTC; 0 where the event has none that can be read (flag `clock`).
    """

    api_verb: str
    actor_user: str
    api_uri: str = ""
    api_stage: str = "ResponseComplete"
    api_id: str = ""
    api_level: str = ""
    time: int = 0
    actor_groups: tuple[str, ...] | None = None  # None: the source does not say
    actor_uid: str = ""
    actor_as: str = ""
    actor_as_groups: tuple[str, ...] = ()
    actor_as_uid: str = ""
    actor_as_extra: tuple[tuple[str, str], ...] = ()
    actor_agent: str = ""
    actor_ips: tuple[str, ...] = ()
    k8s_group: str = ""
    k8s_resource: str = ""  # empty: no request for a resource, or the source does not say
    k8s_subresource: str = ""
    k8s_name: str = ""
    k8s_ns: str = ""
    api_code: int = 0  # 0: no answer yet
    api_reason: str = ""
    api_message: str = ""
    api_decision: str = ""  # allow or forbid, where annotated
    api_grant: str | None = None  # what the authorizer gave as its reason; None: not annotated
    asked: Asked | None = None
    flags: tuple[str, ...] = ()


def identity(cluster: str, event: AuditEvent) -> str:
    """The `id` of an audit event: the same however often it is read, another one for each stage. An
    event without an id of the API server's is told by all that it says. Clients may choose that id
    themselves (the header Audit-ID), so the time is in it too, which the server alone says.
    """
    told = event.api_id or msgspec.json.encode(event).decode()
    text = "\0".join((cluster, told, event.api_stage, str(event.time)))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
