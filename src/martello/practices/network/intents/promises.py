"""The file of intents: what must never pass, what only some may reach, what must get through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.core.path import Path, show
from martello.core.reach import ALL, FIRST_PORT, LAST_PORT, Conn, Ports, conn
from martello.core.resource import Location
from martello.practices.network.addresses import parse_range

KINDS: Final = ("never", "only", "must")
_KEYS: Final = {
    "never": ("from", "to", "ports", "except", "why"),
    "only": ("to", "from", "ports", "why"),
    "must": ("from", "to", "ports", "why"),
}
_PLACE_KEYS: Final = ("cluster", "namespace", "workload", "labels", "cidr")
_NAME: Final = re.compile(r"[A-Za-z0-9*?](?:[A-Za-z0-9*?._-]*[A-Za-z0-9*?])?")
_PORT: Final = re.compile(r"(TCP|UDP|SCTP)(?: (\d{1,5})(?:-(\d{1,5}))?)?")
_MOST: Final = 10_000  # intents, and places of one of them


class Spot(msgspec.Struct, frozen=True):
    """Some places by what they are called: every condition that is written must hold. Patterns may
    hold `*` and `?`. `text` is how it was written.
    """

    text: str
    cluster: str = ""
    namespace: str = ""  # a pattern
    workload: str = ""  # a pattern of the name alone
    labels: tuple[tuple[str, str], ...] = ()
    block: tuple[int, int, int] | None = None  # (version, first, last) of addresses outside
    internet: bool = False
    node: str = ""  # a pattern


class Intent(msgspec.Struct, frozen=True):
    """One promise. `sources` of an `only` are all who may; `ports` are those that are meant."""

    kind: str  # never, only, must
    sources: tuple[Spot, ...]
    destinations: tuple[Spot, ...]
    ports: Conn
    where: Location
    excepts: tuple[tuple[tuple[Spot, ...], tuple[Spot, ...]], ...] = ()
    why: str = ""

    def __str__(self) -> str:
        sources = " or ".join(s.text for s in self.sources) or "nobody"
        targets = " or ".join(s.text for s in self.destinations)
        on = "" if self.ports == ALL else f" on {self.ports}"
        if self.kind == "only":
            return f"only {sources} may reach {targets}{on}"
        return f"{sources} must {'never ' if self.kind == 'never' else ''}reach {targets}{on}"


class _Reader:
    """Reads one file; every mistake is noted, and told together."""

    def __init__(self, locate: Callable[[Path], Location]) -> None:
        self.locate = locate
        self.problems: list[str] = []

    def wrong(self, path: Path, reason: str) -> None:
        """Notes a mistake."""
        key = f"{show(path)}: " if path else ""
        self.problems.append(f"{self.locate(path)}: {key}{reason}")


def parse_intents(
    data: Any, locate: Callable[[Path], Location], file: str = "intents"
) -> tuple[Intent, ...]:
    """Reads the parsed YAML of an intents file, strictly. Raises one BadInput with every mistake
    and its line.
    """
    reader = _Reader(locate)
    found: list[Intent] = []
    if not isinstance(data, Mapping):
        reader.wrong((), f"an intents file is a mapping of {', '.join(KINDS)}")
        data = {}
    for kind, entries in data.items():
        if kind not in KINDS:
            reader.wrong((str(kind),), f"no such kind of intent; one of {', '.join(KINDS)}")
            continue
        found += _entries(reader, kind, entries)
    if not reader.problems and not found:
        reader.wrong((), "it holds no intent")
    if reader.problems:
        told = "\n        ".join(reader.problems[:20])
        raise BadInput(f"cannot use {file}", told, "correct what is named above")
    return tuple(found)


def _entries(reader: _Reader, kind: str, entries: Any) -> Iterable[Intent]:
    if not isinstance(entries, list) or not entries:
        reader.wrong((kind,), "must be a list of intents")
        return
    if len(entries) > _MOST:
        reader.wrong((kind,), f"more than {_MOST:,} intents")
        return
    for index, entry in enumerate(entries):
        path: Path = (kind, index)
        if not _is_mapping(reader, path, entry, _KEYS[kind]):
            continue
        missing = [key for key in ("from", "to") if key not in entry]
        if missing:
            reader.wrong(path, f"{' and '.join(missing)} must be given")
            continue
        why = entry.get("why", "")
        if not isinstance(why, str):
            reader.wrong((*path, "why"), "must be a text")
            why = ""
        yield Intent(
            kind,
            _spots(reader, (*path, "from"), entry["from"], empty=kind == "only"),
            _spots(reader, (*path, "to"), entry["to"]),
            _ports(reader, (*path, "ports"), entry.get("ports")),
            reader.locate(path),
            _excepts(reader, (*path, "except"), entry.get("except")),
            why,
        )


def _is_mapping(reader: _Reader, path: Path, entry: Any, keys: Iterable[str]) -> bool:
    if not isinstance(entry, Mapping):
        reader.wrong(path, f"must be a mapping with {', '.join(keys)}")
        return False
    for key in entry:
        if key not in keys:
            reader.wrong((*path, str(key)), f"no such key; one of {', '.join(keys)}")
    return True


def _excepts(
    reader: _Reader, path: Path, entries: Any
) -> tuple[tuple[tuple[Spot, ...], tuple[Spot, ...]], ...]:
    if entries is None:
        return ()
    if not isinstance(entries, list):
        reader.wrong(path, "must be a list of {from, to}")
        return ()
    found = []
    for index, entry in enumerate(entries):
        at = (*path, index)
        if not _is_mapping(reader, at, entry, ("from", "to")):
            continue
        sources = _spots(reader, (*at, "from"), entry["from"]) if "from" in entry else ()
        targets = _spots(reader, (*at, "to"), entry["to"]) if "to" in entry else ()
        if not (sources or targets):
            reader.wrong(at, "from or to must be given")
        found.append((sources, targets))
    return tuple(found)


def _spots(reader: _Reader, path: Path, value: Any, empty: bool = False) -> tuple[Spot, ...]:
    """One place, or a list of them."""
    if not isinstance(value, list):
        spot = _spot(reader, path, value)
        return (spot,) if spot is not None else ()
    if not value and not empty:
        reader.wrong(path, "an empty list means nobody")
    if len(value) > _MOST:
        reader.wrong(path, f"more than {_MOST:,} places")
        return ()
    spots = (_spot(reader, (*path, index), each) for index, each in enumerate(value))
    return tuple(spot for spot in spots if spot is not None)


def _spot(reader: _Reader, path: Path, value: Any) -> Spot | None:
    if isinstance(value, str):
        return _word(reader, path, value)
    if not isinstance(value, Mapping) or not value:
        reader.wrong(path, "a place is NAMESPACE/WORKLOAD, a CIDR, internet, or a mapping")
        return None
    if not _is_mapping(reader, path, value, _PLACE_KEYS):
        return None
    texts: dict[str, str] = {}
    for key in ("cluster", "namespace", "workload", "cidr"):
        if key not in value:
            continue
        if not isinstance(value[key], str) or not value[key]:
            reader.wrong((*path, key), "must be a text")
            return None
        texts[key] = value[key]
    if "cidr" in texts:
        if len(value) > 1:
            reader.wrong(path, "cidr stands alone")
        block = parse_range(texts["cidr"])
        if block is None:
            reader.wrong((*path, "cidr"), f"no range of addresses: {texts['cidr']}")
        return Spot(texts["cidr"], block=block)
    spot = Spot(
        ", ".join(f"{key} {_shown(each)}" for key, each in value.items()),
        cluster=texts.get("cluster", ""),
        namespace=texts.get("namespace", ""),
        labels=_labels(reader, (*path, "labels"), value.get("labels")),
    )
    if "workload" in texts:
        named = _word(reader, (*path, "workload"), texts["workload"])
        if named is None or not named.workload:
            reader.wrong((*path, "workload"), "must be NAMESPACE/NAME")
            return None
        spot = msgspec.structs.replace(spot, namespace=named.namespace, workload=named.workload)
    for key in ("cluster", "namespace"):
        if key in texts and not _NAME.fullmatch(texts[key]):
            reader.wrong((*path, key), f"no name: {texts[key]}")
    return spot


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={each}" for key, each in value.items())
    return str(value)


def _labels(reader: _Reader, path: Path, value: Any) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping) or not value:
        reader.wrong(path, "must be a mapping of labels")
        return ()
    for key, each in value.items():
        if not isinstance(key, str) or not isinstance(each, str):
            reader.wrong((*path, str(key)), "a label's value is a text")
    return tuple(sorted((str(k), str(v)) for k, v in value.items()))


def _word(reader: _Reader, path: Path, word: str) -> Spot | None:
    """`shop/db`, `shop/*`, `node/NAME`, `internet`, an address or a CIDR."""
    if word == "internet":
        return Spot(word, internet=True)
    block = parse_range(word)
    if block is not None:
        return Spot(word, block=block)
    space, slash, name = word.partition("/")
    if slash and _NAME.fullmatch(space) and "." not in space and _NAME.fullmatch(name):
        if space == "node":
            return Spot(word, node=name)
        return Spot(word, namespace=space, workload=name)
    reader.wrong(path, f"no place: {word}; NAMESPACE/WORKLOAD, node/NAME, internet or a CIDR")
    return None


def _ports(reader: _Reader, path: Path, value: Any) -> Conn:
    """`TCP 5432`, `UDP 8000-8100`, `TCP`, or a list of them; nothing means everything."""
    if value is None:
        return ALL
    words = value if isinstance(value, list) else [value]
    found: list[Ports] = []
    for index, word in enumerate(words):
        at = (*path, index) if isinstance(value, list) else path
        match = _PORT.fullmatch(word) if isinstance(word, str) else None
        if match is None:
            reader.wrong(at, f"no port: {word}; such as TCP 5432, UDP 8000-8100 or SCTP")
            continue
        first = int(match[2]) if match[2] else FIRST_PORT
        last = int(match[3]) if match[3] else first if match[2] else LAST_PORT
        if not FIRST_PORT <= first <= last <= LAST_PORT:
            reader.wrong(at, f"no range of ports: {word}")
            continue
        found.append(Ports(match[1], first, last))
    if not words:
        reader.wrong(path, "an empty list means no port")
    return conn(found)
