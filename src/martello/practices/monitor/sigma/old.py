"""The old way of counting: `selection | count(field) by other > 10`, with a `timeframe`.

Translated where it means one thing only. Counts below a threshold, several aggregations and `near`
are not: whoever wrote them could mean a whole day's log, or any window.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from martello.practices.monitor.problems import shown
from martello.practices.monitor.sigma.lower import Unassessable

_FORM: Final = re.compile(
    r"\s*(?P<function>[A-Za-z_]+)\s*\(\s*(?P<field>[^\s()|,]*)\s*\)"
    r"(?:\s+by\s+(?P<by>[^\s()|<>=,]+(?:\s*,\s*[^\s()|<>=,]+)*))?"
    r"\s*(?P<op>>=|<=|==|>|<|=)\s*(?P<value>[0-9]{1,15}(?:\.[0-9]{1,9})?)\s*"
)
_SPAN: Final = re.compile(r"([0-9]{1,9})([smhdwMy])")
SECONDS: Final = {
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "M": 2_629_746,
    "y": 31_556_952,
}
_TYPES: Final = {"sum": "sum", "avg": "avg"}


class Count(msgspec.Struct, frozen=True):
    """What is counted, in the words of `Correlation`; fields as the rule names them."""

    type: str
    field: str
    by: tuple[str, ...]
    op: str
    value: float
    within: int


def read(text: str, timeframe: Any) -> Count:
    """What follows the `|` of a condition. Raises Unassessable."""
    if text.strip().lower().startswith("near"):
        raise Unassessable("`near` is not translated: write a temporal correlation")
    match = _FORM.fullmatch(text)
    if match is None:
        raise Unassessable("its aggregation is not supported: write a correlation")
    function, field = match["function"].lower(), match["field"]
    if function == "count":
        type_ = "values" if field else "count"
    elif function in _TYPES and field:
        type_ = _TYPES[function]
    else:
        raise Unassessable(f"the aggregation '{shown(function)}' is not supported")
    if match["op"] in ("<", "<=", "=", "=="):
        raise Unassessable("a count that stays below or at a threshold is not supported")
    span = _SPAN.fullmatch(timeframe) if isinstance(timeframe, str) else None
    if span is None or int(span[1]) == 0:
        raise Unassessable("it counts without saying within what time (no `timeframe`)")
    by = tuple(part.strip() for part in match["by"].split(",")) if match["by"] else ()
    within = int(span[1]) * SECONDS[span[2]]
    return Count(type_, field, by, match["op"], float(match["value"]), within)
