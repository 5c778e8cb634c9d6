"""Whose word counts at a gate: not the image author's, nor that of a file that merely lies
there.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support import shop
from tests.support.command import Done
from tests.support.forked import martello
from tests.support.images import docker_archive, image, layer, write_layout

NAME = "reg.local/legacy/api:1"
POLICY = (
    "apiVersion: martello.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: %s}\n"
    "spec: {repositories: ['%s'], vulnerabilities: {failOn: %s, exploited: ignore}}\n"
)
WAIVER = (
    "apiVersion: martello.dev/v1alpha1\nkind: Waiver\nmetadata: {name: legacy}\n"
    "spec: {checks: [CVE-2031-1111], owner: ann, reason: legacy, until: 2099-01-01,"
    " match: {images: ['reg.local/legacy/*']}}\n"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An image with one vulnerability that fails, in an archive that names itself."""
    shop.database(tmp_path)
    base = {
        "etc/os-release": shop.RELEASE,
        "var/lib/dpkg/status": shop.STATUS.partition("Package: zlib1g")[0],
    }
    one = image(layer(base), config={"User": "65532"})
    write_layout(tmp_path / "build", {"1": one})
    (tmp_path / "a.tar").write_bytes(docker_archive({NAME: one}))
    (tmp_path / "strict.yaml").write_text(POLICY % ("strict", "reg.local/shop/*", "low"))
    (tmp_path / "lax.yaml").write_text(POLICY % ("lax", "reg.local/legacy/*", "none"))
    return tmp_path


def gate(place: Path, *words: str) -> Done:
    """The gate; nothing of the user's is touched."""
    env = {
        "MARTELLO_DATABASE": str(place / "advisories.db"),
        "MARTELLO_STATE": f"sqlite:///{place / 'state.db'}",
        "MARTELLO_LOCAL": "0",
        "HOME": str(place / "home"),
    }
    return martello("image", "gate", *words, cwd=place, env=env)


def test_an_ignore_file_that_lies_there_opens_no_gate(place: Path) -> None:
    (place / ".trivyignore").write_text(f"{shop.CVE}\n")
    strict = ("oci:build", "-p", "strict.yaml", "--as", "reg.local/shop/api:1")
    assert gate(place, *strict).code == 1
    assert gate(place, *strict, "--ignore", ".trivyignore").code == 0
    assert gate(place, *strict, "--foreign", "honour").code == 0


def test_the_tags_of_an_archive_choose_no_policy(place: Path) -> None:
    both = ("-p", "strict.yaml", "-p", "lax.yaml")
    assert gate(place, "docker-archive:a.tar", *both).code == 1
    assert gate(place, "docker-archive:a.tar", *both, "--as", NAME).code == 0


def test_the_tags_of_an_archive_choose_no_waiver(place: Path) -> None:
    (place / "waivers.yaml").write_text(WAIVER)
    strict = ("a.tar", "-p", "strict.yaml", "--ignore", "waivers.yaml")
    (place / "strict.yaml").write_text(POLICY % ("strict", "reg.local/**", "low"))
    assert gate(place, *strict).code == 1
    assert gate(place, *strict, "--as", "reg.local/shop/api:1").code == 1
    assert gate(place, *strict, "--as", NAME).code == 0


def test_the_tags_of_an_archive_choose_no_vex(place: Path) -> None:
    statement = {
        "vulnerability": {"name": shop.CVE},
        "products": [{"@id": "pkg:oci/api?repository_url=reg.local/legacy/api"}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
    }
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.com/vex/1",
        "author": "somebody",
        "timestamp": "2031-01-01T00:00:00Z",
        "version": 1,
        "statements": [statement],
    }
    (place / "a.vex.json").write_text(json.dumps(document))
    (place / "strict.yaml").write_text(POLICY % ("strict", "reg.local/**", "low"))
    strict = ("a.tar", "-p", "strict.yaml", "--vex", "a.vex.json")
    assert gate(place, *strict).code == 1
    assert gate(place, *strict, "--as", "reg.local/shop/api:1").code == 1
    assert gate(place, *strict, "--as", NAME).code == 0
