"""Falco's fields as terms over columns (the table of section 4 of the design).

A field without a column is looked for where Falco printed it: in `output_fields` of `raw`. What is
said by other columns (`fd.typechar`, `container.id` of a process outside any container) is a few
cases: the first whose condition holds gives the term.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, TypeAlias

import msgspec

from martello.practices.monitor.engine.ir import (
    TRUE,
    At,
    Atom,
    Call,
    Column,
    Literally,
    Node,
    Pointer,
    Term,
    both,
    either,
)
from martello.practices.monitor.falco.audit_fields import audit_shape
from martello.practices.monitor.falco.catalogue import FIELDS
from martello.practices.monitor.falco.shape import Cases, Shape, exists, is_one, otherwise, pointer

TEXTUAL: Final = ("text", "any")
NUMBERS: Final = ("u64", "i64", "u32", "i32", "i16", "port")


class Known(msgspec.Struct, frozen=True):
    """A field of Falco's: type (text, bool, ip, net, bytes, any, or a number's), marks, see
    `catalogue.py`. `both`: it means either end of a connection.
    """

    name: str
    type: str
    marks: frozenset[str] = frozenset()

    @property
    def several(self) -> bool:
        """Whether it gives a list."""
        return "list" in self.marks


Shaper: TypeAlias = Callable[[str, str | None], Shape]


class Source(msgspec.Struct, frozen=True):
    """A source of events: its fields, how one becomes a term, and the kinds of our events."""

    name: str
    fields: Mapping[str, Known]
    shape: Shaper
    kinds: tuple[str, ...]

    def find(self, name: str, arg: str | None) -> tuple[Known, str | None] | None:
        """The field of a name, and its argument: also one that stands behind a dot, as in
        `evt.arg.path`. None: there is none.
        """
        known = self.fields.get(name)
        if known is not None:
            wrong = (arg is not None and not known.marks & {"may", "must"}) or (
                arg is None and "must" in known.marks
            )
            return None if wrong else (known, arg)
        at = len(name)
        while arg is None and (at := name.rfind(".", 0, at)) > 0:
            known = self.fields.get(name[:at])
            if known is not None and known.marks & {"may", "must"} and known.name in _DOTTED:
                return known, name[at + 1 :]
        return None


# Fields whose argument may stand behind a dot.
_DOTTED: Final = frozenset(
    (
        "evt.arg",
        "evt.rawarg",
        "evt.type.is",
        "evt.abspath",
        "thread.cgroup",
        "proc.env",
        "container.label",
        "container.mount",
        "container.mount.source",
        "container.mount.dest",
        *(f"k8s.{one}.label" for one in ("pod", "ns", "rc", "svc", "rs", "deployment")),
    )
)


@cache
def sources() -> Mapping[str, Source]:
    """The sources that are known."""
    made = {}
    for name, shape, kinds in (
        ("syscall", syscall_shape, ("process", "file", "network", "priv")),
        ("k8s_audit", audit_shape, ("audit",)),
    ):
        fields = {
            field: Known(field, type_, frozenset(marks.split()))
            for source, type_, marks, names in FIELDS
            if source in ("every", name)
            for field in names.split()
        }
        made[name] = Source(name, fields, shape, kinds)
    return made


def _printed(name: str, arg: str | None) -> Term:
    """Where Falco prints a field: an argument in brackets or behind a dot, as the rule wrote it."""
    if arg is None or "|" in arg:
        return pointer("output_fields", name if arg is None else f"{name}[{arg}]")
    return Pointer(("output_fields", f"|{name}[{arg}]|{name}.{arg}"))


def _type(name: str) -> str:
    known = sources()["syscall"].fields.get(name)
    return known.type if known is not None else "text"


# Fields that are just one column.
COLUMN: Final[Mapping[str, str]] = {
    "syscall.type": "sys_call",
    "evt.rawtime": "time",
    "evt.rawtime.ns": "time",
    "evt.hostname": "node",
    "evt.res": "sys_res",
    "proc.name": "proc_name",
    "proc.exepath": "proc_exe",
    "proc.pexepath": "proc_parent_exe",
    "proc.pname": "proc_parent_name",
    "proc.cwd": "proc_cwd",
    "proc.pid": "proc_pid",
    "proc.ppid": "proc_ppid",
    "proc.aname": "proc_ancestors",
    "user.uid": "proc_uid",
    "fd.nameraw": "file_path",
    "fs.path.name": "file_path",
    "fs.path.nameraw": "file_path",
    "fd.l4proto": "net_proto",
    "fd.cip": "net_src_ip",
    "fd.lip": "net_src_ip",
    "fd.cnet": "net_src_ip",
    "fd.lnet": "net_src_ip",
    "fd.sip": "net_dst_ip",
    "fd.rip": "net_dst_ip",
    "fd.snet": "net_dst_ip",
    "fd.rnet": "net_dst_ip",
    "fd.cport": "net_src_port",
    "fd.lport": "net_src_port",
    "fd.sport": "net_dst_port",
    "fd.rport": "net_dst_port",
    "fd.sip.name": "net_dst_name",
    "fd.rip.name": "net_dst_name",
    "container.name": "container_name",
    "container.image": "image_ref",
    "container.image.digest": "image_digest",
    "k8s.ns.name": "k8s_ns",
    "k8s.pod.name": "pod_name",
    "k8s.pod.id": "pod_uid",
    "k8s.pod.uid": "pod_uid",
}
# Both ends of a connection.
BOTH: Final[Mapping[str, tuple[Term, Term]]] = {
    "fd.ip": (Column("net_src_ip"), Column("net_dst_ip")),
    "fd.net": (Column("net_src_ip"), Column("net_dst_ip")),
    "fd.port": (Column("net_src_port"), Column("net_dst_port")),
    "fd.proto": (Column("net_src_port"), Column("net_dst_port")),
}
_TUPLE: Final = Call(
    "concat",
    (
        Column("net_src_ip"),
        Literally(":"),
        Column("net_src_port"),
        Literally("->"),
        Column("net_dst_ip"),
        Literally(":"),
        Column("net_dst_port"),
    ),
)
_CALL: Final = Column("sys_call")
_RESULT: Final = Call("result", (Column("sys_res"),))
_PATH: Final = Column("file_path")
_NAME: Final = Column("proc_name")
_SIX: Final = Atom(Column("net_dst_ip"), "contains", (":",))
_NET: Final = exists(Column("net_dst_ip"))
_UNSET: Final = 4294967295


def _flag(name: str, column: str, flag: str) -> Cases:
    """A boolean that is printed, or a flag in a list of flags."""
    flags = Column(column)
    marked = Atom(flags, "intersects", (flag,))
    return Cases((*_boolean(name), (marked, Literally(True)), (exists(flags), Literally(False))))


def _boolean(name: str) -> tuple[tuple[Node, Term], ...]:
    printed = _printed(name, None)
    return (
        (is_one(printed, "true"), Literally(True)),
        (exists(printed), Literally(False)),
    )


def _line(name: str, args: str) -> Cases:
    """A command line begins with the name in Falco; ours as it was called."""
    named, line = Column(name), Column(args)
    return Cases(((exists(named), Call("words", (named, Call("rest", (line,))))), (TRUE, line)))


def _number() -> Cases:
    """The number of a file that is open is asked for its sign: where none is told, it is 3."""
    told = Call("number", (_printed("fd.num", None),))
    opened = both(exists(_PATH), Atom(_RESULT, ">=", (0,)))
    return Cases(((exists(told), told), (either(opened, _NET), Literally(3))))


def _tty() -> Cases:
    """A number in Falco; where a sensor names the terminal, any number but 0."""
    told = Call("number", (Column("proc_tty"),))
    return Cases(((exists(told), told), (exists(Column("proc_tty")), Literally(1))))


def _sort(*names: str) -> Callable[[], Cases]:
    """What is open: a file, or a connection of IPv4 or IPv6."""
    field, file, four, six = names
    printed = _printed(field, None)
    return lambda: Cases(
        (
            (exists(printed), printed),
            (exists(_PATH), Literally(file)),
            (_SIX, Literally(six)),
            (_NET, Literally(four)),
        )
    )


_DERIVED: Final[Mapping[str, Callable[[], Shape]]] = {
    "evt.type": lambda: Cases(
        (
            (exists(_CALL), _CALL),
            (is_one(Column("action"), "exec"), Literally("execve")),
            (is_one(Column("action"), "exit"), Literally("procexit")),
        )
    ),
    "evt.num": lambda: otherwise(Call("number", (_printed("evt.num", None),)), Literally(1)),
    "evt.source": lambda: Literally("syscall"),
    "evt.dir": lambda: otherwise(_printed("evt.dir", None), Literally("<")),
    "evt.rawres": lambda: Call(
        "result", (Call("first", (_printed("evt.rawres", None), Column("sys_res"))),)
    ),
    "evt.failed": lambda: Cases(
        (
            *_boolean("evt.failed"),
            (Atom(_RESULT, "<", (0,)), Literally(True)),
            (exists(_RESULT), Literally(False)),
        )
    ),
    "evt.is_open_write": lambda: _flag("evt.is_open_write", "file_flags", "write"),
    "evt.is_open_read": lambda: _flag("evt.is_open_read", "file_flags", "read"),
    "evt.is_open_create": lambda: _flag("evt.is_open_create", "file_flags", "create"),
    "proc.is_exe_upper_layer": lambda: _flag("proc.is_exe_upper_layer", "proc_flags", "upper"),
    "proc.is_exe_from_memfd": lambda: _flag("proc.is_exe_from_memfd", "proc_flags", "memfd"),
    "proc.exe": lambda: Call("first", (At(Column("proc_argv"), 0), _printed("proc.exe", None))),
    "proc.args": lambda: Call("rest", (Column("proc_args"),)),
    "proc.cmdline": lambda: _line("proc_name", "proc_args"),
    "proc.pcmdline": lambda: _line("proc_parent_name", "proc_parent_args"),
    "proc.tty": _tty,
    "user.loginuid": lambda: Cases(
        (
            (Atom(Column("proc_auid"), "=", (_UNSET,)), Literally(-1)),
            (exists(Column("proc_auid")), Column("proc_auid")),
        )
    ),
    "fd.num": _number,
    "fd.name": lambda: Call("first", (_PATH, _TUPLE)),
    "fd.directory": lambda: Call("dirname", (_PATH,)),
    "fd.filename": lambda: Call("basename", (_PATH,)),
    "fd.typechar": _sort("fd.typechar", "f", "4", "6"),
    "fd.type": _sort("fd.type", "file", "ipv4", "ipv6"),
    "container.id": lambda: otherwise(Column("container_id"), Literally("host")),
    "container.image.repository": lambda: Call("repository", (Column("image_ref"),)),
}


def syscall_shape(name: str, arg: str | None) -> Shape:
    """The term of a field of the source syscall."""
    if arg is None:
        derived = _DERIVED.get(name)
        if derived is not None:
            return derived()
        column = COLUMN.get(name)
        if column is not None:
            return Column(column)
    elif arg.isdigit() and len(arg) < 6:
        number = int(arg)
        if name == "proc.args":
            return At(Column("proc_argv"), number + 1)
        if name == "proc.aname":
            above = At(Column("proc_ancestors"), number - 1)
            return _NAME if not number else above
    printed = _printed(name, arg)
    if name == "evt.arg" and arg in ("name", "path", "pathname", "filename"):
        return Call("first", (printed, _PATH))
    type_ = _type(name)
    if type_ == "bool":
        return Cases(_boolean(name))
    return Call("number", (printed,)) if type_ in NUMBERS else printed
