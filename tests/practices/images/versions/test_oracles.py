"""Keys against the orders as documents tell them, and against the engines of this machine."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.version import Version
from tests.practices.images.versions.samples import SAMPLES
from tests.support import version_oracles as naive

from martello.practices.images.versions import rpm, scheme


def compare(ecosystem: str) -> Callable[[str, str], int]:
    found = scheme(ecosystem)
    assert found is not None
    return found.compare


def written(pieces: str, most: int = 7) -> st.SearchStrategy[str]:
    """Versions of these pieces, any of them after any other."""
    return st.lists(st.sampled_from(pieces.split()), min_size=1, max_size=most).map("".join)


MORE = settings(max_examples=250)
DEBIAN = written("0 1 2 10 a b Z ~ ~ . - + :")
RPM = written("0 1 2 10 a b Z ~ ^ . _ +")
GEM = written("0 0 1 2 10 . . . a b rc pre -")
PHP = written("0 1 2 10 . . - _ a b beta alpha dev RC rc pl p foo")
MAVEN = written("0 0 1 2 10 . . - - a b m alpha rc cr sp x ga final snapshot")
PEP440 = st.from_regex(
    r"v?((0|1)!)?(0|1|2|10)(\.(0|1|10)){0,3}([-_.]?(a|b|rc|c|alpha|PRE)[-_.]?(0|1|10)?)?"
    r"(-(0|1)|[-_.]?(post|r|rev)[-_.]?(0|1|10)?)?([-_.]?dev[-_.]?(0|1|10)?)?"
    r"(\+(a|1|10|b1)([-_.](A|0|1))?)?",
    fullmatch=True,
)
SEMVER = st.from_regex(
    r"(0|1|2|10)\.(0|1|10)\.(0|1)(-(0|1|10|a|rc|A|-)(\.(0|1|10|a|rc|a-))?)?(\+[ab])?",
    fullmatch=True,
)
APK = st.from_regex(
    r"(0|1|2|10|06)(\.(0|1|10|01|00|010)){0,3}[ab]?"
    r"(_(alpha|beta|pre|rc|cvs|svn|git|hg|p)(1|0|2)?){0,2}(~(a1|0))?(-r(0|1|10))?",
    fullmatch=True,
)


@MORE
@given(DEBIAN, DEBIAN)
def test_debian(a: str, b: str) -> None:
    assert compare("Debian")(a, b) == naive.debian(a, b)


@MORE
@given(RPM, RPM)
def test_rpm_segments(a: str, b: str) -> None:
    assert compare("Red Hat")(a, b) == naive.rpm_segments(a, b)
    assert compare("Red Hat")(f"3:1-{a}", f"3:1-{b}") == naive.rpm_segments(a, b)


@MORE
@given(APK, APK)
def test_apk(a: str, b: str) -> None:
    assert compare("Alpine")(a, b) == naive.apk(a, b)


@MORE
@given(SEMVER, SEMVER)
def test_semver(a: str, b: str) -> None:
    assert compare("npm")(a, b) == naive.semver(a, b)


@MORE
@given(GEM, GEM)
def test_gem(a: str, b: str) -> None:
    assert compare("RubyGems")(a, b) == naive.gem(a, b)


@MORE
@given(PHP, PHP)
def test_packagist(a: str, b: str) -> None:
    assume(not a.startswith("dev-") and not b.startswith("dev-"))
    assert compare("Packagist")(a, b) == naive.php(a, b)


@MORE
@given(MAVEN, MAVEN)
def test_maven(a: str, b: str) -> None:
    assert compare("Maven")(a, b) == naive.maven(a, b)


@MORE
@given(PEP440, PEP440)
def test_pep440_against_packaging(a: str, b: str) -> None:
    left, right = Version(a), Version(b)
    assert compare("PyPI")(a, b) == (left > right) - (left < right)


def sampled(ecosystem: str, pieces: str) -> Iterator[tuple[str, str]]:
    """Neighbours among samples and versions of pieces, the same in every run."""
    chance = random.Random(11)
    made = ["".join(chance.choices(pieces.split(), k=chance.randint(2, 6))) for _ in range(60)]
    strings = [*SAMPLES[ecosystem].split(), *made]
    chance.shuffle(strings)
    yield from pairwise(strings)


def test_dpkg_agrees() -> None:
    """dpkg says of each pair whether the first is lower, and whether it is equal."""
    if not shutil.which("dpkg"):
        pytest.skip("needs Debian's package dpkg")
    seen = 0
    for a, b in sampled("Debian", "0 1 10 a ~ . - + 2"):
        words = [["dpkg", "--compare-versions", a, sign, b] for sign in ("lt", "eq")]
        lower, equal = (subprocess.run(w, capture_output=True, check=False) for w in words)
        if lower.stderr or equal.stderr:
            continue  # it warns of what the policy forbids
        seen += 1
        expected = -1 if lower.returncode == 0 else int(equal.returncode != 0)
        assert compare("Debian")(a, b) == expected, (a, b)
    assert seen > 15


RPM_PROGRAM = """
for a, b in string.gmatch([[%s]], "(%%S+) (%%S+)") do
  local read, sign = pcall(function()
    local x, y = rpm.ver(a), rpm.ver(b)
    return x < y and -1 or (y < x and 1 or 0)
  end)
  io.write(read and sign or "none", "\\n")
end
"""


def test_rpm_agrees(tmp_path: Path) -> None:
    """rpm's own versions, with epoch and release."""
    if not shutil.which("rpm"):
        pytest.skip("needs Debian's package rpm")
    pairs = list(sampled("Red Hat", "0 1 10 a ~ ^ . - : 2"))
    program = tmp_path / "compare.lua"
    program.write_text(RPM_PROGRAM % "\n".join(f"{a} {b}" for a, b in pairs), encoding="utf-8")
    command = ["rpm", "--eval", f'%{{lua:dofile("{program}")}}']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout.split()
    if said and set(said) == {"none"}:
        pytest.skip("needs rpm 4.17 or later, which compares versions in Lua")
    assert len(said) == len(pairs), done.stderr
    known = [(pair, int(sign)) for pair, sign in zip(pairs, said, strict=True) if sign != "none"]
    assert len(known) > 40
    assert [(p, s) for p, s in known if compare("Red Hat")(*p) != s] == []


def test_rpm_bounds_without_release() -> None:
    """V4: such a bound says nothing of releases, and the key itself still does."""
    order = scheme("Rocky Linux")
    assert order is not None
    assert order.compare("1.0-3.el9", "1.0") == 1
    assert order.compare_bound("1.0-3.el9", "1.0") == 0
    assert order.compare_bound("1.0-3.el9", "1.0-4.el9") == -1
    assert order.compare_bound("1:1.0-3.el9", "1.0") == 1
    assert rpm.key_without_release("0:1.0-3") == rpm.key_without_release("1.0")
    assert not rpm.has_release("1:1.0")
