"""What is known besides advisories, and names that belong together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from martello.core.errors import BadInput
from martello.practices.images.advisories.aliases import Groups
from martello.practices.images.advisories.enrich import ends, exploited, probabilities
from martello.practices.images.advisories.severity import level, level_of, level_of_vector
from martello.practices.images.ecosystems import canonical


def test_groups_are_transitive_and_bounded() -> None:
    groups = Groups(largest=4)
    groups.join("GHSA-1", ["CVE-1", "GHSA-1"])
    groups.join("PYSEC-1", ["CVE-1"])
    groups.join("ALONE", [])
    groups.join("GREEDY", [f"CVE-{n}" for n in range(10, 30)])
    groups.join("A", ["B", "C"])
    groups.join("A", ["PYSEC-1"])
    assert groups.groups() == [("A", "B", "C"), ("CVE-1", "GHSA-1", "PYSEC-1")]
    assert groups.refused == 2
    assert groups.root("ALONE") == "ALONE"


def test_exploited_as_json_and_csv(tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text(
        json.dumps({"vulnerabilities": [{"cveID": "CVE-2024-1111", "dateAdded": "2024-01-02"}, 3]})
    )
    (tmp_path / "k.csv").write_text("cveID,vendorProject,dateAdded\nCVE-2024-1111,x,2024-01-02\n")
    wanted = {"CVE-2024-1111": "2024-01-02"}
    assert exploited(tmp_path / "k.json") == exploited(tmp_path / "k.csv") == wanted


@pytest.mark.parametrize("content", ["", "{}", "[1]", "<html>", '{"vulnerabilities": {}}'])
def test_no_catalogue(tmp_path: Path, content: str) -> None:
    (tmp_path / "k.json").write_text(content)
    for read in (exploited, probabilities):
        with pytest.raises(BadInput):
            read(tmp_path / "k.json")


def test_scores_out_of_their_bounds_are_none(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(
        "cve,epss\nCVE-2024-1111,0.5\nCVE-2024-2222,7\nCVE-2024-3333,nan\n"
    )
    assert probabilities(tmp_path / "e.csv") == ({"CVE-2024-1111": 0.5}, "")


def test_the_bundled_dates_are_days_of_known_releases() -> None:
    for ecosystem, day in ends().items():
        assert canonical(ecosystem) == ecosystem
        assert len(day) == 10


def test_dates_of_endoflife(tmp_path: Path) -> None:
    path = tmp_path / "alpine-linux.json"
    path.write_text(
        json.dumps([{"cycle": "3.19", "eol": "2025-11-01"}, {"cycle": "3.1", "eol": True}])
    )
    assert ends(path) == {"Alpine:v3.19": "2025-11-01", "Alpine:v3.1": "1970-01-01"}
    path = tmp_path / "debian.json"
    path.write_text(json.dumps({"result": {"releases": [{"name": "12", "eolFrom": "2026-06-10"}]}}))
    assert ends(path) == {"Debian:12": "2026-06-10"}
    with pytest.raises(BadInput):
        ends(tmp_path / "windows.json")


@pytest.mark.parametrize(
    ("vector", "wanted"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "critical"),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "critical"),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", "high"),
        ("CVSS:3.0/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", "low"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "negligible"),
        ("CVSS:3.1/AV:N", ""),
        ("", ""),
        ("CVSS:9/" + "A" * 9999, ""),
    ],
)
def test_vectors(vector: str, wanted: str) -> None:
    assert level_of_vector(vector) == wanted


def test_words_win_over_vectors() -> None:
    vectors = [("CVSS_V2", "AV:N/AC:L/Au:N/C:P/I:P/A:P"), ("CVSS_V3", "nonsense")]
    assert level_of("low", vectors) == "low"
    assert level_of("", vectors) == "high"
    assert [level(w) for w in ("Moderate", "IMPORTANT", "unknown", "none yet", None, "low**")] == [
        "medium", "high", "", "", "", "low",
    ]  # fmt: skip
