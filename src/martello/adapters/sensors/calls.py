"""Arguments of system calls as people read them."""

from __future__ import annotations

import ipaddress
import posixpath
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

_OPEN: Final = (
    (0x40, "create"),
    (0x80, "exclusive"),
    (0x200, "truncate"),
    (0x400, "append"),
)
_NEW: Final = {
    0x80: "time",
    0x20000: "mnt",
    0x2000000: "cgroup",
    0x4000000: "uts",
    0x8000000: "ipc",
    0x10000000: "user",
    0x20000000: "pid",
    0x40000000: "net",
}
_PTRACE: Final = {
    4: "POKETEXT",
    5: "POKEDATA",
    13: "SETREGS",
    16: "ATTACH",
    0x4205: "SETREGSET",
    0x4206: "SEIZE",
}
_COMMANDS: Final = (
    "MAP_CREATE MAP_LOOKUP_ELEM MAP_UPDATE_ELEM MAP_DELETE_ELEM MAP_GET_NEXT_KEY PROG_LOAD OBJ_PIN "
    "OBJ_GET PROG_ATTACH PROG_DETACH PROG_TEST_RUN PROG_GET_NEXT_ID MAP_GET_NEXT_ID "
    "PROG_GET_FD_BY_ID MAP_GET_FD_BY_ID OBJ_GET_INFO_BY_FD PROG_QUERY RAW_TRACEPOINT_OPEN BTF_LOAD"
)
_BPF: Final = _COMMANDS.split()
_NAMES: Final = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO "
    "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
    "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG "
    "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
CAPABILITIES: Final = tuple(_NAMES.split())
_PROTOCOLS: Final = {0: "ip", 1: "icmp", 6: "tcp", 17: "udp", 58: "icmp", 132: "sctp", 262: "mptcp"}
# What the numbers of a call mean (a, b, c in priv.bt), and its text.
_MEANING: Final[Mapping[str, tuple[str, ...]]] = {
    "mount": ("flags", "", "", "target"),
    "move_mount": ("flags", "", "", "target"),
    "open_tree": ("flags", "", "", "path"),
    "fsopen": ("flags", "", "", "type"),
    "umount": ("flags", "", "", "target"),
    "pivot_root": ("", "", "", "root"),
    "chroot": ("", "", "", "root"),
    "process_vm_readv": ("", "pid"),
    "process_vm_writev": ("", "pid"),
    "setuid": ("uid",),
    "setreuid": ("uid",),
    "setresuid": ("uid",),
    "memfd_create": ("flags", "", "", "name"),
    "init_module": ("size",),
    "finit_module": ("fd",),
    "delete_module": ("", "", "", "name"),
    "kexec_load": ("flags",),
    "kexec_file_load": ("flags",),
    "open_by_handle_at": ("flags",),
    "io_uring_setup": ("entries",),
    "perf_event_open": ("", "pid"),
}


def open_flags(flags: int) -> list[str]:
    """The flags of an open: read, write or both, then what else it asks for."""
    mode = flags & 3
    found = ["read"] if mode == 0 else ["write"] if mode == 1 else ["read", "write"]
    return found + [name for bit, name in _OPEN if flags & bit]


def normal(path: str) -> str:
    """An absolute path without `//`, `.` and `..`."""
    if "//" in path or "/." in path:
        path = posixpath.normpath(path)
        return path[1:] if path.startswith("//") else path
    return path


def capabilities(mask: int) -> str:
    """The names of a set of capabilities, `all` for every one."""
    names = [name for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1]
    return "all" if len(names) == len(CAPABILITIES) else ",".join(names) or "none"


def connection(fields: Sequence[bytes], path: str) -> dict[str, Any]:
    """The columns of a connect (record C). The path of a Unix socket is its name; `@` begins that
    of an abstract one.
    """
    if fields[8] == b"1":
        return {"net_proto": "unix", "net_dst_name": ("@" if fields[13] == b"1" else "") + path}
    port = int(fields[11])
    swapped = int.from_bytes(port.to_bytes(2, sys.byteorder), "big")
    if fields[8] == b"2":
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = _v4(int(fields[12]))
    else:
        halves = (int(field, 16).to_bytes(8, sys.byteorder) for field in fields[12:14])
        address = ipaddress.IPv6Address(b"".join(halves))
        address = address.ipv4_mapped or address
    return {
        "net_proto": protocol(int(fields[9])),
        "net_src_port": int(fields[10]) or None,
        "net_dst_ip": str(address),
        "net_dst_port": swapped,
    }


def listening(fields: Sequence[bytes]) -> dict[str, Any]:
    """The columns of a listen (record L): the own end is the source."""
    return {
        "net_proto": protocol(int(fields[9])),
        "net_src_port": int(fields[10]),
        "net_src_ip": str(_v4(int(fields[11].partition(b"|")[0]))) if fields[8] == b"2" else "::",
    }


def protocol(number: int) -> str:
    """The name of an IP protocol."""
    return _PROTOCOLS.get(number, str(number))


def arguments(name: str, numbers: Sequence[int], given: str, held: Mapping[str, str]) -> list[str]:
    """The arguments of a call as `name=value`."""
    a, b = numbers[0], numbers[1]
    if name in ("unshare", "setns"):
        kinds = ",".join(kind for bit, kind in _NEW.items() if a & bit)
        return [f"namespaces={kinds or 'any'}", *(["to=host"] if name == "setns" and b else [])]
    if name == "ptrace":
        return [f"request={_PTRACE.get(a, a)}", f"pid={_signed(b)}"]
    if name == "bpf":
        return [f"command={_BPF[a] if a < len(_BPF) else a}"]
    if name == "capset":
        return [f"effective={capabilities(a | b << 32)}"]
    if name == "capable":
        return [f"capability={CAPABILITIES[a] if a < len(CAPABILITIES) else a}"]
    meaning = _MEANING.get(name, ())
    found = [
        f"{key}={value:#x}" if key == "flags" else f"{key}={_signed(value)}"
        for key, value in zip(meaning[:3], numbers, strict=False)
        if key
    ]
    if len(meaning) > 3 and meaning[3]:
        found.append(f"{meaning[3]}={given}")
    return found + [f"{key}={value}" for key, value in held.items()]


def _v4(value: int) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(value.to_bytes(4, sys.byteorder))


def _signed(value: int) -> int:
    """A number of 32 bits that may be negative."""
    low = value & 0xFFFFFFFF
    return low - (1 << 32) if low >= 1 << 31 else low


def signal_name(number: int) -> str:
    """SIGSEGV and its like."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
