"""The picture of the network in the html report of a scan, where policies were read."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from martello.core.errors import MartelloError
from martello.core.reading import Reading
from martello.report.model import Report
from martello.report.network.model import Matrix

_NO_FLAGS = {"cni": "", "pod_ranges": (), "service_ranges": ()}


def with_pictures(report: Report, readings: Iterable[Reading]) -> Report:
    """The report with the matrix of namespaces of every reading that holds policies. What cannot be
    drawn (a policy that would be refused) is told elsewhere in the report.
    """
    from martello.practices.network.dialects.read import is_policy

    found: list[Matrix] = []
    for reading in readings:
        if not any(is_policy(r.ref.group_kind) for r in reading.resources):
            continue
        try:
            found.append(_picture(reading))
        except MartelloError:
            continue
    return msgspec.structs.replace(report, pictures=tuple(found))


def _picture(reading: Reading) -> Matrix:
    from martello.cli.network.opening import opened_reading
    from martello.cli.network.picturing import by_namespace

    return by_namespace(opened_reading(reading, dict(_NO_FLAGS)), reading.focus.namespaces)
