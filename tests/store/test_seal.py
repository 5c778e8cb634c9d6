"""Seals: flip, drop, reorder, truncate and roll back are each located to their segment."""

from __future__ import annotations

import hashlib
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from sqlalchemy import update
from tests.support.lake import Store, audit_events

from martello.core.errors import BadInput, Refused
from martello.store import seal as seals
from martello.store.lake import Segment
from martello.store.monitor_tables import checkpoint
from martello.store.seal import WitnessFile, body_of, seal, seal_path, tell
from martello.store.sealkeys import SealKey, make_key, open_key, read_key, read_public
from martello.store.verify import Report, verify


class Sealed(Store):
    """A lake with checkpoints and a witness."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.key = open_key(directory / "seal.pem")
        self.witness = WitnessFile(directory / "witness.jsonl")

    def seal(self) -> None:
        """A checkpoint, and the witness is told."""
        seal(self.state, self.files, self.key)
        tell(self.state, self.files, self.witness)

    def report(self, *keys: SealKey) -> Report:
        """What a verifier says who has no state."""
        trusted = [key.public for key in keys or (self.key,)]
        return verify(self.files, trusted, self.witness.read())


@pytest.fixture
def store(tmp_path: Path) -> Sealed:
    return Sealed(tmp_path)


def _three(store: Sealed) -> list[Segment]:
    """Three segments in two checkpoints."""
    found = [*store.write(audit_events(20)), *store.write(audit_events(20, start=20))]
    store.seal()
    found += store.write(audit_events(20, start=40))
    store.seal()
    return found


def _told(report: Report) -> set[tuple[str, str]]:
    return {(problem.what, problem.segment) for problem in report.problems}


def _rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """What somebody does who knows the format, and has no key."""
    table = pq.read_table(path, partitioning=None)
    pq.write_table(change(table), path, compression="zstd")


def _renamed(path: Path) -> Path:
    """The same with the name of its new content."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    target = path.with_name(f"{path.name[:33]}{digest}.parquet")
    path.rename(target)
    return target


def test_a_lake_that_is_whole_has_no_problem(store: Sealed) -> None:
    _three(store)
    report = store.report()
    assert report.problems == ()
    assert (report.checkpoints, report.segments, report.events) == (2, 3, 60)
    store.write(audit_events(5, start=60))
    assert len(store.report().unsealed) == 2
    assert store.report().problems == ()


@pytest.mark.parametrize("tier", ["columns_file", "raw_file"])
def test_a_flipped_byte_is_located_wherever_it_is(store: Sealed, tier: str) -> None:
    segments = _three(store)
    path = store.path(getattr(segments[1], tier))
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        data = bytearray(whole)
        data[at] ^= 0x10
        path.write_bytes(data)
        assert _told(store.report()) == {("flipped", segments[1].id)}
    path.write_bytes(whole)
    assert store.report().problems == ()


def test_an_edited_event_is_located_though_the_file_is_sound(store: Sealed) -> None:
    segments = _three(store)
    path = store.path(segments[1].columns_file)

    def edit(table: pa.Table) -> pa.Table:
        users = ["nobody", *table["actor_user"].to_pylist()[1:]]
        at = table.column_names.index("actor_user")
        return table.set_column(at, "actor_user", pa.array(users))

    _rewrite(path, edit)
    assert _told(store.report()) == {("flipped", segments[1].id)}
    other = store.path(segments[2].raw_file)
    text = pa.array(["{}"] * 20)
    _rewrite(other, lambda table: table.set_column(2, "raw", text))
    assert _told(store.report()) == {("flipped", segments[1].id), ("flipped", segments[2].id)}


def test_a_dropped_segment_is_located(store: Sealed) -> None:
    segments = _three(store)
    store.path(segments[0].columns_file).unlink()
    assert _told(store.report()) == {("dropped", segments[0].id)}
    store.path(segments[2].raw_file).unlink()
    assert _told(store.report()) == {("dropped", segments[0].id), ("dropped", segments[2].id)}


def test_reordered_events_are_located(store: Sealed) -> None:
    segments = _three(store)
    path = store.path(segments[1].columns_file)
    whole = path.read_bytes()
    _rewrite(path, lambda table: table.take(list(range(19, -1, -1))))
    assert _told(store.report()) == {("reordered", segments[1].id)}
    path.write_bytes(whole)

    def renumber(table: pa.Table) -> pa.Table:
        back = table.take([1, 0, *range(2, 20)])
        places = pa.array(range(20), pa.int64())
        return back.set_column(back.column_names.index("o_pos"), "o_pos", places)

    _rewrite(path, renumber)
    assert _told(store.report()) == {("reordered", segments[1].id)}


def test_segments_that_change_places_are_located(store: Sealed) -> None:
    segments = _three(store)
    one, other = (store.path(segment.columns_file) for segment in segments[:2])
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    told = _told(store.report())
    assert {segment for _, segment in told} == {segments[0].id, segments[1].id}
    assert ("reordered", segments[0].id) in told


def test_truncated_segments_are_located(store: Sealed) -> None:
    segments = _three(store)
    path = store.path(segments[1].columns_file)
    whole = path.read_bytes()
    for size in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert _told(store.report()) == {("truncated", segments[1].id)}
    path.write_bytes(whole)
    _rewrite(path, lambda table: table.slice(0, 13))
    report = store.report()
    assert _told(report) == {("truncated", segments[1].id)}
    assert "7 of its 20 events" in report.problems[0].says


def test_added_events_are_located(store: Sealed) -> None:
    segments = _three(store)
    path = store.path(segments[1].columns_file)
    _rewrite(path, lambda table: pa.concat_tables([table, table.slice(0, 1)]))
    assert _told(store.report()) == {("forged", segments[1].id)}


def test_a_lake_that_was_rolled_back_is_told_by_segment(store: Sealed, tmp_path: Path) -> None:
    store.write(audit_events(20))
    store.seal()
    shutil.copytree(tmp_path / "lake", tmp_path / "old")
    lost = store.write(audit_events(20, start=20))
    store.seal()
    lost += store.write(audit_events(20, start=40))
    store.seal()
    shutil.rmtree(tmp_path / "lake")
    (tmp_path / "old").rename(tmp_path / "lake")
    assert _told(store.report()) == {("rolled back", one.id) for one in lost}
    assert verify(store.files, [store.key.public]).problems == ()  # only a witness can know
    shutil.rmtree(tmp_path / "lake")
    everything = {problem.segment for problem in store.report().problems}
    assert {one.id for one in lost} < everything
    assert verify(store.files, [store.key.public]).checkpoints == 0


def test_checkpoints_hold_each_other(store: Sealed) -> None:
    segments = _three(store)
    first, second = (store.path(seal_path(n)) for n in (1, 2))
    ids = {one.id for one in segments[:2]}
    whole = first.read_bytes(), second.read_bytes()
    first.unlink()
    assert {("dropped", id) for id in ids} <= _told(store.report())
    first.write_bytes(whole[0].replace(b'\\"rows\\":20', b'\\"rows\\":19'))
    assert {("forged", id) for id in ids} <= _told(store.report())
    first.write_bytes(whole[0][:-9])
    assert {("flipped", id) for id in ids} <= _told(store.report())
    first.write_bytes(whole[1])
    second.write_bytes(whole[0])
    assert {what for what, _ in _told(store.report())} >= {"forged"}
    first.write_bytes(whole[0])
    second.write_bytes(whole[1])
    assert store.report().problems == ()
    store.path("seals/000000000003.json.bak").write_bytes(b"")
    assert _told(store.report()) == {("forged", "")}


def _resigned(store: Sealed, n: int, /, **changes: object) -> None:
    """What somebody writes who has the key."""
    body = msgspec.structs.replace(body_of(seals.read(store.files, n)), **changes)
    text = msgspec.json.encode(body).decode()
    signed = seals.Signed(text, {store.key.public: store.key.sign(text.encode())})
    store.path(seal_path(n)).write_bytes(msgspec.json.encode(signed))


def test_even_who_has_the_key_is_found_by_the_chain_and_the_witness(store: Sealed) -> None:
    segments = _three(store)
    first, second = (store.path(seal_path(n)).read_bytes() for n in (1, 2))
    trusted = [store.key.public]

    def says(witness: tuple[seals.Line, ...] = ()) -> list[str]:
        return [problem.says for problem in verify(store.files, trusted, witness).problems]

    _resigned(store, 2, at=1)
    assert says() == []  # nothing but a witness can tell
    assert says(store.witness.read()) == ["the witness was told of another one"]
    assert {s for _, s in _told(store.report())} == {segments[2].id}
    store.path(seal_path(2)).write_bytes(second)
    _resigned(store, 1, at=1)
    assert says() == ["it does not follow the one before it"]
    store.path(seal_path(1)).write_bytes(first)
    _resigned(store, 2, root="0" * 64)
    assert says() == ["its root is not that of its segments"]
    _resigned(store, 2, n=3)
    assert says() == ["it is checkpoint 3"]


def test_whoever_signs_with_another_key_is_found(store: Sealed, tmp_path: Path) -> None:
    _three(store)
    other = make_key(tmp_path / "other.pem")
    assert ("forged", "") in _told(store.report(other))
    store.write(audit_events(3, start=60))
    seal(store.state, store.files, other)
    assert ("forged", "") in _told(store.report())


def test_k5_a_key_is_rotated_by_an_entry_that_both_sign(store: Sealed, tmp_path: Path) -> None:
    _three(store)
    other = make_key(tmp_path / "other.pem")
    body = seal(store.state, store.files, store.key, other)
    assert body is not None
    assert body.next_key == other.public
    store.write(audit_events(3, start=60))
    seal(store.state, store.files, other)
    for key in (store.key, other):
        assert store.report(key).problems == ()
    store.write(audit_events(3, start=63))
    seal(store.state, store.files, store.key)  # the old one signs no more
    assert ("forged", "") in _told(store.report())


def test_k5_a_key_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "seal.pem"
    key = open_key(path)
    assert open_key(path).public == key.public == read_public(path.with_suffix(".pub"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(BadInput, match="cannot write"):
        make_key(path)
    path.chmod(0o640)
    with pytest.raises(BadInput, match="cannot use") as caught:
        read_key(path)
    assert "others" in caught.value.why
    for content in (b"", b"no key", path.with_suffix(".pub").read_bytes()):
        bad = tmp_path / "bad.pem"
        bad.write_bytes(content)
        bad.chmod(0o600)
        with pytest.raises(BadInput):
            read_key(bad)


def test_a_crash_between_row_and_file_loses_no_checkpoint(store: Sealed) -> None:
    _three(store)
    content = store.path(seal_path(2)).read_bytes()
    store.path(seal_path(2)).unlink()
    with store.state.writing() as connection:
        connection.execute(update(checkpoint).where(checkpoint.c.n == 2).values(content=content))
    assert seal(store.state, store.files, store.key) is None
    assert store.report().problems == ()


def test_k4_a_checkpoint_says_what_there_is(store: Sealed) -> None:
    _three(store)
    body = body_of(seals.read(store.files, 2))
    assert body.segments == 3
    assert body.sources == {"prod/audit/webhook": (60, 60, 60)}
    assert seal(store.state, store.files, store.key) is None


def test_a_witness_is_told_once_and_survives_a_torn_line(store: Sealed) -> None:
    _three(store)
    lines = store.witness.read()
    assert [line.n for line in lines] == [1, 2]
    tell(store.state, store.files, store.witness)
    assert store.witness.read() == lines
    with store.witness.path.open("ab") as file:
        file.write(b'{"n":3,"ha')
    store.write(audit_events(3, start=60))
    store.seal()
    assert [line.n for line in store.witness.read()] == [1, 2, 3]
    assert msgspec.json.decode(store.witness.path.read_bytes().splitlines()[0])["n"] == 1
    assert store.report().problems == ()


def test_many_segments_are_told_by_several_checkpoints(
    store: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "_MOST", 3)
    for i in range(8):
        store.write(audit_events(2, start=2 * i))
    store.seal()
    report = store.report()
    assert (report.problems, report.checkpoints, report.segments) == ((), 3, 8)
    assert [len(line.added) for line in store.witness.read()] == [3, 3, 2]


def test_an_older_copy_of_the_state_overwrites_no_checkpoint(store: Sealed, tmp_path: Path) -> None:
    store.write(audit_events(3))
    store.seal()
    older = Store(tmp_path / "older")
    older.files.root = store.files.root
    older.write(audit_events(9, seed=5))
    before = store.path(seal_path(1)).read_bytes()
    with pytest.raises(Refused, match="cannot seal"):
        seal(older.state, older.files, store.key)
    assert store.path(seal_path(1)).read_bytes() == before
    older.state.close()
