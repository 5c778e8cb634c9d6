"""AWS VPC flow logs, versions 2 and later: fields with spaces between, `-` for what is absent.

Files start with a line of field names; without one they are in the default format of version 2.
Who began is not said, but where TCP flags are logged they tell.
"""

from __future__ import annotations

from typing import Final

from martello.adapters.flows.ends import (
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

NAME: Final = "vpc"
_FIELDS: Final = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start "
    "end action log-status"
)
DEFAULT: Final = tuple(_FIELDS.split())
_LONGEST: Final = 8192
_VERDICTS: Final = {"ACCEPT": "forwarded", "REJECT": "dropped"}
_SYN, _ACK = 2, 16


def fields_of(words: list[str]) -> tuple[str, ...] | None:
    """The names of a header, also written `${srcaddr}`; None where the words are none."""
    names = tuple(word.removeprefix("${").removesuffix("}") for word in words)
    known = {"srcaddr", "pkt-srcaddr"} & set(names) and {"dstaddr", "pkt-dstaddr"} & set(names)
    return names if known else None


def reader(ends: Ends) -> Read:
    """Reads one file's lines."""
    names: tuple[str, ...] = DEFAULT

    def read(line: bytes, witness: str) -> Result:
        nonlocal names
        if len(line) > _LONGEST:
            raise BadLine("it is longer than a line of a VPC flow log")
        try:
            words = line.decode("ascii").split()
        except UnicodeDecodeError:
            raise BadLine("it is no line of a VPC flow log") from None
        header = fields_of(words)
        if header is not None:
            names = header
            return NOT_A_CONNECTION
        if len(words) == len(names) + 1 and words[0].endswith("Z") and "T" in words[0]:
            del words[0]  # the time that CloudWatch puts before
        if len(words) != len(names):
            raise BadLine("it has not as many fields as its header")
        return _flow(ends, dict(zip(names, words, strict=True)), witness)

    return read


def _flow(ends: Ends, raw: dict[str, str], witness: str) -> Result:
    if raw.get("log-status", "OK") in ("NODATA", "SKIPDATA"):
        return NOT_A_CONNECTION
    port, source_port = _number(raw, "dstport"), _number(raw, "srcport")
    return connection(
        ends.peer(_text(raw, "pkt-srcaddr") or _text(raw, "srcaddr")),
        ends.peer(_text(raw, "pkt-dstaddr") or _text(raw, "dstaddr")),
        protocol_of(raw.get("protocol", "")),
        port,
        source_port,
        elapsed(_number(raw, "start"), 1),
        _VERDICTS.get(raw.get("action", ""), "unknown"),
        _reply(raw),
        1,
        (),
        None,
        NAME,
        witness,
    )


def _text(raw: dict[str, str], name: str) -> str:
    value = raw.get(name, "-")
    return "" if value == "-" else value


def _number(raw: dict[str, str], name: str) -> int:
    return digits(_text(raw, name) or "0")


def _reply(raw: dict[str, str]) -> bool | None:
    """Flags are or-ed within the interval; SYN with ACK is of the side that was called."""
    flags = _number(raw, "tcp-flags")
    return bool(flags & _ACK) if flags & _SYN else None
