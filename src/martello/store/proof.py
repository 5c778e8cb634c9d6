"""The proof that an event is one that was sealed: checked without the lake, state or a network.

It holds the sealed row, what lies beside its way up to the root of its segment's columns, and the
signed checkpoint that has that root.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from martello.core.errors import BadInput, Refused
from martello.core.event import COLUMNS
from martello.store import canonical, merkle, seal
from martello.store.chain import COLUMNS as TIER
from martello.store.chain import Chain, read_chain
from martello.store.files import Files
from martello.store.lake import parse
from martello.store.seal import Added, Signed
from martello.store.sealkeys import signed

_NEXT: Final = "ask whoever made it for another one"


class Proof(msgspec.Struct, frozen=True):
    """Everything in hexadecimal but the names. `index` is the row's place among `count` rows."""

    event: str
    segment: str
    names: tuple[str, ...]
    row: str
    index: int
    count: int
    names_path: tuple[str, ...]
    row_path: tuple[str, ...]
    checkpoint: Signed


class Proved(msgspec.Struct, frozen=True):
    """What a proof shows: the event's columns, when its checkpoint was signed (microseconds) and
    with which one.
    """

    columns: dict[str, Any]
    segment: str
    n: int
    at: int


def prove(files: Files, keys: Sequence[str], event: str) -> Proof:
    """The proof of an event, by its id. Raises BadInput where it is not there or not sealed, and
    Refused where what is there is not what was sealed.
    """
    chain = read_chain(files, keys)
    for entry, rows in _holding(files, chain, event):
        ids = rows["id"].to_pylist()
        leaves = canonical.column_leaves(rows)
        if leaves.root != entry.columns_root:
            raise Refused(f"segment {entry.id} is not what was sealed", "", "martello store verify")
        index = ids.index(event)
        row = canonical.row_bytes(rows.slice(index, 1), leaves.names)[0].as_py()[1:]
        (body,) = [one for one in chain.bodies if any(e.id == entry.id for e in one.added)]
        return Proof(
            event,
            entry.id,
            leaves.names,
            row.hex(),
            index,
            len(ids),
            tuple(one.hex() for one in merkle.proof(leaves.all, 0)),
            tuple(one.hex() for one in merkle.proof(leaves.all, index + 1)),
            seal.read(files, body.n),
        )
    raise BadInput(f"no proof of {event}", "no segment that is sealed and kept has it")


def check_proof(proof: Proof, keys: Sequence[str]) -> Proved:
    """What a proof shows. Raises Refused where it shows nothing."""
    body = seal.body_of(proof.checkpoint)
    message = proof.checkpoint.body.encode()
    signatures = proof.checkpoint.signatures
    if not any(signed(key, signatures.get(key, ""), message) for key in keys):
        raise Refused("the proof does not hold", "no trusted key signed its checkpoint", _NEXT)
    entries = [one for one in body.added if one.id == proof.segment]
    if len(entries) != 1 or proof.count != entries[0].rows:
        raise Refused("the proof does not hold", "its checkpoint has no such segment", _NEXT)
    try:
        row = bytes.fromhex(proof.row)
        paths = [list(map(bytes.fromhex, path)) for path in (proof.names_path, proof.row_path)]
    except ValueError:
        raise Refused("the proof does not hold", "it is damaged", _NEXT) from None
    whole = proof.count + 1
    roots = (
        merkle.proved(canonical.names_leaf(proof.names), 0, whole, paths[0]),
        merkle.proved(merkle.leaf(row), proof.index + 1, whole, paths[1]),
    )
    if any(root is None or root.hex() != entries[0].columns_root for root in roots):
        raise Refused("the proof does not hold", "the event is not one that was sealed", _NEXT)
    columns = {n: _told(n, v) for n, v in canonical.parse_row(row, proof.names).items()}
    if columns.get("id") != proof.event:
        raise Refused("the proof does not hold", "it is of another event", _NEXT)
    return Proved(columns, proof.segment, body.n, body.at)


def parse_proof(content: bytes) -> Proof:
    """A proof from its JSON. Raises BadInput."""
    try:
        return msgspec.json.decode(content, type=Proof)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput("this is no proof", str(error)) from None


def _holding(files: Files, chain: Chain, event: str) -> list[tuple[Added, pa.Table]]:
    """The segment that has an event, and its rows in their order."""
    for entry in chain.sealed.values():
        if (entry.id, TIER) in chain.gone or files.size(entry.columns.path) < 0:
            continue
        table = parse(files.get(entry.columns.path), entry.columns.path)
        found = table.filter(pc.equal(table["id"], event))
        for id in found["o_seg"].to_pylist():
            if id in chain.sealed:
                rows = table.filter(pc.equal(table["o_seg"], id)).sort_by("o_pos")
                return [(chain.sealed[id], rows)]
    return []


def _told(name: str, value: bytes) -> Any:
    """A sealed value as a person reads it; lists stay the netstrings that they are sealed as."""
    kind = COLUMNS[name].type if name in COLUMNS else "text"
    if kind in ("int", "time"):
        return int.from_bytes(value, "little", signed=True)
    if kind == "bool":
        return value != b"\0"
    text = value.decode("utf-8", "backslashreplace")
    if kind in ("texts", "ints", "bools", "map"):
        return _elements(value) or text
    return text


def _elements(value: bytes) -> list[str | None]:
    found: list[str | None] = []
    at = 0
    while at < len(value):
        if value[at : at + 1] == b"-":
            found.append(None)
            at += 1
            continue
        size, _, _ = value[at:].partition(b":")
        start = at + len(size) + 1
        at = start + int(size)
        found.append(value[start:at].decode("utf-8", "backslashreplace"))
    return found
