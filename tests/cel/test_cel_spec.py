"""The conformance tests of the expression language: every one of them."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest


@pytest.mark.corpus
def test_the_conformance_tests_pass(corpora: Path) -> None:
    place = Path(__file__).parent.parent / "corpus" / "cel_spec.py"
    spec = spec_from_file_location("cel_spec", place)
    assert spec is not None
    assert spec.loader is not None
    runner = module_from_spec(spec)
    spec.loader.exec_module(runner)
    results = list(runner.replay(corpora / "cel-spec"))
    assert len(results) > 1000
    assert [(name, detail) for name, passed, detail in results if not passed] == []
