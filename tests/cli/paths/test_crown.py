"""Goals of one's own: [crown] of martello.toml in `paths`, `paths diff` and a scan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.asked import ask
from tests.support.command import Done

CROWN = """
[crown]
secrets = ["data/db"]
accounts = ["shop/deployer", "shop/nobody"]
namespaces = ["data"]
nodes = ["worker-9"]
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "martello.toml").write_text(CROWN)
    return tmp_path


def _ways(done: Done) -> set[tuple[str, str]]:
    told = json.loads(done.out)["paths"]
    return {(one["begin"], one["goal"]) for one in told}


def test_paths_lead_to_what_is_named(here: Path) -> None:
    ways = _ways(ask("paths", "-f", "demo", "-o", "json", cwd=here))
    agent = "pods of kube-system/log-agent"
    assert (agent, "cluster-admin") in ways
    assert {goal for begin, goal in ways if begin == agent} == {
        *("cluster-admin", "secret data/db", "account shop/deployer", "namespace data")
    }
    only = _ways(ask("paths", "--to", "crown", "-f", "demo", "-o", "json", cwd=here))
    assert only == {(b, g) for b, g in ways if g in ("secret data/db", "account shop/deployer")} | {
        (b, g) for b, g in ways if g == "namespace data"
    }


def test_what_a_pod_was_given_is_no_path_unless_it_is_asked_for(here: Path) -> None:
    own = ("pods of data/db", "secret data/db")
    assert own not in _ways(ask("paths", "-f", "demo", "-o", "json", cwd=here))
    asked = ask("paths", "--to", "secret:data/db", "-f", "demo", "-o", "json", cwd=here)
    assert own in _ways(asked)


def test_the_cut_leaves_pods_what_they_were_given(here: Path) -> None:
    done = ask("paths", "cut", "--to", "crown", "-f", "demo", "-o", "json", cwd=here)
    cut = json.loads(done.out)["cut"]
    assert cut["verified"] is True
    assert cut["open"] == []
    assert "data/StatefulSet/db" not in json.dumps(cut["edits"])


def test_places_are_named_on_the_command_line(here: Path) -> None:
    begun = ("--from", "pods:kube-system/log-agent", "-f", "demo", "-o", "json")
    (way,) = _ways(ask("paths", "--to", "namespace:shop", *begun, cwd=here))
    assert way[1] == "namespace shop"
    done = ask("paths", "--to", "namespace:shp", *begun, cwd=here)
    assert done.code == 2
    assert done.err.startswith("not here: namespace shp\nbecause the nearest is namespace shop")


def _scan(here: Path, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask("scan", "demo", *words, "-o", "json", cwd=here).out)
    return found


def test_a_scan_finds_them(here: Path) -> None:
    found = _scan(here, "--check", "ACC-903")["findings"]
    assert {one["check"] for one in found} == {"ACC-903"}
    assert any("to secret data/db" in one["message"] for one in found)
    assert not any("pods of data/db to secret" in one["message"] for one in found)


def test_a_scan_without_names_says_so(here: Path) -> None:
    (here / "martello.toml").write_text("")
    told = _scan(here, "--check", "ACC-903")
    assert told["findings"] == []
    assert "nothing that [crown] of martello.toml names is here" in json.dumps(told["unassessed"])


def test_a_change_is_judged_by_them(here: Path) -> None:
    done = ask("paths", "diff", "demo", "demo", "--to", "crown", cwd=here)
    assert done.out.startswith("from demo to demo: opens and closes no path")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('secrets = ["db"]', "setting 'crown.secrets' cannot be 'db'"),
        ('secrets = ["a/b/c"]', "setting 'crown.secrets' cannot be 'a/b/c'"),
        ('accounts = ["shop/"]', "setting 'crown.accounts' cannot be 'shop/'"),
        ('namespaces = ["a/b"]', "setting 'crown.namespaces' cannot be 'a/b'"),
        ("nodes = 3", "setting 'crown.nodes' takes a list of words"),
        ("pods = []", "unknown setting 'pods'"),
    ],
)
def test_mistakes_are_named(here: Path, text: str, why: str) -> None:
    (here / "martello.toml").write_text(f"[crown]\n{text}\n")
    done = ask("paths", "-f", "demo", cwd=here)
    assert done.code == 2
    assert why in done.err


def test_crown_without_names_is_a_mistake(here: Path) -> None:
    (here / "martello.toml").write_text("")
    done = ask("paths", "--to", "crown", "-f", "demo", cwd=here)
    assert done.code == 2
    assert done.err.startswith("nothing that [crown] of martello.toml names is here\n")
