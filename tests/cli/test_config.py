"""Settings: precedence, origins, and mistakes that are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from martello.cli.config import load_config
from martello.core.errors import BadInput


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "deploy").mkdir()
    return tmp_path


def test_defaults(project: Path) -> None:
    config = load_config({}, project, {})
    assert config["fail-on"] == "high"
    assert config.origin["fail-on"] == "default"
    assert config.waivers["max-days"] == 365


def test_flag_beats_environment_beats_file(project: Path) -> None:
    (project / "martello.toml").write_text(
        'fail-on = "low"\nprofile = "strict"\nskip = ["POD-019"]\n'
    )
    environ = {"MARTELLO_PROFILE": "all", "MARTELLO_WAIVERS_FOREIGN": "ignore"}
    config = load_config({"fail-on": "critical"}, project / "deploy", environ)
    assert config["fail-on"] == "critical"
    assert config["profile"] == "all"
    assert config["skip"] == ["POD-019"]
    assert config.waivers["foreign"] == "ignore"
    assert config.origin["fail-on"] == "flag"
    assert config.origin["profile"] == "MARTELLO_PROFILE"
    assert config.origin["skip"] == str(project / "martello.toml")


def test_pyproject_counts_and_the_search_ends_at_the_repository(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.martello]\nfail-on = "medium"\n')
    assert load_config({}, project / "deploy", {})["fail-on"] == "medium"
    inner = project / "deploy" / "inner"
    (inner / ".git").mkdir(parents=True)
    assert load_config({}, inner, {})["fail-on"] == "high"


def test_goals_of_ones_own_are_a_table(project: Path) -> None:
    (project / "martello.toml").write_text('[crown]\nsecrets = ["data/db"]\n')
    config = load_config({}, project, {"MARTELLO_CROWN_NODES": "cp-1,cp-2"})
    assert config.crown["secrets"] == ["data/db"]
    assert config.crown["nodes"] == ["cp-1", "cp-2"]
    assert config.crown["accounts"] == []
    assert config.origin["crown.secrets"] == str(project / "martello.toml")


def test_params_are_kebab_there_and_camel_here(project: Path) -> None:
    (project / "martello.toml").write_text("[checks.RES-004]\nmax-ratio = 6\n")
    assert load_config({}, project, {}).checks == {"RES-004": {"maxRatio": 6}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('fail_on = "high"', "did you mean 'fail-on'?"),
        ('fail-on = "severe"', "use one of: critical, high"),
        ("fail-on = 3", "takes a word"),
        ('skip = "POD-001"', "takes a list of words"),
        ("skip = [1]", "takes a list of words"),
        ('[waivers]\nforeing = "honour"', "did you mean 'foreign'?"),
        ("waivers = 3", "[waivers] is no table"),
        ("[checks]\nx = 3", "[checks.ID] must be tables"),
        ("fail-on = ", "mend the file"),
        ("allow-incomplete = 1", "takes true or false"),
    ],
)
def test_mistakes_are_named(project: Path, text: str, told: str) -> None:
    (project / "martello.toml").write_text(text)
    with pytest.raises(BadInput) as caught:
        load_config({}, project, {})
    assert told in str(caught.value)


def test_a_file_that_is_no_text_is_named(project: Path) -> None:
    (project / "martello.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot read"):
        load_config({}, project, {})


def test_environment_is_checked_too(project: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_config({}, project, {"MARTELLO_WAIVERS_MAX_DAYS": "soon"})
    assert "MARTELLO_WAIVERS_MAX_DAYS" in str(caught.value)


def test_paths_are_meant_from_where_the_file_is(project: Path) -> None:
    (project / "martello.toml").write_text(
        'policies = ["checks", "/abs"]\nbaseline = "known.json"\n[waivers]\nfiles = ["waivers"]\n'
    )
    config = load_config({}, project / "deploy", {})
    assert config["policies"] == ["../checks", "/abs"]
    assert config["baseline"] == "../known.json"
    assert config.waivers["files"] == ["../waivers"]
    here = load_config({}, project, {"MARTELLO_BASELINE": "other.json"})
    assert here["policies"] == ["checks", "/abs"]
    assert here["baseline"] == "other.json"


@pytest.mark.parametrize(
    ("text", "told"),
    [("tool = 1", ""), ("[tool]\nmartello = 1", "no table"), ("[tool]\nother = 1", "")],
)
def test_a_strange_pyproject_is_no_bug(project: Path, text: str, told: str) -> None:
    (project / "pyproject.toml").write_text(text)
    if not told:
        assert load_config({}, project, {}).origin["skip"] == "default"
        return
    with pytest.raises(BadInput, match=told):
        load_config({}, project, {})


@pytest.mark.parametrize("days", ["0", "99999999999"])
def test_waivers_live_some_days(project: Path, days: str) -> None:
    with pytest.raises(BadInput, match="max-days"):
        load_config({}, project, {"MARTELLO_WAIVERS_MAX_DAYS": days})


def test_a_switch_takes_yes_and_no(project: Path) -> None:
    name = "MARTELLO_ALLOW_INCOMPLETE"
    assert load_config({}, project, {name: "Yes"})["allow-incomplete"] is True
    assert load_config({}, project, {name: "0"})["allow-incomplete"] is False
    with pytest.raises(BadInput, match="true or false"):
        load_config({}, project, {name: "perhaps"})


def test_the_page_about_configuration_shows_every_setting(project: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
    text = page.partition("```toml\n")[2].partition("```")[0]
    (project / "martello.toml").write_text(text)
    config = load_config({}, project, {})
    assert set(config.origin.values()) == {str(project / "martello.toml")}
    assert config.checks == {"RES-017": {"minReplicas": 2}}
