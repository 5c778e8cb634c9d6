"""What is kept of images: contents by digest and data, the last scan, what tags meant."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from martello.store import inventories
from martello.store.state import State, open_state
from martello.store.tables import image, tag


class Summary(msgspec.Struct, frozen=True):
    """A stand-in for a summary."""

    name: str
    counts: tuple[tuple[str, int], ...] = ()


@pytest.fixture
def state(tmp_path: Path) -> State:
    return open_state(f"sqlite:///{tmp_path / 'state.db'}")


def test_contents_are_kept_by_digest_and_data(state: State) -> None:
    inventories.keep(state, "sha256:a", "db-1", Summary("one"))
    inventories.keep(state, "sha256:a", "db-2", Summary("two"))
    inventories.keep(state, "sha256:a", "db-1", Summary("one again"))
    assert inventories.kept(state, "sha256:a", "db-1", Summary) == Summary("one again")
    assert inventories.kept(state, "sha256:a", "db-2", Summary) == Summary("two")
    assert inventories.kept(state, "sha256:a", "db-3", Summary) is None
    assert inventories.kept(state, "sha256:a", "db-1", int) is None


def test_the_last_scan_is_found_by_index_image_and_configuration(state: State) -> None:
    inventories.say(state, "sha256:amd", Summary("old"), ["sha256:index", "sha256:config", ""])
    inventories.say(state, "sha256:amd", Summary("amd", (("high", 2),)), ["sha256:index"])
    inventories.say(state, "sha256:arm", Summary("arm"), ["sha256:index"])
    asked = ["sha256:index", "sha256:amd", "sha256:config", "sha256:nobody", ""]
    found = inventories.said(state, asked, Summary)
    amd, arm = Summary("amd", (("high", 2),)), Summary("arm")
    assert found == {
        "sha256:index": (amd, arm),
        "sha256:amd": (amd,),
        "sha256:config": (amd,),
    }


def test_many_digests_at_once_and_what_cannot_be_read(state: State) -> None:
    digests = [f"sha256:{number}" for number in range(1_203)]
    for digest in digests[::100]:
        inventories.say(state, digest, Summary(digest))
    assert len(inventories.said(state, digests, Summary)) == 13
    with state.writing() as connection:
        connection.execute(update(image).where(image.c.digest == "sha256:0").values(content=b"x"))
    assert len(inventories.said(state, digests, Summary)) == 12


def test_what_tags_meant_is_told_oldest_first(state: State) -> None:
    for digest in ("sha256:a", "sha256:b", "sha256:b"):
        inventories.observe(state, "r/x:1", digest)
    with state.writing() as connection:
        earlier = tag.c.first_at - 1_000_000
        mine = (tag.c.name == "r/x:1") & (tag.c.digest == "sha256:a")
        connection.execute(update(tag).where(mine).values(first_at=earlier, last_at=earlier))
    inventories.observe(state, "r/y:1", "sha256:c")
    found = inventories.observed(state, ["r/x:1", "r/y:1", "r/z:1"])
    assert [one.digest for one in found["r/x:1"]] == ["sha256:a", "sha256:b"]
    assert list(found) == ["r/x:1", "r/y:1"]
    inventories.observe(state, "r/x:1", "sha256:a")
    moved_back = inventories.observed(state, ["r/x:1"])["r/x:1"]
    assert moved_back[-1].digest == "sha256:a"
    assert moved_back[-1].last_at >= moved_back[-1].first_at
