"""Documents that can be read in two ways: what we judge must be what a runtime runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from martello.core.artifact import OCI_INDEX, OCI_LAYER, Manifest, parse_manifest
from martello.core.errors import BadInput, Refused
from martello.core.plain_json import CONFIGURATION, read

_GOOD, _EVIL = "sha256:" + "a" * 64, "sha256:" + "e" * 64


def _descriptor(digest: str = _GOOD, **more: Any) -> dict[str, Any]:
    return {"mediaType": OCI_LAYER, "digest": digest, "size": 1, **more}


def _manifest(**more: Any) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "config": _descriptor(), "layers": [_descriptor()], **more}
    ).encode()


@pytest.mark.parametrize(
    "more",
    [
        {"Layers": [_descriptor(_EVIL)]},
        {"layer\u017f": [_descriptor(_EVIL)]},  # Go folds the long s, too
        {"Config": _descriptor(_EVIL)},
        {"layers": [_descriptor(Digest=_EVIL)]},
        {"layers": [_descriptor(platform={"OS": "linux"})]},
        {"MANIFESTS": [_descriptor(_EVIL)]},
    ],
)
def test_another_spelling_of_a_name_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="two ways"):
        parse_manifest(_manifest(**more))


def test_a_name_that_is_there_twice_is_refused() -> None:
    twice = _manifest()[:-1] + b', "layers": []}'
    with pytest.raises(Refused, match="'layers' is there twice"):
        parse_manifest(twice)


def test_names_of_others_may_differ_in_case_only() -> None:
    notes = {"Org": "1", "org": "2", "layers": "3", "LAYERS": "4"}
    found = parse_manifest(_manifest(annotations=notes, extension={"Layers": 1}))
    assert isinstance(found, Manifest)
    assert found.annotations == notes


def test_an_index_has_no_configuration() -> None:
    both = {"mediaType": OCI_INDEX, "manifests": [_descriptor()], "config": _descriptor()}
    with pytest.raises(BadInput, match="neither"):
        parse_manifest(json.dumps({"schemaVersion": 2, **both}).encode())


def test_the_user_of_an_image_is_told_once() -> None:
    with pytest.raises(Refused, match="'user'"):
        read(b'{"config": {"User": "1000", "user": "root"}}', CONFIGURATION, "x")
    with pytest.raises(Refused, match="'User' is there twice"):
        read(b'{"config": {"User": "1000", "User": "root"}}', CONFIGURATION, "x")
    labels = b'{"config": {"Labels": {"User": "1000", "user": "root"}}, "docker_version": "1"}'
    assert read(labels, CONFIGURATION, "x")["docker_version"] == "1"


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a": 1' + b"0" * 9000, b"\xff", b'"\\ud800"'])
def test_what_is_no_json_is_bad_input(raw: bytes) -> None:
    with pytest.raises(BadInput, match="no JSON"):
        read(raw, CONFIGURATION, "x")
