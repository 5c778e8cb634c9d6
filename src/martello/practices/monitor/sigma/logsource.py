"""Sigma's log sources: which kind of event each one is here, and what its fields are of it.

Other log sources have no events here, so their rules are unassessed. A further one is an entry of
`SOURCES`, or a `LogSource` that the caller hands in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from sigma.types import SigmaNumber, SigmaString

from martello.core.event import COLUMNS
from martello.practices.monitor.engine.ir import (
    Atom,
    Column,
    Constant,
    Key,
    Node,
    Pointer,
    Term,
    opposite,
)
from martello.practices.monitor.problems import shown
from martello.practices.monitor.sigma.lower import Field, Lowering, Unassessable, comparison
from martello.practices.monitor.sources import values

_LISTS: Final = {"texts": "text", "ints": "int", "bools": "bool"}
_ANNOTATION: Final = "annotations."
_DEEPEST: Final = 32
_SIGNS: Final = frozenset("*~|+\\")  # what steps of a pointer that are no keys begin with
_STEP: Final = re.compile(r"\[([0-9]*|\*)\]")
# Lists of audit.k8s.io/v1 that a rule may name without brackets: one element must do.
LISTS: Final = frozenset(("sourceIPs", "user.groups", "impersonatedUser.groups"))
_DECISION: Final = "authorization.k8s.io/decision"
_GRANT: Final = "authorization.k8s.io/reason"


class LogSource(msgspec.Struct, frozen=True, eq=False):
    """One log source. Empty parts match any; `kinds` are the events its rules are tried on; `also`
    must hold of them besides.
    """

    kinds: tuple[str, ...]
    fields: Callable[[str], Field]
    category: str = ""
    product: str = ""
    service: str = ""
    search: tuple[Term, ...] = (Column("raw"),)
    name: str = ""

    def takes(self, category: str, product: str, service: str) -> bool:
        """Whether a rule's log source is this one."""
        return (
            self.category in ("", category)
            and self.product in ("", product)
            and self.service in ("", service)
        )

    @property
    def lowering(self) -> Lowering:
        """How a rule of this log source is lowered."""
        return Lowering(self.fields, self.search)


def find(
    category: str, product: str, service: str, sources: Iterable[LogSource]
) -> LogSource | None:
    """The first log source that takes a rule; None: there are no such events here."""
    return next((one for one in sources if one.takes(category, product, service)), None)


def column(name: str) -> Field:
    """A column of our own events as a field."""
    type_ = COLUMNS[name].type
    if type_ in _LISTS:
        return Field(Column(name), _LISTS[type_], many=True)
    return Field(Column(name), "int" if type_ == "time" else type_)


def path(name: str, lists: Iterable[str] = ()) -> Field:
    """A dotted path into `raw`; `[]` stands for every element, `[0]` for one."""
    if len(name) > 1000:
        raise Unassessable("the name of a field is longer than 1,000 characters")
    steps: list[str] = []
    for part in name.split("."):
        plain = part.partition("[")[0]
        if plain or not part:
            steps.append(_key(plain))
        steps.extend("*" if found in ("", "*") else found for found in _STEP.findall(part))
    if len(steps) > _DEEPEST:
        raise Unassessable(f"a field has more than {_DEEPEST} steps")
    if name in lists:
        steps.append("*")
    return Field(Pointer(tuple(steps)), "json", many="*" in steps)


def member(name: str) -> Field:
    """A member of the object in `raw`, whatever dots or blanks its name has."""
    return Field(Pointer((_key(name),)), "json")


def _key(name: str) -> str:
    """A key as a step of a pointer, where some signs mean more."""
    return "\\" + name if name[:1] in _SIGNS else name


_AUDIT: Final[Mapping[str, str]] = {
    alias: name
    for name, one in COLUMNS.items()
    if one.kinds == ("audit",) or name.startswith("k8s_")
    for alias in one.sigma
}


def audit(name: str) -> Field:
    """A field of audit.k8s.io/v1, as a dotted path; or one of our columns by its name. A path that
    no event has is looked up like any other: it is `rules check` that calls it dead.
    """
    found = _AUDIT.get(name)
    if found is not None:
        field, few = column(found), values(found, "audit")
        if few is None or isinstance(few, range):
            return field
        return msgspec.structs.replace(field, values=few)
    if name.startswith(_ANNOTATION):
        key = name.removeprefix(_ANNOTATION)
        known = {_DECISION: "api_decision", _GRANT: "api_grant"}.get(key)
        return column(known) if known else Field(Key(Column("api_annotations"), key))
    if name == "impersonatedUser.groups":
        return column("actor_as_groups")
    if name in COLUMNS and "audit" in COLUMNS[name].kinds:
        return column(name)
    return path(name, LISTS)


_HOST: Final[Mapping[str, str]] = {
    "Image": "proc_exe",
    "CommandLine": "proc_args",
    "CurrentDirectory": "proc_cwd",
    "ParentImage": "proc_parent_exe",
    "ParentCommandLine": "proc_parent_args",
    "ProcessId": "proc_pid",
    "ParentProcessId": "proc_ppid",
    "LogonId": "proc_auid",
    "TargetFilename": "file_path",
    "DestinationIp": "net_dst_ip",
    "DestinationPort": "net_dst_port",
    "DestinationHostname": "net_dst_name",
    "SourceIp": "net_src_ip",
    "SourcePort": "net_src_port",
    "Protocol": "net_proto",
    "Computer": "node",
}
_USERS: Final = {"root": 0}


def host(name: str) -> Field:
    """A field of Sysmon for Linux, as our sensors fill it; or one of our columns by its name."""
    if name == "User":
        return Field(Column("proc_uid"), "int", special=_user)
    if name == "Initiated":
        return Field(Column("action"), special=_initiated)
    found = _HOST.get(name, name)
    if found in COLUMNS:
        return column(found)
    raise Unassessable(f"no source fills the field {shown(name)}")


def _user(value: Any) -> Node:
    """A user by name: events carry numbers, and only root has the same one everywhere."""
    if isinstance(value, SigmaNumber):
        return Atom(Column("proc_uid"), "=", (value.number,))
    if isinstance(value, SigmaString):
        op, operand = comparison(value, cased=False)
        if op == "exists":
            return Atom(Column("proc_uid"), "exists")
        if op == "iequals" and operand.lower() in _USERS:
            return Atom(Column("proc_uid"), "=", (_USERS[operand.lower()],))
    raise Unassessable("events carry users as numbers: of the names only root is known")


def _initiated(value: Any) -> Node:
    """Whether the connection was opened from here."""
    accepted = Atom(Column("action"), "=", ("accept",))
    match str(value).lower():
        case "true":
            return opposite(accepted)
        case "false":
            return accepted
    return Constant(False)


KUBERNETES: Final = LogSource(
    ("audit",), audit, product="kubernetes", service="audit", name="kubernetes/audit"
)
SOURCES: Final = (
    KUBERNETES,
    LogSource(
        ("process",),
        host,
        "process_creation",
        "linux",
        search=(Column("proc_exe"), Column("proc_args")),
        name="linux/process_creation",
    ),
    LogSource(
        ("file",),
        host,
        "file_event",
        "linux",
        search=(Column("file_path"),),
        name="linux/file_event",
    ),
    LogSource(
        ("network",),
        host,
        "network_connection",
        "linux",
        search=(Column("net_dst_name"), Column("net_dst_ip")),
        name="linux/network_connection",
    ),
)


def json_log(
    category: str = "", product: str = "", service: str = "", kinds: tuple[str, ...] = ("log",)
) -> LogSource:
    """A log source whose events come as JSON lines: fields are members of the line."""
    name = "/".join(part for part in (product, category, service) if part)
    search = (Column("raw"), Column("log_text"))
    return LogSource(kinds, member, category, product, service, search, name)
