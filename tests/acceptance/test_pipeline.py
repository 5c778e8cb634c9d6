"""The pipeline for real: a registry on loopback, skopeo, openssl, and the commands themselves.

docker-registry 2.8 knows no referrers: what is attached goes by fall-back tags. The other kind is
tested in tests/cli/images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import shop
from tests.support.images import Image, digest, index, uncompressed, write_layout
from tests.support.pipeline import (
    back,
    good,
    laid_out,
    manifest_of,
    promote,
    repositories,
    run,
    same,
    stored,
)
from tests.support.registry import RealRegistry, or_skip, running, skopeo

from martello.core.artifact import parse_manifest


@pytest.fixture(scope="module")
def registry() -> Iterator[RealRegistry]:
    """One for all of these tests: each has repositories of its own."""
    for program, package in (("docker-registry", "docker-registry"), ("skopeo", "skopeo")):
        or_skip(program, package)
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with images in every form, a database, and two keys."""
    return laid_out(tmp_path_factory.mktemp("pipeline"))


def test_what_is_vulnerable_never_arrives(place: Path, registry: RealRegistry) -> None:
    before = stored(registry)
    done = promote(place, "oci:bad", f"{registry.url}/refused/api:1")
    assert done.code == 1
    assert done.err.splitlines() == [f"nothing was pushed to {registry.url}/refused/api"]
    assert "IMG-003 known exploited: openssl" in done.out
    assert stored(registry) == before
    assert not {name for name in repositories(registry) if name.startswith("refused")}


def test_what_is_mended_arrives_signed_and_attested(
    place: Path, registry: RealRegistry, tmp_path: Path
) -> None:
    target = f"{registry.url}/shop/api:1"
    done = promote(place, "oci:good", target)
    assert done.code == 0, done.out
    assert done.err.splitlines()[0] == f"pushed {target}@{good().digest}"
    same(back(registry, "shop/api:1", tmp_path / "back"), good())
    kept = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{target}")
    assert digest(kept.encode()) == good().digest
    for words in ((), ("--type", "vuln", "--max-age", "1h"), ("--type", "cyclonedx", "--name")):
        held = run(place, "verify", target, "--key", "release.pub", *words)
        assert (held.code, held.err) == (0, ""), words
        assert held.out.splitlines()[0] == f"{registry.url}/shop/api@{good().digest}"
    told = run(place, "verify", target, "--key", "release.pub", "--type", "verdict", "-o", "json")
    (said,) = {json.dumps(v["predicate"]) for v in told.report["verified"]}
    assert [p["outcome"] for p in json.loads(said)["policies"]] == ["approve"]
    bill = run(place, "verify", target, "--key", "release.pub", "--type", "cyclonedx", "-o", "json")
    assert bill.report["verified"][0]["predicate"]["metadata"]["component"]["name"].endswith("api")


def test_an_archive_arrives_compressed_and_always_the_same(
    place: Path, registry: RealRegistry, tmp_path: Path
) -> None:
    done = promote(place, "docker-archive:good.tar", f"{registry.url}/saved/api:1")
    assert done.code == 0, done.out
    made = good()
    layout = back(registry, "saved/api:1", tmp_path / "back")
    found = manifest_of(registry, "saved/api:1")
    assert [one.media.rpartition("+")[2] for one in found.layers] == ["gzip", "gzip"]
    assert found.config.digest == made.image.config.digest
    for ours, theirs in zip(found.layers, made.image.layers, strict=True):
        content = (layout / "blobs" / "sha256" / ours.digest[7:]).read_bytes()
        assert uncompressed(content) == uncompressed(made.blobs[theirs.digest])
    again = promote(place, "docker-archive:good.tar", f"{registry.url}/saved/api:2")
    assert manifest_of(registry, "saved/api:2").digest == found.digest
    assert "3 there already" in again.err
    refused = promote(place, "oci:good", f"{registry.url}/saved/api:3", "--compress", "gzip")
    assert (refused.code, refused.out) == (2, "")


def test_from_one_repository_to_another_blobs_are_mounted(
    place: Path, registry: RealRegistry, tmp_path: Path
) -> None:
    made = good(mark="mounted")
    write_layout(tmp_path / "m", {"1": made})
    assert promote(place, f"oci:{tmp_path / 'm'}", f"{registry.url}/staging/api:1").code == 0
    source, target = f"registry:{registry.url}/staging/api:1", f"{registry.url}/prod/api:1"
    done = promote(place, source, target)
    assert done.code == 0, done.out
    assert "blobs: 3 mounted" in done.err
    same(back(registry, "prod/api:1", tmp_path / "back"), made)


def test_an_index_passes_whole_or_not_at_all(
    place: Path, registry: RealRegistry, tmp_path: Path
) -> None:
    before = stored(registry)
    done = promote(place, "oci:mixed", f"{registry.url}/multi/api:1")
    assert done.code == 1
    assert stored(registry) == before
    assert "approved by policy default" in done.out
    assert "denied by policy default" in done.out
    one = promote(place, "oci:mixed", f"{registry.url}/multi/api:1", "--platform", "linux/amd64")
    assert one.code == 0, one.out
    assert manifest_of(registry, "multi/api:1").digest == good().digest
    done = promote(place, "oci:both", f"{registry.url}/multi/api:2")
    assert done.code == 0, done.out
    same(
        back(registry, "multi/api:2", tmp_path / "back", "--all"),
        index(good(), good("linux/arm64")),
    )
    target = f"{registry.url}/multi/api:2"
    for words, lines in ((("--type", "vuln"), 4), (("--type", "verdict"), 2), ((), 2)):
        held = run(place, "verify", target, "--key", "release.pub", *words)
        assert (held.code, len(held.out.splitlines())) == (0, lines), held.out


def test_an_index_cannot_smuggle_what_nobody_judged(
    place: Path, registry: RealRegistry, tmp_path: Path
) -> None:
    body = json.loads(index(good(), shop.shop()).manifest.raw)
    body["manifests"][1]["platform"] = {"os": "unknown", "architecture": "unknown"}
    raw = json.dumps(body).encode()
    blobs = {**good().blobs, **shop.shop().blobs, digest(raw): raw}
    write_layout(tmp_path / "x", {"1": Image(parse_manifest(raw), blobs)})
    before = stored(registry)
    done = promote(place, f"oci:{tmp_path / 'x'}", f"{registry.url}/smuggled/api:1")
    assert (done.code, done.err.splitlines()[0]) == (1, f"{shop.shop().digest} was not judged")
    assert stored(registry) == before
