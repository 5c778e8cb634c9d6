"""The feeds of Debian, Alpine, Wolfi and Chainguard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from martello.core.errors import BadInput
from martello.core.vulnerability import Affected
from martello.practices.images.advisories import alpine, debian
from martello.practices.images.advisories.record import Item, Record, Skipped, until


def written(path: Path, body: Any) -> Path:
    path.write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
    return path


def rows(items: list[Item]) -> dict[tuple[str, str], Affected]:
    return {
        (a.id, a.ecosystem): a for item in items if isinstance(item, Record) for a in item.affected
    }


RELEASES = {
    "bookworm": {"status": "resolved", "fixed_version": "1.0-1+deb12u1", "urgency": "high"},
    "trixie": {"status": "resolved", "fixed_version": "0", "urgency": "not yet assigned"},
    "bullseye": {
        "status": "open", "urgency": "unimportant", "nodsa": "Minor issue",
        "nodsa_reason": "ignored",
    },
    "buster": {"status": "open", "urgency": "end-of-life"},
    "forky": {"status": "undetermined", "urgency": "not yet assigned"},
    "nowhere": {"status": "open", "urgency": "high"},
}  # fmt: skip


def test_the_debian_tracker(tmp_path: Path) -> None:
    issue = {"description": "a flaw", "scope": "remote", "releases": RELEASES}
    body = {"openssl": {"CVE-2024-1": issue}, "zlib": {"TEMP-1": {"releases": {}}}}
    found = rows(list(debian.read(written(tmp_path / "t.json", body))))
    said = {key[1]: (a.status, a.ranges, a.severity, a.note) for key, a in found.items()}
    assert said == {
        "Debian:12": ("fixed", until("1.0-1+deb12u1"), "high", ""),
        "Debian:13": ("not-affected", (), "", "the release was never affected"),
        "Debian:11": ("will-not-fix", until(""), "negligible", "Minor issue"),
        "Debian:10": ("end-of-life", until(""), "", "the package is not supported any more"),
        "Debian:14": ("under-investigation", until(""), "", ""),
    }


@pytest.mark.parametrize(
    ("release", "status", "fixed"),
    [
        ({"status": "open", "nodsa_reason": "postponed"}, "deferred", ""),
        ({"status": "open", "nodsa": "Minor", "nodsa_reason": ""}, "affected", ""),
        ({"status": "open"}, "affected", ""),
        ({"status": "resolved", "repositories": {"a": "2.0-1", "b": "1.0-1"}}, "fixed", "1.0-1"),
        ({"status": "resolved"}, "under-investigation", ""),
    ],
)
def test_substates(tmp_path: Path, release: dict[str, Any], status: str, fixed: str) -> None:
    body = {"a": {"CVE-2024-1": {"releases": {"bookworm": release}}}}
    ((_, row),) = rows(list(debian.read(written(tmp_path / "t.json", body)))).items()
    assert (row.status, row.ranges) == (status, until(fixed))


def test_a_broken_issue_leaves_the_others(tmp_path: Path) -> None:
    body = {"a": {"CVE-2024-1": {"releases": 3}, "CVE-2024-2": {"releases": {}}}, "b": 7}
    items = list(debian.read(written(tmp_path / "t.json", body)))
    assert [i.where for i in items if isinstance(i, Skipped)] == ["a CVE-2024-1", "b"]
    assert len([i for i in items if isinstance(i, Record)]) == 1


SECDB = {
    "distroversion": "v3.19",
    "reponame": "main",
    "packages": [
        {
            "pkg": {
                "name": "openssl",
                "secfixes": {
                    "3.1.4-r0": ["CVE-2023-1 GHSA-aaaa-1111", "CVE-2019-1 (+)"],
                    "0": ["CVE-2022-9"],
                    "1.0-r0": None,
                    "2.0-r0": ["", "no name"],
                },
            }
        },
        {"pkg": 5},
    ],
}


def test_secdb(tmp_path: Path) -> None:
    items = list(alpine.read(written(tmp_path / "main.json", SECDB), "alpine-secdb:v3.19/main"))
    found = rows(items)
    assert {key: (a.status, a.ranges) for key, a in found.items()} == {
        ("CVE-2023-1", "Alpine:v3.19"): ("fixed", until("3.1.4-r0")),
        ("CVE-2019-1", "Alpine:v3.19"): ("fixed", until("3.1.4-r0")),
        ("CVE-2022-9", "Alpine:v3.19"): ("not-affected", ()),
    }
    records = {i.vulnerability.id: i.vulnerability for i in items if isinstance(i, Record)}
    assert records["CVE-2023-1"].aliases == ("GHSA-aaaa-1111",)
    skipped = [item.where for item in items if isinstance(item, Skipped)]
    assert skipped == ["openssl no name", "package 1 of main.json"]


@pytest.mark.parametrize(
    ("head", "ecosystem"),
    [
        ({"distroversion": "edge"}, "Alpine:edge"),
        ({"apkurl": "{{urlprefix}}/chainguard/{{arch}}/{{pkg.name}}.apk"}, "Chainguard"),
        ({"reponame": "os", "apkurl": "https://packages.wolfi.dev/os/x"}, "Wolfi"),
    ],
)
def test_its_kin(tmp_path: Path, head: dict[str, str], ecosystem: str) -> None:
    path = written(tmp_path / "security.json", {"packages": SECDB["packages"]} | head)
    assert alpine.ecosystem_in(path) == ecosystem
    assert {key[1] for key in rows(list(alpine.read(path)))} == {ecosystem}


@pytest.mark.parametrize("body", ["", "[]", "<html>", '{"packages": []}', '{"packages": 1}'])
def test_no_secdb(tmp_path: Path, body: str) -> None:
    with pytest.raises(BadInput):
        list(alpine.read(written(tmp_path / "main.json", body)))


@pytest.mark.parametrize("body", ["", "[]", "<html>", "[" * 100_000])
def test_no_tracker(tmp_path: Path, body: str) -> None:
    with pytest.raises(BadInput):
        list(debian.read(written(tmp_path / "t.json", body)))
