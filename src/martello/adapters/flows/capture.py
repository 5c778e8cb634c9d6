"""Connections of this host, or of one of its network namespaces, from the kernel's own table."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO, Final

from martello.adapters.flows import conntrack
from martello.adapters.flows.ends import BadLine, Ends
from martello.core.errors import BadInput, NotPermitted, Unreachable
from martello.core.flow import Flow

_LIST: Final = ("conntrack", "-L", "-o", "extended")
_EVENTS: Final = ("conntrack", "-E", "-o", "timestamp,extended")
_FAMILIES: Final = ("ipv4", "ipv6")
_LONGEST_LINE: Final = 4096
_LONGEST_WORDS: Final = 300


def list_conntrack(netns: str = "") -> Iterator[Flow]:
    """The connections that the kernel tracks now, of both families. `netns` is a name as
    `ip netns` knows it, or a path like /proc/PID/ns/net. The kernel tracks only where some rule of
    that namespace asks for it. Raises Unreachable, NotPermitted, BadInput.
    """
    for family in _FAMILIES:
        yield from _run((*_LIST, "-f", family), netns)


def follow_conntrack(netns: str = "") -> Iterator[Flow]:
    """Connections as they begin, without end; what began before and changes counts too. Under
    load the kernel drops events. Raises Unreachable, NotPermitted, BadInput.
    """
    yield from _run(_EVENTS, netns)


def _run(words: tuple[str, ...], netns: str) -> Iterator[Flow]:
    command = (*_within(netns), *words)
    with tempfile.TemporaryFile() as told:
        try:
            process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told
            )
        except FileNotFoundError as error:
            raise _missing(command[0]) from error
        except PermissionError as error:
            raise NotPermitted(f"cannot run {command[0]}", "you may not run it") from error
        finished = False
        try:
            assert process.stdout is not None
            yield from _flows(process.stdout, f"conntrack@{netns or 'host'}")
            finished = True
        finally:
            if not finished:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if process.returncode:
            raise _failed(told, netns)


def _within(netns: str) -> tuple[str, ...]:
    if not netns:
        return ()
    if netns.startswith("-") or "\0" in netns or len(netns) > 4096:
        raise BadInput("cannot use that network namespace", "its name is malformed")
    return ("nsenter", f"--net={netns}") if "/" in netns else ("ip", "netns", "exec", netns)


def _flows(lines: IO[bytes], where: str) -> Iterator[Flow]:
    read = conntrack.reader(Ends())
    number = 0
    while line := lines.readline(_LONGEST_LINE):
        number += 1
        with contextlib.suppress(BadLine):  # of the kernel's own, other protocols
            found = read(line, f"{where}:{number}")
            if isinstance(found, Flow):
                yield found


def _missing(program: str) -> Unreachable:
    package = {"ip": "iproute2", "nsenter": "util-linux"}.get(program, "conntrack")
    next = f"install it (Debian: apt install {package})"
    return Unreachable("cannot list connections", f"there is no program {program}", next)


def _failed(told: IO[bytes], netns: str) -> Unreachable | NotPermitted:
    told.seek(0)
    words = told.read(_LONGEST_WORDS).decode(errors="replace")
    said = "".join(c if c.isprintable() else " " for c in words).strip()
    lower = said.lower()
    where = f" of the network namespace {netns[:100]}" if netns else ""
    what = f"cannot list connections{where}"
    if "not permitted" in lower or "permission denied" in lower or "must be root" in lower:
        return NotPermitted(what, said, "run it as root, or with CAP_NET_ADMIN")
    if 'exec of "conntrack" failed' in lower or "failed to execute conntrack" in lower:
        return _missing("conntrack")
    return Unreachable(what, said or "conntrack failed and did not say why")
