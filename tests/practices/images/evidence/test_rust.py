"""Rust programs with the section that cargo auditable writes."""

from __future__ import annotations

import json
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.evidence import elf, macho, portable, read, told

CRATES = {
    "packages": [
        {"name": "app", "version": "0.1.0", "source": "local", "root": True, "dependencies": [1]},
        {"name": "serde", "version": "1.0.1", "source": "crates.io"},
        {"name": "cc", "version": "1.0.83", "source": "crates.io", "kind": "build"},
    ],
    "format": 1,
}
PACKED = zlib.compress(json.dumps(CRATES).encode())
FOUND = ["cargo app 0.1.0", "cargo serde 1.0.1"]


def test_a_real_program_with_the_section_is_read(tmp_path: Path) -> None:
    rustc, objcopy = shutil.which("rustc"), shutil.which("objcopy")
    if rustc is None or objcopy is None:
        pytest.skip("no rustc or objcopy: install rustc and binutils")
    (tmp_path / "main.rs").write_text("fn main() {}\n")
    (tmp_path / "section").write_bytes(PACKED)
    program = tmp_path / "program"
    subprocess.run([rustc, "-o", program, tmp_path / "main.rs"], check=True, capture_output=True)
    assert read("app", program).packages == ()
    option = f"--add-section=.dep-v0={tmp_path / 'section'}"
    subprocess.run([objcopy, option, program], check=True)
    subprocess.run(["strip", program], check=True)
    assert told(read("app", program)) == FOUND


@pytest.mark.parametrize("made", [elf, portable, macho])
def test_all_formats_of_programs_have_it(made: Callable[[str, bytes], bytes]) -> None:
    assert told(read("app", made(".dep-v0", PACKED))) == FOUND


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cut off"),
        (PACKED[:-8], "cut off"),
        (b"no zlib", "no zlib"),
        (zlib.compress(b"{}"), "JSON"),
        (zlib.compress(b'{"packages":[{"name":"a\\nb","version":"1"}]}'), "name"),
        (zlib.compress(b"[" * 100_000), "JSON"),
        (zlib.compress(bytes(33 << 20)), "more than"),
    ],
)
def test_a_section_that_cannot_be_read_is_not_assessed(data: bytes, why: str) -> None:
    parsed = read("app", elf(".dep-v0", data))
    assert not parsed.packages
    assert why in parsed.unread[0].why


@given(st.binary(min_size=1, max_size=40), st.integers(0, 400))
def test_no_damage_raises(noise: bytes, place: int) -> None:
    data = bytearray(elf(".dep-v0", PACKED))
    data[place : place + len(noise)] = noise
    read("app", bytes(data))
