"""PHP, Ruby, Elixir, Dart, Haskell, R and Julia; and what all readers have in common."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.locks import Bytes, parsed, told

from martello.practices.images.evidence.locks import READERS
from martello.practices.images.evidence.model import Parsed, TooLarge


def test_composer_tells_development_and_licences() -> None:
    text = """{"packages": [
      {"name": "v/a", "version": "v1.0.0", "license": ["MIT", "GPL-2.0-only"]},
      {"name": "v/mine", "version": "dev-main", "dist": {"type": "path", "url": "../mine"}}],
      "packages-dev": [{"name": "v/b", "version": "2.0.0", "license": "BSD-3-Clause"}]}"""
    packages = parsed("composer.lock", text).packages
    assert told(packages) == ["v/a v1.0.0", "v/b 2.0.0 dev"]
    assert [one.licences for one in packages] == [("MIT", "GPL-2.0-only"), ("BSD-3-Clause",)]


def test_bundler_cuts_platforms_and_leaves_out_the_project() -> None:
    text = """GIT
  remote: https://x.local/g.git
  revision: 00
  specs:
    g (0.1.0)

PATH
  remote: .
  specs:
    mine (0.0.1)
      a

GEM
  remote: https://x.local/
  specs:
    a (1.0.0)
      b (~> 2.0)
    b (2.0.0.rc1)
    n (1.16.0-x86_64-linux)
    n (1.16.0-arm64-darwin)
    n (1.16.0-java)

PLATFORMS
  ruby

DEPENDENCIES
  a (= 1.0.0)
"""
    assert told(parsed("Gemfile.lock", text).packages) == [
        "a 1.0.0",
        "b 2.0.0.rc1",
        "g 0.1.0",
        "n 1.16.0",
    ]


def test_mix_reads_packages_of_hex() -> None:
    text = """%{
  "a": {:hex, :a, "1.0.0", "00", [:mix], [{:b, "~> 2.0", [hex: :b]}], "hexpm", "11"},
  "renamed": {:hex, :"real_name", "2.0.0", "00", [:rebar3], [], "hexpm"},
  "g": {:git, "https://x.local/g.git", "00", []},
}
"""
    expected = ["a 1.0.0", "g ", "real_name 2.0.0"]
    assert told(parsed("mix.lock", text).packages) == expected
    assert told(parsed("mix.lock", "".join(text.split("\n"))).packages) == expected


def test_pub_leaves_the_sdk_out() -> None:
    text = """packages:
  a: {dependency: "direct main", source: hosted, version: "1.0.0+1"}
  b: {dependency: "direct dev", source: hosted, version: "2.0.0"}
  c: {dependency: transitive, source: git, version: "3.0.0"}
  flutter: {dependency: "direct main", source: sdk, version: "0.0.0"}
  mine: {dependency: "direct main", source: path, version: "0.1.0"}
sdks: {dart: ">=2.0"}
"""
    assert told(parsed("pubspec.lock", text).packages) == ["a 1.0.0+1", "b 2.0.0 dev", "c 3.0.0"]


def test_cabal_and_stack() -> None:
    freeze = """active-repositories: hackage.haskell.org:merge
constraints: any.a-b ==1.0.2,
             a-b +flag,
             any.c ==2.0 -- any.d ==9
"""
    assert told(parsed("cabal.project.freeze", freeze).packages) == ["a-b 1.0.2", "c 2.0"]
    stack = """packages:
- completed: {hackage: "a-b-1.0.2@sha256:00,123", pantry-tree: {size: 1}}
- completed: {name: c, version: "2.0", git: "https://x.local/c"}
"""
    assert told(parsed("stack.yaml.lock", stack).packages) == ["a-b 1.0.2", "c 2.0"]


def test_renv_tells_its_two_archives_apart() -> None:
    text = """{"Packages": {"a": {"Package": "a", "Version": "1.0-2", "Source": "Repository"},
      "b": {"Package": "b", "Version": "3.12.0", "Source": "Bioconductor"},
      "mine": {"Package": "mine", "Version": "0.1", "Source": "Local"}}}"""
    packages = parsed("renv.lock", text).packages
    assert told(packages) == ["a 1.0-2", "b 3.12.0"]
    assert [one.ecosystem for one in packages] == ["CRAN", "Bioconductor"]


def test_julia_reads_both_formats() -> None:
    entry = '[[{0}A]]\nuuid = "00"\nversion = "1.0.0"\n[[{0}Std]]\nuuid = "11"\n'
    old, new = entry.format(""), 'manifest_format = "2.0"\n' + entry.format("deps.")
    for text in (old, new):
        assert told(parsed("Manifest.toml", text).packages) == ["A 1.0.0"]


def test_names_and_versions_without_sense_are_refused() -> None:
    for name, version in (("a\\n", "1"), ("", "1"), ("a" * 2000, "1"), ("a", "1\\u0000")):
        text = f'{{"packages": [{{"name": "{name}", "version": "{version}"}}]}}'
        with pytest.raises(ValueError, match="no package name"):
            parsed("composer.lock", text)


def test_yaml_keeps_scalars_and_resolves_aliases() -> None:
    text = """packages:
  a: &one {source: hosted, version: 1.10}
  b: *one
  <<: {c: d}
"""
    assert told(parsed("pubspec.lock", text).packages) == ["a 1.10", "b 1.10"]


def test_deep_yaml_is_told() -> None:
    with pytest.raises(ValueError, match="deep"):
        parsed("pubspec.lock", "a: " + "[" * 200_000)


def test_a_file_that_is_too_large_is_not_read() -> None:
    for reader in READERS:
        with pytest.raises(TooLarge):
            reader.read("x/" + next(iter(reader.names), "x"), Bytes(b" " * ((32 << 20) + 1)))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_content_breaks_a_reader(data: bytes) -> None:
    for reader in READERS:
        try:
            found = reader.read("some/path", Bytes(data))
        except ValueError:
            continue
        assert isinstance(found, Parsed)


_WORDS = st.sampled_from(["packages", "dependencies", "name", "version", "a", "1.0", "", "pins"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_no_shape_of_json_breaks_a_reader(value: object) -> None:
    import orjson

    data = orjson.dumps(value)
    for reader in READERS:
        try:
            found = reader.read("some/path", Bytes(data))
        except (ValueError, KeyError):
            continue
        assert isinstance(found, Parsed)


def test_the_dependencies_of_profiles_of_a_pom_are_told() -> None:
    inner = "<dependency><groupId>g</groupId><artifactId>a</artifactId></dependency>"
    text = (
        "<project><profiles><profile><dependencies>"
        f"{inner}</dependencies></profile></profiles></project>"
    )
    (told_of,) = parsed("pom.xml", text).unread
    assert "profiles" in told_of.why


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Cargo.lock", "a."),
        ("poetry.lock", '"a".'),
        ("uv.lock", "[" + "a." * 8000 + "a]\n"),
        ("bun.lock", "/*"),
        ("bun.lock", '"\\'),
        ("bun.lock", ", "),
    ],
)
def test_no_lock_file_takes_time_with_the_square_of_its_size(name: str, part: str) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        parsed(name, part * (2_000_000 // len(part)))


def test_comments_and_commas_of_bun_are_left_out_of_texts() -> None:
    text = """{"lockfileVersion": 1, /* a, } */ "packages": { // b
      "x": ["x@1.0.0", "", {}, "sha512-//,}"],
    },}"""
    assert told(parsed("bun.lock", text).packages) == ["x 1.0.0 dev"]
