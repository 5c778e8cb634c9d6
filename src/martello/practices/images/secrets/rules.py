"""What secrets look like: a table of well-known shapes, and the checks that no pattern can do.

Sources: the issuers' documentation of their tokens, RFC 7519 for JSON web tokens.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

import msgspec

_TABLE: Final = Path(__file__).with_name("rules.toml")
_STAND_IN: Final = (
    rb"example|changeme|change[-_.](?:me|it|this)|placeholder|redacted|xxxx|\*\*\*\*|"
    rb"\.\.\.\.|your[-_]"
)
_SHORT: Final = 200  # keys of several lines may repeat a letter
_REPEATED: Final = re.compile(rb"(.)\1{9}", re.DOTALL)
_KNOWN: Final = re.compile(rb".*(?:" + _STAND_IN + rb")", re.IGNORECASE | re.DOTALL)
_GUESSED: Final = re.compile(
    rb"(?:.*(?:" + _STAND_IN + rb"|sample|dummy|replace|insert|todo|fixme|fake|not[-_]?real|"
    rb"abcdefgh|12345678|00000000|deadbeef|proxypass|my[-_]pass|\s).*|"
    rb"<.*|[$%{].*|[^(){}]*[(){}].*|\S{0,2}|(.)\1*|"
    rb"(?:my|the|some|a|an|test|user|admin|root|db|foo|bar|baz|none|null|nil|undefined|true|false|"
    rb"yes|no|pass|passwd|password|pwd|secret|token|key|apikey|api_key|string|str|bytes|int|bool|"
    rb"guest|postgres|mysql|rabbitmq|vagrant|default|required|optional|empty|value|[-_. ]){1,6}|"
    rb"(?:/|\./|~/|[A-Za-z]:\\|https?:|file:|vault:|op:|env:|arn:|secretref:|ref\+).*)\Z",
    re.IGNORECASE | re.DOTALL,
)


class Rule(Protocol):
    """A shape of secrets."""

    @property
    def id(self) -> str:
        """The name that users enable and disable it by."""
        ...

    @property
    def title(self) -> str:
        """What it finds, with its article."""
        ...

    @property
    def severity(self) -> str:
        """One of vulnerabilities' severities."""
        ...

    @property
    def words(self) -> tuple[str, ...]:
        """Lower case; a text that holds none of them is not looked at. Empty: all are."""
        ...

    @property
    def path(self) -> str:
        """A pattern of the files that are looked at; empty: all are."""
        ...

    def spans(self, data: bytes, lowered: bytes) -> list[tuple[int, int]]:
        """Where a text holds such secrets; `lowered` is the text in lower case."""
        ...


class Shape(msgspec.Struct, frozen=True):
    """A rule of the table."""

    id: str
    title: str
    severity: str
    pattern: str
    words: tuple[str, ...]
    path: str = ""
    holds: str = ""  # a name of CHECKS
    guess: bool = False  # what a person may have written stands in for secrets
    lead: int = 160  # bytes before a word in which a match may begin
    reach: int = 640  # bytes after a word in which it ends

    def spans(self, data: bytes, lowered: bytes) -> list[tuple[int, int]]:
        """Where a text holds such secrets. Only what is near a word is looked at."""
        pattern = _compiled(self.pattern)
        group = "secret" if "secret" in pattern.groupindex else 0
        check = CHECKS.get(self.holds)
        return [
            match.span(group)
            for start, end in self._near(lowered)
            for match in pattern.finditer(data, start, end)
            if not harmless(match[group], guess=self.guess) and (not check or check(match[group]))
        ]

    def _near(self, lowered: bytes) -> Iterator[tuple[int, int]]:
        """The parts of a text near a word, in order and apart."""
        places: list[int] = []
        for word in self.words:
            wanted = word.encode()
            at = lowered.find(wanted)
            while at >= 0:
                places.append(at)
                at = lowered.find(wanted, at + 1)
        start = end = -1
        for place in sorted(places):
            if place - self.lead <= end:
                end = place + self.reach
                continue
            if end > 0:
                yield start, end
            start, end = max(place - self.lead, 0), place + self.reach
        if end > 0:
            yield start, end


@lru_cache(maxsize=1)
def built_in() -> tuple[Shape, ...]:
    """The rules of the table, in its order: earlier ones win."""
    rows = tomllib.loads(_TABLE.read_text("utf-8"))["rule"]
    return msgspec.convert(rows, tuple[Shape, ...])


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode())


def harmless(value: bytes, *, guess: bool = True) -> bool:
    """Whether a value stands where a secret will be put, or, by guess, is a word or a place."""
    if not value or (len(value) <= _SHORT and _REPEATED.search(value)):
        return True
    return (_GUESSED if guess else _KNOWN).match(value[:256]) is not None


def random(value: bytes) -> bool:
    """Whether a value looks made by a machine, not written by a person."""
    kinds = sum(any(one in kind for one in value) for kind in _KINDS)
    if kinds >= 3:
        return _entropy(value) >= 3.5
    digits = sum(one in _DIGITS for one in value)
    return kinds == 2 and digits * 5 >= len(value) >= 20 and _entropy(value) >= 3.0


_DIGITS: Final = frozenset(b"0123456789")
_KINDS: Final = (
    frozenset(b"abcdefghijklmnopqrstuvwxyz"),
    frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    _DIGITS,
)


def _entropy(value: bytes) -> float:
    """Bits a byte, by how often each occurs."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())


def _pair_or_token(value: bytes) -> bool:
    """Whether a value is the base64 form of `user:password`, or long enough for a token."""
    try:
        text = base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return len(value) > 100
    return len(value) > 100 or (b":" in text and text.isascii() and not text.endswith(b":"))


def _json_token(value: bytes) -> bool:
    """Whether a token's first part is a JSON object that names an algorithm."""
    head = value.partition(b".")[0]
    try:
        return b'"alg"' in base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))
    except (binascii.Error, ValueError):
        return False


CHECKS: Final[dict[str, Callable[[bytes], bool]]] = {
    "random": random,
    "pair-or-token": _pair_or_token,
    "json-token": _json_token,
}
