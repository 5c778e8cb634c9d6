"""Which rules find secrets, and where they are let pass; read from Trivy's configuration file too.

Source: Trivy's documentation, `Secret scanning: configuration` (trivy-secret.yaml).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from martello.cel import re2
from martello.cel.values import EvalError
from martello.core.errors import BadInput
from martello.core.vulnerability import LEVELS, UNKNOWN
from martello.practices.images.evidence.locks import parse
from martello.practices.images.secrets.rules import Rule, Shape, built_in

_MOST = 400  # matches of one user's rule in one file


class Allow(msgspec.Struct, frozen=True):
    """Lets a secret pass: by its file's path, by its text, or by both where both are given."""

    id: str
    path: str = ""
    regex: str = ""

    def lets(self, path: str, secret: str) -> bool:
        """Whether it lets this one pass."""
        by_path = bool(self.path) and re2.compile(self.path).matches(path)
        by_text = bool(self.regex) and re2.compile(self.regex).matches(secret)
        return by_path or by_text


class Custom(msgspec.Struct, frozen=True):
    """A user's own rule, in RE2's syntax."""

    id: str
    title: str
    severity: str
    pattern: str
    words: tuple[str, ...] = ()
    path: str = ""
    group: str = ""
    allow: tuple[Allow, ...] = ()
    blocks: tuple[str, ...] = ()

    def spans(self, data: bytes, lowered: bytes) -> list[tuple[int, int]]:
        """Where a text holds such secrets."""
        regex = re2.compile(_bytewise(self.pattern))
        number = regex.names.get(self.group, 0)
        text = data.decode("latin-1")  # one character a byte
        found = regex.find_all(text, _MOST)
        outside = _regions(self.blocks, text)
        spans = [(one[2 * number], one[2 * number + 1]) for one in found]
        return [
            (start, end)
            for start, end in spans
            if 0 <= start < end and not any(a <= start and end <= b for a, b in outside)
        ]


class SecretRules(msgspec.Struct, frozen=True):
    """The rules of one scan."""

    custom: tuple[Custom, ...] = ()
    enabled: tuple[str, ...] = ()  # of those built in; empty: all
    disabled: frozenset[str] = frozenset()
    allow: tuple[Allow, ...] = ()
    blocks: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()  # patterns of paths, `**` for any directories
    own: str = ""  # the file these rules were read from: it names what is secret

    def all(self) -> tuple[Rule, ...]:
        """Every rule, a user's own first. What a disabled one finds no other rule finds."""
        shapes: tuple[Shape, ...] = built_in()
        if self.enabled:
            shapes = tuple(one for one in shapes if one.id in self.enabled)
        return (*self.custom, *shapes)

    def skips(self, path: str) -> bool:
        """Whether a file is not looked at."""
        if self.own and path == self.own:
            return True
        return any(_glob(pattern).match(path) is not None for pattern in self.skipped)

    def fits(self, pattern: str, path: str) -> bool:
        """Whether a path is one that a rule's pattern of paths is for."""
        return re2.compile(pattern).matches(path)

    def allows(self, rule: Rule, path: str, secret: bytes) -> bool:
        """Whether an allow rule lets a secret pass."""
        allow = (*self.allow, *(rule.allow if isinstance(rule, Custom) else ()))
        text = secret.decode("utf-8", "replace") if allow else ""
        return any(one.lets(path, text) for one in allow)

    def excluded(self, data: bytes) -> list[tuple[int, int]]:
        """The parts of a text in which nothing counts."""
        return _regions(self.blocks, data.decode("latin-1")) if self.blocks else []


def read_trivy_secret_config(text: str | bytes, path: str = "") -> SecretRules:
    """Trivy's trivy-secret.yaml as rules. `path` is the file itself, as a scan names it, which is
    not searched. Raises BadInput.
    """
    try:
        plain = text if isinstance(text, str) else text.decode("utf-8-sig")
        document = parse.yaml_text(plain) if plain.strip() else {}
        return SecretRules(
            custom=tuple(_custom(row) for row in parse.rows(document.get("rules"))),
            enabled=tuple(parse.words(document.get("enable-builtin-rules"))),
            disabled=frozenset(parse.words(document.get("disable-rules"))),
            allow=_allow(document.get("allow-rules")),
            blocks=_blocks(document.get("exclude-block")),
            skipped=tuple(parse.words(document.get("skip-patterns"))),
            own=path,
        )
    except (ValueError, EvalError) as error:
        raise BadInput(
            f"the secret rules {path or 'given'} cannot be read",
            str(error),
            "see Trivy's documentation of trivy-secret.yaml",
        ) from error


def _custom(row: dict[str, Any]) -> Custom:
    rule, pattern = parse.word(row.get("id")), parse.word(row.get("regex"))
    if not rule or not pattern:
        raise ValueError("a rule needs an id and a regex")
    severity = parse.word(row.get("severity")).lower()
    if severity and severity not in LEVELS:
        raise ValueError(f"rule {rule}: no severity: {severity[:40]}")
    group = parse.word(row.get("secret-group-name"))
    if group and group not in re2.compile(_bytewise(pattern)).names:
        raise ValueError(f"rule {rule}: its regex has no group {group[:40]}")
    return Custom(
        id=rule,
        title=parse.word(row.get("title")) or rule,
        severity=severity or UNKNOWN,
        pattern=_checked(pattern),
        words=tuple(word.lower() for word in parse.words(row.get("keywords"))),
        path=_checked(parse.word(row.get("path"))),
        group=group,
        allow=_allow(row.get("allow-rules")),
        blocks=_blocks(row.get("exclude-block")),
    )


def _allow(value: Any) -> tuple[Allow, ...]:
    return tuple(
        Allow(
            parse.word(row.get("id")),
            _checked(parse.word(row.get("path"))),
            _checked(parse.word(row.get("regex"))),
        )
        for row in parse.rows(value)
    )


def _blocks(value: Any) -> tuple[str, ...]:
    return tuple(map(_checked, parse.words(parse.table(value).get("regexes"))))


def _checked(pattern: str) -> str:
    re2.compile(pattern)
    re2.compile(_bytewise(pattern))
    return pattern


def _bytewise(pattern: str) -> str:
    """A pattern for texts of one character a byte."""
    return pattern if pattern.isascii() else pattern.encode().decode("latin-1")


def _regions(patterns: tuple[str, ...], text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for pattern in patterns:
        found += [(one[0], one[1]) for one in re2.compile(_bytewise(pattern)).find_all(text, _MOST)]
    return found


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meant = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meant.get(part, re.escape(part)) for part in parts) + r"\Z")
