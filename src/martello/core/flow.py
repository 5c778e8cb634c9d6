"""One observed connection between two places, whichever sensor or log told of it."""

from __future__ import annotations

import msgspec


class Peer(msgspec.Struct, frozen=True):
    """One end of a flow, as far as its source named it. Names may be missing; an address decides.

    `kind` is pod, node, service, external, ingress or unknown.
    """

    kind: str = "unknown"
    namespace: str = ""
    workload: str = ""
    pod: str = ""
    ip: str = ""
    cluster: str = ""


class Flow(msgspec.Struct, frozen=True):
    """A connection as it was seen: not yet turned to its initiator, not yet translated.

    `port` is the destination's (0: none, ICMP); `translated` is the destination after Service
    translation where the source knows it, (address, port).
    """

    source: Peer
    destination: Peer
    protocol: str  # TCP, UDP, SCTP, or what else was written, upper case
    port: int
    source_port: int = 0
    at: float = 0.0  # seconds since 1970; 0: the source has no time
    verdict: str = "forwarded"  # forwarded, dropped, or unknown
    reply: bool | None = None  # None: the source does not say
    count: int = 1
    names: tuple[str, ...] = ()  # DNS names by which the destination was known
    translated: tuple[str, int] | None = None
    reader: str = ""  # hubble, conntrack, …
    witness: str = ""  # file:line
