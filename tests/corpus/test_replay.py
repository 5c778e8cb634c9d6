"""Other projects' tests replayed: how many of them must agree."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

pytestmark = pytest.mark.corpus


@pytest.mark.parametrize(("name", "share"), [("psa", 1.0), ("kube-linter", 0.95)])
def test_agreement(name: str, share: float, corpora: Path) -> None:
    path = corpora / name
    if not path.is_dir():
        pytest.skip(f"no corpus {name} in {corpora}")
    runner = import_module(f"tests.corpus.{name.replace('-', '_')}")
    cases = list(runner.replay(path))
    wrong = [f"{case}: {detail}" for case, passed, detail in cases if not passed]
    assert cases
    assert len(wrong) <= (1 - share) * len(cases), "\n".join(wrong[:20])
