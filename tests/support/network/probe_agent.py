"""Sits in one network namespace: answers on its ports, and tries connections when it is told to.

Commands and replies are lines of JSON on standard input and output. It imports nothing but the
standard library, so that it starts at once under `ip netns exec`.

    {"listen": [[address, …], [port, …]]}           → true; TCP, UDP (echo) and raw SCTP
    {"probe": [[tag, protocol, from, to, port], …]} → {tag: "open" | "silent" | what else happened}
    {"arrived": true}                               → [tag, …] of the SCTP packets seen since

Connections are all begun at once, without threads; the wait ends when nothing has been answered
for a quarter of a second. SCTP has no sockets here: a probe is one INIT packet, and the other
side says whether it arrived.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import struct
import sys
import time
from typing import Any, Final

QUIET: Final = 0.25  # seconds
SCTP: Final = 132
_BUFFER: Final = 33  # SO_RCVBUFFORCE
_RESET: Final = struct.pack("ii", 1, 0)  # close without leaving the port behind
_CRC32C: Final = [0] * 256
for _byte in range(256):
    _crc = _byte
    for _ in range(8):
        _crc = (_crc >> 1) ^ (0x82F63B78 if _crc & 1 else 0)
    _CRC32C[_byte] = _crc


class Agent:
    """The sockets of one namespace, and the probes that are under way."""

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.listeners: dict[int, socket.socket] = {}  # TCP
        self.echoes: dict[int, socket.socket] = {}  # UDP
        self.raw: dict[int, socket.socket] = {}  # SCTP
        self.arrived: list[int] = []
        self.connecting: dict[int, tuple[socket.socket, int]] = {}
        self.asking: dict[int, socket.socket] = {}
        self.open: dict[int, str] = {}

    def listen(self, addresses: list[str], ports: list[int]) -> bool:
        """Answers on some ports from now on. UDP has a socket for each address, so that an answer
        comes from where the question went.
        """
        for port in ports:
            one = self._keep(socket.socket(socket.AF_INET6, socket.SOCK_STREAM), self.listeners)
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            one.bind(("::", port))
            one.listen(4096)
            for address in addresses:
                echo = socket.socket(family_of(address), socket.SOCK_DGRAM)
                self._keep(echo, self.echoes).bind((address, port))
        for family in (socket.AF_INET, socket.AF_INET6):
            self._keep(socket.socket(family, socket.SOCK_RAW, SCTP), self.raw)
        return True

    def _keep(self, one: socket.socket, kept: dict[int, socket.socket]) -> socket.socket:
        one.setblocking(False)
        with contextlib.suppress(PermissionError):
            one.setsockopt(socket.SOL_SOCKET, _BUFFER, 1 << 22)
        kept[one.fileno()] = one
        self.poll.register(one, select.EPOLLIN)
        return one

    def probe(self, wanted: list[list[Any]]) -> dict[int, str]:
        """What came of each probe, by its tag."""
        self.open = {}
        senders: dict[tuple[str, str], socket.socket] = {}
        for tag, protocol, source, target, port in wanted:
            self.open[tag] = "silent"
            family = family_of(target)
            if protocol == "TCP":
                self._connect(tag, family, source, target, port)
                self.serve(0)
                continue
            sender = senders.get((protocol, source))
            if sender is None:
                kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_RAW
                sender = socket.socket(family, kind, 0 if protocol == "UDP" else SCTP)
                sender.bind((source, 0))
                senders[protocol, source] = sender
                if protocol == "UDP":
                    self._keep(sender, self.asking)
            payload = struct.pack("!I", tag) if protocol == "UDP" else init(tag, port)
            try:
                sender.sendto(payload, (target, port if protocol == "UDP" else 0))
            except OSError as error:
                self.open[tag] = name(error.errno or 0)
        last, waiting = time.monotonic(), len(wanted)
        while time.monotonic() < last + QUIET:
            self.serve(0.02)
            left = sum(1 for answer in self.open.values() if answer == "silent")
            if left != waiting:
                last, waiting = time.monotonic(), left
            if not left:
                break
        for one, _ in self.connecting.values():
            one.close()
        for one in senders.values():
            one.close()
        self.connecting, self.asking = {}, {}
        return self.open

    def _connect(self, tag: int, family: int, source: str, target: str, port: int) -> None:
        one = socket.socket(family, socket.SOCK_STREAM)
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        one.bind((source, 0))
        code = one.connect_ex((target, port))
        if code not in (0, errno.EINPROGRESS):
            self.open[tag] = name(code)
            one.close()
            return
        self.connecting[one.fileno()] = (one, tag)
        self.poll.register(one, select.EPOLLOUT)

    def serve(self, seconds: float) -> None:
        """Does what the sockets are ready for."""
        for fd, _ in self.poll.poll(seconds):
            if fd in self.connecting:
                one, tag = self.connecting.pop(fd)
                code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                self.open[tag] = name(code) if code else "open"
                one.close()
                continue
            with contextlib.suppress(OSError):
                while True:
                    self._read(fd)

    def _read(self, fd: int) -> None:
        if fd in self.listeners:
            self.listeners[fd].accept()[0].close()
        elif fd in self.echoes:
            data, sender = self.echoes[fd].recvfrom(64)
            self.echoes[fd].sendto(data, sender)
        elif fd in self.asking:
            self.open[struct.unpack("!I", self.asking[fd].recv(64))[0]] = "open"
        elif fd in self.raw:
            packet = self.raw[fd].recv(256)
            if self.raw[fd].family == socket.AF_INET:
                packet = packet[(packet[0] & 15) * 4 :]
            if len(packet) >= 20 and packet[12] == 1:  # INIT
                self.arrived.append(struct.unpack_from("!I", packet, 16)[0])
        else:
            raise OSError

    def seen(self) -> list[int]:
        """The tags of the SCTP packets since the last question."""
        self.serve(0)
        seen, self.arrived = self.arrived, []
        return seen


def family_of(address: str) -> socket.AddressFamily:
    """The family of sockets for an address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def name(code: int) -> str:
    """An error number in words."""
    return errno.errorcode.get(code, str(code))


def init(tag: int, port: int) -> bytes:
    """An SCTP INIT from port 40000 to a port; the initiate tag tells it from others."""
    head = struct.pack("!HHI", 40000, port, 0)
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, tag, 65536, 1, 1, tag)
    crc = 0xFFFFFFFF
    for byte in head + bytes(4) + chunk:
        crc = (crc >> 8) ^ _CRC32C[(crc ^ byte) & 255]
    return head + struct.pack("<I", crc ^ 0xFFFFFFFF) + chunk


def main() -> None:
    """Serves until standard input ends."""
    agent, held = Agent(), b""
    agent.poll.register(0, select.EPOLLIN)
    while True:
        agent.serve(-1)
        if not select.select([0], [], [], 0)[0]:
            continue
        chunk = os.read(0, 1 << 16)
        if not chunk:
            return
        held += chunk
        while b"\n" in held:
            line, _, held = held.partition(b"\n")
            (command, value), *_ = json.loads(line).items()
            reply: Any
            if command == "listen":
                reply = agent.listen(*value)
            elif command == "probe":
                reply = agent.probe(value)
            else:
                reply = agent.seen()
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
