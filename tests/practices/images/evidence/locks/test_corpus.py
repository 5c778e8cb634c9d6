"""Lock files of other projects give the packages that their tests expect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.locks import together


def _cases(corpora: Path) -> list[dict[str, Any]]:
    text = (corpora / "trivy-triples" / "repos.jsonl").read_text()
    cases = [json.loads(line) for line in text.splitlines()]
    return [case for case in cases if case["input"] != "secrets"]


@pytest.mark.corpus
def test_packages_of_repositories_are_those_that_are_expected(corpora: Path) -> None:
    compared = 0
    for case in _cases(corpora):
        found = together(case["files"])
        dev_too = case["options"].get("include_dev_deps", False)
        for target in case["expected"]:
            if "packages" not in target:
                continue
            expected = {
                (one["name"], one["version"], one.get("dev", False), *one.get("licenses", []))
                for one in target["packages"]
                if one.get("relationship") != "root"
            }
            packages = {
                (one.name, one.version, one.dev, *one.licences)
                for one in found[target["target"]].packages
                if dev_too or not one.dev
            }
            assert packages == expected, case["case"]
            compared += len(expected)
    assert compared >= 50


@pytest.mark.corpus
def test_every_package_with_an_expected_finding_is_found(corpora: Path) -> None:
    compared = 0
    for case in _cases(corpora):
        found = together(case["files"])
        for target in case["expected"]:
            packages = {(one.name, one.version) for one in found[target["target"]].packages}
            for finding in target.get("vulnerabilities", []):
                assert (finding["pkg"], finding["installed"]) in packages, case["case"]
                compared += 1
    assert compared >= 35


@pytest.mark.corpus
def test_an_old_go_mod_takes_what_it_needs_indirectly_from_go_sum(corpora: Path) -> None:
    files = next(case["files"] for case in _cases(corpora) if case["case"] == "gomod")
    alone = {path: text for path, text in files.items() if not path.endswith("go.sum")}
    name = "github.com/docker/distribution"
    assert name in [one.name for one in together(files)["submod2/go.mod"].packages]
    assert name not in [one.name for one in together(alone)["submod2/go.mod"].packages]
