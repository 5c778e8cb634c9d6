"""A reading kept in a file, secrets redacted, to be judged again without its source.

The file is gzip'd JSON lines: a header, one line for each object, and a line that counts them, so
that a file that was cut off is known as such.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import orjson

from martello.adapters.deep import refuse_deep
from martello.adapters.kept import origin_of, written
from martello.adapters.redact import Redactor
from martello.adapters.whole import whole
from martello.core.errors import BadInput
from martello.core.finding import Unassessed
from martello.core.reading import Reading
from martello.core.resource import Location, Ref, Resource, resource_of

FORMAT: Final = 1


class Limits(msgspec.Struct, frozen=True):
    """How much of a bundle is believed. Ratio: unpacked to packed bytes, past the first `free`."""

    unpacked: int = 4 << 30
    line: int = 32 << 20
    ratio: int = 400
    free: int = 64 << 20


LIMITS: Final = Limits()


class _Header(msgspec.Struct, frozen=True):
    martello_bundle: int
    taken: str
    target: str
    cluster: str
    kubernetes: int | None
    unlisted: dict[str, str]
    unassessed: tuple[Unassessed, ...]
    files: int
    foreign: int
    partial: int
    namespaces: tuple[str, ...] = ()


def save(reading: Reading, file: str | Path, *, taken: str) -> None:
    """Writes the reading, with an ISO time of when it was read. The file is complete or absent.

    An object that cannot be written as JSON is kept as unassessed. Raises BadInput where the file
    cannot be written.
    """
    try:
        with whole(file, private=True) as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
            for line in _lines(reading, taken):
                packed.write(line + b"\n")
    except OSError as error:
        raise BadInput(
            f"cannot write {file}", error.strerror or str(error), "name another file"
        ) from None


def read_bundle(file: str | Path, limits: Limits = LIMITS) -> Reading:
    """The reading that `save` wrote. Raises BadInput where the file is no bundle.

    A broken line, or a file that was cut off, is unassessed; what can be read is judged.
    """
    try:
        with open(file, "rb") as opened:
            return _read(str(file), opened, limits)
    except OSError as error:
        raise BadInput(f"cannot read {file}", error.strerror or str(error)) from None


def _lines(reading: Reading, taken: str) -> Iterator[bytes]:
    header = _Header(
        FORMAT,
        taken,
        reading.target,
        reading.cluster,
        reading.kubernetes,
        dict(reading.unlisted),
        reading.unassessed,
        reading.files,
        reading.foreign,
        reading.partial,
        reading.namespaces,
    )
    yield _plain(header)
    redactor = Redactor()
    lost: list[Unassessed] = []
    count = 0
    for resource in reading.resources:
        try:
            yield orjson.dumps(_object(resource, reading, redactor))
            count += 1
        except (orjson.JSONEncodeError, RecursionError):
            why = "the bundle could not keep it: nested too deeply, or no JSON"
            lost.append(Unassessed(why, resource.locate(()), ref=resource.ref))
    yield _plain({"end": count, "lost": lost})


def _plain(value: Any) -> bytes:
    """JSON of our own words, in which a file name may hold bytes that are no text."""
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")


def _object(resource: Resource, reading: Reading, redactor: Redactor) -> dict[str, Any]:
    line = {"object": redactor.object(resource.raw), **written(resource)}
    if resource.origin.where != reading.target:
        line["where"] = resource.origin.where
    plain = resource_of(resource.raw, resource.origin, reading.cluster)
    if plain.ref != resource.ref:
        line["ref"] = msgspec.structs.astuple(resource.ref)
    return line


def _read(name: str, opened: BinaryIO, limits: Limits) -> Reading:
    lines = _unpacked(name, opened, limits)
    try:
        header = _header(name, next(lines, (0, b""))[1])
    except _Broken as broken:
        raise _no_bundle(name, broken.why) from None
    resources: list[Resource] = []
    trouble: list[Unassessed] = []
    ended = False
    try:
        for number, text in lines:
            line = _parsed(text)
            if line is not None and "end" in line:
                trouble.extend(_tail(line))
                ended = line["end"] == len(resources)
                continue
            try:
                resources.append(_resource(line, header))
            except (BadInput, msgspec.ValidationError) as error:
                why = "its reference is none"
                if isinstance(error, BadInput):
                    why = ", ".join(part for part in (error.what, error.why) if part)
                where = Location(name, number, 1)
                trouble.append(Unassessed(f"a line of the bundle is broken: {why}", where))
    except _Broken as broken:
        trouble.append(Unassessed(broken.why, Location(name)))
    else:
        if not ended and not trouble:
            why = "the bundle is not complete: objects or its last line are missing"
            trouble.append(Unassessed(why, Location(name)))
    return Reading(
        header.target,
        tuple(resources),
        (*header.unassessed, *trouble),
        header.unlisted,
        header.files,
        header.foreign,
        header.partial,
        header.kubernetes,
        header.cluster,
        header.namespaces,
    )


def _header(name: str, text: bytes) -> _Header:
    line = _parsed(text)
    if line is None or "martello_bundle" not in line:
        raise _no_bundle(name, "its first line is no header")
    if line["martello_bundle"] != FORMAT:
        raise _no_bundle(name, f"its format is not {FORMAT}: another version of Martello wrote it")
    try:
        return msgspec.convert(line, _Header)
    except msgspec.ValidationError:
        raise _no_bundle(name, "its header is broken") from None


def _resource(line: dict[str, Any] | None, header: _Header) -> Resource:
    if line is None:
        raise BadInput("it is no JSON object")
    where = line.get("where", header.target)
    if not isinstance(where, str):
        raise BadInput("its place is no text")
    resource = resource_of(line.get("object"), origin_of(where, line), header.cluster)
    refuse_deep(resource.raw)
    if "ref" not in line:
        return resource
    parts = msgspec.convert(line["ref"], tuple[str, str, str, str, str])
    return Resource(resource.raw, Ref(*parts), resource.origin)


def _tail(line: dict[str, Any]) -> list[Unassessed]:
    try:
        return msgspec.convert(line.get("lost", []), list[Unassessed])
    except msgspec.ValidationError:
        return [Unassessed("the bundle's last line is broken")]


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


class _Broken(Exception):
    """The packed bytes end here, or are not to be believed any further."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def _unpacked(name: str, opened: BinaryIO, limits: Limits) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers. Raises _Broken past a limit or where the packing breaks."""
    unpack = zlib.decompressobj(31)
    rest, number, packed, size = b"", 0, 0, 0
    while not unpack.eof:
        chunk = unpack.unconsumed_tail or opened.read(1 << 12)  # small: damage costs one chunk
        if not chunk:
            raise _Broken("the bundle was cut off")
        packed = opened.tell()
        try:
            data = unpack.decompress(chunk, 1 << 20)
        except zlib.error:
            raise _Broken("the bundle is damaged: it is no gzip from here on") from None
        size += len(data)
        if size > limits.unpacked or size > limits.free + limits.ratio * packed:
            raise _Broken(f"the bundle unpacks to more than it may ({size >> 20} MiB read)")
        *lines, rest = (rest + data).split(b"\n")
        for text in lines:
            number += 1
            yield number, text
        if len(rest) > limits.line:
            raise _Broken(f"a line of the bundle is longer than {limits.line >> 20} MiB")
    if rest:
        yield number + 1, rest


def _no_bundle(name: str, why: str) -> BadInput:
    return BadInput(f"{name} is no bundle", why, "write one with --save-bundle FILE")
