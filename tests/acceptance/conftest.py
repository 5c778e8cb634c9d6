"""What the acceptance tests of a live cluster share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.apiserver import Missing
from tests.support.filled import Filled, filled


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """An API server for these tests alone: what others create would be found here too."""
    try:
        with filled(tmp_path_factory.mktemp("manifests")) as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))
