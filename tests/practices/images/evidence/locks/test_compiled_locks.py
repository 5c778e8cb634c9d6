"""Go, Rust, Java, .NET, C++ and Swift."""

from __future__ import annotations

import pytest
from tests.support.locks import parsed, together, told


def test_go_mod_lists_all_modules_since_1_17() -> None:
    text = """module example.local/app // comment

go 1.21

toolchain go1.21.3

require example.local/a v1.0.0
require (
	"example.local/b" v2.0.0+incompatible
	example.local/c v0.0.0-20200101000000-0123456789ab // indirect
	example.local/d v1.0.0
	example.local/e v1.0.0
)
exclude example.local/a v0.9.0
retract (
	v1.0.0 // mistake
	[v1.1.0, v1.2.0]
)
replace (
	example.local/b => example.local/fork/b v2.5.0
	example.local/d => ../d
	example.local/e v0.9.0 => example.local/never v9.0.0
)
tool example.local/c/cmd
"""
    files = {"go.mod": text, "go.sum": "example.local/x v1.0.0 h1:x\n"}
    assert told(together(files)["go.mod"].packages) == [
        "example.local/a v1.0.0",
        "example.local/c v0.0.0-20200101000000-0123456789ab",
        "example.local/d ",  # a directory: of no version that is known
        "example.local/e v1.0.0",
        "example.local/fork/b v2.5.0",
        "stdlib 1.21.3",
    ]


def test_a_block_in_one_line_is_not_taken_for_a_module() -> None:
    with pytest.raises(ValueError, match="without version"):
        parsed("go.mod", "module m\ngo 1.20\nrequire (example.local/a v1.0.0)\n")


def test_a_replacement_of_one_version_goes_first() -> None:
    text = """module m
go 1.17
require example.local/a v1.0.0
replace example.local/a => example.local/all v3.0.0
replace example.local/a v1.0.0 => example.local/one v2.0.0
"""
    assert told(parsed("go.mod", text).packages) == ["example.local/one v2.0.0"]


@pytest.mark.parametrize("release", ["go 1.16\n", ""])
def test_an_older_go_mod_is_completed_by_go_sum(release: str) -> None:
    mod = f"module m\n{release}require example.local/a v1.0.0\n"
    sums = """example.local/a v0.9.0 h1:x
example.local/b v1.0.0 h1:x
example.local/b v1.0.0/go.mod h1:x
example.local/b v1.2.0 h1:x
example.local/only/mod v1.0.0/go.mod h1:x
m v1.0.0 h1:x
"""
    found = together({"s/go.mod": mod, "s/go.sum": sums, "go.sum": "example.local/z v1.0.0 h1:x"})
    assert told(found["s/go.mod"].packages) == ["example.local/a v1.0.0", "example.local/b v1.2.0"]
    assert found["s/go.sum"].packages == ()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("go 1.20\ntoolchain go1.22.1\n", []),
        ("go 1.21\n", []),
        ("go 1.22.4\n", ["stdlib 1.22.4"]),
        ("go 1.23rc1\n", ["stdlib 1.23.0-rc.1"]),
    ],
)
def test_the_standard_library_is_a_package_where_go_mod_fixes_it(
    lines: str, expected: list[str]
) -> None:
    assert told(parsed("go.mod", f"module m\n{lines}").packages) == expected


CARGO = """version = 3
[[package]]
name = "app"
version = "0.1.0"
dependencies = ["a", "b 2.0.0", "d"]
[[package]]
name = "a"
version = "1.0.0"
source = "registry+https://x.local/index"
dependencies = ["c 1.0.0 (registry+https://x.local/index)"]
[[package]]
name = "b"
version = "2.0.0"
source = "git+https://x.local/b#00"
[[package]]
name = "b"
version = "3.0.0"
source = "registry+https://x.local/index"
[[package]]
name = "c"
version = "1.0.0"
source = "registry+https://x.local/index"
[[package]]
name = "d"
version = "1.0.0"
source = "registry+https://x.local/index"
dependencies = ["b 3.0.0"]
"""


def test_cargo_leaves_the_project_out() -> None:
    expected = ["a 1.0.0", "b 2.0.0", "b 3.0.0", "c 1.0.0", "d 1.0.0"]
    assert told(parsed("Cargo.lock", CARGO).packages) == expected


def test_cargo_toml_says_what_is_for_development() -> None:
    manifest = """[package]
name = "app"
[dependencies]
renamed = { package = "a", version = "1" }
[target.'cfg(unix)'.build-dependencies]
b = "2"
[dev-dependencies]
d = "1"
"""
    found = together({"Cargo.lock": CARGO, "crates/app/Cargo.toml": manifest})["Cargo.lock"]
    assert told(found.packages) == ["a 1.0.0", "b 2.0.0", "b 3.0.0 dev", "c 1.0.0", "d 1.0.0 dev"]


def test_a_workspace_may_rename_for_its_members() -> None:
    files = {
        "Cargo.lock": CARGO,
        "Cargo.toml": '[workspace.dependencies]\nx = { package = "a", version = "1" }\n',
        "app/Cargo.toml": '[package]\nname = "app"\n[dependencies]\nx.workspace = true\n',
        "other/Cargo.lock": "version = 3\n",
        "other/Cargo.toml": '[package]\nname = "app"\n[dependencies]\nd = "1"\n',
    }
    needed = [one for one in told(together(files)["Cargo.lock"].packages) if "dev" not in one]
    assert needed == ["a 1.0.0", "c 1.0.0"]


def test_gradle_reads_both_forms() -> None:
    text = """# This is a Gradle generated file for dependency locking.
g:a:1.0=compileClasspath,testRuntimeClasspath
g:b:2.0=testCompileClasspath, testRuntimeClasspath
g:c:3.0=classpath
g:d:4.0=integrationTestRuntimeClasspath
empty=annotationProcessor
"""
    expected = ["g:a 1.0", "g:b 2.0 dev", "g:c 3.0", "g:d 4.0 dev"]
    assert told(parsed("gradle.lockfile", text).packages) == expected
    assert told(parsed("buildscript-gradle.lockfile", text).packages) == expected
    old = "gradle/dependency-locks/testCompileClasspath.lockfile"
    assert told(parsed(old, "g:a:1.0\n").packages) == ["g:a 1.0 dev"]


def test_sbt_tells_tests_from_the_rest() -> None:
    text = """{"lockVersion": 1, "dependencies": [
      {"org": "g", "name": "a", "version": "1.0", "configurations": ["compile", "test"]},
      {"org": "g", "name": "b", "version": "2.0", "configurations": ["test"]}]}"""
    assert told(parsed("build.sbt.lock", text).packages) == ["g:a 1.0", "g:b 2.0 dev"]


def test_nuget_lock_leaves_projects_out_and_joins_frameworks() -> None:
    text = """{"version": 1, "dependencies": {
      "net6.0": {"A": {"type": "Direct", "resolved": "1.0.0"}, "mine": {"type": "Project"}},
      "net6.0/linux-x64": {"A": {"type": "Direct", "resolved": "1.0.0"},
                           "B": {"type": "Transitive", "resolved": "2.0.0"}}}}"""
    assert told(parsed("packages.lock.json", text).packages) == ["A 1.0.0", "B 2.0.0"]


def test_packages_config_marks_development() -> None:
    text = """<?xml version="1.0" encoding="utf-16"?>
<packages><package id="A" version="1.0" targetFramework="net45" />
<package id="B" version="2.0" developmentDependency="true" /></packages>"""
    assert told(parsed("packages.config", text.encode("utf-16")).packages) == ["A 1.0", "B 2.0 dev"]


def test_xml_with_a_document_type_is_refused() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><packages>&b;</packages>'
    for data in (bomb.encode(), bomb.encode("utf-16")):
        with pytest.raises(ValueError, match="document type"):
            parsed("packages.config", data)


def test_central_package_versions_count_where_they_are_exact() -> None:
    text = """<Project xmlns="http://x.local"><ItemGroup>
<PackageVersion Include="A" Version="1.0.0" />
<PackageVersion Include="B"><Version>[2.0.0]</Version></PackageVersion>
<PackageVersion Include="C" Version="[3.0,4.0)" />
<PackageVersion Include="D" Version="$(DVersion)" />
<PackageReference Include="A" />
<PackageReference Update="E" Version="5.0.0-beta.1" /></ItemGroup></Project>"""
    expected = ["A 1.0.0", "B 2.0.0", "C ", "D ", "E 5.0.0-beta.1"]
    assert told(parsed("src/Directory.Packages.props", text).packages) == expected


def test_project_assets() -> None:
    text = '{"libraries": {"A/1.0.0": {"type": "package"}, "mine/1.0.0": {"type": "project"}}}'
    assert told(parsed("obj/project.assets.json", text).packages) == ["A 1.0.0"]


def test_conan_1_follows_the_graph() -> None:
    text = """{"version": "0.4", "graph_lock": {"nodes": {
      "0": {"path": "conanfile.py", "requires": ["1"], "build_requires": ["3"]},
      "1": {"ref": "a/1.0@user/channel#00:11", "requires": ["2"]},
      "2": {"ref": "b/2.0#00"},
      "3": {"ref": "tool/3.0"}}}}"""
    assert told(parsed("conan.lock", text).packages) == ["a 1.0", "b 2.0", "tool 3.0 dev"]


def test_conan_2_lists_references() -> None:
    text = """{"version": "0.5", "requires": ["a/1.0#00%1.5", ["b/2.0", {}]],
      "build_requires": ["tool/3.0#00"], "python_requires": []}"""
    assert told(parsed("conan.lock", text).packages) == ["a 1.0", "b 2.0", "tool 3.0 dev"]


@pytest.mark.parametrize("release", [1, 2, 3])
def test_swift_names_a_package_by_its_repository(release: int) -> None:
    if release == 1:
        text = """{"version": 1, "object": {"pins": [
          {"package": "a", "repositoryURL": "https://x.local/o/a.git",
           "state": {"branch": null, "revision": "00", "version": "1.0.0"}},
          {"package": "b", "repositoryURL": "git@x.local:o/b.git",
           "state": {"branch": "main", "revision": "00", "version": null}}]}}"""
    else:
        text = """{"version": %d, "pins": [
          {"identity": "a", "kind": "remoteSourceControl", "location": "https://x.local/o/a.git",
           "state": {"revision": "00", "version": "1.0.0"}},
          {"identity": "b", "kind": "remoteSourceControl", "location": "ssh://git@x.local/o/b",
           "state": {"revision": "00", "branch": "main"}},
          {"identity": "c", "kind": "registry", "location": "",
           "state": {"version": "2.0.0"}},
          {"identity": "d", "kind": "localSourceControl", "location": "/d",
           "state": {"version": "2.0.0"}}]}"""
        text %= release
    expected = ["x.local/o/a 1.0.0", "x.local/o/b main"]
    found = told(parsed("Package.resolved", text).packages)
    assert found == (expected if release == 1 else ["c 2.0.0", *expected])


def test_cocoapods_joins_parts_of_a_pod() -> None:
    text = """PODS:
  - A (1.10)
  - B/Core (2.0):
    - A (~> 1.0)
  - B/More (2.0)
  - "C+x (3.0)"
  - Mine (0.1)
EXTERNAL SOURCES:
  Mine:
    :path: "../Mine"
"""
    assert told(parsed("ios/Podfile.lock", text).packages) == ["A 1.10", "B 2.0", "C+x 3.0"]


POM = """<project xmlns="http://x.local"><parent><groupId>g</groupId><version>3.0</version></parent>
<artifactId>app</artifactId><properties><a.version>1.${minor}</a.version><minor>5</minor>
<loop>${loop}</loop></properties>
<dependencyManagement><dependencies>
<dependency><groupId>g</groupId><artifactId>b</artifactId><version>2.0</version></dependency>
</dependencies></dependencyManagement><dependencies>
<dependency><groupId>g</groupId><artifactId>a</artifactId><version>${a.version}</version></dependency>
<dependency><groupId>g</groupId><artifactId>b</artifactId><scope>test</scope></dependency>
<dependency><groupId>${project.groupId}</groupId><artifactId>c</artifactId>
<version>${project.version}</version></dependency>
<dependency><groupId>g</groupId><artifactId>d</artifactId></dependency>
<dependency><groupId>g</groupId><artifactId>e</artifactId><version>[1,2)</version></dependency>
<dependency><groupId>g</groupId><artifactId>f</artifactId><version>${loop}</version></dependency>
<dependency><groupId>g</groupId><artifactId>h</artifactId><version>[4.0]</version></dependency>
</dependencies></project>"""


def test_pom_gives_what_it_states_and_says_what_it_does_not() -> None:
    found = parsed("pom.xml", POM)
    assert told(found.packages) == ["g:a 1.5", "g:b 2.0 dev", "g:c 3.0", "g:h 4.0"]
    assert [one.why.partition(" of ")[2] or one.why[:40] for one in found.unread] == [
        "g:d, g:e, g:f",
        "what its dependencies need in turn is no",
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("pom.xml", "<settings/>"),
        ("go.mod", "require example.local/a\n"),
        ("go.mod", "module m\nreplace a =>\n"),
        ("go.mod", "\n"),
        ("go.sum", "one\n"),
        ("Cargo.lock", '[[package]]\nname = "a"\nversion = 1\nsource = 2\n' * 2 + "["),
        ("gradle.lockfile", "a:b=c\n"),
        ("build.sbt.lock", '{"lockVersion": 2}'),
        ("packages.lock.json", '{"version": 9}'),
        ("packages.config", "<packages>"),
        ("conan.lock", "{}"),
        ("conan.lock", '{"version": "0.5", "requires": ["nothing"]}'),
        ("Package.resolved", '{"version": 4}'),
        ("Podfile.lock", "PODS: 1\n"),
        ("Podfile.lock", "PODS:\n  - A\n"),
    ],
)
def test_a_broken_lock_file_is_told(path: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parsed(path, text)
