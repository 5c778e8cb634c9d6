"""No value at any place of an object makes a Python check fall over."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from typing import Any, Final

import pytest
from tests.support.ledger import world

from martello.adapters.manifests import read_paths
from martello.catalogue.load import Source, packaged, read
from martello.core.check import Check, Hit
from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Nowhere, resource_of

_SOURCES = tuple(s for s in packaged() if s.module)
_ODD: tuple[Any, ...] = (0, -1, 1.5, True, "", "x", [], [1], [[]], [{}], {}, {"x": 1}, {"": {}})
_NAMES = (("metadata",), ("metadata", "name"), ("metadata", "namespace"))


def _places(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*path, index))


def _changed(raw: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(raw)
    inner: Any = made
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return made


_FACTS: Final = {"today": date(2026, 7, 1), **world()}


def _run(check: Check, raws: list[dict[str, Any]], params: dict[str, Any]) -> Iterator[Hit]:
    resources = [resource_of(raw, Nowhere()) for raw in raws]
    cluster = Cluster(resources)
    named: dict[str, Any] = {"params": params} if check.params else {}
    if check.facts:
        named["facts"] = _FACTS
    assert check.function is not None
    if check.kinds == ("cluster",):
        yield from check.function(cluster, **named)
        return
    for resource in resources:
        workload = cluster.workload(resource)
        if check.kinds == ("workload",) and workload is not None:
            yield from check.function(workload, cluster, **named)
        elif resource.ref.group_kind in check.kinds:
            yield from check.function(resource, cluster, **named)


@pytest.mark.parametrize("source", _SOURCES, ids=lambda s: s.module.rpartition(".")[2])
def test_any_value_at_any_place(source: Source) -> None:
    check = read(source)
    defaults = {name: schema.get("default") for name, schema in check.params.items()}
    for example in check.examples:
        raws = [r.raw for r in read_paths(["-"], stdin=BytesIO(example.text.encode())).resources]
        for index, raw in enumerate(raws):
            for path in _places(raw):
                if not path or path in _NAMES or path[0] in ("apiVersion", "kind"):
                    continue
                for value in _ODD:
                    changed = [*raws[:index], _changed(raw, path, value), *raws[index + 1 :]]
                    for hit in _run(check, changed, {**defaults, **example.params}):
                        assert hit.message
