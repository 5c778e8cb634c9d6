"""What each source of events fills, and which values a column can have at all.

What a source cannot give is missing in its events: a rule that needs it cannot run there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from martello.core.errors import BadInput
from martello.core.event import COLUMNS, KINDS

_ALWAYS: Final = "id kind action source cluster node raw time seen seq flags"
_POD: Final = "k8s_ns pod_name pod_uid pod_workload pod_template pod_sa container_name"
_CONTAINER: Final = f"{_POD} container_id image_ref image_digest"
_PROCESS: Final = (
    "proc_exe proc_name proc_args proc_cwd proc_pid proc_ppid proc_uid proc_auid proc_parent_name "
    "proc_parent_exe proc_parent_args proc_ancestors proc_flags"
)
_TRACED: Final = "proc_argv proc_tty proc_exec_id"
_LOGGED: Final = (
    "proc_exe proc_name proc_args proc_cwd proc_pid proc_ppid proc_uid proc_auid proc_argv proc_tty"
)
_CALL: Final = "sys_call sys_res"
_SAID: Final = "log_stream log_text proc_pid proc_name proc_exe proc_uid sys_call sys_res"
_FILE: Final = "file_path file_flags"
_FLOW: Final = "net_proto net_src_ip net_src_port net_dst_ip net_dst_port"
_OBJECT: Final = (
    "k8s_ns k8s_group k8s_resource k8s_subresource k8s_name k8s_obj_name k8s_uid pod_name pod_sa "
    "container_name"
)
_HOST: Final = ("process", "file", "network", "priv")


class Feed(msgspec.Struct, frozen=True, eq=False):
    """One source: the kinds of its events, and for each the columns that it may fill. A `general`
    one may carry anything that a program sends: it is not proposed.
    """

    name: str
    columns: Mapping[str, frozenset[str]]
    general: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of events that it gives."""
        return tuple(self.columns)


def _feed(name: str, **columns: str) -> Feed:
    """A source of events, and of gaps where it cannot tell all."""
    told = {**columns, "gap": "ev_count"}
    filled = {kind: frozenset(f"{_ALWAYS} {names}".split()) for kind, names in told.items()}
    return Feed(name, filled)


def _of(kind: str) -> str:
    """The columns that only events of a kind have."""
    return " ".join(name for name, one in COLUMNS.items() if one.kinds == (kind,))


def _all(kind: str) -> frozenset[str]:
    return frozenset(name for name, one in COLUMNS.items() if kind in one.kinds)


FEEDS: Final[Mapping[str, Feed]] = {
    one.name: one
    for one in (
        _feed("audit", audit=f"{_of('audit')} {_OBJECT} pod_workload"),
        _feed(
            "bpftrace",
            process=f"{_CONTAINER} {_PROCESS} {_CALL} {_TRACED}",
            file=f"{_CONTAINER} {_PROCESS} {_CALL} {_TRACED} {_FILE}",
            network=f"{_CONTAINER} {_PROCESS} {_CALL} {_TRACED} {_FLOW} net_dst_name",
            priv=f"{_CONTAINER} {_PROCESS} {_CALL} {_TRACED} priv_arg",
        ),
        _feed(
            "tetragon",
            process=f"{_CONTAINER} {_PROCESS} sys_res proc_exec_id",
            file=f"{_CONTAINER} {_PROCESS} {_CALL} {_FILE} proc_exec_id",
            network=f"{_CONTAINER} {_PROCESS} {_CALL} {_FLOW} proc_exec_id",
            priv=f"{_CONTAINER} {_PROCESS} {_CALL} priv_arg proc_exec_id",
        ),
        Feed("falco", {"alert": _all("alert")}),  # what a rule prints
        _feed(
            "auditd",
            process=f"{_LOGGED} {_CALL}",
            file=f"{_LOGGED} {_CALL} {_FILE}",
            network=f"{_LOGGED} {_CALL} net_proto net_dst_ip net_dst_port net_dst_name",
            priv=f"{_LOGGED} {_CALL} priv_arg",
        ),
        _feed("hubble", network=f"{_POD} {_FLOW} net_dst_name sys_res"),
        _feed("cri", log=f"{_CONTAINER} log_stream log_text"),
        _feed("otlp", log=f"{_CONTAINER} log_stream log_text"),
        Feed("ndjson", {kind: _all(kind) for kind in KINDS if kind != "gap"}, general=True),
        _feed("kmsg", kernel=f"{_CONTAINER} {_SAID}"),
        _feed("events", k8s_event=f"{_of('k8s_event')} {_OBJECT} {_POD} pod_uid ev_count log_text"),
    )
}

# Verbs of requests for resources; of others the HTTP method is the verb.
VERBS: Final = (
    *("create", "get", "list", "watch", "update", "patch", "delete", "deletecollection", "proxy"),
    *("post", "put", "head", "options", "connect", "trace"),
)
Values = tuple[str, ...] | range
# Columns of audit events that can have only these values; `action` is the verb there.
_AUDIT: Final[Mapping[str, Values]] = {
    "api_verb": VERBS,
    "action": VERBS,
    "api_stage": ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"),
    "api_level": ("Metadata", "Request", "RequestResponse"),
    "api_decision": ("allow", "forbid"),
    "api_code": range(100, 600),
    "svc_type": ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
    "spec_container_kind": ("main", "init", "ephemeral"),
}
_OTHERS: Final[Mapping[str, Values]] = {
    "ev_type": ("Normal", "Warning"),
    "log_stream": ("stdout", "stderr"),
}
# What an event of a kind always has.
PRESENT: Final = frozenset(("kind", "api_verb", "api_stage", "api_level"))


def values(column: str, kind: str) -> Values | None:
    """The values that a column of a kind of events can have; None: any."""
    if column == "kind":
        return (kind,)
    if kind == "audit" and column in _AUDIT:
        return _AUDIT[column]
    return _OTHERS.get(column)


def feeds(names: Iterable[str | Feed]) -> tuple[Feed, ...]:
    """Sources by name. Raises BadInput for one that does not exist."""
    found = []
    for name in names:
        if isinstance(name, str) and name not in FEEDS:
            known = ", ".join(FEEDS)
            raise BadInput(f"there is no source {name!r}", next=f"the sources are {known}")
        found.append(FEEDS[name] if isinstance(name, str) else name)
    return tuple(found)


def would_fill(column: str, kinds: Iterable[str]) -> tuple[str, ...]:
    """The sources that fill a column of events of these kinds; with `kind` all of the kinds."""
    wanted = tuple(kinds)
    return tuple(
        one.name
        for one in FEEDS.values()
        if not one.general and any(column in one.columns.get(kind, ()) for kind in wanted)
    )
