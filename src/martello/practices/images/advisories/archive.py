"""Records out of zips, folders and files, one at a time, within limits: feeds come over networks
and may be broken or hostile.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from martello.core.errors import BadInput
from martello.practices.images.advisories.record import Skipped


class Limits(msgspec.Struct, frozen=True):
    """What one feed may hold. Sizes are bytes after decompression."""

    record: int = 32 << 20
    total: int = 16 << 30
    records: int = 3_000_000


def documents(path: Path, limits: Limits | None = None) -> Iterator[tuple[str, bytes] | Skipped]:
    """The JSON documents of a zip, a folder (with its folders) or a file, each with its name, in
    the order of their names. Raises BadInput where there is nothing to read or no zip.
    """
    limits = limits or Limits()
    if path.is_dir():
        yield from _folder(path, limits)
    elif path.suffix == ".zip":
        yield from _zip(path, limits)
    else:
        yield path.name, whole(path, limits.record)


def whole(path: Path, largest: int) -> bytes:
    """All bytes of a file. Raises BadInput where it is larger or cannot be read."""
    try:
        with path.open("rb") as file:
            return _bounded(file, largest, str(path))
    except OSError as error:
        raise BadInput(f"cannot read {path}", error.strerror or str(error)) from None


def _bounded(file: IO[bytes], largest: int, where: str) -> bytes:
    content = file.read(largest + 1)
    if len(content) > largest:
        raise BadInput(f"cannot read {where}", f"it is larger than {largest >> 20} MiB")
    return content


def _folder(path: Path, limits: Limits) -> Iterator[tuple[str, bytes] | Skipped]:
    total = 0
    for count, file in enumerate(sorted(path.rglob("*.json"))):
        if count >= limits.records or total > limits.total:
            raise BadInput(f"cannot read all of {path}", "it holds more than a feed may hold")
        if file.is_symlink() or not file.is_file():
            continue
        name = str(file.relative_to(path))
        try:
            content = whole(file, limits.record)
        except BadInput as error:
            yield Skipped(name, error.why)
            continue
        total += len(content)
        yield name, content


def _zip(path: Path, limits: Limits) -> Iterator[tuple[str, bytes] | Skipped]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BadInput(f"cannot read {path}", f"it is no whole zip ({error})") from None
    except OSError as error:
        raise BadInput(f"cannot read {path}", error.strerror or str(error)) from None
    total = 0
    with archive:
        entries = sorted(
            (entry for entry in archive.infolist() if entry.filename.endswith(".json")),
            key=lambda entry: entry.filename,
        )
        if len(entries) > limits.records:
            raise BadInput(f"cannot read {path}", f"it holds {len(entries)} records")
        for entry in entries:
            name = entry.filename
            try:
                with archive.open(entry) as file:
                    content = _bounded(file, limits.record, name)
            except BadInput as error:
                total += limits.record
                yield Skipped(name, error.why)
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
                yield Skipped(name, f"its bytes are damaged ({type(error).__name__})")
            except (RuntimeError, NotImplementedError):
                yield Skipped(name, "it is encrypted or compressed in an unknown way")
            else:
                total += len(content)
                yield name, content
            if total > limits.total:
                raise BadInput(f"cannot read all of {path}", "it holds more than a feed may hold")
