"""One policy object while it is read: what is refused in it, and what is not understood."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from martello.core.path import Path, show
from martello.core.reach import FIRST_PORT, LAST_PORT, PROTOCOLS, Ports
from martello.core.resource import Resource, kind_of
from martello.core.selector import MalformedSelector
from martello.practices.network.addresses import parse_range
from martello.practices.network.model import EVERYTHING, Fault, NamedPort, Selector
from martello.practices.network.ports import fault as port_fault
from martello.practices.network.selectors import selector

DEFAULT_NAMESPACE = "default"


class Form:
    """Reads parts of one object and gathers what is wrong with them.

    `faults` would be refused by the API server; `doubts` are fields of a later or foreign version:
    what they mean is not known here. `notes` leave no doubt, and should be said.
    """

    __slots__ = ("doubts", "faults", "notes", "resource")

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.faults: list[Fault] = []
        self.doubts: list[str] = []
        self.notes: list[str] = []

    @property
    def namespace(self) -> str:
        """The namespace of the object: `default` where none is written."""
        return self.resource.ref.namespace or DEFAULT_NAMESPACE

    @property
    def doubt(self) -> str:
        """Why the object cannot be used as it is; empty where it can."""
        if self.faults:
            first = self.faults[0]
            return f"{self.resource.ref.local} would be refused: {show(first.path)} {first.reason}"
        return f"{self.resource.ref.local}: {self.doubts[0]}" if self.doubts else ""

    def refuse(self, path: Path, reason: str) -> None:
        """Notes what the API server would say against a part."""
        self.faults.append(Fault(self.resource, path, reason))

    def doubtful(self, path: Path, reason: str) -> None:
        """Notes a part whose meaning is not known."""
        self.doubts.append(f"{show(path)} {reason}")

    def mapping(self, raw: Any, path: Path, known: Collection[str]) -> dict[str, Any]:
        """A mapping (null is an empty one); fields that are not `known` are doubtful."""
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            self.refuse(path, f"is a {kind_of(raw)}, not a mapping")
            return {}
        for key in raw:
            if key not in known:
                self.doubtful((*path, str(key)), "is a field that is not understood")
        return raw

    def elements(self, raw: Any, path: Path) -> Iterator[tuple[Path, Any]]:
        """The elements of a list (null is an empty one) with their paths."""
        if raw is None:
            return
        if not isinstance(raw, list):
            self.refuse(path, f"is a {kind_of(raw)}, not a list")
            return
        for index, element in enumerate(raw):
            yield (*path, index), element

    def limited(
        self, raw: Any, path: Path, most: int, least: int = 0
    ) -> Iterator[tuple[Path, Any]]:
        """As `elements`, of a list whose length the API server limits."""
        if isinstance(raw, list) and len(raw) > most:
            self.refuse(path, f"has {len(raw)} elements, and may have {most}")
            return
        if isinstance(raw, list) and len(raw) < least:
            self.refuse(path, f"must have at least {least} elements" if least > 1 else "is empty")
        yield from self.elements(raw, path)

    def selector(self, raw: Any, path: Path, *, checked: bool = True) -> Selector:
        """A label selector; everything where it is malformed, which is noted. Keys and values in
        objects of a CRD are not `checked`.
        """
        try:
            return selector(raw, checked=checked)
        except MalformedSelector as error:
            self.refuse(path, str(error))
            return EVERYTHING

    def block(self, raw: Any, path: Path) -> tuple[int, int, int] | None:
        """(version, first, last) of a CIDR as the server takes it: host bits and leading zeros are
        tolerated, a mask in dots or none is not.
        """
        found = cidr(raw)
        if found is None:
            self.refuse(path, f"{raw!r} is no CIDR")
        return found

    def port(self, raw: Any, path: Path) -> int | None:
        """One port number."""
        reason = "must be a number" if isinstance(raw, str) else port_fault(raw)
        if reason:
            self.refuse(path, reason)
            return None
        return int(raw)

    def name(self, raw: Any, path: Path) -> str | None:
        """One name of a port."""
        reason = port_fault(raw) if isinstance(raw, str) else "must be a name"
        if reason:
            self.refuse(path, reason)
            return None
        return str(raw)

    def protocol(self, raw: Any, path: Path) -> str:
        """TCP, UDP or SCTP; TCP where nothing is written."""
        if raw is None:
            return "TCP"
        if raw not in PROTOCOLS:
            self.refuse(path, f"{raw!r} is none of {', '.join(PROTOCOLS)}")
            return "TCP"
        return str(raw)

    def span(self, protocol: str, low: Any, high: Any, path: Path, names: tuple[str, str]) -> Ports:
        """An interval of ports whose ends are required."""
        first, last = self.port(low, (*path, names[0])), self.port(high, (*path, names[1]))
        if first is not None and last is not None and last < first:
            self.refuse((*path, names[1]), f"is less than {names[0]}")
        return Ports(protocol, first or FIRST_PORT, last or LAST_PORT)


def one(protocol: str, number: int) -> Ports:
    """One port of a protocol."""
    return Ports(protocol, number, number)


def whole(protocol: str) -> Ports:
    """All ports of a protocol."""
    return Ports(protocol, FIRST_PORT, LAST_PORT)


def cidr(raw: Any) -> tuple[int, int, int] | None:
    """(version, first, last) of a CIDR as Go's sloppy parser reads it; None where it is none.

    An IPv4 range written as IPv6 (`::ffff:10.0.0.0/104`) is IPv4.
    """
    if not isinstance(raw, str) or len(raw) > 64 or "%" in raw:
        return None
    address, slash, length = raw.partition("/")
    if not slash or not (length.isascii() and length.isdigit()) or len(length) > 3:
        return None
    if ":" not in address:
        address = ".".join(part.lstrip("0") or "0" if part else "?" for part in address.split("."))
    found = parse_range(f"{address}/{int(length)}")
    if found is not None and found[0] == 6 and found[1] >> 32 == 0xFFFF and int(length) >= 96:
        return 4, found[1] & 0xFFFFFFFF, found[2] & 0xFFFFFFFF
    return found


Port = Ports | NamedPort
