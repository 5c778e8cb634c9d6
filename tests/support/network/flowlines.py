"""Lines of flow logs, read as the command reads them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

from martello.adapters.flows.read import FlowReading, read_flows
from martello.core.flow import Flow

Line = str | bytes | dict[str, Any]


def raw(lines: Iterable[Line]) -> bytes:
    """The bytes of a file of these lines; dictionaries become JSON."""
    return b"".join(_bytes(line) + b"\n" for line in lines)


def read(*lines: Line, reader: str = "", max_bad: float = 1.0) -> tuple[list[Flow], FlowReading]:
    """The flows of these lines, from standard input, and their reading."""
    found = read_flows(["-"], reader=reader, stdin=io.BytesIO(raw(lines)), max_bad=max_bad)
    return list(found), found


def only(*lines: Line, reader: str = "") -> Flow:
    """The one flow of these lines."""
    flows, found = read(*lines, reader=reader)
    assert len(flows) == 1, (flows, found.first_bad, found.skipped)
    return flows[0]


def _bytes(line: Line) -> bytes:
    if isinstance(line, dict):
        return json.dumps(line).encode()
    return line.encode() if isinstance(line, str) else line
