"""Blobs down and up: a cut download goes on where it stopped, an upload starts anew.

Source: the OCI distribution specification 1.1, "Pulling blobs" and "Pushing blobs".
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Final

import httpx

from martello.adapters.registry.failure import Missing, NotTrusted, TooSlow, lost
from martello.adapters.registry.line import Line, Reply
from martello.adapters.registry.patience import Patience
from martello.adapters.registry.transport import until
from martello.core.artifact import Descriptor, parse_digest
from martello.core.errors import BadInput, MartelloError, NotPermitted, Refused, Unreachable

_ADVANCE: Final = 1 << 20  # bytes after which a cut counts as the first one
_STEPS: Final = 100_000  # chunks of one upload
_LARGEST_CHUNK: Final = 64 << 20


def blob_size(line: Line, digest: str) -> int | None:
    """The size of a blob as the registry states it (-1 if it does not); None where it has none."""
    what = f"cannot look for {digest} in {line.endpoint.name}"
    url = line.url(f"blobs/{parse_digest(digest)}")
    reply = line.call(what, "HEAD", url, scopes=line.scope("pull"), wanted=(200, 404))
    if reply.status == 404:
        return None
    text = reply.headers.get("content-length", "")
    return int(text) if text.isdecimal() and len(text) < 19 else -1


def download(line: Line, descriptor: Descriptor) -> Iterator[bytes]:
    """The bytes of a blob. Raises Refused where they are more or fewer than the descriptor says;
    the digest is the reader's to check. Its `urls` are never asked.
    """
    settings = line.network.settings
    digest, size = parse_digest(descriptor.digest), descriptor.size
    what = f"cannot read {digest} of {line.endpoint.name}"
    allowed = min(settings.exchange + size / settings.slowest, settings.longest)
    patience = Patience(settings)
    given, spent = 0, 0.0  # bytes handed out; seconds in which we waited for the registry
    while True:
        started, before, asleep = time.monotonic(), given, patience.waited
        headers = {"Range": f"bytes={given}-"} if given else {}
        answer = line.open(
            what,
            "GET",
            line.url(f"blobs/{digest}"),
            scopes=line.scope("pull"),
            headers=headers,
            deadline=started + max(0.0, allowed - spent) - asleep,
            patience=patience,
        )
        spent += max(0.0, time.monotonic() - started - (patience.waited - asleep))
        with contextlib.closing(answer):
            _judge(line, what, answer, given, size, patience)
            skip = 0 if answer.status_code == 206 else given
            parts = answer.iter_raw()
            try:
                while True:
                    started = time.monotonic()
                    with until(started + max(0.0, allowed - spent)):
                        part = next(parts, None)
                    spent += time.monotonic() - started
                    if part is None:
                        break
                    if skip:
                        dropped = min(skip, len(part))
                        part, skip = part[dropped:], skip - dropped
                    given += len(part)
                    if given > size:
                        raise Refused(what, f"{line.host} sends more than the {size} bytes stated")
                    if part:
                        yield part
                trouble: MartelloError = Unreachable(
                    what, f"{line.host} ends it after {given} of {size} bytes"
                )
            except httpx.TransportError as error:
                trouble = lost(line.host, error, patience.tries)
                spent += time.monotonic() - started
        if given >= size:
            return
        if given - before >= _ADVANCE:
            patience = Patience(settings)  # it does get on
        if spent >= allowed or not patience.wait():
            raise trouble


def _judge(
    line: Line, what: str, answer: httpx.Response, given: int, size: int, patience: Patience
) -> None:
    status = answer.status_code
    if status == 206 and given:
        match = re.match(r"bytes\s+(\d{1,18})-", answer.headers.get("content-range", ""))
        if match is None or int(match[1]) != given:
            raise Unreachable(what, f"{line.host} answers a range with another one")
        return
    if status == 416 and given:
        raise Refused(what, f"{line.host} has {given} bytes of it, {size} are stated")
    if status != 200:
        raise line.denied(what, status, line.drained(answer, time.monotonic() + 10), patience)


def upload(
    line: Line,
    digest: str,
    size: int,
    source: Callable[[], Iterator[bytes]],
    *,
    mount_from: str = "",
    chunk: int = 0,
) -> str:
    """Puts a blob there unless it is: "there", "mounted" or "sent".

    `source` is called anew for each attempt. `mount_from` names a repository of the same registry
    that may have it; `chunk` sends parts of at least so many bytes instead of one stream. Raises
    Refused where the source does not hold what the digest promises.
    """
    parse_digest(digest)
    if blob_size(line, digest) is not None:
        return "there"
    what = f"cannot put {digest} into {line.endpoint.name}"
    patience = Patience(line.network.settings)
    while True:
        begun = _begin(line, what, digest, mount_from)
        if begun.status == 201:
            return "mounted"
        mount_from = ""
        least = _number(begun.headers.get("oci-chunk-min-length", ""))
        try:
            done = None
            if not chunk:
                done = _send_whole(line, what, begun, digest, size, source)
            if done is None:
                each = max(chunk or line.network.settings.chunk, least)
                if each > _LARGEST_CHUNK:
                    raise BadInput(what, f"{line.host} wants parts of {each} bytes")
                done = _send_parts(line, what, begun, digest, each, source)
        except (NotTrusted, TooSlow):
            raise
        except (Missing, Unreachable):  # the session is gone, or its state is unknown
            if not patience.wait():
                raise
            continue
        _compare(what, line, done, digest)
        return "sent"


def _begin(line: Line, what: str, digest: str, mount_from: str) -> Reply:
    if mount_from:
        scopes = (*line.scope("pull", "push"), f"repository:{mount_from}:pull")
        url = line.url("blobs/uploads/", **{"mount": digest, "from": mount_from})
        try:
            reply = line.call(
                what, "POST", url, scopes=scopes, content=b"", wanted=(201, 202, 400, 404, 405)
            )
        except NotPermitted:
            reply = None  # not allowed to read from there: an upload needs no such right
        if reply is not None and reply.status in (201, 202):
            return reply
    return line.call(
        what,
        "POST",
        line.url("blobs/uploads/"),
        scopes=line.scope("pull", "push"),
        content=b"",
        wanted=(202,),
    )


def _send_whole(
    line: Line,
    what: str,
    begun: Reply,
    digest: str,
    size: int,
    source: Callable[[], Iterator[bytes]],
) -> Reply | None:
    """One stream; None where something on the way takes only smaller bodies (413)."""
    reply = line.call(
        what,
        "PUT",
        _location(line, what, begun).copy_merge_params({"digest": digest}),
        scopes=line.scope("pull", "push"),
        headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
        content=lambda: _measured(source(), digest, size, what),
        wanted=(201, 413),
        again=False,
        seconds=_seconds(line, size),
    )
    return None if reply.status == 413 else reply


def _send_parts(
    line: Line,
    what: str,
    begun: Reply,
    digest: str,
    each: int,
    source: Callable[[], Iterator[bytes]],
) -> Reply:
    scopes, reply, start = line.scope("pull", "push"), begun, 0
    hasher = hashlib.new(digest.partition(":")[0])
    for part in _parts(source(), each):
        hasher.update(part)
        sent = 0
        for _ in range(_STEPS):
            rest = part[sent:]
            reply = line.call(
                what,
                "PATCH",
                _location(line, what, reply),
                scopes=scopes,
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Range": f"{start + sent}-{start + len(part) - 1}",
                },
                content=rest,
                wanted=(202, 204, 416),
                again=False,
                seconds=_seconds(line, len(rest)),
            )
            if reply.status != 416:
                break
            reached = _reached(reply.headers.get("range", "")) - start
            if not sent < reached < len(part):
                raise Unreachable(what, f"{line.host} lost its place in the upload")
            sent = reached
        start += len(part)
    if f"{digest.partition(':')[0]}:{hasher.hexdigest()}" != digest:
        raise Refused(what, "what was to be sent is not what its digest promises")
    return line.call(
        what,
        "PUT",
        _location(line, what, reply).copy_merge_params({"digest": digest}),
        scopes=scopes,
        content=b"",
        wanted=(201,),
        again=False,
    )


def _parts(source: Iterator[bytes], each: int) -> Iterator[bytes]:
    held = bytearray()
    for piece in source:
        held += piece
        while len(held) >= each:
            yield bytes(held[:each])
            del held[:each]
    if held:
        yield bytes(held)


def _measured(source: Iterator[bytes], digest: str, size: int, what: str) -> Iterator[bytes]:
    """The bytes, checked on the way: the last one leaves only if all are right."""
    hasher = hashlib.new(digest.partition(":")[0])
    left, held = size, b""
    for piece in source:
        hasher.update(piece)
        left -= len(piece)
        if left < 0:
            break
        if held:
            yield held
        held = piece
    if left or f"{digest.partition(':')[0]}:{hasher.hexdigest()}" != digest:
        raise Refused(what, "what was to be sent is not what its digest promises")
    if held:
        yield held


def _location(line: Line, what: str, reply: Reply) -> httpx.URL:
    location = reply.headers.get("location", "")
    if not location:
        raise Unreachable(what, f"{line.host} does not say where to send it (no Location)")
    return line.target(what, reply.url, location)


def _compare(what: str, line: Line, reply: Reply, digest: str) -> None:
    stated = reply.headers.get("docker-content-digest", "")
    if stated.partition(":")[0] == digest.partition(":")[0] and stated != digest:
        raise Refused(what, f"{line.host} says that it holds {stated[:140]} instead")


def _seconds(line: Line, size: int) -> float:
    settings = line.network.settings
    return min(settings.exchange + size / settings.slowest, settings.longest)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _reached(text: str) -> int:
    match = re.fullmatch(r"(?:bytes=)?0-(\d{1,18})", text.strip())
    return int(match[1]) + 1 if match else 0
