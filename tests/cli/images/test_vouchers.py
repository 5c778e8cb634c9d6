"""What vouches for an image in a real registry, tampered with in every way: each has its words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import Done
from tests.support.images import Image, digest, index, write_layout
from tests.support.pipeline import (
    good,
    inside,
    laid_out,
    manifest_of,
    policy,
    signer,
    stored,
    tags,
    tampered,
)
from tests.support.registry import RealRegistry, or_skip, running

from martello.adapters.registry.client import Registry, connect
from martello.cli.images import signing, vouching
from martello.core.artifact import Descriptor, parse_manifest
from martello.practices.images.attest import dsse, intoto, simple
from martello.practices.images.attest.artifacts import (
    Push,
    attestation,
    attestation_tag,
    signature,
    signature_tag,
)

NOW = datetime.now(UTC)
VULN = ("--type", "vuln", "--max-age", "7d")


@pytest.fixture(scope="module")
def registry() -> Iterator[RealRegistry]:
    """One for all of these tests: each has a repository of its own."""
    or_skip("docker-registry", "docker-registry")
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, registry: RealRegistry) -> Path:
    """A directory to work in, and a policy that wants signatures."""
    there = laid_out(tmp_path_factory.mktemp("vouchers"))
    spec = (
        f"  repositories: ['{registry.url}/*']\n"
        "  signed: {by: [{key: release.pub}], attestations: [{type: vuln, maxAge: 7d}],"
        " matchName: true}\n"
    )
    policy(there, "signed", spec)
    return there


def arrived(place: Path, registry: RealRegistry, repository: str) -> str:
    """The mended shop, promoted into a repository; its name."""
    target = f"{registry.url}/{repository}:1"
    done = inside(place, "promote", "oci:good", target, "--key", "release.pem")
    assert done.code == 0, done.out + done.err
    return target


def placed(place: Path, registry: RealRegistry, repository: str) -> str:
    """The same, without signature and attestation."""
    target = f"{registry.url}/{repository}:1"
    with connect(target) as found:
        layout = good()
        for name, content in layout.blobs.items():
            if name != layout.digest:
                found.upload_bytes(content)
        found.put(layout.manifest.raw, layout.manifest.media, tag="1")
    return target


def verify(place: Path, target: str, *words: str, key: str = "release") -> Done:
    """`image verify` by a key."""
    return inside(place, "verify", target, "--key", f"{key}.pub", *words)


def gate(place: Path, target: str) -> Done:
    """`image gate` by the policy that wants signatures, in a state of its own."""
    state = {"MARTELLO_STATE": f"sqlite:///{place / 'fresh.db'}"}
    (place / "fresh.db").unlink(missing_ok=True)
    return inside(place, "gate", target, "-p", "signed.yaml", env=state)


def put(found: Registry, push: Push | None) -> None:
    """An artefact as its maker would put it there."""
    assert push is not None
    for blob in push.blobs:
        found.upload_bytes(blob.content)
    found.put(push.manifest, push.media, tag=push.tag)


def signed(place: Path, target: str, *, of: str = "", name: str = "", key: str = "release") -> None:
    """A signature put beside the image, which speaks of any digest and name."""
    by = signer(place, key)
    with connect(target) as found:
        payload = simple.payload(of or good().digest, name or found.image.name)
        put(found, signature(good().digest, payload, by.sign(payload), by.public))


def attested(
    place: Path, target: str, *, of: str = "", days: float = 0, name: str = "", key: str = "release"
) -> None:
    """An attestation of a scan put beside the image, of any subject and age."""
    at = (NOW - timedelta(days=days)).isoformat(timespec="seconds")
    said = {"scanner": {}, "metadata": {"scanStartedOn": at, "scanFinishedOn": at}}
    with connect(target) as found:
        what = intoto.statement(of or good().digest, name or found.image.name, intoto.VULN, said)
        envelope = dsse.sign(what, signer(place, key))
        put(found, attestation(good().digest, envelope, intoto.VULN))


ELSE = digest(b"something else")
# what is wrong with both, else with one; what is said of the signature (empty: it holds), and of
# the attestation
WRONG: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None, str, str]] = {
    "nothing": (None, None, "no signature is attached", "no attestation of type"),
    "another key": (
        {"key": "other"},
        {"key": "other"},
        "there is a signature by none of the keys",
        "there is an attestation of type",
    ),
    "another digest": (
        {"of": ELSE},
        {"of": ELSE},
        f"it is made for {ELSE}, not for {good().digest}",
        f"it is made for {ELSE}, not for {good().digest}",
    ),
    "another name": (
        {"name": "reg.local/a"},
        {"name": "reg.local/b"},
        "it is made for reg.local/a, not for",
        "it is made for reg.local/b, not for",
    ),
    "too old": ({}, {"days": 30}, "", "it is 30.0 days old, and may be 7 days old"),
    "to come": ({}, {"days": -3}, "", "which is still to come"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_what_does_not_hold_says_why(place: Path, registry: RealRegistry, case: str) -> None:
    speaks, scan, of_signature, of_attestation = WRONG[case]
    target = placed(place, registry, f"wrong/{case.replace(' ', '-')}")
    if speaks is not None and scan is not None:
        signed(place, target, **speaks)
        attested(place, target, **scan)
    plain = verify(place, target, "--name")
    assert plain.code == (1 if of_signature else 0)
    assert of_signature in plain.out
    scanned = verify(place, target, "--name", *VULN)
    assert scanned.code == 1
    assert of_attestation in scanned.out
    judged = gate(place, target)
    assert judged.code == 1
    assert of_attestation in " ".join(judged.out.split())
    assert ("IMG-007" in judged.out) == bool(of_signature)
    assert "IMG-008" in judged.out


def test_what_holds_passes_the_gate(place: Path, registry: RealRegistry) -> None:
    target = arrived(place, registry, "right/api")
    assert gate(place, target).code == 0
    assert verify(place, target, "--name", *VULN).code == 0
    other = verify(place, target, key="other")
    assert (other.code, "by none of the keys" in other.out) == (1, True)
    unsaid = verify(place, target, "--max-age", "7d")
    assert (unsaid.code, unsaid.err.splitlines()[0]) == (2, "--max-age is for attestations")
    assert verify(place, target, "--type", "vuln", "--max-age", "7x").code == 2


def test_bits_that_change_on_disk_are_noticed(place: Path, registry: RealRegistry) -> None:
    repository = "disk/api"
    target = arrived(place, registry, repository)
    made = good(mark="disk")  # blobs of its own: the registry keeps equal ones once
    write_layout(place / "disk", {"1": made})
    done = inside(place, "promote", "oci:disk", target, "--key", "release.pem")
    assert done.code == 0
    with connect(target) as found:
        raw = found.held(signature_tag(made.digest))
        assert raw is not None
    payload = parse_manifest(*raw).layers[0].digest  # type: ignore[union-attr]
    tampered(registry, payload)
    told = verify(place, target)
    assert (told.code, "is really" in told.out or "cannot be read" in told.out) == (1, True)
    tampered(registry, made.image.layers[1].digest)
    judged = gate(place, target)
    assert judged.code == 1
    assert "does not hold what its digest promises" in judged.err
    tampered(registry, made.digest)
    for ended in (verify(place, target), gate(place, target)):
        assert (ended.code, ended.out) == (1, "")
        assert "does not hold what it promises" in ended.err


def test_the_signature_of_another_image_is_of_no_use(place: Path, registry: RealRegistry) -> None:
    target = arrived(place, registry, "borrowed/api")
    made = good(mark="borrowed")
    with connect(target) as found:
        for name, content in made.blobs.items():
            if name != made.digest:
                found.upload_bytes(content)
        found.put(made.manifest.raw, made.manifest.media, tag="2")
        for tag in (signature_tag, attestation_tag):
            held = found.held(tag(good().digest))
            assert held is not None
            found.put(*held, tag=tag(made.digest))
    borrowed = f"{target.rpartition(':')[0]}:2"
    told = verify(place, borrowed)
    assert told.code == 1
    assert f"it is made for {good().digest}, not for {made.digest}" in " ".join(told.out.split())
    assert gate(place, borrowed).code == 1


def test_an_index_speaks_for_its_images_only(place: Path, registry: RealRegistry) -> None:
    target = f"{registry.url}/listed/api:1"
    both = index(good(), good("linux/arm64"))
    with connect(target) as found:
        for name, content in both.blobs.items():
            if name not in (both.digest, *(d.digest for d in both.manifest.manifests)):  # type: ignore[union-attr]
                found.upload_bytes(content)
        for child in (good(), good("linux/arm64")):
            found.put(child.manifest.raw, child.manifest.media)
        found.put(both.manifest.raw, both.manifest.media, tag="1")
        signing.sign(found, both.digest, signer(place))
        at = NOW.isoformat(timespec="seconds")
        said = {"metadata": {"scanFinishedOn": at}}
        subject = Descriptor(both.manifest.media, both.digest, len(both.manifest.raw))
        vouching.attest(found, subject, (("vuln", said),), signer(place), NOW)
    assert gate(place, target).code == 0
    alone = f"{registry.url}/listed/api@{good().digest}"
    assert verify(place, alone).code == 1
    assert gate(place, alone).code == 1
    other = Image(parse_manifest(index(good(mark="x")).manifest.raw), {})
    with connect(target) as found:
        for name, content in good(mark="x").blobs.items():
            found.upload_bytes(content) if name != good(mark="x").digest else None
        found.put(good(mark="x").manifest.raw, good(mark="x").manifest.media)
        found.put(other.manifest.raw, other.manifest.media, tag="3")
        held = found.held(signature_tag(both.digest))
        assert held is not None
        found.put(*held, tag=signature_tag(other.digest))
    judged = gate(place, f"{registry.url}/listed/api:3")
    assert judged.code == 1
    assert f"it is made for {both.digest}" in " ".join(judged.out.split())


def test_to_promote_again_changes_nothing(place: Path, registry: RealRegistry) -> None:
    target = arrived(place, registry, "again/api")
    before, uploads = stored(registry), registry.asked("POST")
    for _ in range(2):
        arrived(place, registry, "again/api")
    assert stored(registry) == before
    assert registry.asked("POST") == uploads
    assert len(tags(registry, "again/api")) == 4
    assert manifest_of(registry, "again/api:1").digest == good().digest
    assert verify(place, target).out.count("holds") == 1


def test_what_is_older_gives_way(place: Path, registry: RealRegistry) -> None:
    repository = "older/api"
    target = placed(place, registry, repository)
    subject = Descriptor(good().manifest.media, good().digest, len(good().manifest.raw))
    with connect(target) as found:
        for name in ("release", "other"):
            signing.sign(found, good().digest, signer(place, name))
            for hours in (30, 20):
                at = NOW - timedelta(hours=hours)
                said = {"metadata": {"scanFinishedOn": at.isoformat(timespec="seconds")}}
                vouching.attest(found, subject, (("vuln", said),), signer(place, name), at)
        old = found.attached(good().digest)
    assert len([one for one in old.found if one.how.startswith("tag")]) == 2
    arrived(place, registry, repository)
    with connect(target) as found:
        new = found.attached(good().digest)
        listed = found.held(attestation_tag(good().digest))
    assert listed is not None
    assert len(json.loads(listed[0])["layers"]) == 4  # three of ours, one of the other key
    kept = [one.digest for one in new.found if one.how.startswith("tag")]
    assert len(kept) == 4
    assert new.unread == ()
    gone = {one.digest for one in old.found} - {one.digest for one in new.found}
    links = registry.directory / "data/docker/registry/v2/repositories" / repository / "_manifests"
    left = {path.parent.name for path in (links / "revisions" / "sha256").glob("*/link")}
    assert not left & {name[7:] for name in gone}
    held = json.loads(verify(place, target, "--type", "vuln", "-o", "json").out)["verified"]
    assert len({one["at"] for one in held}) == 1
    assert verify(place, target, "--type", "vuln", key="other").code == 0
