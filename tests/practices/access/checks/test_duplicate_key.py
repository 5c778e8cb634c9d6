"""POD-048 names both places."""

from __future__ import annotations

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Comment, Duplicate, Location, resource_of
from martello.practices.access.checks.duplicate_key import duplicate_key


class Twice:
    """An origin in which `data.a` stands twice."""

    where = "a.yaml"

    def locate(self, path: Path) -> Location:
        return Location(self.where, 6, 3)

    def comments(self) -> tuple[Comment, ...]:
        return ()

    def duplicates(self) -> tuple[Duplicate, ...]:
        first, last = Location(self.where, 5, 3), Location(self.where, 6, 3)
        return (Duplicate(("data", "a"), first, last),)


def test_both_places_are_named() -> None:
    resource = resource_of({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "2"}}, Twice())
    (hit,) = duplicate_key(resource, Cluster([resource]))
    assert hit.path == ("data", "a")
    assert (
        hit.message
        == "data.a is written at a.yaml:5:3 and again at a.yaml:6:3: the last one counts"
    )
