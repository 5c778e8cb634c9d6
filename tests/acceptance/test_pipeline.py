"""The pipeline for real: a registry on loopback, skopeo, openssl, and the commands themselves.

docker-registry 2.8 knows no referrers: what is attached goes by fall-back tags. The other kind is
tested in tests/cli/images.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.support import shop
from tests.support.command import SRC, Done, martello
from tests.support.images import (
    Image,
    compressed,
    digest,
    docker_archive,
    image,
    index,
    layer,
    uncompressed,
    write_layout,
)
from tests.support.registry import RealRegistry, or_skip, running, skopeo

from martello.adapters.registry.client import connect
from martello.core.artifact import Descriptor, Manifest, parse_manifest
from martello.core.secret import Secret
from martello.practices.images.attest import dsse, intoto, simple
from martello.practices.images.attest.artifacts import attestation, attestation_tag, signature
from martello.practices.images.attest.keys import PrivateKey, private_key

FIXED = shop.STATUS.replace("3.0.9-1", "3.0.11-1~deb12u2")


def good(platform: str = "linux/amd64", mark: str = "") -> Image:
    """The shop with everything mended; `mark` makes it another image."""
    base = {"etc/os-release": shop.RELEASE, "var/lib/dpkg/status": FIXED}
    return image(
        layer(base),
        layer({"app/main.py": f"print(1) {mark}\n"}),
        config={"User": "65532"},
        platform=platform,
    )


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
    there = tmp_path_factory.mktemp("pipeline")
    write_layout(there / "bad", {"1": shop.shop()})
    write_layout(there / "good", {"1": good()})
    write_layout(there / "mixed", {"1": index(good(), shop.shop("linux/arm64"))})
    write_layout(there / "both", {"1": index(good(), good("linux/arm64"))})
    (there / "good.tar").write_bytes(docker_archive({"shop/api:1": good()}))
    shop.database(there)
    for name in ("release", "other"):
        assert run(there, "key", name).code == 0
    return there


def run(place: Path, *words: str, env: Mapping[str, str] | None = None) -> Done:
    """An image command there; nothing of the user's is touched."""
    own = {
        "MARTELLO_DATABASE": str(place / "advisories.db"),
        "MARTELLO_STATE": f"sqlite:///{place / 'state.db'}",
        "MARTELLO_LOCAL": "0",
        "HOME": str(place / "home"),
        **(env or {}),
    }
    return martello("image", *words, cwd=place, env=own)


def promote(place: Path, source: str, target: str, *more: str, **options: Any) -> Done:
    """Promotes with the release key."""
    return run(place, "promote", source, target, "--key", "release.pem", *more, **options)


def policy(place: Path, name: str, spec: str) -> str:
    """The file of a policy."""
    head = "apiVersion: martello.dev/v1alpha1\nkind: ImagePolicy\n"
    (place / f"{name}.yaml").write_text(f"{head}metadata: {{name: {name}}}\nspec:\n{spec}")
    return f"{name}.yaml"


def signer(place: Path, name: str = "release") -> PrivateKey:
    """One of the keys, in this process."""
    return private_key((place / f"{name}.pem").read_bytes(), name)


def stored(registry: RealRegistry) -> set[str]:
    """The digests of all that the registry keeps, manifests too."""
    blobs = registry.directory / "data" / "docker" / "registry" / "v2" / "blobs" / "sha256"
    return {path.parent.name for path in blobs.glob("*/*/data")}


def repositories(registry: RealRegistry) -> set[str]:
    """The repositories that hold anything at all."""
    root = registry.directory / "data" / "docker" / "registry" / "v2" / "repositories"
    return {str(path.parent.relative_to(root)) for path in root.rglob("_layers")}


def tampered(registry: RealRegistry, name: str) -> None:
    """One bit of a blob changes on the registry's disk."""
    blobs = registry.directory / "data" / "docker" / "registry" / "v2" / "blobs" / "sha256"
    file = blobs / name[7:9] / name[7:] / "data"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def manifest_of(registry: RealRegistry, name: str) -> Manifest:
    """What a tag means, without the command line."""
    with connect(f"{registry.url}/{name}") as found:
        held = found.held(found.reference)
    assert held is not None, name
    manifest = parse_manifest(*held)
    assert isinstance(manifest, Manifest)
    return manifest


def tags(registry: RealRegistry, repository: str) -> set[str]:
    """The tags of a repository."""
    with connect(f"{registry.url}/{repository}") as found:
        return set(found.tags())


def back(registry: RealRegistry, name: str, out: Path, *more: str) -> Path:
    """skopeo's copy of an image, as an OCI layout."""
    source = f"docker://{registry.url}/{name}"
    skopeo("copy", "--src-tls-verify=false", *more, source, f"oci:{out}:1")
    return out


def same(layout: Path, made: Image) -> None:
    """Every blob of the image lies in the layout, bit for bit."""
    for name, content in made.blobs.items():
        assert (layout / "blobs" / "sha256" / name[7:]).read_bytes() == content, name


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
