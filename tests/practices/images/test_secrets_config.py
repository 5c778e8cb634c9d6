"""Trivy's configuration of secrets: rules of one's own, and what is let pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from martello.core.errors import BadInput
from martello.practices.images.secrets import scan_text
from martello.practices.images.secrets.config import SecretRules, read_trivy_secret_config

PAT = "ghp_" + "aB3" * 12
KEY = "AKIA" + "Q7Z2" * 4


def _found(rules: SecretRules, path: str, text: str) -> list[tuple[str, int]]:
    return [(leak.rule, leak.line) for leak in scan_text(path, text.encode(), rules)]


def test_a_rule_of_ones_own() -> None:
    rules = read_trivy_secret_config("""
rules:
  - id: mine
    category: Custom
    title: My secret
    severity: HIGH
    regex: 'mine=(?P<value>[a-zé]+)'
    secret-group-name: value
    keywords: [MINE]
    path: '\\.sh$'
    allow-rules:
      - id: words
        regex: 'harmless'
    exclude-block:
      regexes: ['--no-search[\\s\\S]*?--search']
""")
    text = "mine=abcé\nmine=harmless\n--no-search\nmine=xyz\n--search\nmine=last\n"
    leaks = scan_text("a.sh", text.encode(), rules)
    assert [(leak.rule, leak.line, leak.severity) for leak in leaks] == [
        ("mine", 1, "high"),
        ("mine", 6, "high"),
    ]
    assert leaks[0].title == "My secret"
    assert leaks[0].shown == "mine=*****"
    assert scan_text("a.py", text.encode(), rules) == ()


def test_rules_are_enabled_and_disabled_by_id() -> None:
    text = f"{PAT}\n{KEY}\n"
    assert _found(SecretRules(), "a", text) == [("github-pat", 1), ("aws-access-key-id", 2)]
    only = read_trivy_secret_config("enable-builtin-rules: [github-pat]\n")
    assert _found(only, "a", text) == [("github-pat", 1)]
    without = read_trivy_secret_config("disable-rules:\n  - github-pat\n")
    assert _found(without, "a", text) == [("aws-access-key-id", 2)]


def test_allow_rules_let_pass_by_path_or_by_text() -> None:
    by_path = read_trivy_secret_config("allow-rules: [{id: docs, path: '^docs/'}]\n")
    assert _found(by_path, "docs/a", PAT) == []
    assert _found(by_path, "a", PAT) == [("github-pat", 1)]
    by_text = read_trivy_secret_config("allow-rules: [{id: ours, regex: '^AKIAQ7Z2'}]\n")
    assert _found(by_text, "a", f"{PAT}\n{KEY}") == [("github-pat", 1)]


def test_a_block_is_excluded() -> None:
    rules = read_trivy_secret_config("exclude-block: {regexes: ['(?s)<<.*?>>']}\n")
    assert _found(rules, "a", f"<<\n{PAT}\n>>\n{KEY}") == [("aws-access-key-id", 4)]


def test_paths_are_skipped_by_pattern() -> None:
    rules = read_trivy_secret_config("skip-patterns: ['**/fixtures/**', '*.lst']\n")
    for path in ("fixtures/a", "a/fixtures/b/c", "a.lst"):
        assert _found(rules, path, PAT) == []
    assert _found(rules, "a/b.lst", PAT) == [("github-pat", 1)]


def test_the_file_of_the_rules_is_not_searched() -> None:
    text = "rules: [{id: x, title: X, severity: LOW, regex: mysecret}]\n"
    rules = read_trivy_secret_config(text, "conf/secret.yaml")
    assert _found(rules, "conf/secret.yaml", text) == []
    assert _found(rules, "other.yaml", text) == [("x", 1)]


@pytest.mark.parametrize("text", ["", b"\xef\xbb\xbf", "# nothing\nrules: []\n"])
def test_an_empty_file_changes_nothing(text: str | bytes) -> None:
    rules = read_trivy_secret_config(text)
    assert (rules.custom, rules.disabled, rules.allow) == ((), frozenset(), ())


@pytest.mark.parametrize(
    "text",
    [
        "- a list",
        "rules: [{id: x}]",
        "rules: [{regex: x}]",
        "rules: [{id: x, regex: '('}]",
        "rules: [{id: x, regex: 'x', secret-group-name: none}]",
        "rules: [{id: x, regex: 'x', severity: TERRIBLE}]",
        "allow-rules: [{id: x, path: '(?<!a)b'}]",
        "a: [",
        b"\xff\xff",
    ],
)
def test_a_file_that_is_wrong_is_refused(text: str | bytes) -> None:
    with pytest.raises(BadInput, match=r"cannot be read"):
        read_trivy_secret_config(text, "secret.yaml")


def test_a_slow_pattern_of_a_user_stays_linear() -> None:
    rules = read_trivy_secret_config("rules: [{id: x, title: X, severity: LOW, regex: '(a*)*b'}]\n")
    assert _found(rules, "a", "a" * 3000) == []


@pytest.mark.corpus
def test_the_case_of_other_projects(corpora: Path) -> None:
    lines = (corpora / "trivy-triples" / "repos.jsonl").read_text().splitlines()
    (case,) = [one for one in map(json.loads, lines) if one["input"] == "secrets"]
    name = case["options"]["secret_config"]
    rules = read_trivy_secret_config(case["files"][name], name)
    found = {
        path: [(leak.rule, leak.severity.upper(), leak.line, leak.shown) for leak in leaks]
        for path, text in case["files"].items()
        if (leaks := scan_text(path, text.encode(), rules))
    }
    assert found == {
        target["target"]: [
            (one["rule"], one["severity"], one["start_line"], one["match"])
            for one in target["secrets"]
        ]
        for target in case["expected"]
    }
