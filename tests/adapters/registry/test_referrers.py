"""N13 and N14: what is attached, with and without the referrers API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.fake_registry import FakeRegistry, fake
from tests.support.registry_settings import settings

from martello.adapters.registry.client import Registry, connect
from martello.adapters.registry.referrers import fallback
from martello.core.artifact import EMPTY, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, digest_of
from martello.core.errors import Unreachable

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def describe(content: bytes, media: str = "text/plain") -> dict[str, Any]:
    """A descriptor."""
    return {"mediaType": media, "digest": digest_of(content), "size": len(content)}


def image(subject: bytes | None = None, artifact: str = "", config: str = OCI_CONFIG) -> bytes:
    """A manifest of an image or of what is attached to one."""
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
    body |= {"config": describe(b"{}", config), "layers": [describe(artifact.encode())]}
    if artifact:
        body["artifactType"] = artifact
    if subject is not None:
        body["subject"] = describe(subject, OCI_MANIFEST)
    return json.dumps(body).encode()


SUBJECT = image()
DIGEST = digest_of(SUBJECT)


@pytest.fixture
def there() -> Iterator[FakeRegistry]:
    with fake() as registry:
        registry.put("a/b", "1", SUBJECT, OCI_MANIFEST)
        yield registry


def at(registry: FakeRegistry) -> Registry:
    """A client of a/b."""
    return connect(f"{registry.url}/a/b:1", settings())


@pytest.mark.parametrize("api", [True, False])
def test_everything_attached_is_found(there: FakeRegistry, api: bool) -> None:
    there.referrers = there.subjects = api
    kinds = [f"application/vnd.example.{n}" for n in range(5)]
    with at(there) as ours:
        for kind in kinds:
            ours.put(image(SUBJECT, kind))
        found = ours.attached(DIGEST)
    assert sorted(a.kind for a in found.found) == kinds
    assert found.unread == ()
    assert ("a/b", fallback(DIGEST)) in there.manifests or api
    assert all("artifactType" not in a.query for a in there.asked)


def test_N13_a_useless_artifact_type_hides_nothing(there: FakeRegistry) -> None:
    there.generic_types = True
    with at(there) as ours:
        ours.put(image(SUBJECT, BUNDLE))
        ours.put(image(SUBJECT, "", "application/vnd.example.config"))
        ours.put(image(SUBJECT, "", EMPTY))
        kinds = sorted(a.kind for a in ours.attached(DIGEST).found)
    assert kinds == ["", BUNDLE, "application/vnd.example.config"]


def test_N13_cosign_tags_are_always_asked_for(there: FakeRegistry) -> None:
    for suffix in ("sig", "att", "sbom"):
        there.put("a/b", f"{fallback(DIGEST)}.{suffix}", image(None, suffix), OCI_MANIFEST)
    with at(there) as ours:
        found = ours.attached(DIGEST).found
    assert [a.how.rpartition(".")[2] for a in found] == ["sig", "att", "sbom"]


def test_N13_the_fall_back_tag_counts_beside_the_api(there: FakeRegistry) -> None:
    there.subjects = False
    with at(there) as ours:
        ours.put(image(SUBJECT, BUNDLE))
        there.subjects = True
        ours.put(image(SUBJECT, "x/y"))
        assert len(ours.attached(DIGEST).found) == 2


@pytest.mark.parametrize(
    "answer",
    [(404, b""), (400, b"{}"), (405, b""), (501, b""), (200, b"<html>"), (200, b"[1]")],
)
def test_N13_every_way_to_have_no_api(there: FakeRegistry, answer: tuple[int, bytes]) -> None:
    there.subjects = False
    with at(there) as ours:
        ours.put(image(SUBJECT, BUNDLE))
        status, body = answer
        there.answer = lambda asked: (status, {}, body) if "referrers" in asked.path else None
        assert [a.kind for a in ours.attached(DIGEST).found] == [BUNDLE]


def test_N13_a_registry_that_cannot_answer_is_no_empty_list(there: FakeRegistry) -> None:
    there.answer = lambda asked: (500, {}, b"") if "referrers" in asked.path else None
    with at(there) as ours, pytest.raises(Unreachable):
        ours.attached(DIGEST)


def test_N13_a_filter_nobody_asked_for_is_told(there: FakeRegistry) -> None:
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
    headers = {"OCI-Filters-Applied": "artifactType"}
    there.answer = lambda asked: (200, headers, body) if "referrers" in asked.path else None
    with at(there) as ours:
        assert "filtered" in ours.attached(DIGEST).unread[0][1]


def test_what_belongs_elsewhere_or_is_gone_is_told(there: FakeRegistry) -> None:
    foreign = image(image(None, "another"), BUNDLE)
    there.put("a/b", "foreign", foreign, OCI_MANIFEST)
    there.put("a/b", "broken", b"no json", OCI_MANIFEST)
    listed = [describe(foreign), describe(b"gone"), describe(b"no json"), {"digest": 5}, 7]
    body = json.dumps({"schemaVersion": 2, "manifests": listed}).encode()
    there.answer = lambda asked: (200, {}, body) if "referrers" in asked.path else None
    with at(there) as ours:
        found = ours.attached(DIGEST)
    assert found.found == ()
    assert {name for name, _ in found.unread} == {
        digest_of(c) for c in (foreign, b"gone", b"no json")
    }


def test_N14_the_index_is_read_again_where_others_write_it(there: FakeRegistry) -> None:
    there.referrers = there.subjects = False
    tag = fallback(DIGEST)
    stolen = [2]

    def thief(asked: Any) -> Any:
        read = asked.method == "GET" and asked.path.endswith(tag)
        if read and stolen[0] and there.manifests.pop(("a/b", tag), None):
            stolen[0] -= 1
        return None

    there.answer = thief
    with at(there) as ours:
        digest = ours.put(image(SUBJECT, BUNDLE))
        raw, _ = ours.manifest(tag)
    assert [entry["digest"] for entry in json.loads(raw)["manifests"]] == [digest]
    stolen[0] = 99
    with at(there) as ours, pytest.raises(Unreachable):
        ours.put(image(SUBJECT, "x/y"))


def test_N14_foreign_entries_and_fields_of_the_index_stay(there: FakeRegistry) -> None:
    there.referrers = there.subjects = False
    old = {**describe(b"old", OCI_MANIFEST), "x-own": {"a": 1}}
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [old], "x-more": [1]}
    there.put("a/b", fallback(DIGEST), json.dumps(body).encode(), OCI_INDEX)
    with at(there) as ours:
        ours.put(image(SUBJECT, BUNDLE))
        raw, _ = ours.manifest(fallback(DIGEST))
    kept = json.loads(raw)
    assert kept["manifests"][0] == old
    assert kept["x-more"] == [1]
    assert kept["manifests"][1]["artifactType"] == BUNDLE
    assert len(kept["manifests"]) == 2
