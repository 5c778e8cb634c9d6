"""The package as a user gets it: a wheel in an empty environment, far from the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest
from tests.support.command import martello

pytest.importorskip("hatchling", reason="no hatchling: requirements/build.txt is not installed")

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "src" / "martello"
LIMIT: Final = 165  # MiB, as du counts them
MIB: Final = 1024 * 1024
NOT_OURS: Final = ("pip", "setuptools", "_distutils_hack", "pkg_resources", "distutils-precedence")
UNREACHABLE: Final = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|NameResolution|ProxyError|SSLError|"
    r"[Cc]onnection (refused|broken|aborted|reset)|[Nn]etwork is unreachable"
)
POD: Final = """\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop}
spec:
  containers:
    - name: c
      image: r.example.com/c:1
      securityContext:
        privileged: true
"""


def build(into: Path) -> Path:
    """The wheel that `make wheel` builds."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    (wheel,) = into.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once."""
    return build(tmp_path_factory.mktemp("dist"))


class Installed:
    """An environment that holds the wheel and its base requirements, and nothing else."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bin = directory / "venv" / "bin"

    def run(self, program: str, *words: str, cwd: Path | None = None) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of an installed program, as a user starts it."""
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MARTELLO"))}
        done = subprocess.run(
            [str(self.bin / program), *words],
            cwd=cwd or self.directory,
            env={**keep, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def packages(self) -> Path:
        """Where the packages lie."""
        (found,) = self.bin.parent.glob("lib/python*/site-packages")
        return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Makes the environment as README says; skips where no package index answers."""
    there = Installed(tmp_path_factory.mktemp("elsewhere"))
    venv = [sys.executable, "-m", "venv", str(there.directory / "venv")]
    subprocess.run(venv, check=True, capture_output=True, timeout=60)
    hashed = ("--require-hashes", "-r", str(ROOT / "requirements" / "base.txt"))
    quick = ("--disable-pip-version-check", "--retries", "1", "--timeout", "20")
    for what in (hashed, ("--no-deps", "--no-index", str(wheel))):
        code, out, err = there.run("pip", "install", *quick, *what)
        if code and UNREACHABLE.search(out + err):
            pytest.skip("no package index: the base requirements cannot be installed")
        assert code == 0, out + err
    return there


def test_the_wheel_holds_all_data_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    listed = subprocess.run(
        ["git", "ls-files", "src/martello"], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    kept = listed.stdout.split()
    if not kept:
        pytest.skip("no git checkout: what belongs to the package is not known")
    # files that somebody has just added or removed are no fault of the wheel
    tracked = {name.removeprefix("src/") for name in kept if (ROOT / name).is_file()}
    assert tracked - names == set()
    foreign = {name for name in names if not name.startswith(("martello/", "martello-"))}
    assert foreign == set()
    assert not [name for name in names if re.search(r"(^|/)tests?[/_.]|\.pyc$", name.lower())]
    for needed in ("demo/cluster/shop.yaml", "demo/fixed/shop.yaml", "core/data/api.json"):
        assert f"martello/{needed}" in names
    for needed in ("report/html.css", "report/martello-v1.schema.json", "py.typed"):
        assert f"martello/{needed}" in names
    yaml = [name for name in names if re.fullmatch(r"martello/practices/.*/checks/.*\.yaml", name)]
    assert len(yaml) >= 70


def test_the_same_source_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    again = build(tmp_path)
    assert again.name == wheel.name
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        stamps = [(i.filename, i.date_time, i.external_attr) for i in one.infolist()]
        assert stamps == [(i.filename, i.date_time, i.external_attr) for i in other.infolist()]
    assert wheel.stat().st_size < 10 * MIB


@pytest.mark.slow
def test_the_demo_runs(installed: Installed) -> None:
    code, out, err = installed.run("martello", "demo")
    assert (code, err) == (0, "")
    for title in ("Use authorized images", "Segment the network", "Log and monitor"):
        assert title in out
    assert out.rstrip().splitlines()[-1].split()[:2] == ["martello", "scan"]


@pytest.mark.slow
def test_a_directory_is_judged_as_from_the_checkout(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "pod.yaml").write_text(POD)
    code, out, err = installed.run("martello", "scan", "deploy", "-o", "json", cwd=tmp_path)
    assert (code, err) == (1, "")
    report = json.loads(out)
    assert ("POD-001", 9) in {(f["check"], f["location"]["line"]) for f in report["findings"]}
    assert report == martello("scan", "deploy", "-o", "json", cwd=tmp_path).report


@pytest.mark.slow
@pytest.mark.parametrize("format", ["sarif", "junit", "markdown", "html", "github", "jsonl"])
def test_every_format_is_there(installed: Installed, tmp_path: Path, format: str) -> None:
    code, out, _ = installed.run("martello", "scan", "demo", "-o", format, cwd=tmp_path)
    assert code == 1
    assert "POD-008" in out


@pytest.mark.slow
def test_explain_has_its_checks(installed: Installed) -> None:
    code, out, _ = installed.run("martello", "explain", "POD-001")
    assert code == 0
    assert out.startswith("POD-001  privileged-container\n")


@pytest.mark.slow
def test_the_plugin_of_kubectl_starts(installed: Installed) -> None:
    code, out, _ = installed.run("kubectl-martello", "--help")
    assert code == 0
    assert "scan " in out
    assert installed.run("kubectl-martello", "--version")[1].startswith("martello ")
    assert installed.run("kubectl_complete-martello", "dem")[1].splitlines()[-1] == ":4"


@pytest.mark.slow
def test_what_is_installed_fits_together_and_is_small(
    installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = installed.run("pip", "--disable-pip-version-check", "check")
    assert code == 0, out + err
    sizes: dict[str, int] = {}
    blocks = 0
    for entry in sorted(installed.packages().iterdir()):
        if not entry.name.startswith(NOT_OURS):
            files = [entry, *entry.rglob("*")] if entry.is_dir() else [entry]
            sizes[entry.name] = sum(f.lstat().st_size for f in files if f.is_file())
            blocks += sum(f.lstat().st_blocks * 512 for f in files)
    total = sum(sizes.values()) / 1e6
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    most = ", ".join(f"{name} {sizes[name] / 1e6:.0f}" for name in largest)
    with capsys.disabled():
        told = f"{total:.0f} MB installed (limit {LIMIT}), {blocks / MIB:.0f} MiB on disk"
        print(f"\nbase closure: {told}: {most}")
    assert total <= LIMIT
