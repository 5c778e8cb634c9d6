"""What all tests share: no network, the test material of other projects, a real API server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.support import forked, offline
from tests.support.apiserver import ApiServer, Missing, run

ROOT = Path(__file__).parent.parent

# Property tests try the same examples everywhere, however busy the machine: a clean clone passes or
# fails alike. `make test TESTS=--hypothesis-profile=search` looks for new ones.
_BUSY = [HealthCheck.too_slow]
settings.register_profile("search", deadline=None, suppress_health_check=_BUSY)
settings.register_profile("same", settings.get_profile("search"), derandomize=True, database=None)
settings.load_profile("same")

# jsonschema takes the formats of addresses from it where it is here. No test asks for any, and its
# grammar takes more than a second to load.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

# How wide a terminal is, tests say themselves; pytest-xdist gives its workers one of 80 columns.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Sockets reach this machine only."""
    with offline.banned():
        yield


@pytest.fixture(scope="session", autouse=True)
def no_command_left() -> Iterator[None]:
    """What commands are forked from ends with the tests."""
    yield
    forked.end()


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The directory of other projects' test material; skips where it is not here."""
    named = os.environ.get("MARTELLO_CORPORA")
    directory = Path(named) if named else ROOT.parent / "shared" / "corpora"
    if not directory.is_dir():
        pytest.skip("no corpora: set MARTELLO_CORPORA to the directory that holds them")
    return directory


@pytest.fixture(scope="session")
def apiserver() -> Iterator[ApiServer]:
    """One kube-apiserver for the whole run: tests use namespaces and names of their own."""
    try:
        with run() as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))
