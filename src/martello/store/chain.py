"""Reads the chain of checkpoints from the lake, and says what it seals: needs no state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from martello.core.errors import MartelloError
from martello.store import merkle, seal
from martello.store.files import Files
from martello.store.seal import Added, Body, Line, Signed
from martello.store.sealkeys import signed

RAW: Final = "raw"
COLUMNS: Final = "columns"


class Problem(msgspec.Struct, frozen=True, order=True):
    """What is wrong (flipped, dropped, reordered, truncated, rolled back, forged), with which
    segment (empty: none alone), and in which file.
    """

    what: str
    segment: str
    file: str
    says: str


class Chain(msgspec.Struct, frozen=True):
    """The checkpoints that hold, and what is wrong with others. `gone` is why a file of a segment
    is no more, by segment and tier.
    """

    bodies: tuple[Body, ...]
    problems: tuple[Problem, ...]
    sealed: dict[str, Added]
    gone: dict[tuple[str, str], str]


def read_chain(files: Files, keys: Sequence[str], witness: Sequence[Line] = ()) -> Chain:
    """Follows the chain from its beginning. `keys` are trusted public keys in hexadecimal: one that
    signed any checkpoint vouches, by the rotations, for the keys before it and after it.
    """
    numbers, strange = _numbers(files)
    last = max([*numbers, *(line.n for line in witness)], default=0)
    told = {line.n: line for line in witness}
    problems = [Problem("forged", "", path, "it is no checkpoint") for path in strange]
    bodies: list[Body] = []
    prev: Body | None = None
    prev_hash, key = seal.GENESIS, ""
    peaks: list[merkle.Peak] = []
    vouched: set[str] = set()
    for n in range(1, last + 1):
        line = told.get(n)
        if n not in numbers:
            problems += _lost(n, line, max(numbers, default=0))
            prev, prev_hash = None, line.hash if line is not None else ""
            continue
        path = seal.seal_path(n)
        try:
            one = seal.read(files, n)
            body = seal.body_of(one)
        except MartelloError as error:
            problems += _named(Problem("flipped", "", path, error.what), line)
            prev, prev_hash = None, line.hash if line is not None else ""
            continue
        wrong = _wrong(one, body, n, key)
        if not wrong and prev_hash and body.prev != prev_hash:
            wrong = "it does not follow the one before it"
        if not wrong and line is not None and line.hash != one.hash:
            wrong = "the witness was told of another one"
        if wrong:
            problems += _named(Problem("forged", "", path, wrong), line)
        if prev is not None or n == 1:
            peaks = merkle.grown(peaks, [entry.leaf for entry in body.added])
            if not wrong and merkle.root_of(peaks).hex() != body.root:
                problems.append(Problem("forged", "", path, "its root is not that of its segments"))
        bodies.append(body)
        vouched.update(one.signatures)
        prev, prev_hash, key = body, one.hash, body.next_key or body.key
    if bodies and not vouched.intersection(keys):
        path = seal.seal_path(bodies[-1].n)
        problems.append(Problem("forged", "", path, "no trusted key signed any checkpoint"))
    sealed = {entry.id: entry for body in bodies for entry in body.added}
    gone = {(entry.id, entry.tier): entry.why for body in bodies for entry in body.removed}
    return Chain(tuple(bodies), tuple(problems), sealed, gone)


def _numbers(files: Files) -> tuple[set[int], list[str]]:
    numbers: set[int] = set()
    strange: list[str] = []
    for path, _, _ in files.under(seal.SEALS):
        name = path.rpartition("/")[2].removesuffix(".json")
        if name.isdecimal() and seal.seal_path(int(name)) == path:
            numbers.add(int(name))
        elif not name.startswith("."):
            strange.append(path)
    return numbers, strange


def _wrong(one: Signed, body: Body, n: int, key: str) -> str:
    """Why a checkpoint does not hold by itself; empty: it does."""
    if body.n != n:
        return f"it is checkpoint {body.n}"
    if key and body.key != key:
        return "another key signed it, and no rotation says so"
    message = one.body.encode()
    for public in filter(None, (body.key, body.next_key)):
        if not signed(public, one.signatures.get(public, ""), message):
            return "its signature does not hold"
    return ""


def _lost(n: int, line: Line | None, newest: int) -> list[Problem]:
    path = seal.seal_path(n)
    if n > newest:
        says = f"the witness knows checkpoint {n}, and the lake ends at {newest}"
        return _named(Problem("rolled back", "", path, says), line)
    return _named(Problem("dropped", "", path, f"checkpoint {n} is missing"), line)


def _named(problem: Problem, line: Line | None) -> list[Problem]:
    """The problem for each segment that the witness was told of."""
    replace = msgspec.structs.replace
    named = [replace(problem, segment=id) for id in (line.added if line is not None else ())]
    return named or [problem]
