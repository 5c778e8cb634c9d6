"""A kind that could not be listed makes nothing wrong that was right, and no grant harmless."""

from __future__ import annotations

from functools import cache
from io import BytesIO

import msgspec
import orjson
import pytest
from tests.support.corners import UNFILLED, corners
from tests.support.generated import objects
from tests.support.objects import TODAY

from martello.adapters.cluster.kinds import REQUIRED
from martello.adapters.manifests import read_paths, read_texts
from martello.catalogue.load import load
from martello.catalogue.scan import scan
from martello.core.finding import Scan
from martello.core.reading import Reading
from martello.core.resource import Ref, Resource
from martello.demo import texts

NEVER_SILENT = ("ACC", "NET-001", "RES-008", "RES-009")
KINDS = [kind.group_kind for kind in REQUIRED]


@cache
def everything() -> tuple[Resource, ...]:
    """The demo cluster and others, as if they had been read from a cluster."""
    made = {"kind": "List", "apiVersion": "v1", "items": [*corners(), *objects(300)]}
    generated = read_paths(["-"], stdin=BytesIO(orjson.dumps(made))).resources
    return tuple(
        Resource(r.raw, msgspec.structs.replace(r.ref, cluster="c"), r.origin)
        for r in (*read_texts(texts(), "demo").resources, *generated)
    )


@cache
def judged(*hidden: str) -> Scan:
    """The scan of all that is left where some kinds are refused."""
    left = tuple(r for r in everything() if r.ref.group_kind not in hidden)
    refused = dict.fromkeys(hidden, "refused")
    reading = Reading("cluster:c", left, unlisted=refused, kubernetes=20, cluster="c")
    return scan(reading, load(), today=TODAY, profile="all")


def found(result: Scan) -> set[tuple[str, Ref]]:
    """Which check found something wrong with which object. Public registries are one finding for
    all objects, at the first of them: that it moves to another tells nothing.
    """
    found = result.findings
    return {(f.check, f.ref) for f in found if (f.check, f.severity) != ("IMG-006", "low")}


@pytest.mark.parametrize("only", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_hidden(kind: str, only: bool) -> None:
    hidden = [k for k in KINDS if k != kind] if only else [kind]
    result = judged(*hidden)
    new = {check for check, _ in found(result) - found(judged())}
    assert new <= (UNFILLED if "LimitRange" in hidden else frozenset())
    lost = found(judged()) - found(result)
    told = {(entry.check, entry.ref) for entry in result.unassessed}
    silent = {
        (check, ref)
        for check, ref in lost
        if check.startswith(NEVER_SILENT) and ref.group_kind not in hidden
        if (check, ref) not in told and (check, None) not in told
    }
    assert not silent


def test_something_is_found_in_everything() -> None:
    assert len({check for check, _ in found(judged())}) > 50
