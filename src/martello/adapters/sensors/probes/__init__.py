"""The program that bpftrace runs, put together from the parts beside this for the kernel that is
here: a part whose tracepoint the kernel lacks is left out and named.

Names in capitals stand for expressions: TASK, MNTNS, HOST and INSIDE. `$1` is
the inode of the host's mount namespace.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

# Attached in this order: once an exec is told, so is everything else.
PARTS: Final = ("file", "network", "priv", "process")
TRACEFS: Final = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
# Files whose opening is told even if it only reads: whole names, and beginnings (with *).
READS: Final = (
    "shadow",
    "shadow-",
    "gshadow",
    "sudoers",
    "token",
    "id_*",
    "credentials",
    "kubeconfig",
    "admin.conf",
    "kubelet.conf",
    "environ",
    "mem",
    "kcore",
    "authorized_keys",
    "docker.sock",
    "release_agent",
    "core_pattern",
)
# Directories in which the kernel's own names of what is written are told, whatever path was given.
PLACES: Final = (
    "etc",
    "bin",
    "sbin",
    "cro*",
    "crontabs",
    ".ssh",
    "system",
    "init.d",
    "profile.d",
    "sudoers.d",
    "ld.so.conf.d",
    "lib",
    "lib64",
    "manifests",
    "kernel",
)
_TASK: Final = "((struct task_struct *)curtask)"
_MNTNS: Final = f"{_TASK}->nsproxy->mnt_ns->ns.inum"
_BLOCK: Final = re.compile(r"^tracepoint:[^{/]*?\n(?:/[^\n]*/\n)?\{\n.*?^\}\n", re.M | re.S)


class Program(NamedTuple):
    """The text for bpftrace, and the tracepoints (`syscalls:sys_enter_x`) that are not there."""

    text: str
    absent: tuple[str, ...]


def tracefs(directories: Sequence[str] = TRACEFS) -> Path | None:
    """Where tracepoints are listed; None where no tracefs is mounted."""
    for one in directories:
        if (Path(one) / "events" / "sched").is_dir():
            return Path(one)
    return None


def program(root: Path) -> Program:
    """The program for the kernel whose tracefs is given."""
    absent: dict[str, None] = {}
    text = [_sets()]
    for part in PARTS:
        source = (files(__package__) / f"{part}.bt").read_text(encoding="utf-8")
        text += (_filled(block) for block in _present(source, root, absent))
    return Program("\n".join(text), tuple(absent))


def _present(source: str, root: Path, absent: dict[str, None]) -> list[str]:
    kept: list[str] = []
    for block in _BLOCK.findall(source):
        head, newline, rest = block.partition("\n")
        wanted = [one.strip().removeprefix("tracepoint:") for one in head.split(",")]
        there = [one for one in wanted if (root / "events" / one.replace(":", "/")).is_dir()]
        absent.update(dict.fromkeys(one for one in wanted if one not in there))
        if there:
            heads = ", ".join(f"tracepoint:{one}" for one in there)
            kept.append(f"{heads}{newline}{rest}")
    return kept


def _filled(block: str) -> str:
    block = re.sub(r"\bINSIDE\b", "!HOST && !@out[tid]", block)
    block = re.sub(r"!HOST\b", f"{_MNTNS} != $1", block)
    block = re.sub(r"\bHOST\b", f"({_MNTNS} == $1)", block)
    block = re.sub(r"\bMNTNS\b", _MNTNS, block)
    return re.sub(r"\bTASK\b", _TASK, block)


def _sets() -> str:
    """The names as sets in maps, by their first eight bytes and their length (0: the first three
    bytes of any name). A few that only look alike pass; they are told apart in what is read.
    """
    lines = [
        f"  @{where}[{key[0]:#x}, {key[1]}] = 1;"
        for where, names in (("reads", READS), ("places", PLACES))
        for key in map(_key, names)
    ]
    return "\n".join(("BEGIN", "{", *lines, "}", ""))


def _key(name: str) -> tuple[int, int]:
    text = name.removesuffix("*").encode()
    size = 3 if name.endswith("*") else 8
    return int.from_bytes(text[:size], "little"), 0 if size == 3 else len(text)
