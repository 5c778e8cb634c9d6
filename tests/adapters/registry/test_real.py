"""A real docker-registry and skopeo, both ways."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.registry import RealRegistry, or_skip, running, skopeo
from tests.support.registry_settings import settings

from martello.adapters.registry.client import Registry, connect
from martello.adapters.registry.credentials import Given
from martello.adapters.registry.network import Network
from martello.adapters.registry.settings import Credential
from martello.core.artifact import (
    EMPTY,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    digest_of,
    parse_manifest,
    read_blob,
)
from martello.core.errors import BadInput, MartelloError, NotPermitted, Unreachable
from martello.core.secret import Secret


def layer(seed: str, size: int = 2000) -> tuple[bytes, str]:
    """A compressed layer with one file, and its diff-id."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        body = hashlib.sha512(seed.encode()).digest() * (size // 64)
        info = tarfile.TarInfo(f"{seed}.bin")
        info.size = len(body)
        tar.addfile(info, io.BytesIO(body))
    return gzip.compress(plain.getvalue(), mtime=0), digest_of(plain.getvalue())


def describe(content: bytes, media: str) -> dict[str, Any]:
    """A descriptor as JSON."""
    return {"mediaType": media, "digest": digest_of(content), "size": len(content)}


def push(registry: Registry, tag: str = "", seed: str = "a", **more: Any) -> bytes:
    """Pushes a small image; its manifest."""
    blob, diff = layer(seed)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [diff]},
            "config": {},
        }
    ).encode()
    registry.upload_bytes(blob)
    registry.upload_bytes(config)
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": describe(config, OCI_CONFIG),
        "layers": [describe(blob, f"{OCI_LAYER}+gzip")],
        **more,
    }
    raw = json.dumps(body).encode()
    registry.put(raw, tag=tag)
    return raw


def attach(registry: Registry, subject: bytes, artifact: str, text: str) -> str:
    """Pushes an artefact that belongs to a manifest; its digest."""
    registry.upload_bytes(b"{}")
    registry.upload_bytes(text.encode())
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact,
        "config": describe(b"{}", EMPTY),
        "layers": [describe(text.encode(), "text/plain")],
        "subject": describe(subject, OCI_MANIFEST),
    }
    return registry.put(json.dumps(body).encode())


@pytest.fixture(scope="module")
def real() -> Iterator[RealRegistry]:
    or_skip("docker-registry", "docker-registry")
    with running() as registry:
        yield registry


def test_what_skopeo_pushed_is_read_bit_for_bit(real: RealRegistry, tmp_path: Path) -> None:
    or_skip("skopeo", "skopeo")
    with connect(f"{real.url}/ours/one:1", settings()) as ours:
        push(ours, "1")
    layout = tmp_path / "layout"
    skopeo("copy", "--src-tls-verify=false", f"docker://{real.url}/ours/one:1", f"oci:{layout}:1")
    there = f"docker://{real.url}/theirs/one:2"
    skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:1", there)
    with connect(f"{real.url}/theirs/one:2", settings()) as theirs:
        raw, media = theirs.manifest()
        manifest = parse_manifest(raw, media)
        assert isinstance(manifest, Manifest)
        index = json.loads((layout / "index.json").read_bytes())
        assert manifest.digest == index["manifests"][0]["digest"]
        for descriptor in (manifest.config, *manifest.layers):
            held = (layout / "blobs" / "sha256" / descriptor.digest[7:]).read_bytes()
            assert read_blob(theirs, descriptor, 1 << 20) == held
        assert theirs.resolve() == manifest.digest
        head = theirs.head()
        assert head is not None
        assert (head.digest, head.media, head.size) == (manifest.digest, media, len(raw))


def test_what_we_pushed_skopeo_copies_with_the_same_digests(
    real: RealRegistry, tmp_path: Path
) -> None:
    or_skip("skopeo", "skopeo")
    with connect(f"{real.url}/ours/two:1", settings()) as ours:
        raw = push(ours, "1", "two")
    source = f"docker://{real.url}/ours/two:1"
    told = json.loads(skopeo("inspect", "--tls-verify=false", source))
    assert told["Digest"] == digest_of(raw)
    skopeo("copy", "--src-tls-verify=false", source, f"dir:{tmp_path / 'd'}")
    assert (tmp_path / "d" / "manifest.json").read_bytes() == raw
    for entry in json.loads(raw)["layers"]:
        held = (tmp_path / "d" / entry["digest"][7:]).read_bytes()
        assert digest_of(held) == entry["digest"]


def test_a_second_push_moves_no_blob(real: RealRegistry) -> None:
    with connect(f"{real.url}/ours/again:1", settings()) as ours:
        push(ours, "1", "again")
        posts = real.asked("POST")
        push(ours, "1", "again")
    assert posts
    assert real.asked("POST") == posts


def test_chunks_and_mounts(real: RealRegistry) -> None:
    blob, _ = layer("chunks", 500_000)
    digest = digest_of(blob)
    with Network(settings()) as network:
        one = connect(f"{real.url}/ours/chunks", network=network)
        assert one.upload(digest, len(blob), lambda: iter((blob,)), chunk=len(blob) // 3) == "sent"
        assert one.upload(digest, len(blob), lambda: iter((blob,))) == "there"
        other = connect(f"{real.url}/ours/mounted", network=network)
        source = lambda: iter((blob,))  # noqa: E731
        assert other.upload(digest, len(blob), source, mount_from="ours/chunks") == "mounted"
        assert b"".join(other.blob(Descriptor("", digest, len(blob)))) == blob
        third = connect(f"{real.url}/ours/unmounted", network=network)
        assert third.upload(digest, len(blob), source, mount_from="ours/nothing") == "sent"


def test_tags_come_in_pages_and_deletes_work(real: RealRegistry) -> None:
    with connect(f"{real.url}/ours/tags", settings()) as ours:
        raw = push(ours, "v0")
        for number in range(1, 8):
            ours.point(f"v{number}", raw, OCI_MANIFEST)
        assert sorted(ours.tags()) == [f"v{n}" for n in range(8)]
        assert ours.delete(digest_of(raw)) is True
        assert ours.delete(digest_of(raw)) is False
        with pytest.raises(BadInput) as caught:
            ours.manifest("v3")
        assert "404" in caught.value.why
        assert real.url in caught.value.why
        assert ours.head("v3") is None


def test_referrers_without_an_api_live_under_the_fall_back_tag(real: RealRegistry) -> None:
    with connect(f"{real.url}/ours/subject:1", settings()) as ours:
        raw = push(ours, "1", "subject")
        assert ours.attached(digest_of(raw)).found == ()
        first = attach(ours, raw, "application/vnd.example.one", "one")
        second = attach(ours, raw, "application/vnd.example.two", "two")
        attach(ours, raw, "application/vnd.example.two", "two")  # twice is once
        push(ours, f"{digest_of(raw).replace(':', '-')}.sig", "signature")
        found = ours.attached(digest_of(raw))
        assert found.unread == ()
        assert [(a.digest, a.kind) for a in found.found[:2]] == [
            (first, "application/vnd.example.one"),
            (second, "application/vnd.example.two"),
        ]
        assert found.found[2].how.endswith(".sig")
        index, media = ours.manifest(digest_of(raw).replace(":", "-"))
        assert media == OCI_INDEX
        assert len(json.loads(index)["manifests"]) == 2


def test_users_are_asked_for_and_secrets_stay_secret(tmp_path: Path) -> None:
    or_skip("docker-registry", "docker-registry")
    or_skip("htpasswd", "apache2-utils")
    with running(users={"ann": "correct-horse"}) as real:
        good = Given(real.url, Credential("the good one", "ann", Secret("correct-horse")))
        bad = Given(real.url, Credential("the bad one", "ann", Secret("battery-staple")))
        with connect(f"{real.url}/a/b:1", settings(keyrings=(bad, good))) as ours:
            push(ours, "1")
            assert list(ours.tags()) == ["1"]
        for keyrings in ((bad,), ()):
            with (
                connect(f"{real.url}/a/b:1", settings(keyrings=keyrings)) as ours,
                pytest.raises(NotPermitted) as caught,
            ):
                ours.manifest()
            text = str(caught.value)
            assert "401" in text
            assert real.url in text
            assert ("the bad one" in text) == bool(keyrings)
            assert "battery" not in text + repr(bad) + repr(caught.value)


def test_a_private_authority_is_needed_and_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    or_skip("docker-registry", "docker-registry")
    with running(tls=True) as real:
        assert real.ca is not None
        with connect(f"{real.url}/a/b:1", settings()) as ours, pytest.raises(Unreachable) as caught:
            ours.manifest()
        assert "certificate" in caught.value.why
        for trusting in (
            settings(authority=str(real.ca)),
            settings(environ={"SSL_CERT_FILE": str(real.ca)}),
            settings(insecure=(real.url,)),
        ):
            with connect(f"{real.url}/a/b:1", trusting) as ours:
                push(ours, "1")
        place = real.directory / "certs.d" / real.url
        place.mkdir(parents=True)
        (place / "ca.crt").write_bytes(real.ca.read_bytes())
        own = settings(certificates=(str(real.directory / "certs.d"),))
        with connect(f"{real.url}/a/b:1", own) as ours:
            assert ours.head() is not None


def test_nothing_there() -> None:
    with connect("127.0.0.1:1/a/b:1", settings()) as ours:
        with pytest.raises(MartelloError) as caught:
            ours.manifest()
        assert caught.value.exit_code == 4
        assert "127.0.0.1:1" in caught.value.what
