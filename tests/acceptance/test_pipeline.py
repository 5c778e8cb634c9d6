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
    inside,
    laid_out,
    manifest_of,
    promote,
    repositories,
    run,
    same,
    stalling,
    started,
    stored,
    tags,
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
        held = inside(place, "verify", target, "--key", "release.pub", *words)
        assert (held.code, held.err) == (0, ""), words
        assert held.out.splitlines()[0] == f"{registry.url}/shop/api@{good().digest}"
    told = run(place, "verify", target, "--key", "release.pub", "--type", "verdict", "-o", "json")
    (said,) = {json.dumps(v["predicate"]) for v in told.report["verified"]}
    assert [p["outcome"] for p in json.loads(said)["policies"]] == ["approve"]
    bill = inside(
        place, "verify", target, "--key", "release.pub", "--type", "cyclonedx", "-o", "json"
    )
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
        held = inside(place, "verify", target, "--key", "release.pub", *words)
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


def test_a_promotion_that_is_killed_leaves_the_tag_and_is_completed(
    place: Path, registry: RealRegistry
) -> None:
    target = f"{registry.url}/killed/api:1"
    old, new = good(mark="before"), good(mark="after")
    write_layout(place / "before", {"1": old})
    write_layout(place / "after", {"1": new})
    assert promote(place, "oci:before", target).code == 0
    for request in ("POST /v2/killed/api/blobs", ".att", "PUT /v2/killed/api/manifests/1 "):
        with stalling(registry, request) as (url, reached):
            process = started(place, "oci:after", f"{url}/killed/api:1")
            assert reached.wait(30), request
            process.kill()
            process.communicate()
        assert manifest_of(registry, "killed/api:1").digest == old.digest, request
    done = promote(place, "oci:after", target)
    assert done.code == 0, done.out + done.err
    assert manifest_of(registry, "killed/api:1").digest == new.digest
    assert run(place, "verify", target, "--key", "release.pub", "--type", "vuln").code == 0


def test_several_processes_promote_one_image_at_once(place: Path, registry: RealRegistry) -> None:
    target = f"{registry.url}/beside/api:1"
    processes = [started(place, "oci:good", target) for _ in range(3)]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert [code for *_, code in ended] == [0, 0, 0], [err for _, err, _ in ended]
    for words in ((), ("--type", "vuln"), ("--type", "cyclonedx"), ("--type", "verdict")):
        assert inside(place, "verify", target, "--key", "release.pub", *words).code == 0
    assert run(place, "ledger", "--key", "release.pub").code == 0


def test_a_ledger_that_was_rolled_back_is_noticed(
    place: Path, registry: RealRegistry, tmp_path: Path
) -> None:
    state = {"MARTELLO_STATE": f"sqlite:///{tmp_path / 'state.db'}"}
    target = f"{registry.url}/ledger/api:1"
    assert promote(place, "oci:good", target, env=state).code == 0
    old = (tmp_path / "state.db").read_bytes()
    assert promote(place, "oci:good", target, env=state).code == 0
    told = run(place, "ledger", "--key", "release.pub", env=state)
    assert told.code == 0, told.out + told.err
    for name in ("state.db-wal", "state.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "state.db").write_bytes(old)
    for done in (
        run(place, "ledger", "--key", "release.pub", env=state),
        promote(place, "oci:good", f"{registry.url}/ledger/api:2", env=state),
    ):
        assert done.code == 1, done.out
        assert "seen before" in done.out + done.err
    assert "2" not in tags(registry, "ledger/api")


@pytest.mark.parametrize("columns", [80, 120])
def test_a_screen_of_the_gate(place: Path, columns: int) -> None:
    done = run(place, "gate", "oci:bad", env={"COLUMNS": str(columns)})
    lines = done.out.splitlines()
    assert max(map(len, lines[:-1])) <= columns
    assert "denied by policy default" in lines
