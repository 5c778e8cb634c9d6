"""Flow logs of Calico Enterprise and Cloud, as files hold them and as Elasticsearch exports them.

Counts are aggregated; with aggregation addresses are null and names are `-`, so that only
`name_aggr` (`web-755cdc7957-*`, `pub`, `pvt`) is left.
"""

from __future__ import annotations

from typing import Final

from martello.adapters.flows.ends import (
    BadLine,
    Ends,
    Read,
    Result,
    connection,
    elapsed,
    protocol_of,
)
from martello.adapters.flows.fields import number, parsed, part, texts
from martello.adapters.flows.goldmane import side, verdict_of

NAME: Final = "calico"


def reader(ends: Ends) -> Read:
    """Reads one file's lines."""

    def read(line: bytes, witness: str) -> Result:
        raw = parsed(line)
        raw = part(raw, "_source") or raw
        if "source_name_aggr" not in raw or "dest_name_aggr" not in raw:
            raise BadLine("it is no flow log of Calico")
        return connection(
            side(ends, raw, "source"),
            side(ends, raw, "dest"),
            protocol_of(raw.get("proto")),
            number(raw, "dest_port") or 0,
            number(raw, "source_port") or 0,
            elapsed(number(raw, "start_time") or 0, 1),
            verdict_of(raw),
            False,
            number(raw, "num_flows_started", "num_flows") or 1,
            ends.names(texts(raw, "dest_domains")),
            None,
            NAME,
            witness,
        )

    return read
