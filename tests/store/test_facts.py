"""Facts of layers: kept by diff-id and version, gone where they cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text, update

from martello.adapters.zstd import zstd
from martello.practices.images.facts import FactStore, LayerFacts
from martello.store.facts import LayerFactStore
from martello.store.state import State, open_state
from martello.store.tables import facts


class Found(msgspec.Struct, frozen=True):
    """A stand-in for whatever is kept."""

    names: tuple[str, ...]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}") as opened:
        yield opened


def test_facts_come_back(state: State) -> None:
    store = LayerFactStore(state, Found)
    assert store.diff_id("sha256:blob") is None
    assert store.get("sha256:diff", "1") is None
    kept = Found(tuple(f"usr/lib/{n}" for n in range(5000)))
    store.put("sha256:blob", "sha256:diff", "1", kept)
    store.put("sha256:blob", "sha256:diff", "1", kept)
    assert store.diff_id("sha256:blob") == "sha256:diff"
    assert store.get("sha256:diff", "1") == kept
    assert store.get("sha256:diff", "2") is None


def test_what_cannot_be_read_is_as_good_as_none(state: State) -> None:
    store = LayerFactStore(state, Found)
    store.put("b", "d", "1", Found(("x",)))
    unsized: dict[int, int] = {zstd.CompressionParameter.content_size_flag: 0}
    bomb = zstd.compress(b"0" * (300 << 20))
    streamed = zstd.compress(b'{"names":["x"]}', options=unsized)
    packed = zstd.compress(b'{"names":[1]}')
    for content in (b"", b"rubbish", bomb, packed, packed[:-3]):
        with state.writing() as connection:
            connection.execute(update(facts).values(content=content))
        assert store.get("d", "1") is None
    with state.writing() as connection:
        connection.execute(update(facts).values(content=streamed))
    assert store.get("d", "1") == Found(("x",))


def test_it_is_the_store_that_scanning_asks_for(state: State) -> None:
    store: FactStore = LayerFactStore(state, LayerFacts)
    store.put("b", "d", "1", LayerFacts())
    assert store.get("d", "1") == LayerFacts()


def test_a_database_that_fails_ends_no_scan(state: State) -> None:
    store = LayerFactStore(state, Found)
    with state.writing() as connection:
        connection.execute(text("DROP TABLE layer"))
    store.put("b", "d", "1", Found(("x",)))
    assert store.trouble is not None
    assert "no such table" in store.trouble.why
    store.put("b", "d", "1", Found(("x",)))
    assert store.diff_id("b") is None
    assert LayerFactStore(state, Found).get("d", "1") is None  # all or nothing
