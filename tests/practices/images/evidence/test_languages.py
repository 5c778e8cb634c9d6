"""Node.js, Ruby, PHP, .NET, R and Erlang: installed packages by their own records."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.evidence import LANGUAGES, read, readers_of, told

from martello.practices.images.evidence import golang, rust


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("app/node_modules/foo/package.json", True),
        ("app/node_modules/@scope/foo/package.json", True),
        ("node_modules/.pnpm/foo@1.0.0/node_modules/foo/package.json", True),
        ("usr/lib/node_modules/npm/node_modules/a/package.json", True),
        ("opt/yarn-v1.22.22/package.json", True),
        ("app/package.json", False),
        ("app/node_modules/foo/dist/esm/package.json", False),
        ("app/node_modules/foo/test/fixtures/package.json", False),
        ("app/node_modules/@scope/package.json", False),
        ("app/node_modules/package.json", False),
    ],
)
def test_only_roots_of_installed_node_packages_are_wanted(path: str, wanted: bool) -> None:
    assert bool(readers_of(path)) is wanted


@pytest.mark.parametrize(
    ("licence", "found"),
    [
        ({"license": "MIT"}, ("MIT",)),
        ({"license": {"type": "ISC", "url": "x"}}, ("ISC",)),
        ({"licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]}, ("MIT", "GPL-2.0")),
        ({"license": ["MIT", 3]}, ("MIT",)),
        ({"license": 3}, ()),
    ],
)
def test_node_packages_state_licences_in_old_and_new_forms(
    licence: dict[str, object], found: tuple[str, ...]
) -> None:
    text = json.dumps({"name": "@a/b", "version": "1.0.0", "x": {"y": []}} | licence)
    parsed = read("node_modules/@a/b/package.json", "\ufeff" + text)
    assert told(parsed) == ["npm @a/b 1.0.0"]
    assert parsed.packages[0].licences == found


def test_a_package_json_without_a_name_is_none() -> None:
    assert read("node_modules/a/package.json", '{"type":"module"}').packages == ()


@pytest.mark.parametrize("text", ['{"name":"a"}', '{"name":"a","version":1}'])
def test_a_package_json_without_a_version_is_a_package_of_none(text: str) -> None:
    """Whoever matches it tells that, where advisories speak of such a package."""
    assert told(read("node_modules/a/package.json", text)) == ["npm a "]


_GEM = """# -*- encoding: utf-8 -*-
# stub: nokogiri 1.16.7 x86_64-linux lib

Gem::Specification.new do |s|
  s.name = "nokogiri".freeze
  s.version = "1.16.7".freeze
  s.platform = "x86_64-linux".freeze

  s.required_rubygems_version = Gem::Requirement.new(">= 0".freeze)
  s.licenses = ["MIT".freeze, "Ruby".freeze]
end
"""


@pytest.mark.parametrize(
    "text",
    [
        _GEM,
        _GEM.replace(".freeze", "").replace('"1.16.7"', 'Gem::Version.new("1.16.7")'),
        _GEM.replace("s.name", "s.other").replace("s.version", "s.another"),
        "# nothing is stated, so the file's name counts\n",
    ],
)
def test_gems_are_read_without_running_ruby(text: str) -> None:
    path = "usr/lib/ruby/gems/3.1.0/specifications/nokogiri-1.16.7-x86_64-linux.gemspec"
    parsed = read(path, text)
    assert told(parsed) == ["gem nokogiri 1.16.7"]
    if "licenses" in text:
        assert parsed.packages[0].licences == ("MIT", "Ruby")


@pytest.mark.parametrize("part", ["\n", " ", "a", "s.version", "s.name=", "# stub: ", "{", "-"])
@pytest.mark.parametrize("path", ["specifications/x.gemspec", "lib/a/ebin/a.app", "a/b.egg-info"])
def test_no_long_run_of_one_thing_takes_long(path: str, part: str) -> None:
    text = part * ((2 << 20) // len(part))
    with pytest.raises(ValueError, match="no usable"):
        read(path, text)


def test_default_gems_are_wanted_and_gems_being_made_are_not() -> None:
    assert readers_of("usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec")
    assert not readers_of("app/json.gemspec")
    assert not readers_of("usr/gems/json-2.6.1/json.gemspec")


@pytest.mark.parametrize("old", [True, False])
def test_both_forms_of_composer_s_list_are_read(old: bool) -> None:
    packages = [
        {"name": "monolog/monolog", "version": "v2.1.0", "license": ["MIT"], "require": {}},
        {"name": "a/b", "version": "dev-main"},
    ]
    found = packages if old else {"packages": packages, "dev": True, "dev-package-names": ["a/b"]}
    parsed = read("app/vendor/composer/installed.json", json.dumps(found))
    assert told(parsed) == ["composer monolog/monolog v2.1.0", "composer a/b dev-main"]
    assert parsed.packages[0].licences == ("MIT",)


def test_an_entry_of_composer_without_a_name_is_counted() -> None:
    parsed = read(
        "vendor/composer/installed.json", '[{"version":"1"},{"name":"a/b","version":"1"}]'
    )
    assert told(parsed) == ["composer a/b 1"]
    assert parsed.unread[0].why.startswith("1 entries")


def test_dotnet_packages_that_bring_files_are_read() -> None:
    text = json.dumps(
        {
            "runtimeTarget": {"name": ".NETCoreApp,Version=v8.0/linux-x64", "signature": ""},
            "targets": {
                ".NETCoreApp,Version=v8.0": {},
                ".NETCoreApp,Version=v8.0/linux-x64": {
                    "App/1.0.0": {"runtime": {"App.dll": {}}},
                    "Newtonsoft.Json/13.0.1": {"runtime": {"lib/x.dll": {}}},
                    "Meta/1.0.0": {"dependencies": {"Newtonsoft.Json": "13.0.1"}},
                    "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {},
                },
            },
            "libraries": {
                "App/1.0.0": {"type": "project", "serviceable": False, "sha512": ""},
                "Newtonsoft.Json/13.0.1": {"type": "package", "serviceable": True},
                "Meta/1.0.0": {"type": "package"},
                "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {
                    "type": "runtimepack"
                },
            },
        }
    )
    assert told(read("app/App.deps.json", text)) == [
        "nuget Newtonsoft.Json 13.0.1",
        "nuget Microsoft.NETCore.App.Runtime.linux-x64 8.0.1",
    ]


def test_shared_frameworks_are_packages_of_their_own() -> None:
    text = json.dumps(
        {"runtimeTarget": {"name": ".NETCoreApp,Version=v8.0/linux-x64"}, "libraries": {}}
    )
    folder = "usr/share/dotnet/shared/Microsoft.AspNetCore.App/8.0.1"
    assert told(read(f"{folder}/Microsoft.AspNetCore.App.deps.json", text)) == [
        "nuget Microsoft.AspNetCore.App 8.0.1",
        "nuget Microsoft.AspNetCore.App.Runtime.linux-x64 8.0.1",
    ]


def test_r_packages_are_read_but_for_those_of_r_itself() -> None:
    path = "usr/local/lib/R/site-library/digest/DESCRIPTION"
    text = "Package: digest\nVersion: 0.6.33\nLicense: GPL (>= 2)\n"
    assert told(read(path, text)) == ["cran digest 0.6.33"]
    assert told(read(path, text + "biocViews: Software\n")) == ["bioconductor digest 0.6.33"]
    assert read("usr/lib/R/library/stats/DESCRIPTION", text + "Priority: base\n").packages == ()
    assert not readers_of("src/digest/DESCRIPTION")


def test_erlang_applications_are_read_but_for_those_of_erlang_itself() -> None:
    text = '{application, phoenix,\n [{description,"x"},\n  {vsn,"1.7.10"},{modules,[]}]}.\n'
    assert told(read("app/lib/phoenix-1.7.10/ebin/phoenix.app", text)) == ["hex phoenix 1.7.10"]
    own = text.replace("phoenix", "ssl")
    assert read("app/lib/ssl-11.0/ebin/ssl.app", own).packages == ()
    assert not readers_of("app/lib/phoenix-1.7.10/ebin/other.app")


_PATHS = (
    "node_modules/a/package.json",
    "specifications/a-1.gemspec",
    "vendor/composer/installed.json",
    "app/a.deps.json",
    "site-library/a/DESCRIPTION",
    "lib/a/ebin/a.app",
)


@pytest.mark.parametrize("path", _PATHS)
@given(data=st.one_of(st.binary(max_size=200), st.recursive(
    st.none() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["name", "version", "packages", "libraries", "targets", "license",
                         "runtimeTarget", "a/1"]), inner, max_size=4),
    max_leaves=12).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_no_content_raises_anything_but_a_value_error(path: str, data: bytes) -> None:
    try:
        packages = read(path, data).packages
    except ValueError:
        return
    assert all(one.name and one.name.isprintable() for one in packages)


@pytest.mark.parametrize("path", [path for path in _PATHS if path.endswith(".json")])
def test_deep_json_is_an_error_of_its_own(path: str) -> None:
    deep = b"[" * 200_000 if "installed" in path else b'{"name":' + b"[" * 200_000
    with pytest.raises(ValueError, match="JSON"):
        read(path, deep)


def test_each_reader_has_a_name_and_programs_are_read_once() -> None:
    assert len({one.name for one in LANGUAGES}) == len(LANGUAGES)
    assert golang.READERS == rust.READERS == ()
