"""What a term of the tree is of one event: each term becomes a Python function once.

A value is a text, number, boolean, mapping, or a list of these; `None` is missing. An element of a
list may be `None` (a container that does not say).
"""

from __future__ import annotations

import binascii
import errno
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from martello.core.event import COLUMNS
from martello.practices.monitor.engine.ir import At, Call, Column, Key, Literally, Pointer, Term

Event = Mapping[str, Any]
Get = Callable[[Event], Any]

_MOST: Final = 100_000  # elements that one pointer gives
_UPPER: Final = {small: small - 32 for small in range(ord("a"), ord("z") + 1)}
_LOWER: Final = {large: large + 32 for large in range(ord("A"), ord("Z") + 1)}
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode
_ERRORS: Final = {name: -number for number, name in errno.errorcode.items()}
_read: tuple[Any, Any] = (None, None)


def getter(term: Term) -> Get:
    """The function that gives the term's value of an event."""
    if isinstance(term, Column):
        name = term.name
        return lambda event: event.get(name)
    if isinstance(term, Literally):
        value = term.value
        return lambda event: value
    if isinstance(term, Pointer):
        return _pointer(term.path)
    if isinstance(term, At):
        return _at(getter(term.of), term.index)
    if isinstance(term, Key):
        return _key(getter(term.of), term.key)
    return _call(term)


def _at(of: Get, index: int) -> Get:
    def element(event: Event) -> Any:
        found = of(event)
        if not isinstance(found, list | tuple) or not -len(found) <= index < len(found):
            return None
        return found[index]

    return element


def _key(of: Get, key: str) -> Get:
    def value(event: Event) -> Any:
        found = of(event)
        return found.get(key) if isinstance(found, Mapping) else None

    return value


def document(raw: Any) -> Any:
    """The JSON of an event's raw text; None where it is none. The last one read is kept, for the
    rules that ask after each other.
    """
    global _read
    last, found = _read
    if raw is last:
        return found
    try:
        found = _decode(raw)
    except (msgspec.DecodeError, UnicodeError, TypeError, RecursionError):
        found = None
    _read = (raw, found)
    return found


def _pointer(path: Sequence[str]) -> Get:
    if all(step[:1] not in _SIGNS for step in path):
        steps = tuple(path)

        def single(event: Event) -> Any:
            raw = event.get("raw")
            at = document(raw) if raw is not None else None
            for step in steps:
                at = _step(at, step)
                if at is None:
                    return None
            return _told(at)

        return single
    several = any(step[:1] in ("*", "~") for step in path)

    def many(event: Event) -> Any:
        raw = event.get("raw")
        found = _walk(document(raw), path) if raw is not None else iter(())
        if not several:
            return next(found, None)
        return [one for one, _ in zip(found, range(_MOST), strict=False)]

    return many


_SIGNS: Final = frozenset(("*", "~", "|", "+", "\\"))


def _walk(at: Any, path: Sequence[str]) -> Iterator[Any]:
    for number, step in enumerate(path):
        if at is None:
            return
        sign, rest = step[:1], path[number + 1 :]
        if sign == "*":
            for one in _elements(at, step[1:]):
                yield from _walk(one, rest)
            return
        if sign == "~":
            keys = at if isinstance(at, dict) else ()
            yield from (key for key in keys if key != step[1:])
            return
        if sign == "|":
            among = (_step(at, key) for key in step[1:].split("|"))
            at = next((one for one in among if one is not None), None)
        elif sign == "+":
            whole = isinstance(at, list) and all(isinstance(one, str) for one in at)
            at = " ".join(at) if whole else None
        else:
            at = _step(at, step[1:] if sign == "\\" else step)
    if at is not None:
        yield _told(at)


def _elements(at: Any, condition: str) -> Iterator[Any]:
    key, _, wanted = condition.partition("=")
    values = at.values() if isinstance(at, dict) else at if isinstance(at, list) else ()
    for one in values:
        if not condition or (isinstance(one, dict) and one.get(key) == wanted):
            yield one


def _step(at: Any, step: str) -> Any:
    if isinstance(at, dict):
        return at.get(step)
    if isinstance(at, list) and step.isascii() and step.isdigit() and len(step) < 10:
        index = int(step)
        return at[index] if index < len(at) else None
    return None


def _told(value: Any) -> Any:
    """A text as it is; of anything else its JSON."""
    if isinstance(value, str):
        return value
    try:
        return _encode(value).decode()
    except (RecursionError, ValueError):
        return None


def text(value: Any) -> str | None:
    """A value as text: true, 200; None of what is neither text, number nor boolean."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return None


def number(value: Any) -> int | float | None:
    """A decimal number, or the number that a text is."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or not value.isascii() or len(value) > 400:
        return None
    if value.lstrip("+-").isdigit():
        try:
            return int(value)
        except ValueError:
            return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if found - found == 0 and "_" not in value else None


def lower(value: str) -> str:
    """ASCII letters small."""
    return value.lower() if value.isascii() else value.translate(_LOWER)


def _upper(value: str) -> str:
    return value.upper() if value.isascii() else value.translate(_UPPER)


def _basename(value: str) -> str:
    return value.rpartition("/")[2]


def _dirname(value: str) -> str:
    return value.rpartition("/")[0] or "/"


def _b64(value: str) -> str | None:
    kept = value.rstrip("=")
    try:
        return b64decode(kept + "=" * (-len(kept) % 4), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None


def _rest(value: str) -> str | None:
    return value.partition(" ")[2] or None


def _result(value: Any) -> int | float | None:
    if not isinstance(value, str):
        return number(value)
    return 0 if value == "SUCCESS" else _ERRORS.get(value, number(value))


def _repository(value: str) -> str:
    name = value.partition("@")[0]
    path, slash, last = name.rpartition("/")
    return path + slash + last.partition(":")[0]


def _of_text(change: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: change(value) if isinstance(value, str) else None


_BY_ELEMENT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "lower": _of_text(lower),
    "upper": _of_text(_upper),
    "text": text,
    "number": number,
    "basename": _of_text(_basename),
    "dirname": _of_text(_dirname),
    "b64": _of_text(_b64),
    "repository": _of_text(_repository),
    "rest": _of_text(_rest),
    "result": _result,
}


def _call(term: Call) -> Get:
    if term.name == "cel":
        from martello.practices.monitor.engine import rowwise

        columns = tuple(one.name for one in term.of if isinstance(one, Column))
        return rowwise.value(str(term.extra[0]), str(term.extra[1]), columns)
    name, of = term.name, tuple(getter(one) for one in term.of)
    change = _BY_ELEMENT.get(name)
    if change is not None:
        return _each(of[0], change)
    if name == "length":
        return _length(of[0], 0 if _is_list(term.of[0]) else None)
    if name == "first":
        return lambda event: next((v for get in of if (v := get(event)) not in (None, [])), None)
    if name == "param":
        return _param(of[0], str(term.extra[0]))
    if name == "words":
        return lambda event: " ".join(w for get in of if (w := text(get(event)))) or None
    if name == "effective":
        return _effective(of[0], of[1], str(term.extra[0]), str(term.extra[1]))
    if name == "accounts":
        return _accounts(of[0])
    if name in ("join", "concat"):
        return _joined(of, str(term.extra[0]) if name == "join" else "")
    raise ValueError(f"{name} is no function of terms")


def _each(of: Get, change: Callable[[Any], Any]) -> Get:
    def changed(event: Event) -> Any:
        value = of(event)
        if isinstance(value, list | tuple):
            return [change(one) for one in value]
        return None if value is None else change(value)

    return changed


def _is_list(term: Term) -> bool:
    if isinstance(term, Column):
        return term.name in COLUMNS and COLUMNS[term.name].type in ("texts", "ints", "bools")
    return isinstance(term, Pointer) and any(step[:1] in ("*", "~") for step in term.path)


def _length(of: Get, missing: int | None) -> Get:
    def length(event: Event) -> Any:
        value = of(event)
        return missing if value is None else len(value) if hasattr(value, "__len__") else None

    return length


def _param(of: Get, name: str) -> Get:
    def param(event: Event) -> Any:
        uri = of(event)
        if not isinstance(uri, str) or "?" not in uri:
            return None
        try:
            query = parse_qsl(uri.partition("?")[2].partition("#")[0], True, max_num_fields=1000)
        except ValueError:
            return None
        return next((value for key, value in query if key == name), None)

    return param


def _joined(of: Sequence[Get], by: str) -> Get:
    def joined(event: Event) -> Any:
        parts: list[str] = []
        for get in of:
            value = get(event)
            for one in value if isinstance(value, list | tuple) else (value,):
                told = text(one)
                if told is None:
                    return None
                parts.append(told)
        return by.join(parts)

    return joined


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects of a JSON text, or of a list of them."""
    for one in value if isinstance(value, list) else (value,):
        try:
            found = _decode(one) if isinstance(one, str) else None
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            found = None
        if isinstance(found, dict):
            yield found


def _effective(of: Get, outer: Get, key: str, default: str) -> Get:
    def effective(event: Event) -> Any:
        general = outer(event)
        found = []
        for one in _objects(of(event)):
            own = _step(one.get("securityContext"), key)
            found.append(_told(own) if own is not None else general or default)
        return found

    return effective


def _accounts(of: Get) -> Get:
    def accounts(event: Event) -> Any:
        named = [
            (one.get("namespace"), name)
            for one in _objects(of(event))
            if isinstance(name := one.get("name"), str)
        ]
        return [f"{space}:{name}" for space, name in named if isinstance(space, str)]

    return accounts
