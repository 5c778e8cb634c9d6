"""The JSON of one audit event, however hostile: the last of equal keys wins, as for the API server,
and what is wrong in it is mended and flagged instead of costing the event.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import msgspec

from martello.adapters.audit.event import NotAnEvent
from martello.adapters.audit.redact import DEEPEST

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode
_WRONG: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, OverflowError)
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_LONGEST_NUMBER: Final = 40  # digits of a whole number; a longer one is kept as a text
_MARK: Final = b"\xef\xbb\xbf"


class Parsed(msgspec.Struct):
    """A JSON value and the flags that its text earned. `text` is that text where it says just this
    value: no key twice, nothing mended.
    """

    value: Any
    flags: tuple[str, ...] = ()
    text: bytes | None = None


def parsed(text: bytes) -> Parsed:
    """The value of a text. Raises NotAnEvent where it is no JSON."""
    try:
        value = _decode(text)
        if _encode(value) == text:
            return Parsed(value, (), text)
        if repeated(text):
            return Parsed(value, ("duplicate_key",))
    except _WRONG:
        return _mended(text)
    return Parsed(value, (), text)


def repeated(text: bytes) -> bool:
    """Whether an object in the text, which is valid JSON, has a key twice."""
    found = False

    def look(pairs: list[tuple[str, Any]]) -> int:
        nonlocal found
        found = found or len(pairs) != len({key for key, _ in pairs})
        return 0

    json.loads(text, object_pairs_hook=look, parse_int=len, parse_float=len)
    return found


def _mended(text: bytes) -> Parsed:
    """What can be read of a text that is not quite JSON: wrong UTF-8 and lone halves of surrogate
    pairs become U+FFFD, what is nested too deeply null, numbers without a value texts.
    """
    flags = ["partial"]
    text = text.strip().removeprefix(_MARK)
    try:
        whole = text.decode()
    except UnicodeDecodeError:
        whole = text.decode("utf-8", "replace")
        flags.append("bad_utf8")
    shallow = _cut(whole.encode())
    try:
        value = json.loads(shallow, parse_constant=str, parse_float=_float, parse_int=_int)
        told = json.dumps(value, ensure_ascii=False)
        clean = told.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        value = _decode(clean.encode())
    except _WRONG as error:
        raise NotAnEvent("it is no JSON") from error
    if clean != told and "bad_utf8" not in flags:
        flags.append("bad_utf8")
    if repeated(shallow):
        flags.append("duplicate_key")
    return Parsed(value, tuple(flags))


def _float(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _int(text: str) -> int | str:
    return int(text) if len(text) <= _LONGEST_NUMBER else text


def _cut(text: bytes) -> bytes:
    """The text with null for each value that lies deeper than redaction goes."""
    kept: list[bytes] = []
    depth = begun = 0
    for match in _TOKEN.finditer(text):
        mark = match[0]
        if mark in (b"{", b"["):
            depth += 1
            if depth == DEEPEST:
                kept += (text[begun : match.start()], b"null")
        elif mark in (b"}", b"]"):
            depth -= 1
            if depth == DEEPEST - 1:
                begun = match.end()
    return b"".join((*kept, text[begun:])) if depth < DEEPEST else text
