"""Waivers and baselines count for paths in a scan as for every finding."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.asked import ask

from martello.demo import texts

PATHS = ("ACC-900", "ACC-901", "ACC-902", "ACC-903")
SOON = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()  # a year at most is honoured
WAIVER = """
apiVersion: martello.dev/v1
kind: Waiver
metadata: {name: agent}
spec:
  checks: [CHECK]
  reason: known
  owner: sre@example.com
  until: UNTIL
  match: {namespaces: [kube-system]}
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "martello.toml").write_text('[crown]\nsecrets = ["data/db"]\n')
    for file, text in texts(False).items():
        place = tmp_path / "deploy" / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text)
    return tmp_path


def _scan(here: Path, *words: str) -> dict[str, Any]:
    checks = [word for id in PATHS for word in ("--check", id)]
    found: dict[str, Any] = json.loads(
        ask("scan", "deploy", *checks, *words, "-o", "json", cwd=here).out
    )
    return found


def _open(told: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (one["check"], one["object"]["namespace"])
        for one in told["findings"]
        if one["outcome"] == "fail"
    }


def test_a_baseline_accepts_the_paths_that_are_there(here: Path) -> None:
    assert {check for check, _ in _open(_scan(here))} == {"ACC-900", "ACC-902", "ACC-903"}
    _scan(here, "--write-baseline", "known.json")
    again = ask("scan", "deploy", "--check", "ACC-900", "--baseline", "known.json", cwd=here)
    assert again.code == 0
    assert _open(_scan(here, "--baseline", "known.json")) == set()


def test_a_path_to_another_goal_is_new(here: Path) -> None:
    _scan(here, "--write-baseline", "known.json")
    more = '[crown]\nsecrets = ["data/db"]\naccounts = ["shop/deployer"]\n'
    (here / "martello.toml").write_text(more)
    left = _open(_scan(here, "--baseline", "known.json"))
    assert {check for check, _ in left} == {"ACC-903"}


def test_a_path_that_comes_is_new(here: Path) -> None:
    agent = here / "deploy" / "shop" / "kube-system.yaml"
    text = agent.read_text()
    agent.write_text(text.replace("name: cluster-admin", "name: view"))
    before = _open(_scan(here, "--write-baseline", "known.json"))
    agent.write_text(text)
    left = _open(_scan(here, "--baseline", "known.json"))
    assert ("ACC-900", "kube-system") in left - before


@pytest.mark.parametrize("check", ["ACC-900", "ACC-903"])
def test_a_waiver_waives_and_ends(here: Path, check: str) -> None:
    assert (check, "kube-system") in _open(_scan(here))
    text = WAIVER.replace("CHECK", check)
    (here / "waiver.yaml").write_text(text.replace("UNTIL", SOON))
    told = _scan(here, "--waivers", "waiver.yaml")
    assert (check, "kube-system") not in _open(told)
    assert (check, "ci") in _open(told)
    (here / "waiver.yaml").write_text(text.replace("UNTIL", "2020-01-31"))
    assert (check, "kube-system") in _open(_scan(here, "--waivers", "waiver.yaml"))


def test_an_annotation_waives(here: Path) -> None:
    agent = here / "deploy" / "shop" / "kube-system.yaml"
    note = f'  annotations: {{martello/waive: "ACC-900 until {SOON}: known"}}\n'
    parts = agent.read_text().split("---\n")
    parts = [
        part.replace("  name: log-agent\n", f"  name: log-agent\n{note}", 1)
        if "kind: DaemonSet" in part
        else part
        for part in parts
    ]
    agent.write_text("---\n".join(parts))
    left = _open(_scan(here))
    assert ("ACC-900", "kube-system") not in left
    assert ("ACC-903", "kube-system") in left
