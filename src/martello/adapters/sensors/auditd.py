"""Linux audit records (`type=SYSCALL msg=audit(TIME:SERIAL): …`): all of a serial are one event.

Values are quoted text, or hex where they hold what cannot be quoted. Records of several serials may
come mixed; an event ends with its EOE record, with PROCTITLE, or when many newer ones came.
"""

from __future__ import annotations

import errno
import ipaddress
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final

from martello.adapters.sensors.calls import normal, open_flags
from martello.adapters.sensors.shape import (
    NOWHERE,
    SECOND,
    Event,
    NotRead,
    Place,
    finished,
    identity,
    lines,
    named,
    text_of,
)
from martello.core.event import Gap

SOURCE: Final = "auditd"
_HEAD: Final = re.compile(
    rb"(?:node=(\S{1,253}) )?type=(\S{1,40}) (?:msg=)?audit\((\d{1,12})\.(\d{3}):(\d{1,20})\): ?"
)
_FIELD: Final = re.compile(rb"([A-Za-z0-9_\[\]-]{1,64})=(\"[^\"]*\"|'[^']*'|\([a-z]+\)|[^\s,)]*)")
_HEX: Final = re.compile(rb"(?:[0-9A-F]{2})+")
_ARGUMENT: Final = re.compile(r"a(\d{1,5})(?:\[(\d{1,5})\])?")
_MOST_OPEN: Final = 64  # events whose records may still come
_MOST_RECORDS: Final = 4096
# Fields whose value is text: only these may be hex.
_TEXT: Final = frozenset({"comm", "exe", "name", "cwd", "proctitle", "key", "acct", "cmd", "data"})
_NAMES: Final = {  # of calls, by architecture (audit's number) and number
    0xC000003E: {
        2: "open", 41: "socket", 42: "connect", 49: "bind", 50: "listen", 56: "clone", 59: "execve",
        82: "rename", 83: "mkdir", 84: "rmdir", 85: "creat", 86: "link", 87: "unlink",
        88: "symlink", 90: "chmod", 92: "chown", 101: "ptrace", 105: "setuid", 117: "setresuid",
        126: "capset", 161: "chroot", 165: "mount", 166: "umount2", 175: "init_module",
        176: "delete_module", 257: "openat", 263: "unlinkat", 264: "renameat", 265: "linkat",
        266: "symlinkat", 268: "fchmodat", 272: "unshare", 308: "setns", 313: "finit_module",
        316: "renameat2", 319: "memfd_create", 321: "bpf", 322: "execveat", 437: "openat2",
    },
    0xC00000B7: {
        35: "unlinkat", 36: "symlinkat", 37: "linkat", 38: "renameat", 39: "umount2", 40: "mount",
        51: "chroot", 53: "fchmodat", 56: "openat", 91: "capset", 97: "unshare",
        105: "init_module", 106: "delete_module", 117: "ptrace", 146: "setuid",
        147: "setresuid", 200: "bind", 201: "listen", 203: "connect", 221: "execve", 268: "setns",
        273: "finit_module", 276: "renameat2", 279: "memfd_create", 280: "bpf", 281: "execveat",
        437: "openat2",
    },
}  # fmt: skip
_FILES: Final = {
    "open": "open", "openat": "open", "openat2": "open", "creat": "open", "unlink": "unlink",
    "unlinkat": "unlink", "rename": "rename", "renameat": "rename", "renameat2": "rename",
    "link": "link", "linkat": "link", "symlink": "symlink", "symlinkat": "symlink",
    "chmod": "chmod", "fchmodat": "chmod", "chown": "chown", "mkdir": "mkdir", "rmdir": "rmdir",
}  # fmt: skip
_NOT_SET: Final = frozenset({"4294967295", "-1", "unset"})
Fields = dict[str, bytes]


def values(told: bytes, arguments: bool = False) -> Fields:
    """The fields of a record as bytes: unquoted, and out of their hex where they are text;
    `arguments` (of EXECVE) are, those of SYSCALL are numbers.
    """
    found: Fields = {}
    for key, value in _FIELD.findall(told):
        name = key.decode("ascii")
        if value[:1] in (b'"', b"'"):
            found.setdefault(name, value[1:-1])
        elif (name in _TEXT or (arguments and _ARGUMENT.fullmatch(name))) and _HEX.fullmatch(value):
            found.setdefault(name, bytes.fromhex(value.decode("ascii")))
        else:
            found.setdefault(name, value)
    return found


class _Gathered:
    """The records of one serial."""

    __slots__ = ("at", "node", "raw", "records", "serial", "size")

    def __init__(self, node: str, at: int, serial: int) -> None:
        self.node, self.at, self.serial = node, at, serial
        self.records: list[tuple[str, bytes]] = []
        self.raw: list[bytes] = []
        self.size = 0


class Reader:
    """Reads records, gives events."""

    def __init__(self, place: Place = NOWHERE) -> None:
        self._place = place
        self._open: OrderedDict[tuple[str, int, int], _Gathered] = OrderedDict()

    def read(self, parts: Iterable[bytes], where: str, seen: int) -> Iterator[Event | Gap]:
        """The events of a log, those that are not finished at its end too."""
        for at, size, line in lines(parts):
            if line is None:
                yield Gap(where, at, size, "a record is longer than 1 MiB")
                continue
            try:
                yield from self.line(line, seen)
            except NotRead as error:
                yield Gap(where, at, size, str(error))
        yield from self.end(seen)

    def line(self, line: bytes, seen: int) -> list[Event]:
        """The events that a record completes. Raises NotRead."""
        head = _HEAD.match(line)
        if head is None:
            raise NotRead("it is no audit record")
        node = (head[1] or b"").decode("utf-8", "replace")
        type_ = head[2].decode("ascii", "replace")
        at = int(head[3]) * SECOND + int(head[4]) * 1_000_000
        key = (node, at, int(head[5]))
        gathered = self._open.get(key)
        if gathered is None:
            gathered = self._open[key] = _Gathered(node, at, key[2])
        rest = line[head.end() :].partition(b"\x1d")[0]
        gathered.size += 1
        if gathered.size <= _MOST_RECORDS and type_ != "EOE":
            gathered.records.append((type_, rest))
            gathered.raw.append(line)
        if type_ in ("EOE", "PROCTITLE"):
            return [self._event(self._open.pop(key), seen)]
        if len(self._open) > _MOST_OPEN:
            return [self._event(self._open.popitem(last=False)[1], seen)]
        return []

    def end(self, seen: int) -> list[Event]:
        """The events that wait for more."""
        left, self._open = list(self._open.values()), OrderedDict()
        return [self._event(one, seen) for one in left if one.records]

    def _event(self, gathered: _Gathered, seen: int) -> Event:
        flags: set[str] = {"truncated"} if gathered.size > _MOST_RECORDS else set()
        by_type: dict[str, list[Fields]] = {}
        for type_, told in gathered.records:
            by_type.setdefault(type_, []).append(values(told, type_ == "EXECVE"))
        at = gathered.at
        if not 0 < at < seen + 86_400 * SECOND:
            flags.add("clock")
            at = seen
        place = self._place._replace(node=gathered.node or self._place.node)
        event: Event = {
            "id": identity(place, SOURCE, gathered.at, gathered.serial),
            "source": SOURCE,
            "time": at,
            "seen": seen,
            "seq": gathered.serial if gathered.serial < 1 << 63 else None,
            **_process(by_type, flags),
            **_what(gathered, by_type, flags),
            "raw": b"\n".join(gathered.raw).decode("utf-8", "backslashreplace"),
        }
        return finished(named(event, place), flags)


def _one(by_type: dict[str, list[Fields]], type_: str) -> Fields:
    return (by_type.get(type_) or [{}])[0]


def _process(by_type: dict[str, list[Fields]], flags: set[str]) -> Event:
    call = _one(by_type, "SYSCALL")
    if not call:  # SECCOMP, ANOM_ABEND, USER_*, AVC
        call = next((one[0] for one in by_type.values() if one and "pid" in one[0]), {})
    tty = _text(call, "tty", flags)
    return {
        "proc_pid": _number(call, "pid"),
        "proc_ppid": _number(call, "ppid"),
        "proc_uid": _number(call, "uid"),
        "proc_auid": _number(call, "auid"),
        "proc_name": _text(call, "comm", flags),
        "proc_exe": _text(call, "exe", flags),
        "proc_tty": None if tty in ("(none)", "?") else tty,
        "proc_cwd": _text(_one(by_type, "CWD"), "cwd", flags),
    }


def _what(gathered: _Gathered, by_type: dict[str, list[Fields]], flags: set[str]) -> Event:
    call = _one(by_type, "SYSCALL")
    name = call_name(call)
    event: Event = {
        "kind": "priv",
        "action": name or (gathered.records[0][0].lower() if gathered.records else "unknown"),
        "sys_call": name,
        "sys_res": _result(call),
    }
    executed = _one(by_type, "EXECVE")
    if executed or name in ("execve", "execveat"):
        argv = _arguments(by_type.get("EXECVE", []), flags)
        args = " ".join(argv) or None
        return {**event, "kind": "process", "action": "exec", "proc_argv": argv, "proc_args": args}
    title = _text(_one(by_type, "PROCTITLE"), "proctitle", flags)
    event["proc_args"] = title.replace("\0", " ") if title else None
    address = _one(by_type, "SOCKADDR").get("saddr")
    if address:
        return {**event, "kind": "network", **_address(address, flags)}
    paths = by_type.get("PATH", [])
    if paths and name in _FILES:
        opened = name in ("open", "openat", "creat")
        asked = _hex(call, "a1" if name == "open" else "a2") if opened else None
        return {
            **event,
            "kind": "file",
            "action": _FILES[name],
            "file_path": _path(paths, _text(_one(by_type, "CWD"), "cwd", flags), flags),
            "file_flags": ["write", "create"]
            if name == "creat"
            else open_flags(asked or 0)
            if opened
            else [],
        }
    event["priv_arg"] = [
        f"{key}={call[key].decode('ascii', 'replace')}" for key in ("a0", "a1", "a2") if key in call
    ]
    return event


def call_name(call: Fields) -> str | None:
    """The system call that a record names, by number and architecture."""
    number = call.get("syscall")
    if number is None:
        return None
    if not number.isdigit():
        return number.decode("ascii", "replace")
    return _NAMES.get(_hex(call, "arch") or 0, {}).get(int(number[:9]), number.decode("ascii"))


def _result(call: Fields) -> str | None:
    if "success" not in call:
        return None
    if call["success"] == b"yes":
        return "SUCCESS"
    code = _number(call, "exit")
    return errno.errorcode.get(-code, str(code)) if code is not None else "EUNKNOWN"


def _arguments(records: list[Fields], flags: set[str]) -> list[str]:
    """a0, a1, …; a long one comes in pieces, a1[0], a1[1], …"""
    pieces: dict[int, list[tuple[int, bytes]]] = {}
    for record in records:
        for key, value in record.items():
            found = _ARGUMENT.fullmatch(key)
            if found:
                pieces.setdefault(int(found[1]), []).append((int(found[2] or 0), value))
    count = _number(records[0], "argc") if records else None
    if count is not None and count != len(pieces):
        flags.add("truncated")
    return [
        text_of(b"".join(value for _, value in sorted(pieces[index])), flags)
        for index in sorted(pieces)
    ]


def _path(paths: list[Fields], cwd: str | None, flags: set[str]) -> str | None:
    """The object of the call: the last path that is no parent directory."""
    own = [one for one in paths if one.get("nametype") != b"PARENT"] or paths
    name = _text(own[-1], "name", flags)
    if name is None or name == "(null)":
        return None
    return normal(name if name.startswith("/") or not cwd else f"{cwd}/{name}")


def _address(told: bytes, flags: set[str]) -> Event:
    try:
        raw = bytes.fromhex(told.decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        flags.add("partial")
        return {}
    family = int.from_bytes(raw[:2], "little")
    if family == 1:
        name = raw[2:].split(b"\0", 1)[0] if raw[2:3] != b"\0" else b"@" + raw[3:].rstrip(b"\0")
        return {"net_proto": "unix", "net_dst_name": text_of(name, flags)}
    size = {2: (4, 8), 10: (8, 24)}.get(family)
    if size is None or len(raw) < size[1]:
        return {}
    address = ipaddress.ip_address(raw[size[0] : size[1]])
    return {"net_dst_ip": str(address), "net_dst_port": int.from_bytes(raw[2:4], "big")}


def _text(fields: Fields, key: str, flags: set[str]) -> str | None:
    value = fields.get(key)
    return text_of(value, flags) if value else None


def _number(fields: Fields, key: str) -> int | None:
    value = fields.get(key, b"").decode("ascii", "replace")
    if value in _NOT_SET or not re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
        return None
    return int(value)


def _hex(fields: Fields, key: str) -> int | None:
    value = fields.get(key, b"")
    return int(value, 16) if re.fullmatch(rb"[0-9a-fA-F]{1,16}", value) else None
