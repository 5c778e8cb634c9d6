"""Whether the lake is what was sealed: needs its files, the public key and one witness, no state.

Every file that should be there is read, its rows are put back into the segments that they came
from, and each segment's roots are computed anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from martello.core.errors import MartelloError
from martello.store import canonical, merkle
from martello.store.chain import COLUMNS, RAW, Chain, Problem, read_chain
from martello.store.files import Files
from martello.store.lake import EVENTS, parse
from martello.store.seal import Added, File, Line

_TIERS: Final = (COLUMNS, RAW)


class Report(msgspec.Struct, frozen=True):
    """What was read, and what is wrong. `retired` counts segments that are gone by a signed
    deletion; `unsealed`, files that are newer than the last checkpoint, or belong to nobody.
    """

    problems: tuple[Problem, ...]
    checkpoints: int
    segments: int
    events: int
    retired: int
    unsealed: tuple[str, ...]
    sealed_at: int


def verify(
    files: Files,
    keys: Sequence[str],
    witness: Sequence[Line] = (),
    note: Callable[[int, int], None] = lambda done, of: None,
) -> Report:
    """Checks the chain, then every file. `note` is told how many of how many files are done."""
    chain = read_chain(files, keys, witness)
    problems = list(chain.problems)
    expected = list(_expected(chain))
    events = 0
    checked: set[str] = set()
    for i, (entry, tier, file) in enumerate(expected):
        origins = [chain.sealed[id] for id in entry.origins or (entry.id,) if id in chain.sealed]
        if tier == RAW:
            origins = [origin for origin in origins if origin.raw_root]
        found, rows = _check_file(files, file, tier, origins, chain)
        problems += found
        if tier == COLUMNS:
            events += rows
            checked.update(origin.id for origin in origins)
        note(i + 1, len(expected))
    problems += _nowhere(chain, checked)
    known = {file.path for _, _, file in expected} | {
        file.path for entry in chain.sealed.values() for file in (entry.columns, entry.raw) if file
    }
    strays = [p for tier in (EVENTS, RAW) for p, _, _ in files.under(tier) if p not in known]
    last = chain.bodies[-1] if chain.bodies else None
    return Report(
        tuple(sorted(set(problems))),
        len(chain.bodies),
        len(checked),
        events,
        sum(1 for id in chain.sealed if chain.gone.get((id, COLUMNS)) == "retired"),
        tuple(strays),
        last.at if last is not None else 0,
    )


def _expected(chain: Chain) -> Iterator[tuple[Added, str, File]]:
    """The files that should be there."""
    for entry in chain.sealed.values():
        for tier, file in ((COLUMNS, entry.columns), (RAW, entry.raw)):
            if file is not None and (entry.id, tier) not in chain.gone:
                yield entry, tier, file


def _nowhere(chain: Chain, checked: set[str]) -> Iterator[Problem]:
    """Segments that no file has, and no signed deletion explains."""
    explained: set[str] = set()
    for (id, tier), why in chain.gone.items():
        if tier == COLUMNS and why == "retired" and id in chain.sealed:
            explained.update(chain.sealed[id].origins or (id,))
    for entry in chain.sealed.values():
        if entry.source and entry.id not in checked and entry.id not in explained:
            says = "it was superseded, and nothing that is there holds it"
            yield Problem("dropped", entry.id, entry.columns.path, says)


def _check_file(
    files: Files, file: File, tier: str, origins: Sequence[Added], chain: Chain
) -> tuple[list[Problem], int]:
    """The problems of one file, and how many rows it has."""

    def everywhere(what: str, says: str) -> list[Problem]:
        return [Problem(what, origin.id, file.path, says) for origin in origins]

    size = files.size(file.path)
    if size < 0:
        return everywhere("dropped", "its file is missing"), 0
    try:
        content = files.get(file.path)
        table = parse(content, file.path)
        rows = dict(_by_origin(table))
    except (MartelloError, KeyError, pa.ArrowException):
        if size < file.size:
            return everywhere("truncated", f"its file has {size:,} of {file.size:,} bytes"), 0
        return everywhere("flipped", "its file is damaged"), 0
    if any(id not in chain.sealed for id in rows):
        return everywhere("flipped", "it holds rows of no segment that was sealed"), table.num_rows
    intact = hashlib.sha256(content).hexdigest() == file.hash
    problems: list[Problem] = []
    for origin in origins:
        part = rows.pop(origin.id, table.slice(0, 0))
        what, says = _judge(part, tier, origin)
        if what:
            problems.append(Problem(what, origin.id, file.path, says))
    for id in sorted(rows):
        says = f"it holds rows of {id}, which belong elsewhere"
        problems += everywhere("reordered", says)
    if not intact and not problems:
        says = "its bytes are not those that were sealed, though its events are"
        problems += everywhere(_how(table, len(origins)), says)
    return problems, table.num_rows


def _by_origin(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each segment that a file holds, in that segment's order."""
    names = pc.fill_null(table["o_seg"], "")
    for id in pc.unique(names).to_pylist():
        yield id, table.filter(pc.equal(names, id)).sort_by("o_pos")


def _judge(rows: pa.Table, tier: str, origin: Added) -> tuple[str, str]:
    """What is wrong with the rows of a segment; empty: nothing."""
    count = rows.num_rows
    if count == 0:
        return "dropped", f"all of its {origin.rows:,} events are missing"
    if count < origin.rows:
        return "truncated", f"{origin.rows - count:,} of its {origin.rows:,} events are missing"
    if count > origin.rows:
        return "forged", f"it has {count:,} events, and {origin.rows:,} were sealed"
    if tier == RAW:
        same = merkle.root(canonical.raw_leaves(rows["raw"])).hex() == origin.raw_root
        return ("", "") if same else ("flipped", "what was received is not what was sealed")
    leaves = canonical.column_leaves(rows)
    if leaves.root == origin.columns_root:
        return "", ""
    if leaves.set == origin.leaves:
        return "reordered", "its events are there, in another order"
    return "flipped", "its events are not those that were sealed"


def _how(table: pa.Table, segments: int) -> str:
    """Rows that only stand in another order, or other bytes for the same rows."""
    places = table["o_pos"].to_pylist()
    return "reordered" if segments == 1 and places != sorted(places) else "flipped"
