"""Go programs: what `go version -m` says of them, for all formats and both layouts."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.evidence import elf, jar, macho, portable, read, told

from martello.practices.images.evidence.golang import modules, release

Made = Callable[[str, bytes], bytes]
_SENTINEL: Final = bytes(range(16))
_MODULES: Final = (
    "path\texample.test/old\nmod\texample.test/old\tv1.0.0\t\ndep\texample.test/x\tv1.2.3\n"
)


@pytest.fixture(scope="session")
def go() -> str:
    found = shutil.which("go")
    if found is None:
        pytest.skip("no Go toolchain: install golang-go, or unpack one of go.dev/dl on the PATH")
    return found


@pytest.fixture(scope="session")
def project(go: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module with a dependency, one that another module replaces and one that a directory
    does. They come from a proxy of files.
    """
    root = tmp_path_factory.mktemp("go")
    for module, version in (
        ("example.test/plain", "v1.2.3"),
        ("example.test/fork", "v0.0.0-20240102030405-0123456789ab"),
        ("example.test/old", "v2.0.0+incompatible"),
    ):
        folder = root / "proxy" / module / "@v"
        folder.mkdir(parents=True)
        name = module.rpartition("/")[2]
        mod, inside = f"module {module}\n", f"{module}@{version}/"
        (folder / f"{version}.mod").write_text(mod)
        (folder / f"{version}.info").write_text(f'{{"Version":"{version}"}}')
        code = f"package {name}\nfunc F() {{ println({len(name)}) }}\n"
        files = {f"{inside}go.mod": mod, f"{inside}x.go": code}
        if "incompatible" in version:
            del files[f"{inside}go.mod"]
        (folder / f"{version}.zip").write_bytes(jar(files))
    app, local = root / "app", root / "local"
    app.mkdir()
    local.mkdir()
    (local / "go.mod").write_text("module example.test/local\n")
    (local / "x.go").write_text("package local\nfunc F() { println(1) }\n")
    (app / "go.mod").write_text(
        "module example.test/app\n\ngo 1.21\n\nrequire (\n\texample.test/plain v1.2.3\n"
        "\texample.test/forked v1.0.0\n\texample.test/old v2.0.0+incompatible\n"
        "\texample.test/local v0.0.0\n)\n\n"
        "replace example.test/forked => example.test/fork v0.0.0-20240102030405-0123456789ab\n"
        "replace example.test/local => ../local\n"
    )
    names = {"plain": "plain", "forked": "fork", "old": "old", "local": "local"}
    imports = "\n".join(f'\t{name} "example.test/{path}"' for path, name in names.items())
    calls = "\n".join(f"\t{name}.F()" for name in names.values())
    (app / "main.go").write_text(
        f'package main\n\nimport (\n{imports}\n)\n\nvar version = ""\n\n'
        f"func main() {{\n{calls}\n\tprintln(version)\n}}\n"
    )
    return app


def _build(go: str, project: Path, *options: str, **environment: str) -> Path:
    out = project.parent / f"out-{'-'.join(environment.values())}-{len(options)}"
    subprocess.run(
        [go, "build", "-mod=mod", "-buildvcs=false", *options, "-o", str(out), "."],
        cwd=project,
        check=True,
        capture_output=True,
        env=os.environ
        | {
            "GOPROXY": f"file://{project.parent}/proxy",
            "GONOSUMDB": "*",
            "GONOSUMCHECK": "1",
            "GOFLAGS": "-modcacherw",
            "GOSUMDB": "off",
            "GOTOOLCHAIN": "local",
            "GOMODCACHE": str(project.parent / "modules"),
        }
        | environment,
    )
    return out


def _oracle(go: str, program: Path) -> list[str]:
    """The modules that Go's own reader finds, as a package is written."""
    text = subprocess.run([go, "version", "-m", str(program)], check=True, capture_output=True)
    head, *lines = text.stdout.decode().splitlines()
    version = head.rpartition(": go")[2].split(" ")[0]
    found = [f"golang stdlib {release('go' + version)}"]
    rows = [line.strip("\t").split("\t") for line in lines]
    for row, after in zip(rows, [*rows[1:], [""]], strict=True):
        if row[0] not in ("mod", "dep"):
            continue
        replaced = after[0] == "=>" and after[2] != "(devel)"  # by a module, not a directory
        other = after[1:] if replaced else row[1:]
        number = (other[1] if other[1:] else "").replace("(devel)", "").removeprefix("v")
        found.append(f"golang {other[0]} {number}".replace("local 0.0.0", "local "))
    return found


def _pointers(order: str, size: int, modules: bytes = _MODULES.encode()) -> bytes:
    """Build information as linkers before Go 1.18 wrote it, for a program at 0x400000."""
    strings = (b"go1.17.13", _SENTINEL + modules + _SENTINEL)
    word = f"{order}{'Q' if size == 8 else 'I'}"
    header_at = 0x400000 + 32
    text_at = header_at + 4 * size
    data = b"\xff Go buildinf:" + bytes((size, 1 if order == ">" else 0))
    data = (data + struct.pack(word, header_at) + struct.pack(word, header_at + 2 * size)).ljust(
        32, b"\0"
    )
    for string in strings:
        data += struct.pack(word, text_at) + struct.pack(word, len(string))
        text_at += len(string)
    return data + b"".join(strings)


def _inline(modules: bytes = _MODULES.encode(), version: bytes = b"go1.22.3") -> bytes:
    data = (b"\xff Go buildinf:\x08\x02").ljust(32, b"\0")
    for text in (version, _SENTINEL + modules + _SENTINEL):
        length = len(text)
        while length >= 0x80:
            data += bytes((length & 0x7F | 0x80,))
            length >>= 7
        data += bytes((length,)) + text
    return data


def test_a_program_names_what_go_itself_finds_in_it(go: str, project: Path) -> None:
    program = _build(go, project)
    assert told(read("usr/bin/app", program)) == _oracle(go, program)
    names = [one.name for one in read("usr/bin/app", program).packages]
    assert names == [
        "stdlib",
        "example.test/app",
        "example.test/fork",
        "example.test/local",
        "example.test/old",
        "example.test/plain",
    ]


def test_a_stripped_program_names_them_too(go: str, project: Path) -> None:
    program = _build(go, project, "-ldflags=-s -w")
    assert told(read("app", program)) == _oracle(go, program)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["-trimpath", "-buildmode=pie"])
def test_programs_built_in_other_ways_name_them_too(go: str, project: Path, option: str) -> None:
    program = _build(go, project, option, "-ldflags=-s -w")
    assert told(read("app", program)) == _oracle(go, program)


def test_a_version_that_the_linker_was_given_is_that_of_the_main_module(
    go: str, project: Path
) -> None:
    program = _build(go, project, "-ldflags=-X main.version=v4.5.6-rc1")
    assert "golang example.test/app 4.5.6-rc1" in told(read("app", program))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "arch"),
    [("windows", "amd64"), ("windows", "386"), ("darwin", "arm64"), ("linux", "s390x")],
)
def test_programs_of_other_systems_name_them_too(
    go: str, project: Path, system: str, arch: str
) -> None:
    program = _build(go, project, "-ldflags=-s -w", GOOS=system, GOARCH=arch)
    assert told(read("app", program)) == _oracle(go, program)
    assert len(read("app", program).packages) == 6


@pytest.mark.parametrize(("order", "wide"), [("<", True), (">", True), ("<", False), (">", False)])
def test_the_layout_before_1_18_is_read_as_go_reads_it(
    go: str, tmp_path: Path, order: str, wide: bool
) -> None:
    program = tmp_path / "old"
    program.write_bytes(
        elf(".go.buildinfo", _pointers(order, 8 if wide else 4), order=order, wide=wide)
    )
    program.chmod(0o755)
    found = told(read("old", program))
    assert found == [
        "golang stdlib 1.17.13",
        "golang example.test/old 1.0.0",
        "golang example.test/x 1.2.3",
    ]
    assert found == _oracle(go, program)


def test_go_s_own_command_is_the_toolchain(go: str) -> None:
    found = [one.name for one in read("usr/local/go/bin/go", Path(go).resolve()).packages]
    assert found == ["stdlib", "toolchain"]


@pytest.mark.parametrize("made", [elf, portable, macho])
def test_the_information_is_found_in_the_first_data_of_each_format(made: Made) -> None:
    name = "__go_buildinfo" if made is macho else ".data" if made is portable else ".go.buildinfo"
    data = made(name, _inline())
    if made is portable:  # Go does not name the section there: it is the first that is written
        data = data.replace(struct.pack("<I", 0x40000040), struct.pack("<I", 0xC0000040))
    assert told(read("app", data)) == [
        "golang stdlib 1.22.3",
        "golang example.test/old 1.0.0",
        "golang example.test/x 1.2.3",
    ]


def test_a_program_without_section_table_is_read_by_its_segments() -> None:
    data = bytearray(elf(".go.buildinfo", bytes(48) + _inline()))
    data[40:48] = bytes(8)  # e_shoff
    assert "golang example.test/x 1.2.3" in told(read("app", bytes(data)))


def test_a_packed_program_is_not_assessed() -> None:
    data = bytearray(elf(".text", b"UPX!" + bytes(9000)))
    data[40:48] = bytes(8)
    (unread,) = read("app", bytes(data)).unread
    assert "UPX" in unread.why


def test_a_program_without_modules_is_not_assessed() -> None:
    parsed = read("app", elf(".go.buildinfo", _inline(b"")))
    assert told(parsed) == ["golang stdlib 1.22.3"]
    assert "without module information" in parsed.unread[0].why


@pytest.mark.parametrize(
    "data", [b"", b"\xff Go buildinf:", _inline()[:40], _pointers("<", 8)[:40]]
)
def test_damaged_information_is_not_assessed(data: bytes) -> None:
    parsed = read("app", elf(".go.buildinfo", data))
    assert not parsed.packages
    assert "damaged" in parsed.unread[0].why


def test_what_a_directory_replaces_keeps_its_published_version() -> None:
    text = (
        "mod\ta.test/app\t(devel)\t\ndep\ta.test/b\tv1.2.3\n=>\t./third_party/b\t(devel)\t\n"
        "dep\ta.test/c\tv0.0.0\n=>\t./c\t\t\ndep\ta.test/d\t(devel)\t\n"
    )
    text = text.replace("\t(devel)\t\ndep\ta.test/c", "\t\t\ndep\ta.test/c")
    assert [(one.name, one.version) for one in modules(text)] == [
        ("a.test/app", ""),
        ("a.test/b", "1.2.3"),
        ("a.test/c", ""),
        ("a.test/d", ""),
    ]


@pytest.mark.parametrize(
    ("flags", "version"),
    [
        ("-X main.version=1.2.3", "1.2.3"),
        ("-s -X 'a.test/app/internal/build.Version=v1.2.3+k8s' -w", "1.2.3+k8s"),
        ("-X main.goVersion=1.22.0", ""),
        ("-X other.test/lib.Version=9.9.9", ""),
        ("-X main.version=1.2.3 -X main.apiVersion=1.0.0", ""),
        ("-X main.version=abcdef", ""),
    ],
)
def test_only_one_clear_version_of_the_linker_s_flags_counts(flags: str, version: str) -> None:
    text = f'mod\ta.test/app\t(devel)\t\nbuild\t-ldflags="{flags}"\n'
    assert [one.version for one in modules(text)] == [version]


@pytest.mark.parametrize(
    ("toolchain", "version"),
    [
        ("go1.22.3", "1.22.3"),
        ("go1.20", "1.20.0"),
        ("go1.22rc1", "1.22.0-rc.1"),
        ("go1.21beta2", "1.21.0-beta.2"),
        ("go1.22.3 X:nocoverageredesign", "1.22.3"),
        ("go1.18.3b7", "1.18.3"),
        ("go1.20.12 (Red Hat 1.20.12-1.el9)", "1.20.12"),
        ("devel go1.23-3f1c2b4 Tue May 7 2024", "1.23.0-devel"),
        ("devel +3f1c2b4 Tue May 7 2019", ""),
        ("unknown", ""),
    ],
)
def test_toolchains_are_written_as_advisories_order_them(toolchain: str, version: str) -> None:
    assert release(toolchain) == version


@given(st.binary(max_size=64), st.integers(0, 700), st.sampled_from([elf, portable, macho]))
def test_no_damage_raises(noise: bytes, place: int, made: Made) -> None:
    name = "__go_buildinfo" if made is macho else ".go.buildinfo"
    data = bytearray(made(name, _inline()))
    data[place : place + len(noise)] = noise
    parsed = read("app", bytes(data))
    assert all(one.type in ("golang", "cargo") for one in parsed.packages)


@given(st.integers(0, 1200))
def test_no_truncation_raises(length: int) -> None:
    whole = elf(".go.buildinfo", _pointers("<", 8))
    read("app", whole[:length])
