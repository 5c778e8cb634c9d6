"""What metrics-server says of every container now (metrics.k8s.io): one snapshot, no history.

A snapshot holds one value of each container: its processor time a second over a short while (cores)
and its working set. Kept in a file (`csv_file.append`), snapshots add up to a history:

    taken = snapshot.take(context)
    csv_file.append(Path("use.csv"), taken.samples)         # every minute or so
    Files(["use.csv"])                                      # once there are enough
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np

from martello.adapters.cluster.client import Client
from martello.adapters.cluster.failure import Denied
from martello.adapters.cluster.kubeconfig import Access
from martello.adapters.cluster.reader import refusal
from martello.adapters.usage.owners import Owners
from martello.cel.lib.quantity import is_quantity, parse
from martello.core.errors import NotPermitted, Unreachable
from martello.core.usage import Chunk, Counts, Gap, Metric, Owned

_API: Final = "/apis/metrics.k8s.io/v1beta1"
_PAGE: Final = 1000
_USED: Final[tuple[tuple[str, Metric], ...]] = (("cpu", "cores"), ("memory", "memory"))


class Snapshot:
    """A Source of one moment: a sample of each container and metric."""

    def __init__(self, samples: Sequence[Chunk], gaps: Sequence[Gap]) -> None:
        self.samples = tuple(samples)
        self.gaps = tuple(gaps)
        self.counts = Counts(queries=1)

    def chunks(self, since: float, until: float) -> Iterator[Chunk | Gap]:
        """The samples, where they lie in the window; see core.usage.Source."""
        yield from self.gaps
        for chunk in self.samples:
            if since <= float(chunk.times[0]) < until:
                self.counts.samples += 1
                yield chunk
        self.counts.finished += sorted({chunk.of.namespace for chunk in self.samples})


def take(
    access: Access, namespaces: Sequence[str] = (), *, owners: Owners | None = None
) -> Snapshot:
    """Asks metrics-server through the API server. Raises Unreachable where it is not served or the
    cluster does not answer, NotPermitted where we may ask for nothing of it.
    """
    return asyncio.run(_take(access, namespaces, owners or Owners()))


async def _take(access: Access, namespaces: Sequence[str], owners: Owners) -> Snapshot:
    found: list[Chunk] = []
    gaps: list[Gap] = []
    denied: Denied | None = None
    refused = 0
    asked = tuple(dict.fromkeys(namespaces)) or ("",)
    async with Client(access) as client:
        for namespace in asked:
            path = f"{_API}/namespaces/{namespace}/pods" if namespace else f"{_API}/pods"
            try:
                items = await _list(client, path)
            except Denied as error:
                denied, refused = error, refused + 1
                where = f" in namespace {namespace}" if namespace else ""
                why = refusal(f"list pods.metrics.k8s.io{where}", error)
                gaps.append(Gap(path, why, namespace))
                continue
            for item in items:
                for each in _samples(item, owners):
                    if isinstance(each, Gap):
                        gaps.append(each)
                    else:
                        found.append(each)
    if denied is not None and refused == len(asked):
        raise _none(access.server, denied, gaps[0].why)
    found.sort(key=lambda chunk: (chunk.of, chunk.metric))
    return Snapshot(found, gaps)


async def _list(client: Client, path: str) -> list[Any]:
    kept: list[Any] = []
    last = 0
    async for attempt, items in client.pages(path, limit=_PAGE):
        if attempt != last:
            kept, last = [], attempt
        kept += items
    return kept


def _none(server: str, denied: Denied, why: str) -> NotPermitted | Unreachable:
    if denied.status == 403:
        next = "ask for the right to list pods of metrics.k8s.io"
        return NotPermitted("cannot read what containers use", why, next)
    if denied.status in (404, 503):
        why = f"{server} does not serve metrics.k8s.io ({denied.status})"
        next = "install metrics-server, or ask a Prometheus: resources advise --prometheus URL"
        return Unreachable("cannot read what containers use", why, next)
    return Unreachable("cannot read what containers use", why, "try again later")


def _samples(item: Any, owners: Owners) -> Iterator[Chunk | Gap]:
    """The samples of one PodMetrics; a Gap for what is none."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    namespace, pod = metadata.get("namespace"), metadata.get("name")
    if not isinstance(namespace, str) or not isinstance(pod, str) or not namespace or not pod:
        yield Gap("an object among podmetrics", "it names no pod")
        return
    at = _moment(item.get("timestamp"))
    containers = item.get("containers")
    if at is None or not isinstance(containers, list):
        yield Gap(f"the use of pod {pod}", "it has no time or no containers", namespace)
        return
    for one in containers:
        name, usage = (one.get("name"), one.get("usage")) if isinstance(one, dict) else (None, None)
        if not isinstance(name, str) or not name or not isinstance(usage, dict):
            yield Gap(
                f"the use of pod {pod}", "one of its containers has no name or use", namespace
            )
            continue
        of = Owned(namespace, pod, name, owners.of(namespace, pod))
        for resource, metric in _USED:
            value = _amount(usage.get(resource))
            if value is None:
                why = f"its {resource} is missing or no quantity"
                yield Gap(f"the use of pod {pod}", why, namespace, of)
            else:
                yield Chunk(of, metric, np.array([at]), np.array([value]))


def _moment(raw: Any) -> float | None:
    if not isinstance(raw, str):
        return None
    try:
        found = msgspec.convert(raw, datetime)
    except msgspec.ValidationError:
        return None
    return found.timestamp() if found.tzinfo else None


def _amount(raw: Any) -> float | None:
    if not isinstance(raw, str) or not is_quantity(raw):
        return None
    value = float(parse(raw))
    return value if value >= 0 else None
