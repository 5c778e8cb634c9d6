"""What `conntrack -L`, `conntrack -E` (with `-o extended`, `timestamp`, `id`) and
/proc/net/nf_conntrack write. The first tuple is the initiator's; the second, of the replies, tells
the address that the destination was translated to.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from martello.adapters.flows.ends import (
    DUPLICATE,
    NOT_A_CONNECTION,
    BadLine,
    Ends,
    Read,
    Result,
    connection,
    elapsed,
    protocol_of,
)
from martello.adapters.flows.fields import digits

NAME: Final = "conntrack"
_TUPLE: Final = frozenset({"src", "dst", "sport", "dport"})
_LONGEST: Final = 4096
_REMEMBERED: Final = 100_000  # open connections of an event stream
_LATER: Final = frozenset({"[UPDATE]", "[DESTROY]"})
Tuple = dict[str, str]


def reader(ends: Ends) -> Read:
    """Reads one file's lines. A connection whose NEW was seen counts once."""
    seen: OrderedDict[tuple[str, ...], None] = OrderedDict()

    def read(line: bytes, witness: str) -> Result:
        words = _words(line)
        event, original, replies = _tuples(words)
        if not original:
            if words[:1] == ["conntrack"]:  # its closing remark
                return NOT_A_CONNECTION
            raise BadLine("it is no connection of conntrack")
        protocol = _protocol(words)
        key = (protocol, *(original.get(name, "") for name in ("src", "sport", "dst", "dport")))
        if event in _LATER:
            known = key in seen
            if event == "[DESTROY]":
                seen.pop(key, None)
            else:
                seen[key] = None
            if known:
                return DUPLICATE
        elif event == "[NEW]":
            seen[key] = None
        if len(seen) > _REMEMBERED:
            seen.popitem(last=False)
        port = digits(original.get("dport", "0"))
        return connection(
            ends.peer(original.get("src", "")),
            ends.peer(original.get("dst", "")),
            protocol,
            port,
            digits(original.get("sport", "0")),
            _time(words),
            # Nobody answered a connection attempt: it may have been dropped further on.
            "unknown" if "SYN_SENT" in words and not event else "forwarded",
            False,
            1,
            (),
            _translated(ends, original, replies, port),
            NAME,
            witness,
        )

    return read


def _words(line: bytes) -> list[str]:
    if len(line) > _LONGEST:
        raise BadLine("it is longer than a line of conntrack")
    try:
        return line.decode("ascii").split()
    except UnicodeDecodeError:
        raise BadLine("it is no connection of conntrack") from None


def _tuples(words: list[str]) -> tuple[str, Tuple, Tuple]:
    """The event, and the tuples of both directions: what is named twice is of the replies."""
    event, both = "", (Tuple(), Tuple())
    for word in words:
        if word in ("[NEW]", "[UPDATE]", "[DESTROY]"):
            event = word
        name, equals, value = word.partition("=")
        if equals and name in _TUPLE:
            both[name in both[0]].setdefault(name, value)
    return event, *both


def _protocol(words: list[str]) -> str:
    """The word before the protocol's number: `tcp 6`, also after `ipv4 2`, a time or an event."""
    for at, word in enumerate(words):
        if "=" in word:
            break
        if word in ("ipv4", "ipv6") or not word.isalnum() or not word.islower():
            continue
        following = words[at + 1 : at + 2]
        if following and following[0].isdigit():
            return protocol_of(following[0] if word == "unknown" else word)
    raise BadLine("a protocol is missing or malformed")


def _time(words: list[str]) -> float:
    """`[SECONDS.MICROSECONDS]`, where the microseconds are padded behind instead of before."""
    first = words[0]
    if not first.startswith("[") or not first[1:2].isdigit():
        return 0.0
    whole, _, fraction = first.strip("[]").partition(".")
    return elapsed(digits(whole), 1) + elapsed(digits(fraction or "0"), 1_000_000)


def _translated(ends: Ends, original: Tuple, replies: Tuple, port: int) -> tuple[str, int] | None:
    if "src" not in replies:
        return None
    backend = ends.address(replies["src"]), digits(replies.get("sport", "0"))
    if not 0 <= backend[1] <= 65535:
        raise BadLine("a port is out of range")
    return None if backend == (ends.address(original.get("dst", "")), port) else backend
