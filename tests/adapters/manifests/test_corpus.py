"""Real manifests of eleven projects are read without a crash and without noise."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.corpus.manifests import replay

from martello.adapters.manifests import read_paths


@pytest.mark.corpus
def test_every_file_is_read_as_its_index_says(corpora: Path) -> None:
    outcomes = list(replay(corpora / "manifests"))
    assert len(outcomes) >= 300
    assert [(name, detail) for name, good, detail in outcomes if not good] == []


@pytest.mark.corpus
def test_the_directory_is_calm(corpora: Path) -> None:
    reading = read_paths([str(corpora / "manifests")])
    assert [Path(u.location.file).name for u in reading.unassessed if u.location] == [
        "newrelic-config-template.yaml"
    ]
    assert len(reading.resources) > 700
    assert reading.partial >= 50
    assert reading.foreign < 10
