"""Images of local engines, from a small engine on a Unix socket and a small podman on PATH."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from tests.support import engine, images

from martello.adapters.engine import open_engine
from martello.core.artifact import Manifest, parse_manifest
from martello.core.errors import BadInput, NotPermitted, Unreachable

IMAGE = images.image(images.layer({"etc/one": "1"}))
SAVED = {
    "shop/api:1.4": images.docker_archive({"shop/api:1.4": IMAGE}, old=False),
    "5f0a1b2c": images.docker_archive({"": IMAGE}),
}


@pytest.mark.parametrize("name", SAVED)
def test_docker_by_its_socket(tmp_path: Path, name: str) -> None:
    where = tmp_path / "engine.sock"
    with engine.serve(where, SAVED) as asked:
        place = open_engine("docker", name, {"DOCKER_HOST": f"unix://{where}"})
    found = parse_manifest(*place.manifest(""))
    assert isinstance(found, Manifest)
    assert found.config.digest == IMAGE.image.config.digest
    assert b"".join(place.blob(found.layers[0])) == images.uncompressed(
        IMAGE.blobs[IMAGE.image.layers[0].digest]
    )
    assert asked == [f"/images/{name}/get"]
    assert place.where == f"docker:{name}"


def test_podman_by_its_socket(tmp_path: Path) -> None:
    (tmp_path / "podman").mkdir()
    with engine.serve(tmp_path / "podman" / "podman.sock", SAVED):
        place = open_engine("podman", "shop/api:1.4", {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert place.tags == ("shop/api:1.4",)


def test_an_engine_without_the_image(tmp_path: Path) -> None:
    where = tmp_path / "engine.sock"
    environ = {"DOCKER_HOST": f"unix://{where}"}
    with engine.serve(where, {}), pytest.raises(BadInput, match="no image other") as caught:
        open_engine("docker", "other", environ)
    assert "No such image: other" in caught.value.why
    where.unlink()
    with engine.serve(where, {}, status=500), pytest.raises(BadInput):
        open_engine("docker", "other", environ)
    where.unlink()
    with engine.serve(where, {}, status=403), pytest.raises(NotPermitted):
        open_engine("docker", "other", environ)


def test_an_engine_that_stops_half_way(tmp_path: Path) -> None:
    where = tmp_path / "engine.sock"
    with engine.serve(where, SAVED, cut=6000), pytest.raises(Unreachable, match="does not answer"):
        open_engine("docker", "shop/api:1.4", {"DOCKER_HOST": f"unix://{where}"})


def test_no_engine_at_all(tmp_path: Path) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/none", "CONTAINER_HOST": f"unix://{tmp_path}/no"}
    with pytest.raises(Unreachable, match="no Docker engine answers") as caught:
        open_engine("docker", "nginx", {**nowhere, "PATH": ""})
    assert "docker save nginx" in caught.value.next
    with pytest.raises(Unreachable, match="no Podman engine answers") as caught:
        open_engine("podman", "nginx", {**nowhere, "PATH": str(tmp_path)})
    assert "no podman on PATH" in caught.value.why


def test_a_socket_that_nobody_serves(tmp_path: Path) -> None:
    where = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(where))
    with pytest.raises(Unreachable, match="does not answer"):
        open_engine("docker", "nginx", {"DOCKER_HOST": f"unix://{where}"})


def test_only_sockets_of_this_machine() -> None:
    for host in ("tcp://10.0.0.1:2375", "ssh://host", "unix://", "nonsense"):
        with pytest.raises(BadInput, match="cannot use DOCKER_HOST"):
            open_engine("docker", "nginx", {"DOCKER_HOST": host})


@pytest.mark.parametrize("name", ["", "-h", "../x", "a b", "a?b", "shop/UPPER"])
def test_names_that_are_none_are_not_asked_for(name: str) -> None:
    with pytest.raises(BadInput, match="no name of an image"):
        open_engine("docker", name, {})


def _podman(directory: Path, script: str) -> dict[str, str]:
    program = directory / "podman"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {
        "PATH": f"{directory}{os.pathsep}{os.environ['PATH']}",
        "CONTAINER_HOST": f"unix://{directory}/none",
    }


def test_podman_by_its_program(tmp_path: Path) -> None:
    (tmp_path / "saved").write_bytes(SAVED["shop/api:1.4"])
    environ = _podman(
        tmp_path,
        f'[ "$*" = "save --format docker-archive -- shop/api:1.4" ] && cat {tmp_path}/saved',
    )
    assert open_engine("podman", "shop/api:1.4", environ).tags == ("shop/api:1.4",)


def test_a_podman_that_fails(tmp_path: Path) -> None:
    environ = _podman(tmp_path, "echo 'Error: shop/api: image not known' >&2; exit 125")
    with pytest.raises(BadInput, match="no image shop/api") as caught:
        open_engine("podman", "shop/api", environ)
    assert "image not known" in caught.value.why
    environ = _podman(tmp_path, "exit 3")
    with pytest.raises(Unreachable, match="cannot save"):
        open_engine("podman", "shop/api", environ)
