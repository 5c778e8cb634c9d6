"""The page about rules: its examples load, and their own tests pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from martello.practices.monitor.own import load as own
from martello.practices.monitor.validation import inline
from martello.practices.monitor.validation.check import judge

PAGE = Path(__file__).parents[3] / "docs" / "practices" / "monitor-rules.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("index", range(len(EXAMPLES)))
def test_examples_of_the_page_are_rules(index: int) -> None:
    loaded = own.load({"page.yaml": EXAMPLES[index]})
    assert not loaded.errors
    outcomes = inline.run(loaded.pack)
    assert outcomes
    assert all(one.passed for one in outcomes), outcomes
    found = judge(loaded.pack, ["audit", "bpftrace"])
    assert all(one.state == "fires" for one in found.verdicts)
