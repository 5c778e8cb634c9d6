"""A promotion that breaks off at any step, beside others, against both kinds of registries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from tests.support.fake_registry import Answer, Asked, FakeRegistry, fake
from tests.support.images import (
    Image,
    Memory,
    digest,
    docker_archive,
    image,
    index,
    layer,
    uncompressed,
)
from tests.support.pipeline import good, laid_out, signer

from martello.adapters.archive import open_archive
from martello.adapters.compress import Compressed
from martello.adapters.registry.client import connect
from martello.adapters.registry.settings import Settings
from martello.cli.images import signing
from martello.cli.images.flow import Judging, open_advisories
from martello.cli.images.gating import Court, Judged, Vouching, judge_image
from martello.cli.images.opening import Opened
from martello.cli.images.promoting import Plan, arrive, packed, plan
from martello.cli.progress import Progress
from martello.core.artifact import Manifest, parse_manifest
from martello.core.errors import BadInput, NotPermitted, Refused
from martello.practices.images.attest.artifacts import attestation_tag
from martello.practices.images.attest.verify import Wanted, verify

NOW = datetime.now(UTC)
QUIET = Settings(keyrings=(), registries="", sleep=lambda _: None)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and a database."""
    return laid_out(tmp_path_factory.mktemp("promoting"))


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    """A registry in this process."""
    with fake() as found:
        yield found


def opened(made: Image) -> tuple[Opened, ...]:
    """An image as the commands open it, from memory."""
    memory = Memory({"1": made})
    if isinstance(made.manifest, Manifest):
        return (Opened("memory", memory, made.manifest),)
    found = []
    for child in made.manifest.manifests:
        parsed = parse_manifest(memory.manifest(child.digest)[0])
        assert isinstance(parsed, Manifest)
        found.append(Opened("memory", memory, parsed, made.manifest, made.manifest))
    return tuple(found)


def judged(place: Path, images: tuple[Opened, ...], name: str) -> list[Judged]:
    """The images, approved by the default policy."""
    database = open_advisories(str(place / "advisories.db"))
    court = Court((), Judging(), database, NOW)
    maker = Vouching(maker=signer(place).public)
    found = [judge_image(one, name, court, None, Progress(quiet=True), maker) for one in images]
    assert database is not None
    database.close()
    assert {one.outcome for one in found} == {"approve"}
    return found


def promoted(
    place: Path,
    server: FakeRegistry,
    planned: Plan,
    found: list[Judged],
    approve: Callable[[], None] = lambda: None,
) -> None:
    """One promotion, by a client of its own."""
    with connect(f"{server.url}/shop/api:1", QUIET) as target:
        arrive(planned, found, target, signer(place), NOW, approve, Progress(quiet=True))


def held(place: Path, server: FakeRegistry, made: Image, *types: str) -> bool:
    """Whether what the tag means is the image, signed and attested by the key."""
    with connect(f"{server.url}/shop/api:1", QUIET) as target:
        raw = target.held("1")
        artifacts = signing.attached(target, made.digest)
    keys = [signer(place).public]
    known = {"vuln": "https://cosign.sigstore.dev/attestation/vuln/v1", "": ""}
    asked = [Wanted(made.digest, known[type]) for type in ("", *types)]
    now = datetime.now(UTC)
    whole = raw is not None and digest(raw[0]) == made.digest
    return whole and all(verify(artifacts, keys, one, now).ok for one in asked)


@pytest.mark.parametrize("modern", [True, False], ids=["referrers", "fall-back tags"])
def test_a_promotion_may_end_at_any_request(
    place: Path, server: FakeRegistry, modern: bool
) -> None:
    server.referrers = server.subjects = modern
    old = good(mark="old")
    server.put("shop/api", "1", old.manifest.raw, old.manifest.media)
    images = opened(good())
    planned = plan(images, True)
    found = judged(place, images, f"{server.url}/shop/api:1")
    approvals: list[int] = []

    def ends(at: int) -> Callable[[Asked], Answer | None]:
        count = 0

        def answer(asked: Asked) -> Answer | None:
            nonlocal count
            count += 1
            return (403, {}, b"{}") if count >= at else None

        return answer

    def begin_anew() -> None:
        server.answer = None
        for store in (server.manifests, server.blobs):
            store.clear()
        server.put("shop/api", "1", old.manifest.raw, old.manifest.media)
        server.asked.clear()
        approvals.clear()

    promoted(place, server, planned, found)
    total = len(server.asked)
    assert total > 20
    for step in (*range(1 + modern, total, 4), total - 1, total):
        begin_anew()
        server.answer = ends(step)
        with pytest.raises(NotPermitted):
            promoted(place, server, planned, found, lambda: approvals.append(1))
        assert digest(server.manifests["shop/api", "1"][0]) == old.digest, step
        assert approvals == ([1] if step == total else []), step
    server.answer = None
    promoted(place, server, planned, found)
    assert held(place, server, good(), "vuln")


def test_what_a_broken_run_left_is_used_by_the_next(place: Path, server: FakeRegistry) -> None:
    images = opened(good())
    planned, found = plan(images, True), judged(place, images, f"{server.url}/shop/api:1")

    def at_the_tag(asked: Asked) -> Answer | None:
        last = asked.method == "PUT" and asked.path.endswith("/manifests/1")
        return (403, {}, b"{}") if last else None

    server.answer = at_the_tag
    with pytest.raises(NotPermitted):
        promoted(place, server, planned, found)
    assert ("shop/api", "1") not in server.manifests
    server.answer = None
    before = dict(server.manifests)
    server.asked.clear()
    promoted(place, server, planned, found)
    assert server.count("POST") == 0
    assert set(server.manifests) - set(before) == {("shop/api", "1")}
    assert held(place, server, good(), "vuln")


@pytest.mark.parametrize("modern", [True, False], ids=["referrers", "fall-back tags"])
def test_many_may_promote_one_image_at_once(
    place: Path, server: FakeRegistry, modern: bool
) -> None:
    server.referrers = server.subjects = modern
    server.page = 100
    images = opened(index(good(), good("linux/arm64")))
    planned, found = plan(images, True), judged(place, images, f"{server.url}/shop/api:1")
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(promoted, place, server, planned, found) for _ in range(4)]:
            done.result()
    assert held(place, server, index(good(), good("linux/arm64")))
    for child in (good(), good("linux/arm64")):
        raw, _ = server.manifests["shop/api", attestation_tag(child.digest)]
        assert len(json.loads(raw)["layers"]) == 3


def test_only_what_was_judged_is_planned() -> None:
    both = index(good(), good("linux/arm64"))
    images = opened(both)
    whole = plan(images, True)
    assert whole.top.digest == both.digest
    assert len(whole.manifests) == 3
    assert plan(images[:1], False).top.digest == good().digest
    with pytest.raises(BadInput, match="several images"):
        plan(images, False)
    with pytest.raises(Refused, match="was not judged"):
        plan(images[:1], True)
    nested = index(both, good(mark="third"))
    deep = [msgspec.structs.replace(one, top=nested.manifest) for one in images]
    place = Memory({"1": nested})
    deep = [msgspec.structs.replace(one, place=place) for one in deep]
    with pytest.raises(Refused, match="was not judged"):
        plan(deep, True)


def test_what_lies_elsewhere_is_not_pushed() -> None:
    made = image(layer({"a": "b"}))
    foreign = made.manifest.raw.replace(b"image.layer.v1", b"image.layer.nondistributable.v1")
    one = Image(parse_manifest(foreign), {**made.blobs, digest(foreign): foreign})
    with pytest.raises(BadInput, match="cannot push"):
        plan(opened(one), True)


@pytest.mark.parametrize("how", ["gzip", "zstd", "none", ""])
def test_layers_of_archives_are_compressed_the_same_each_time(tmp_path: Path, how: str) -> None:
    big = layer({f"f{n}": f"{n}" * 5000 for n in range(300)}, "plain")
    made = image(big, layer({"x": "y"}, "plain"), big)
    (tmp_path / "a.tar").write_bytes(docker_archive({"shop/api:1": made}, old=False))
    digests = set()
    for _ in range(2):
        archive = open_archive(tmp_path / "a.tar")
        raw, media = archive.manifest("")
        manifest = parse_manifest(raw, media)
        assert isinstance(manifest, Manifest)
        one = Opened("a", archive, manifest)
        with packed([one], how, Progress(quiet=True)) as found:  # type: ignore[arg-type]
            (only,) = found
            digests.add(only.manifest.digest)
            kinds = {blob.media.partition("+")[2] for blob in only.manifest.layers}
            assert kinds == {{"": "gzip", "none": ""}.get(how, how)}
            assert only.manifest.config.digest == made.image.config.digest
            for ours, theirs in zip(only.manifest.layers, made.image.layers, strict=True):
                content = b"".join(only.place.blob(ours))
                assert (digest(content), len(content)) == (ours.digest, ours.size)
                assert uncompressed(content) == made.blobs[theirs.digest]
            assert only.place.manifest(only.manifest.digest)[0] == only.manifest.raw
    assert len(digests) == 1


def test_a_lying_archive_is_refused_while_it_is_compressed() -> None:
    made = image(layer({"x": "y"}, "plain"))
    memory = Memory({"1": made})
    lie = made.image.layers[0].digest
    for content in (b"z" * made.image.layers[0].size, b"short", memory.blobs[lie] + b"more"):
        memory.blobs[lie] = content
        with Compressed(memory) as place, pytest.raises(Refused, match="what it promises"):
            place.compress(made.image, "gzip")
