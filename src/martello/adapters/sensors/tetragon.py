"""Tetragon's JSON export: one event a line, one key of it names its type.

Zero values are left out; `arguments` is one string; `docker` is the container's id cut to 31
characters, and the pod may be missing in early events: the pods handed in fill both. Parents are
found by `parent_exec_id`. Columns: as K6 says; files, connections and calls as far as a
TracingPolicy asks for them.
"""

from __future__ import annotations

import errno
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from martello.adapters.sensors.pods import Pods, owned
from martello.adapters.sensors.shape import (
    NOWHERE,
    Event,
    Json,
    NotRead,
    Place,
    finished,
    gap,
    identity,
    lined,
    moment,
    named,
    number,
    parsed,
    part,
    text,
    texts,
)
from martello.core.event import Gap

SOURCE: Final = "tetragon"
_MOST: Final = 65_536  # processes whose parents are remembered
_MOST_ANCESTORS: Final = 16
_NOT_SET: Final = 4_294_967_295
_SYSCALL: Final = re.compile(r"(?:__[a-z0-9]+_)?sys_(?:enter_|exit_)?")
# What functions of the kernel mean, in the words of the other sensors.
_ACTIONS: Final = {
    **dict.fromkeys(
        ("fd_install", "openat", "openat2", "security_file_open", "security_file_permission"),
        "open",
    ),
    **dict.fromkeys(
        ("tcp_connect", "tcp_v4_connect", "tcp_v6_connect", "security_socket_connect"), "connect"
    ),
    "tcp_close": "close",
    "inet_csk_listen_start": "listen",
    "security_mmap_file": "mmap",
    "security_path_truncate": "truncate",
    "security_sb_mount": "mount",
    "security_bpf_prog_alloc": "bpf",
    "security_bpf": "bpf",
    "bpf_check": "bpf",
    "cap_capable": "capable",
    "do_init_module": "init_module",
    "free_module": "delete_module",
    "security_ptrace_access_check": "ptrace",
}
_PERMISSIONS: Final = ((4, "read"), (2, "write"), (1, "execute"), (8, "append"))
_TYPES: Final = (
    "process_exec",
    "process_exit",
    "process_kprobe",
    "process_tracepoint",
    "process_lsm",
    "process_uprobe",
    "process_usdt",
    "process_loader",
    "process_connect",
    "process_close",
    "process_listen",
    "process_accept",
    "process_throttle",
    "rate_limit_info",
)


class Reader:
    """Reads lines; remembers processes, so that ancestors have names."""

    def __init__(self, place: Place = NOWHERE, pods: Pods | None = None) -> None:
        self._place = place
        self._pods = pods or Pods()
        self._processes: OrderedDict[str, tuple[str, str]] = OrderedDict()  # name, parent's id

    def read(self, parts: Iterable[bytes], where: str, seen: int) -> Iterator[Event | Gap]:
        """The events of an export."""
        return lined(parts, where, self.line, seen)

    def line(self, line: bytes, seen: int) -> list[Event]:
        """The events of one line. Raises NotRead."""
        flags: set[str] = set()
        raw = parsed(line, flags)
        type_ = next((one for one in _TYPES if isinstance(raw.get(one), dict)), None)
        if type_ is None:
            type_ = next((one for one in raw if one.startswith("process_")), None)
            if type_ is None or not isinstance(raw[type_], dict):
                raise NotRead("it is no event of Tetragon")
            flags.add("partial")  # of a type that is not known here
        told: Json = raw[type_]
        process = part(told, "process")
        at = moment(raw.get("time") or process.get("start_time"), seen, flags)
        place = self._place._replace(
            cluster=self._place.cluster or text(raw, "cluster_name") or "",
            node=text(raw, "node_name") or self._place.node,
        )
        if type_ == "rate_limit_info":
            count = number(told, "number_of_dropped_process_events")
            return [gap(place, SOURCE, "lost", at, at, "its rate limit dropped these", count)]
        if type_ == "process_throttle":
            why = f"{text(told, 'type') or 'throttled'} of {text(told, 'cgroup') or 'a cgroup'}"
            return [gap(place, SOURCE, "throttled", at, at, why)]
        event: Event = {
            "id": identity(place, SOURCE, line),
            "source": SOURCE,
            "time": at,
            "seen": seen,
            **self._process(raw, told, process),
            **_what(type_, told),
            "raw": line.decode("utf-8", "backslashreplace"),
        }
        return [finished(named(event, place), flags)]

    def _process(self, raw: Json, told: Json, process: Json) -> Event:
        parent = part(told, "parent")
        self._remember(parent)
        self._remember(process)
        auid = number(process, "auid")
        binary = text(process, "binary")
        return {
            "proc_exe": binary,
            "proc_name": _base(binary),
            "proc_args": _command(process),
            "proc_cwd": text(process, "cwd"),
            "proc_pid": number(process, "pid"),
            "proc_uid": number(process, "uid"),
            "proc_auid": None if auid == _NOT_SET else auid,
            "proc_exec_id": text(process, "exec_id"),
            "proc_ppid": number(parent, "pid"),
            "proc_parent_exe": text(parent, "binary"),
            "proc_parent_name": _base(text(parent, "binary")),
            "proc_parent_args": _command(parent),
            "proc_ancestors": self._ancestors(raw, told, process),
            "proc_flags": _marks(process),
            **self._where(process),
        }

    def _remember(self, process: Json) -> None:
        own, name = text(process, "exec_id"), _base(text(process, "binary"))
        if own and name:
            self._processes[own] = (name, text(process, "parent_exec_id") or "")
            self._processes.move_to_end(own)
            if len(self._processes) > _MOST:
                self._processes.popitem(last=False)

    def _ancestors(self, raw: Json, told: Json, process: Json) -> list[str]:
        """Their names, the parent first: as known from earlier events, then as told."""
        found: list[str] = []
        key = text(process, "parent_exec_id") or ""
        while key in self._processes and len(found) < _MOST_ANCESTORS:
            name, key = self._processes[key]
            found.append(name)
        given = told.get("ancestors")
        if isinstance(given, list) and len(given) + 1 > len(found):
            above = [_base(text(one, "binary")) for one in given if isinstance(one, dict)]
            first = _base(text(part(told, "parent"), "binary"))
            found = [name for name in (first, *above) if name]
        return found[:_MOST_ANCESTORS]

    def _where(self, process: Json) -> Event:
        pod = part(process, "pod")
        container = part(pod, "container")
        image = part(container, "image")
        short = text(process, "docker") or ""
        own = (text(container, "id") or "").rpartition("://")[2]
        known = self._pods.container(own or short) if own or short else {}
        labels = part(pod, "pod_labels")
        digest = (text(image, "id") or "").rpartition("@")[2]
        told = {
            "k8s_ns": text(pod, "namespace"),
            "pod_name": text(pod, "name"),
            "pod_uid": text(pod, "uid"),
            "pod_workload": owned(
                text(pod, "workload_kind"), text(pod, "workload"), text(labels, "pod-template-hash")
            ),
            "container_name": text(container, "name"),
            "container_id": own or short or None,
            "image_ref": text(image, "name"),
            "image_digest": digest if digest.startswith("sha256:") else None,
        }
        return {**known, **{column: value for column, value in told.items() if value}}


def _command(process: Json) -> str | None:
    found = " ".join(one for key in ("binary", "arguments") if (one := text(process, key)))
    return found or None


def _base(path: str | None) -> str | None:
    return path.rpartition("/")[2] or path if path else None


def _marks(process: Json) -> list[str]:
    """memfd, setuid, entered: only what Tetragon says is set."""
    properties = part(process, "binary_properties")
    inode = part(part(properties, "file"), "inode")
    found = []
    if process.get("in_init_tree") is False and (process.get("docker") or process.get("pod")):
        found.append("entered")
    if inode and not number(inode, "links"):
        found.append("memfd")
    if number(properties, "setuid") is not None:
        found.append("setuid")
    return found


def _what(type_: str, told: Json) -> Event:
    """Kind, action and the columns of the kind."""
    if type_ == "process_exec":
        return {"kind": "process", "action": "exec", "sys_res": "SUCCESS"}
    if type_ == "process_exit":
        end = text(told, "signal")
        return {
            "kind": "process",
            "action": "exit",
            "sys_res": f"signal {end}" if end else f"exit {number(told, 'status') or 0}",
        }
    if type_ in ("process_connect", "process_close", "process_accept"):
        return {
            "kind": "network",
            "action": type_.removeprefix("process_"),
            "net_proto": (text(told, "protocol") or "tcp").lower(),
            "net_src_ip": text(told, "source_ip"),
            "net_src_port": number(told, "source_port"),
            "net_dst_ip": text(told, "destination_ip"),
            "net_dst_port": number(told, "destination_port"),
            "net_dst_name": next(iter(texts(told, "destination_names")), None),
        }
    if type_ == "process_listen":
        return {
            "kind": "network",
            "action": "listen",
            "net_proto": (text(told, "protocol") or "tcp").lower(),
            "net_src_ip": text(told, "ip"),
            "net_src_port": number(told, "port"),
        }
    if type_ == "process_loader":
        return {"kind": "file", "action": "load", "file_path": text(told, "path")}
    return _probed(type_, told)


def _probed(type_: str, told: Json) -> Event:
    """What a probe of a TracingPolicy was hit by: its arguments say which kind of thing it is."""
    function = text(told, "function_name", "event", "symbol", "name") or type_
    called = _SYSCALL.match(function)
    short = function[called.end() :] if called else function
    given = told.get("args")
    arguments = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    event: Event = {
        "kind": "priv",
        "action": _ACTIONS.get(function) or _ACTIONS.get(short) or short,
        "sys_call": short if called else None,
        "sys_res": _result(part(told, "return")),
    }
    sock = _first(arguments, "sock_arg", "sockaddr_arg", "skb_arg")
    file = _first(arguments, "file_arg", "path_arg", "linux_binprm_arg", "kiocb_arg")
    path = text(file, "path") or (text(told, "path") if type_ == "process_lsm" else None)
    if path is None and event["action"] == "open":
        path = next((one for item in arguments if (one := text(item, "string_arg"))), None)
    if sock:
        return {**event, "kind": "network", **_flow(sock)}
    if path:
        return {
            **event,
            "kind": "file",
            "file_path": path,
            "file_flags": _access(function, arguments),
        }
    names = [f"{key}={one}" for key in ("path", "provider", "subsys") if (one := text(told, key))]
    return {**event, "priv_arg": names + [one for item in arguments for one in _shown(item)]}


def _first(arguments: list[Json], *keys: str) -> Json:
    return next((found for one in arguments if (found := part(one, *keys))), {})


def _access(function: str, arguments: list[Json]) -> list[str]:
    if function != "security_file_permission":
        return []
    mask = next((one for item in arguments if (one := number(item, "int_arg")) is not None), 0)
    return [name for bit, name in _PERMISSIONS if mask & bit]


def _flow(sock: Json) -> Event:
    protocol = (text(sock, "protocol") or "").removeprefix("IPPROTO_").lower()
    return {
        "net_proto": protocol or None,
        "net_src_ip": text(sock, "saddr"),
        "net_src_port": number(sock, "sport"),
        "net_dst_ip": text(sock, "daddr", "addr"),
        "net_dst_port": number(sock, "dport", "port"),
    }


def _shown(argument: Json) -> list[str]:
    """An argument as `name=value`: the label if the policy gives one, else its type."""
    label = text(argument, "label")
    found: list[str] = []
    for key, value in argument.items():
        name = label or key.removesuffix("_arg")
        if isinstance(value, dict):
            inner: Any = value.get("name") or value.get("value") or value.get("path")
            found += [f"{name}={inner}"] if isinstance(inner, str | int) else []
        elif key != "label" and isinstance(value, str | int):
            found.append(f"{name}={value}")
    return found


def _result(returned: Json) -> str | None:
    value = number(returned, "int_arg")
    if value is None:
        return None
    return "SUCCESS" if value >= 0 else errno.errorcode.get(-value, str(value))
