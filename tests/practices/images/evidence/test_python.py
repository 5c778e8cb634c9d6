"""Python distributions: as importlib.metadata reads them, and in their older forms."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.evidence import jar, read, readers_of, told

_HEAD = "Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.0.post1\n"


def test_all_distributions_of_this_environment_are_as_python_itself_reads_them() -> None:
    compared = 0
    for distribution in importlib.metadata.distributions():
        folder = Path(str(distribution._path))  # type: ignore[attr-defined]
        file = next((one for one in ("METADATA", "PKG-INFO") if (folder / one).is_file()), None)
        if file is None:
            continue
        (found,) = read(f"usr/lib/{folder.name}/{file}", folder / file).packages
        wanted = (distribution.metadata["Name"], distribution.version)
        assert (found.type, found.name, found.version) == ("pypi", *wanted)
        compared += 1
    assert compared > 20


@pytest.mark.parametrize(
    "path",
    [
        "usr/lib/python3/dist-packages/foo-1.dist-info/METADATA",
        "app/foo.egg-info/PKG-INFO",
        "usr/lib/python3/dist-packages/foo-1.egg-info",
        "usr/lib/foo-1-py3.egg/EGG-INFO/PKG-INFO",
    ],
)
def test_all_forms_of_metadata_are_wanted(path: str) -> None:
    assert told(read(path, _HEAD)) == ["pypi Foo.Bar 1.0.post1"]


@pytest.mark.parametrize("path", ["src/foo/PKG-INFO", "METADATA", "app/METADATA", "a.json"])
def test_metadata_of_what_is_not_installed_is_not_wanted(path: str) -> None:
    assert readers_of(path) == []


def test_a_zipped_egg_is_read() -> None:
    assert told(read("x/foo-1.egg", jar({"EGG-INFO/PKG-INFO": _HEAD}))) == [
        "pypi Foo.Bar 1.0.post1"
    ]
    with pytest.raises(ValueError, match="without EGG-INFO"):
        read("x/foo-1.egg", jar({"a": "b"}))


@pytest.mark.parametrize(
    ("fields", "licences"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: x", ("MIT OR Apache-2.0",)),
        ("License: BSD", ("BSD",)),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License", ("MIT License",)),
        ("License: Permission is\n        hereby granted\nClassifier: License :: OSI Approved", ()),
        ("Classifier: License :: OSI Approved\nClassifier: License :: Public Domain",
         ("Public Domain",)),
    ],
)  # fmt: skip
def test_licences_are_the_expression_or_the_field_or_the_classifiers(
    fields: str, licences: tuple[str, ...]
) -> None:
    (package,) = read("a/b.dist-info/METADATA", f"{_HEAD}{fields}\n\nLicense: no\n").packages
    assert package.licences == licences


def test_a_missing_field_is_taken_from_the_folder() -> None:
    path = "usr/lib/foo_bar-2.0-py3.11.egg-info/PKG-INFO"
    assert told(read(path, "Metadata-Version: 1.0\n")) == ["pypi foo_bar 2.0"]
    with pytest.raises(ValueError, match="no usable"):
        read("app/foo.egg-info/PKG-INFO", "Name: foo\n")


def test_a_description_of_any_size_is_not_read() -> None:
    (package,) = read("a/b.dist-info/METADATA", _HEAD + "\n" + "x" * (8 << 20)).packages
    assert package.version == "1.0.post1"


def test_control_characters_are_no_name() -> None:
    with pytest.raises(ValueError, match="no usable"):
        read("a/METADATA.dist-info/METADATA", "Name: a\x1b[2Jb\nVersion: 1\n")


def test_conda_keeps_its_own_records() -> None:
    record = '{"name":"openssl","version":"3.0.1","license":"Apache-2.0","files":["a"],"build":"h"}'
    parsed = read("opt/conda/conda-meta/openssl-3.0.1-h.json", record)
    assert told(parsed) == ["conda openssl 3.0.1"]
    assert parsed.packages[0].licences == ("Apache-2.0",)


@given(st.binary(max_size=300))
def test_no_metadata_raises_anything_else(data: bytes) -> None:
    for path in ("a/b-1.dist-info/METADATA", "a/b.egg-info", "a/conda-meta/b.json", "a/b.egg"):
        try:
            packages = read(path, data).packages
        except ValueError:
            continue
        assert all(one.name.isprintable() and one.version for one in packages)
