"""npm, Yarn, pnpm and Bun: each version of each lock file, and what is for development."""

from __future__ import annotations

import pytest
from tests.support.locks import parsed, together, told


def test_npm_version_1_reads_nested_dependencies_and_aliases() -> None:
    text = """{"lockfileVersion": 1, "dependencies": {
      "a": {"version": "1.0.0", "requires": {"b": "^2"},
            "dependencies": {"b": {"version": "2.1.0", "dev": true}}},
      "b": {"version": "3.0.0", "optional": true},
      "renamed": {"version": "npm:@scope/real@4.0.0"},
      "packed": {"version": "https://reg.local/packed/-/packed-5.1.0.tgz"},
      "beside": {"version": "file:../beside"}}}"""
    assert told(parsed("package-lock.json", text).packages) == [
        "@scope/real 4.0.0",
        "a 1.0.0",
        "b 2.1.0 dev",
        "b 3.0.0",
        "packed 5.1.0",
    ]


@pytest.mark.parametrize("version", [2, 3])
def test_npm_versions_2_and_3_skip_workspaces_and_links(version: int) -> None:
    text = """{"lockfileVersion": %d, "packages": {
      "": {"name": "app", "version": "9.9.9"},
      "packages/inner": {"name": "inner", "version": "1.0.0"},
      "node_modules/inner": {"resolved": "packages/inner", "link": true},
      "node_modules/a": {"version": "1.0.0", "license": "MIT"},
      "node_modules/a/node_modules/@s/b": {"version": "2.0.0", "dev": true},
      "packages/inner/node_modules/c": {"version": "3.0.0", "devOptional": true},
      "node_modules/renamed": {"name": "real", "version": "4.0.0"},
      "node_modules/broken": {"resolved": "https://reg.local/x.tgz"}},
      "dependencies": {"never-read": {"version": "1.0.0"}}}"""
    packages = parsed("npm-shrinkwrap.json", text % version).packages
    assert told(packages) == ["@s/b 2.0.0 dev", "a 1.0.0", "broken ", "c 3.0.0", "real 4.0.0"]
    assert packages[1].licences == ("MIT",)
    assert {one.ecosystem for one in packages} == {"npm"}


def test_a_package_needed_both_ways_is_needed_at_run_time() -> None:
    text = """{"lockfileVersion": 3, "packages": {
      "node_modules/a": {"version": "1.0.0", "dev": true},
      "node_modules/b/node_modules/a": {"version": "1.0.0"}}}"""
    assert told(parsed("package-lock.json", text).packages) == ["a 1.0.0"]


def test_licences_come_from_installed_packages_beside_the_lock_file() -> None:
    lock = """{"lockfileVersion": 1, "dependencies": {
      "a": {"version": "1.0.0"}, "b": {"version": "1.0.0"}, "c": {"version": "1.0.0"}}}"""
    found = together(
        {
            "web/package-lock.json": lock,
            "web/node_modules/a/package.json": '{"name":"a","version":"1.0.0","license":"ISC"}',
            "web/node_modules/b/package.json": """{"name": "b", "version": "1.0.0",
                "licenses": [{"type": "MIT"}, {"type": "Apache-2.0"}]}""",
            "web/node_modules/c/package.json": '{"name":"c","version":"2.0.0","license":"ISC"}',
            "other/node_modules/c/package.json": '{"name":"c","version":"1.0.0","license":"ISC"}',
        }
    )
    assert [one.licences for one in found["web/package-lock.json"].packages] == [
        ("ISC",),
        ("MIT", "Apache-2.0"),
        (),
    ]


YARN_1 = """# yarn lockfile v1


"@scope/a@^1.0.0", "@scope/a@~1.0.2":
  version "1.0.3"
  resolved "https://reg.local/a.tgz#0"
  dependencies:
    b "^2.0.0"
    "@scope/c" ">=3 <4"

b@^2.0.0:
  version "2.5.0"

"@scope/c@>=3 <4":
  version "3.1.0"

d@^4.0.0:
  version "4.0.0"
  optionalDependencies:
    b "^2.0.0"

"named@npm:real@^5":
  version "5.0.1"

beside@file:../beside:
  version "1.0.0"
"""


def test_yarn_version_1_reads_each_block() -> None:
    assert told(parsed("yarn.lock", YARN_1).packages) == [
        "@scope/a 1.0.3",
        "@scope/c 3.1.0",
        "b 2.5.0",
        "d 4.0.0",
        "real 5.0.1",
    ]


def test_yarn_knows_by_package_json_what_is_for_development() -> None:
    manifest = """{"name": "app", "dependencies": {"@scope/a": "^1.0.0"},
      "devDependencies": {"d": "^4.0.0", "named": "npm:real@^5"}}"""
    found = together({"yarn.lock": YARN_1, "package.json": manifest})["yarn.lock"]
    assert told(found.packages) == [
        "@scope/a 1.0.3",
        "@scope/c 3.1.0",
        "b 2.5.0",
        "d 4.0.0 dev",
        "real 5.0.1 dev",
    ]


def test_what_a_workspace_of_yarn_needs_is_needed() -> None:
    found = together(
        {
            "yarn.lock": YARN_1,
            "package.json": '{"name": "root", "workspaces": ["packages/*"]}',
            "packages/p/package.json": '{"name": "p", "dependencies": {"d": "^4.0.0"}}',
            "node_modules/x/package.json": '{"name": "x", "dependencies": {"named": "^5"}}',
            "elsewhere/yarn.lock": "# yarn lockfile v1\n",
            "elsewhere/package.json": '{"dependencies": {"@scope/a": "^1.0.0"}}',
        }
    )["yarn.lock"]
    assert [one for one in told(found.packages) if "dev" not in one] == ["b 2.5.0", "d 4.0.0"]


def test_a_range_that_a_resolution_rewrote_is_found_by_name() -> None:
    manifest = '{"dependencies": {"d": "^3.0.0"}, "devDependencies": {"@scope/a": "^1.0.0"}}'
    found = together({"yarn.lock": YARN_1, "package.json": manifest})["yarn.lock"]
    assert "d 4.0.0" in told(found.packages)


BERRY = """__metadata:
  version: 8

"a@npm:^1.0.0, a@npm:^1.1.0":
  version: 1.10.0
  resolution: "a@npm:1.10.0"
  dependencies:
    b: "npm:^2.0.0"
  languageName: node
  linkType: hard

"b@npm:^2.0.0":
  version: 2.0.0
  resolution: "b@npm:2.0.0"
  linkType: hard

"c@npm:^3.0.0":
  version: 3.0.0
  resolution: "c@npm:3.0.0"
  linkType: hard

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."
  dependencies:
    a: ^1.0.0
    c: ^3.0.0
  languageName: unknown
  linkType: soft

"patched@patch:patched@npm%3A6.0.0#./fix.patch":
  version: 6.0.0
  resolution: "patched@patch:patched@npm%3A6.0.0#./fix.patch::hash=0"
  linkType: hard
"""


def test_newer_yarn_leaves_the_project_out_and_keeps_versions_as_text() -> None:
    assert told(parsed("yarn.lock", BERRY).packages) == [
        "a 1.10.0",
        "b 2.0.0",
        "c 3.0.0",
        "patched 6.0.0",
    ]


def test_newer_yarn_knows_what_is_for_development() -> None:
    manifest = """{"name": "app", "dependencies": {"a": "^1.0.0"},
      "devDependencies": {"c": "^3.0.0", "patched": "6.0.0"}}"""
    found = together({"yarn.lock": BERRY, "package.json": manifest})["yarn.lock"]
    assert told(found.packages) == ["a 1.10.0", "b 2.0.0", "c 3.0.0 dev", "patched 6.0.0 dev"]


@pytest.mark.parametrize(
    "text",
    ["<<<<<<< HEAD\n", "  version 1\n", "nothing\n", "__metadata:\n  version: 8\n\nx: {a: b}\n"],
)
def test_a_broken_yarn_lock_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parsed("yarn.lock", text)


def test_pnpm_version_5() -> None:
    text = """lockfileVersion: 5.4
dependencies: {a: 1.0.0}
packages:
  /a/1.0.0:
    dev: false
  /@s/b/2.0.0_react@16.0.0:
    dev: true
  /c/3.0.0/react@16.0.0: {}
  reg.local/d/4.0.0: {}
  github.com/o/e/0123abc:
    name: e
    version: 5.0.0
    dev: false
  file:beside:
    name: beside
    version: 1.0.0
"""
    assert told(parsed("pnpm-lock.yaml", text).packages) == [
        "@s/b 2.0.0 dev",
        "a 1.0.0",
        "c 3.0.0",
        "d 4.0.0",
        "e 5.0.0",
    ]


def test_pnpm_version_6() -> None:
    text = """lockfileVersion: '6.0'
packages:
  /a@1.0.0(react@18.0.0)(x@1.0.0(y@2.0.0)):
    dev: false
  /@s/b@2.10.0:
    dev: true
  '@git+https/x.local/c@1':
    name: c
    version: 3.0.0
"""
    assert told(parsed("pnpm-lock.yaml", text).packages) == [
        "@s/b 2.10.0 dev",
        "a 1.0.0",
        "c 3.0.0",
    ]


def test_pnpm_version_9_follows_what_the_project_needs() -> None:
    text = """lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      a: {specifier: ^1, version: 1.0.0(p@7.0.0)}
      named: {specifier: 'npm:real@4', version: real@4.0.0}
      inner: {specifier: 'workspace:*', version: 'link:packages/inner'}
    devDependencies:
      d: {specifier: ^5, version: 5.0.0}
  packages/inner:
    optionalDependencies:
      e: {specifier: ^6, version: 6.0.0}
packages:
  a@1.0.0: {resolution: {integrity: x}}
  '@s/b@2.0.0': {}
  real@4.0.0: {}
  d@5.0.0: {}
  e@6.0.0: {}
  p@7.0.0: {}
  f@https://x.local/f.tgz: {version: 8.0.0}
snapshots:
  a@1.0.0(p@7.0.0):
    dependencies: {'@s/b': 2.0.0, f: https://x.local/f.tgz}
  '@s/b@2.0.0': {}
  real@4.0.0: {}
  d@5.0.0:
    dependencies: {p: 7.0.0}
  e@6.0.0: {}
  p@7.0.0: {}
  f@https://x.local/f.tgz: {}
"""
    assert told(parsed("pnpm-lock.yaml", text).packages) == [
        "@s/b 2.0.0",
        "a 1.0.0",
        "d 5.0.0 dev",
        "e 6.0.0",
        "f 8.0.0",
        "p 7.0.0 dev",
        "real 4.0.0",
    ]


@pytest.mark.parametrize("text", ["lockfileVersion: '4.0'\n", "packages: {}\n", "- a\n", "[" * 300])
def test_a_pnpm_lock_that_is_not_known_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parsed("pnpm-lock.yaml", text)


def test_bun_looks_up_dependencies_as_node_does() -> None:
    text = """{
  // written by bun
  "lockfileVersion": 1,
  "workspaces": {
    "": {"name": "app", "dependencies": {"a": "^1",}, "devDependencies": {"d": "^1"}},
    "packages/p": {"name": "p", "dependencies": {"e": "^1"}},
  },
  "packages": {
    "a": ["a@1.0.0", "", {"dependencies": {"@s/b": "^1", "c": "^2"}}, "sha512-x=="],
    "@s/b": ["@s/b@1.0.0", "", {}, "sha512-,]"],
    "a/c": ["c@2.0.0", "", {}, ""],
    "c": ["c@1.0.0", "", {}, ""],
    "d": ["d@1.0.0", "", {"dependencies": {"c": "^1"}}, ""],
    "p": ["p@workspace:packages/p"],
    "p/e": ["e@1.0.0", "", {}, ""],
    "e": ["e@0.9.0", "", {}, ""],
  },
}"""
    assert told(parsed("bun.lock", text).packages) == [
        "@s/b 1.0.0",
        "a 1.0.0",
        "c 1.0.0 dev",
        "c 2.0.0",
        "d 1.0.0 dev",
        "e 0.9.0 dev",
        "e 1.0.0",
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("package-lock.json", "[]"),
        ("package-lock.json", '{"dependencies": []}'),
        ("package-lock.json", "[" * 100_000),
        ("bun.lock", '{"lockfileVersion": 99}'),
        ("bun.lock", '{"lockfileVersion": 1, "packages": {"a": {}}}'),
        ("bun.lock", '{"lockfileVersion": 1, "packages": {"a": ["nothing"]}}'),
    ],
)
def test_a_broken_lock_file_is_told(path: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parsed(path, text)
