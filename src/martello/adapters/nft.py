"""Our own nftables table in the kernel: checked, loaded, listed, removed. No other is touched."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

import msgspec

from martello.core.errors import BadInput, MartelloError, NotPermitted, Refused, Unreachable

TABLE: Final = "martello"
SECONDS: Final = 60
_SAID: Final = 2000
_ABSENT: Final = ("No such file or directory", "does not exist")
_FORBIDDEN: Final = ("Operation not permitted", "you must be root", "Permission denied")


class Tool(msgspec.Struct, frozen=True):
    """How the programs are called: by name, or by what enters another network namespace first
    (`nsenter`, `--net=/run/netns/n1`).
    """

    enter: tuple[str, ...] = ()

    def argv(self, *words: str) -> list[str]:
        """The list of arguments of one call."""
        return [*self.enter, *words]


HERE: Final = Tool()


def check(text: str, tool: Tool = HERE) -> None:
    """Let nft read a transaction without loading it. Raises Refused with what nft said."""
    _nft(["-c", "-f", "-"], text, tool)


def load(text: str, tool: Tool = HERE) -> None:
    """Check, then load one transaction: all of it takes effect at once, or nothing does.

    Raises Refused with what nft said, NotPermitted without the right, Unreachable without nft.
    """
    check(text, tool)
    _nft(["-f", "-"], text, tool)


def listed(table: str = TABLE, tool: Tool = HERE) -> str:
    """The table as nft writes it, without counters, fit to be loaded again; empty: none."""
    try:
        return _nft(["-s", "list", "table", "inet", table], "", tool)
    except Refused as refused:
        if any(word in refused.why for word in _ABSENT):
            return ""
        raise


def remove(table: str = TABLE, tool: Tool = HERE) -> None:
    """Take the table out of the kernel; right where there is none, too."""
    load(_gone(table), tool)


def restore(before: str, table: str = TABLE, tool: Tool = HERE) -> None:
    """Put the table back to what `listed` said, in one transaction; empty: take it out."""
    load(_gone(table) + before, tool)


def check_restore(before: str, table: str = TABLE, tool: Tool = HERE) -> None:
    """Let nft read what `restore` would load, without loading it. Raises Refused."""
    check(_gone(table) + before, tool)


def drop_connections(
    connections: Sequence[tuple[str, str, int, str, int]], tool: Tool = HERE
) -> int:
    """Make the kernel forget connections, so that the rules are asked again: (protocol, source,
    port, destination, port) as the initiator sent them. Returns how many it knew.

    Raises Unreachable without conntrack.
    """
    known = 0
    for protocol, source, sport, destination, dport in connections:
        try:
            family = "ipv6" if ip_address(source).version == 6 else "ipv4"
            ip_address(destination)
        except ValueError as error:
            raise BadInput(f"no connection: {error}") from None
        words = ["-D", "-f", family, "-p", protocol.lower(), "-s", source, "-d", destination]
        if protocol.upper() in ("TCP", "UDP", "SCTP"):
            words += ["--sport", str(sport), "--dport", str(dport)]
        known += run(tool.argv("conntrack", *words), "").returncode == 0
    return known


def run(argv: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
    """Run a program on a text, bounded in time. Raises Unreachable where it is not there. The text
    is whole before the program begins: it reads no half of it where we die.
    """
    try:
        with open(os.memfd_create("martello"), "w+", encoding="utf-8", newline="") as given:
            given.write(text)
            given.flush()
            given.seek(0)
            return subprocess.run(  # noqa: S603  a list of arguments, never a shell
                argv,
                stdin=given,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
    except FileNotFoundError:
        raise Unreachable(f"{argv[0]} is not installed", next="install nftables") from None
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{argv[0]} did not end in {SECONDS} s") from None
    except OSError as error:
        raise Unreachable(f"{argv[0]} cannot be run", str(error)) from None


def _nft(words: list[str], text: str, tool: Tool) -> str:
    done = run(tool.argv("nft", *words), text)
    if done.returncode == 0:
        return done.stdout
    if done.returncode < 0:
        told = f"nft was killed by signal {-done.returncode}"
        raise Unreachable(told, "whether it changed anything before is not known")
    raise failure(done.stderr)


def failure(said: str) -> MartelloError:
    """What nft said, as an error of ours."""
    short = said.strip()[:_SAID]
    if any(word in said for word in _FORBIDDEN):
        return NotPermitted("nft may not change the packet filter", short, "run it as root")
    return Refused("nft refused; nothing was changed", short)


def _gone(table: str) -> str:
    return f"add table inet {table}\ndelete table inet {table}\n"
