"""Which image is meant: every form a person has it in, and no mistyped path ever goes online."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from martello.cli.images.target import FORMS, ImageTarget, parse_image_target
from martello.core.errors import BadInput


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one thing of each kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "oci-layout").write_text("{}")
    (tmp_path / "root" / "etc").mkdir(parents=True)
    (tmp_path / "root" / "etc" / "os-release").write_text("ID=debian")
    (tmp_path / "deploy").mkdir()
    (tmp_path / "bom.json").write_text("{}")
    (tmp_path / "nginx:1.27").mkdir()
    (tmp_path / "a.tar").write_bytes(b"\0" * 10240)
    return tmp_path


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("-", ImageTarget("stdin", "-")),
        ("docker-archive:-", ImageTarget("stdin", "-")),
        ("build", ImageTarget("oci", "build")),
        ("oci:build", ImageTarget("oci", "build")),
        ("oci:build:1.4", ImageTarget("oci", "build", "1.4")),
        ("oci:build@sha256:00", ImageTarget("oci", "build", "sha256:00")),
        ("oci:nginx:1.27", ImageTarget("oci", "nginx:1.27")),
        ("root", ImageTarget("rootfs", "root")),
        ("rootfs:deploy", ImageTarget("rootfs", "deploy")),
        ("deploy", ImageTarget("dir", "deploy")),
        ("dir:.", ImageTarget("dir", ".")),
        ("a.tar", ImageTarget("archive", "a.tar")),
        ("oci-archive:a.tar", ImageTarget("oci-archive", "a.tar")),
        ("bom.json", ImageTarget("sbom", "bom.json")),
        ("nginx:1.27", ImageTarget("dir", "nginx:1.27")),
        ("nginx:1.28", ImageTarget("reference", "nginx:1.28")),
        ("debian", ImageTarget("reference", "debian")),
        ("shop/api", ImageTarget("reference", "shop/api")),
        ("deploy.example.com/api", ImageTarget("reference", "deploy.example.com/api")),
        ("registry:nginx", ImageTarget("registry", "docker.io/library/nginx:latest")),
        ("docker:build", ImageTarget("docker", "build")),
        ("podman:sha256:00", ImageTarget("podman", "sha256:00")),
    ],
)
@pytest.mark.usefixtures("here")
def test_forms(word: str, target: ImageTarget) -> None:
    assert parse_image_target(word) == target


@pytest.mark.parametrize(
    "word",
    [
        "biuld",
        "buld",
        "roots",
        "deploy/wbe",
        "./nothing",
        "../nothing",
        "/nothing",
        "~/nothing",
        "nothing.tar",
        "nothing.tar.gz",
        "nothing.cdx.json",
        "shop/values.yaml",
        "build/",
        "oci:biuld",
        "oci:biuld:1.4",
        "oci:a.tar",
        "rootfs:bom.json",
        "sbom:build",
        "docker-archive:b.tar",
        "dir:",
        "registry:",
        "registry:./build/x",
        "Upper/Case",
        "a b",
        "",
        "\x1b[2J",
    ],
)
@pytest.mark.usefixtures("here")
def test_a_mistyped_word_is_an_error_and_never_a_reference(word: str) -> None:
    if word == "build/":
        assert parse_image_target(word).kind == "oci"
        return
    with pytest.raises(BadInput) as caught:
        parse_image_target(word)
    assert caught.value.next
    assert caught.value.exit_code == 2


@pytest.mark.usefixtures("here")
def test_what_it_might_be_is_named() -> None:
    with pytest.raises(BadInput, match="biuld") as caught:
        parse_image_target("biuld")
    assert "did you mean build?" in caught.value.why
    assert "registry:biuld" in caught.value.next


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.usefixtures("here")
def test_every_form_says_what_it_takes(kind: str) -> None:
    with pytest.raises(BadInput, match="names nothing") as caught:
        parse_image_target(f"{kind}:")
    assert FORMS[kind] in caught.value.next


def test_a_directory_that_cannot_be_listed_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert parse_image_target("debian").kind == "reference"
    os.chdir(tmp_path)
