"""The same input gives the same bytes, and the order of files and documents changes no finding."""

from __future__ import annotations

import re
from datetime import date
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from tests.support.command import martello
from tests.support.generated import objects

from martello.adapters.manifests import read_paths
from martello.catalogue.load import load
from martello.catalogue.scan import scan
from martello.core.finding import Scan
from martello.report.model import FORMATS

# One object of each kind of trouble, so that every part of a report has something to order.
TROUBLE: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "odd"}, "spec": {"hostPID": "yes"}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": ["x"]}},
    {"foreign": True},
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "wide"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    },
]
SECONDS = re.compile(rb'\d+\.\d+ s\b|"seconds": ?[\d.e-]+|time="[\d.e-]+"')
HASHES = "PYTHONHASHSEED"
CHECKS = load()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some files of a few objects each."""
    made = tmp_path_factory.mktemp("manifests")
    whole = [*objects(150), *TROUBLE]
    for start in range(0, len(whole), 7):
        (made / f"{start:03}.yaml").write_text(yaml.safe_dump_all(whole[start : start + 7]))
    return made


def reports(directory: Path, out: Path, seed: str) -> dict[str, bytes]:
    """Every format's bytes but for the seconds."""
    out.mkdir()
    words = [word for name in FORMATS for word in ("-o", f"{name}={out / name}")]
    done = martello("scan", ".", "--profile", "all", *words, cwd=directory, env={HASHES: seed})
    assert done.code in (1, 3)
    return {name: SECONDS.sub(b"", (out / name).read_bytes()) for name in FORMATS}


def test_every_format_has_the_same_bytes(directory: Path, tmp_path: Path) -> None:
    first = reports(directory, tmp_path / "first", "1")
    second = reports(directory, tmp_path / "second", "4242")
    assert all(first.values())
    for name in FORMATS:
        assert first[name] == second[name], name


def told(result: Scan) -> tuple[Any, ...]:
    """What a scan says, but for where in which file it is."""
    findings = {
        (f.check, f.ref, f.path, f.message, f.severity, f.elements, f.fingerprint)
        for f in result.findings
    }
    groups = {(g.title, g.severity, frozenset(f.ref for f in g.findings)) for g in result.groups}
    return findings, groups, {(u.check, u.ref, u.reason) for u in result.unassessed}, result.passed


def judged(documents: list[dict[str, Any]]) -> tuple[Any, ...]:
    reading = read_paths(["-"], stdin=BytesIO(yaml.safe_dump_all(documents).encode()))
    return told(scan(reading, CHECKS, today=date(2026, 7, 1), profile="all"))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_order_changes_nothing(seed: int) -> None:
    documents = [*objects(200, seed), *TROUBLE]
    straight = judged(documents)
    assert judged(documents[::-1]) == straight
    Random(seed).shuffle(documents)
    assert judged(documents) == straight


def test_the_order_of_documents_in_an_example_changes_nothing() -> None:
    for check in CHECKS:
        for example in check.examples:
            documents = list(yaml.safe_load_all(example.text))
            if len(documents) > 1:
                assert judged(documents) == judged(documents[::-1]), (check.id, example.text)
