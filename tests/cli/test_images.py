"""`martello image scan`, `sbom`, `explain`, `why-not` and `compare`, as a user runs them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support import engine, shop
from tests.support.command import Done
from tests.support.forked import martello
from tests.support.images import docker_archive, image, layer, tar, write_layout
from tests.support.registry import Missing, running, skopeo

ALL = {shop.CVE, shop.OTHER, shop.OPEN}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the shop in every form, and a database."""
    there = tmp_path_factory.mktemp("shop")
    write_layout(there / "build", {"1.4": shop.shop()})
    write_layout(there / "multi", {"1.4": shop.both()})
    plain = {"etc/os-release": shop.RELEASE, "var/lib/dpkg/status": shop.STATUS}
    write_layout(there / "plain", {"1": image(layer(plain), config={"User": "1"})})
    (there / "a.tar").write_bytes(docker_archive({"reg.local/shop/api:1.4": shop.shop()}))
    files = {
        str(path.relative_to(there / "build")): path.read_bytes()
        for path in sorted((there / "build").rglob("*"))
        if path.is_file()
    }
    (there / "b.tar").write_bytes(tar(files))
    shop.tree(there / "root")
    shop.project(there / "project")
    shop.database(there)
    return there


def run(
    place: Path, *words: str, stdin: Path | None = None, env: Mapping[str, str] | None = None
) -> Done:
    """An image command in that directory; nothing of the user's is touched."""
    own = {
        "MARTELLO_DATABASE": str(place / "advisories.db"),
        "MARTELLO_STATE": f"sqlite:///{place / 'state.db'}",
        "MARTELLO_LOCAL": "0",
        "HOME": str(place / "home"),
        **(env or {}),
    }
    return martello("image", *words, cwd=place, env=own, stdin=stdin)


def ids(done: Done) -> set[str]:
    """The vulnerabilities of a JSON report."""
    return {v["id"] for one in done.report["images"] for v in one["vulnerabilities"]}


@pytest.mark.parametrize(
    ("word", "fed"),
    [
        ("oci:build", ""),
        ("build", ""),
        ("oci:build:1.4", ""),
        ("a.tar", ""),
        ("docker-archive:a.tar", ""),
        ("oci-archive:b.tar", ""),
        ("-", "a.tar"),
        ("docker-archive:-", "a.tar"),
        ("-", "b.tar"),
        ("root", ""),
        ("rootfs:root", ""),
    ],
)
def test_every_form_of_an_image_says_the_same(place: Path, word: str, fed: str) -> None:
    done = run(place, "scan", word, "-o", "json", stdin=place / fed if fed else None)
    assert (done.code, done.err) == (1, "")
    assert ids(done) == ALL
    assert {f["check"] for f in done.report["findings"]} >= {"IMG-001", "IMG-003", "IMG-009"}


@pytest.mark.parametrize("format", ["cyclonedx", "spdx"])
def test_a_bill_of_materials_is_scanned_like_its_image(place: Path, format: str) -> None:
    file = f"{format}.json"
    assert run(place, "sbom", "a.tar", "-o", f"{format}={file}").code == 0
    done = run(place, "scan", file, "-o", "json")
    assert ids(done) == ALL
    assert done.report["images"][0]["name"] == "reg.local/shop/api:1.4"
    assert run(place, "scan", f"sbom:{file}", "-o", "json").out == done.out.replace(
        f'"target": "{file}"', f'"target": "sbom:{file}"'
    )


def test_a_source_tree_is_read_by_its_locks_and_for_secrets(place: Path) -> None:
    done = run(place, "scan", "project", "-o", "json")
    assert ids(done) == {shop.OTHER, "GHSA-dddd-eeee-ffff"}
    (leak,) = done.report["images"][0]["secrets"]
    assert (leak["path"], leak["line"]) == ("src/deploy.sh", 1)
    assert shop.TOKEN not in done.out


def test_no_secret_is_ever_printed(place: Path) -> None:
    for format in ("table", "json", "jsonl", "markdown", "html", "github", "junit", "gitlab"):
        done = run(place, "scan", "build", "--all", "-o", format)
        assert shop.TOKEN not in done.out + done.err, format


def test_an_index_is_all_its_platforms_unless_one_is_named(place: Path) -> None:
    done = run(place, "scan", "multi", "-o", "json")
    assert [one["platform"] for one in done.report["images"]] == ["linux/amd64", "linux/arm64"]
    prints = [finding["fingerprint"] for finding in done.report["findings"]]
    assert len(set(prints)) == len(prints)
    done = run(place, "scan", "multi", "--platform", "linux/arm64", "-o", "json")
    assert [one["platform"] for one in done.report["images"]] == ["linux/arm64"]
    done = run(place, "scan", "multi", "--platform", "linux/s390x")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "oci:multi holds no image for linux/s390x",
    )


def test_several_targets_and_formats_in_one_run(place: Path, tmp_path: Path) -> None:
    outputs = ("-o", "table", "-o", f"json={tmp_path / 'r.json'}", "-o", f"gitlab={tmp_path / 'g'}")
    done = run(place, "scan", "build", "project", *outputs)
    assert done.code == 1
    report = json.loads((tmp_path / "r.json").read_text())
    assert {one["name"] for one in report["images"]} == {"oci:build", "dir:project"}
    assert done.out.splitlines()[-1].endswith(f"next: martello image explain {shop.CVE} oci:build")


def test_the_same_image_gives_the_same_bytes(place: Path) -> None:
    one, two = (run(place, "scan", "build", "-o", "json").out for _ in range(2))
    assert one == two
    fixed = {"SOURCE_DATE_EPOCH": "1900000000"}
    for format in ("cyclonedx", "spdx"):
        one, two = (run(place, "sbom", "build", "-o", format, env=fixed).out for _ in range(2))
        assert one == two
        assert "2030-03-17T17:46:40Z" in one
    done = run(place, "sbom", "build", env={"SOURCE_DATE_EPOCH": "x"})
    assert (done.code, done.out) == (2, "")


def test_a_rescan_reads_no_layer(place: Path, tmp_path: Path) -> None:
    state = {"MARTELLO_STATE": f"sqlite:///{tmp_path / 'state.db'}"}
    write_layout(tmp_path / "build", {"1.4": shop.shop()})
    word = f"oci:{tmp_path / 'build'}"
    first = run(place, "scan", word, "-o", "json", env=state)
    for blob in shop.shop().image.layers:
        (tmp_path / "build" / "blobs" / "sha256" / blob.digest.partition(":")[2]).unlink()
    again = run(place, "scan", word, "-o", "json", env=state)
    assert first.out == again.out
    assert ids(again) == ALL


def test_no_database_still_gives_a_bill_of_materials(place: Path) -> None:
    none = {"MARTELLO_DATABASE": str(place / "nothing.db")}
    assert run(place, "scan", "oci:build", env=none).code == 1  # the token is there all the same
    done = run(place, "scan", "oci:plain", env=none)
    assert done.code == 3
    assert "vulnerabilities not assessed" in done.out
    assert done.out.splitlines()[-1].endswith("next: martello db update --for oci:plain")
    done = run(place, "sbom", "oci:build", env=none)
    assert done.code == 0
    assert len(json.loads(done.out)["components"]) == 5
    for words in (("explain", shop.CVE, "build"), ("why-not", shop.CVE, "build")):
        assert run(place, *words, env=none).code == 3, words
    assert run(place, "explain", "build", env=none).code == 0


def test_old_advisories_give_no_verdict(place: Path, tmp_path: Path) -> None:
    shop.database(tmp_path, datetime.now(UTC) - timedelta(hours=80))
    write_layout(tmp_path / "clean", {"1": image(layer({"etc/os-release": shop.RELEASE,
                 "var/lib/dpkg/status": shop.STATUS.replace("3.0.9", "3.9")}))})  # fmt: skip
    old = {"MARTELLO_DATABASE": str(tmp_path / "advisories.db")}
    done = run(place, "scan", f"oci:{tmp_path / 'clean'}", "--fail-on", "high", env=old)
    assert done.code == 3
    assert "80 h old" in done.out
    shop.database(tmp_path, datetime.now(UTC) - timedelta(hours=30))
    done = run(place, "scan", f"oci:{tmp_path / 'clean'}", env=old)
    assert done.code == 0
    assert "30 h old" in done.out


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"hello": "x"}, "nothing"),
        ({}, ""),
        (
            {
                "etc/os-release": 'ID=strange\nVERSION_ID="1"\nID_LIKE=debian\n',
                "var/lib/dpkg/status": shop.STATUS,
            },
            "strange",
        ),
        ({shop.GEM: shop.GEMSPEC}, "RubyGems"),
        ({"etc/os-release": shop.RELEASE, "var/lib/dpkg/status": "\0\0"}, ""),
    ],
    ids=["nothing known", "empty", "unknown distribution", "no feed", "broken evidence"],
)
def test_what_is_not_understood_is_never_clean(
    place: Path, tmp_path: Path, files: dict[str, str], said: str
) -> None:
    write_layout(tmp_path / "x", {"1": image(layer(files), config={"User": "1"})})
    done = run(place, "scan", f"oci:{tmp_path / 'x'}")
    assert done.code == 3, done.out
    assert "not assessed" in done.out
    assert said in done.out
    assert run(place, "scan", f"oci:{tmp_path / 'x'}", "--allow-incomplete").code == 0


def test_hostile_names_are_printed_safely(place: Path, tmp_path: Path) -> None:
    evil = "a\x1b[2J\u202eb\u009b31m"
    metadata = f"Metadata-Version: 2.1\nName: idna\nVersion: 3.4\nLicense: {evil}\n"
    path = f"app/site-packages/{evil}/idna-3.4.dist-info/METADATA"
    step = f"RUN {evil}\n\x07"
    status = shop.STATUS.replace("zlib1g", f"zlib{evil}")
    made = image(
        layer({"etc/os-release": shop.RELEASE, "var/lib/dpkg/status": status, path: metadata}),
        history=[step],
        config={"User": evil},
    )
    write_layout(tmp_path / "x", {"1": made})
    word = f"oci:{tmp_path / 'x'}"
    formats = ("table", "json", "markdown", "html", "github", "gitlab", "openvex", "cyclonedx")
    for format in (*formats, "spdx", "cosign-vuln", "junit", "jsonl"):
        done = run(place, "scan", word, "--all", "-o", format)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.out), format
    for words in (("explain", shop.OTHER, word), ("explain", word), ("why-not", evil, word)):
        done = run(place, *words)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.out + done.err), words


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_is_cut_at_any_width(place: Path, columns: int) -> None:
    wide = run(place, "scan", "multi", "--all").out
    narrow = run(place, "scan", "multi", "--all", env={"COLUMNS": str(columns)}).out
    seconds = re.compile(r"\d+\.\d s")
    assert seconds.sub("", narrow).split() == seconds.sub("", wide).split()
    assert max(map(len, narrow.splitlines()[:-1])) <= columns


def test_explain_gives_all_the_evidence(place: Path) -> None:
    done = run(place, "explain", shop.CVE, "build")
    assert done.code == 0
    for part in (
        "openssl does what it should not",
        "known since 2031-01-05",
        "CRITICAL  libssl3 3.0.9-1",
        "var/lib/dpkg/status  layer 1 (ADD rootfs.tar /)",
        "3.0.9-1 is in < 3.0.11-1~deb12u2",
        f"DEBIAN-{shop.CVE}  osv:Debian  Debian:12 openssl",
        "counts as critical",
    ):
        assert part in done.out
    both = run(place, "explain", shop.OTHER, "build").out
    assert "GHSA-aaaa-bbbb-cccc" in both
    assert "PYSEC-2031-1" in both
    lower = run(place, "explain", shop.OTHER.lower(), "build").out
    assert "fixed in   3.7" in lower


def test_explain_without_a_vulnerability_goes_through_the_layers(place: Path) -> None:
    done = run(place, "explain", "build")
    lines = done.out.splitlines()
    assert "  RUN pip install idna" in lines
    assert "  1 pypi: idna 3.4" in lines
    assert "  3 deb: libssl3 3.0.9-1, openssl 3.0.9-1, zlib1g 1:1.2.13.dfsg-1" in lines


@pytest.mark.parametrize(
    ("words", "next"),
    [
        (("explain", shop.CVE), f"martello image explain {shop.CVE} TARGET"),
        (("why-not", "build", shop.CVE), f"martello image why-not {shop.CVE} build"),
        (("scan", "build:1.0"), "oci:build:1.0, or registry:build:1.0 if a registry is meant"),
        (("verify",), "martello image verify --help"),
    ],
)
def test_a_slip_is_told_with_what_to_type(place: Path, words: tuple[str, ...], next: str) -> None:
    done = run(place, *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1] == f"next: {next}"


def test_what_is_not_reported_is_explained(place: Path) -> None:
    done = run(place, "explain", shop.FIXED, "build")
    assert (done.code, done.out.splitlines()[-1]) == (
        0,
        f"next: martello image why-not {shop.FIXED} build",
    )
    done = run(place, "why-not", shop.FIXED, "build")
    assert "openssl 3.0.9-1: 3.0.9-1 is in none of its ranges" in done.out
    assert "reported" in run(place, "why-not", shop.CVE, "build").out
    done = run(place, "why-not", "GHSA-dddd-eeee-ffff", "build")
    assert "left-pad (npm) is not installed" in done.out
    assert "no record" in run(place, "why-not", "CVE-1999-0001", "build").out


def test_a_waiver_hides_and_every_word_says_who(place: Path, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(
        "apiVersion: martello.dev/v1alpha1\nkind: Waiver\nmetadata: {name: w}\nspec:\n"
        f"  checks: [{shop.CVE}]\n  owner: sre@example.com\n  reason: not reachable\n"
        "  until: 2999-01-01\n"
    )
    waived = ("--ignore", str(tmp_path / "w.yaml"))
    done = run(place, "scan", "build", "--all", *waived)
    assert "waived    CVE-2031-1111 libssl3  by sre@example.com" in done.out
    assert "2 waived" in done.out
    assert "waived by sre@example.com" in run(place, "why-not", shop.CVE, "build", *waived).out
    assert "waived     by sre@example.com" in run(place, "explain", shop.CVE, "build", *waived).out


TRIVY: dict[str, Any] = {
    "SchemaVersion": 2,
    "ArtifactName": "build",
    "Results": [
        {
            "Target": "build (debian 12)",
            "Class": "os-pkgs",
            "Type": "debian",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": shop.CVE,
                    "PkgName": name,
                    "InstalledVersion": "3.0.9-1",
                    "FixedVersion": "3.0.11-1~deb12u2",
                    "Severity": "UNKNOWN",
                }
                for name in ("libssl3", "openssl")
            ]
            + [
                {"VulnerabilityID": shop.FIXED, "PkgName": "openssl", "InstalledVersion": "3.0.9-1"}
            ],
        },
        {"Target": "Python", "Vulnerabilities": None},
    ],
}
GRYPE = {
    "matches": [
        {
            "vulnerability": {
                "id": "GHSA-aaaa-bbbb-cccc",
                "severity": "Medium",
                "fix": {"versions": ["3.7"], "state": "fixed"},
            },
            "relatedVulnerabilities": [{"id": shop.OTHER}],
            "artifact": {"name": "idna", "version": "3.4"},
        }
    ]
}
OSV = {
    "results": [
        {
            "packages": [
                {
                    "package": {"name": "idna", "version": "3.4", "ecosystem": "PyPI"},
                    "groups": [{"ids": ["PYSEC-2031-1"], "aliases": [shop.OTHER]}],
                },
                {"package": {"name": "x", "version": "1"}, "groups": [{"ids": 1, "aliases": {}}]},
            ]
        }
    ]
}


def compare(place: Path, other: Any) -> Done:
    """Our report beside another one."""
    (place / "other.json").write_text(json.dumps(other))
    env = {
        "MARTELLO_DATABASE": str(place / "advisories.db"),
        "MARTELLO_STATE": f"sqlite:///{place / 'state.db'}",
    }
    done = martello("compare", "other.json", "build", "-o", "json", cwd=place, env=env)
    table = martello("compare", "other.json", "build", cwd=place, env=env)
    assert table.code == done.code
    assert len(table.out.splitlines()) == len(done.report["differences"]) + 1
    return done


def test_compare_with_trivy(place: Path) -> None:
    done = compare(place, TRIVY)
    assert (done.code, done.report["scanner"], done.report["both"]) == (1, "trivy", 2)
    told = {(d["kind"], d["id"]): d["why"] for d in done.report["differences"]}
    assert told["only-theirs", shop.FIXED] == "version: 3.0.9-1 is in none of its ranges"
    assert ("only-ours", shop.OTHER) in told
    assert ("only-ours", shop.OPEN) in told
    assert len(told) == 3


def test_compare_with_grype(place: Path) -> None:
    done = compare(place, GRYPE)
    told = {d["kind"]: d for d in done.report["differences"]}
    assert done.report["both"] == 1
    assert "they say medium, we say high" in told["severity"]["why"]
    assert "fix" not in told


def test_compare_with_osv_scanner(place: Path) -> None:
    done = compare(place, OSV)
    assert done.report["both"] == 1
    kinds = {d["kind"] for d in done.report["differences"]}
    assert kinds == {"only-ours", "only-theirs"}


@pytest.mark.parametrize("other", [{}, [], None, {"Resultss": []}, "x"])
def test_what_is_no_report_is_told(place: Path, other: Any) -> None:
    (place / "wrong.json").write_text(json.dumps(other))
    done = martello("compare", "wrong.json", "build", cwd=place)
    assert (done.code, done.err.splitlines()[0]) == (2, "cannot read wrong.json")


@pytest.mark.parametrize("kind", ["docker", "podman"])
def test_an_image_of_a_local_engine(place: Path, tmp_path: Path, kind: str) -> None:
    name = "reg.local/shop/api:1.4"
    socket = tmp_path / "engine.sock"
    variable = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST"}[kind]
    host = {variable: f"unix://{socket}"}
    with engine.serve(socket, {name: (place / "a.tar").read_bytes()}):
        done = run(place, "scan", f"{kind}:{name}", "-o", "json", env=host)
        assert ids(done) == ALL
        local = run(place, "scan", name, "-o", "json", env={"MARTELLO_LOCAL": "1", **host})
        assert ids(local) == ALL
        assert run(place, "scan", f"{kind}:other", env=host).code == 2
    assert run(place, "scan", f"{kind}:{name}", env=host).code == 4


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """A real registry; its host."""
    try:
        with running() as real:
            yield real.url
    except Missing as missing:
        pytest.skip(str(missing))


def test_an_image_of_a_registry(place: Path, registry: str) -> None:
    reference = f"{registry}/shop/api:1.4"
    try:
        target = f"docker://{reference}"
        skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{place / 'multi'}:1.4", target)
    except Missing as missing:
        pytest.skip(str(missing))
    for word in (reference, f"registry:{reference}"):
        done = run(place, "scan", word, "-o", "json")
        assert (done.code, done.err) == (1, "")
        assert ids(done) == ALL
        assert len(done.report["images"]) == 2
    digest = done.report["images"][0]["digest"]
    done = run(place, "sbom", f"{registry}/shop/api@{digest}")
    assert json.loads(done.out)["metadata"]["component"]["purl"].startswith("pkg:oci/api@sha256")
    assert run(place, "scan", f"{registry}/shop/none:1").code == 4


def test_bills_of_several_images_are_a_line_each(place: Path, tmp_path: Path) -> None:
    lines = run(place, "sbom", "multi").out.splitlines()
    assert [json.loads(line)["bomFormat"] for line in lines] == ["CycloneDX"] * 2
    done = run(place, "sbom", "multi", "-o", f"spdx={tmp_path / 'x.json'}")
    assert "2 documents" in done.err
    assert run(place, "sbom", "build", "-o", "table").code == 2


@pytest.mark.parametrize("how", ["cut", "other"])
def test_a_layer_that_is_not_what_it_should_be_leaves_the_rest(
    place: Path, tmp_path: Path, how: str
) -> None:
    made = shop.shop()
    directory = write_layout(tmp_path / "x", {"1": made})
    digest = made.image.layers[1].digest.partition(":")[2]
    blob = directory / "blobs" / "sha256" / digest
    content = blob.read_bytes()
    blob.write_bytes(content[:-20] if how == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    word, state = f"oci:{directory}", {"MARTELLO_STATE": f"sqlite:///{tmp_path / 'state.db'}"}
    done = run(place, "scan", word, "--fail-on", "never", env=state)
    assert done.code == 3, done
    done = run(place, "sbom", word, env=state)
    if how == "cut":
        assert done.code == 3
        assert json.loads(done.out)["compositions"][0]["aggregate"] == "incomplete"
        (tmp_path / "x.json").write_text(done.out)
        again = run(place, "scan", str(tmp_path / "x.json"), "--fail-on", "never", env=state)
        assert again.code == 3  # what its maker could not read is not forgotten
        assert "it ends after" in again.out
    else:
        assert (done.code, done.out) == (1, "")
