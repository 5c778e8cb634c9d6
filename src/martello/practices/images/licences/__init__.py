"""Licences: what packages call them, as SPDX expressions, and which of them a policy denies.

Source: the SPDX specification 2.3, annex D (licence expressions).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

import msgspec

from martello.practices.images.licences.names import (
    current,
    identifier,
    last_name,
    of_text,
    or_later,
    spdx,
)

_LONGEST: Final = 2000  # of an expression
_SHORTEST_TEXT: Final = 60
_LONGEST_NAME: Final = 120  # longer ones are sentences
_SHORT: Final = 300  # what is kept of a text that is no expression
_DEEPEST: Final = 50
_TOKEN: Final = re.compile(
    r"\s*(?:([()])|(and/or|\|\|?|&&?|/|;|,|(?<=\s)\+(?=\s))|"
    r"(?<![\w-])(and|or|with)(?![\w-]))\s*",
    re.IGNORECASE,
)
_REFERENCE: Final = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+\Z")
_WORDS: Final = {"and/or": "OR", "|": "OR", "||": "OR", "/": "OR", "&": "AND", "&&": "AND"}
_EXCEPTIONS: Final = {
    "classpath": "Classpath-exception-2.0",
    "gcc": "GCC-exception-3.1",
    "openssl": "cryptsetup-OpenSSL-exception",
    "autoconf": "Autoconf-exception-3.0",
    "bison": "Bison-exception-2.2",
    "font": "Font-exception-2.0",
    "libtool": "Libtool-exception",
    "llvm": "LLVM-exception",
    "linux-syscall-note": "Linux-syscall-note",
}
_OLD_WITH: Final = re.compile(r"(GPL-[23]\.0)-with-(.+)-exception\Z", re.IGNORECASE)


class Expression(msgspec.Struct, frozen=True):
    """One licence, or several joined by AND or by OR."""

    operator: str  # "", AND, OR
    name: str = ""  # of one licence: an identifier, or a text that is none
    exception: str = ""
    parts: tuple[Expression, ...] = ()

    def __str__(self) -> str:
        if not self.operator:
            return f"{self.name} WITH {self.exception}" if self.exception else self.name
        inner = (
            f"({part})" if part.operator and part.operator != self.operator else str(part)
            for part in self.parts
        )
        return f" {self.operator} ".join(inner)


@lru_cache(maxsize=65536)
def normalise(text: str) -> str:
    """A licence in SPDX's words as far as they are known; what is not known stays as it is."""
    return str(parse(text)) if text else ""


@lru_cache(maxsize=65536)
def parse(text: str) -> Expression:
    """The expression that a text means. Names that are not known stay as they are."""
    plain = last_name(" ".join(text[: 8 * _LONGEST].split()))
    whole = identifier(plain) if len(plain) <= _LONGEST else ""
    whole = whole or (of_text(plain) if len(plain) > _SHORTEST_TEXT else "")
    if whole or len(plain) > _LONGEST or "://" in plain:
        return _one(whole or plain[:_SHORT], "")
    tokens = _tokens(or_later(plain))
    if not any(kind for kind, _ in tokens):
        return _one(plain[:_SHORT], "")
    if any(len(name) > _LONGEST_NAME for _, name in tokens):
        return _one(plain[:_SHORT], "")
    try:
        found, rest = _either(tokens, 0, 0)
    except ValueError:
        return _one(plain, "")
    return found if rest == len(tokens) else _one(plain, "")


def is_spdx(text: str) -> bool:
    """Whether a text is a valid SPDX expression whose identifiers are all listed, or references."""
    words = text.replace("(", " ( ").replace(")", " ) ").split()
    if not words or len(text) > _LONGEST:
        return False
    depth, previous = 0, "AND"
    for each in words:
        word = each
        operand = previous in ("AND", "OR", "(")  # whether one may come here
        if word == "(":
            valid, depth = operand, depth + 1
        elif word == ")":
            valid, depth = not operand and previous != "WITH" and depth > 0, depth - 1
        elif word in ("AND", "OR"):
            valid = not operand and previous != "WITH"
        elif word == "WITH":
            valid = previous == "name"
        elif previous == "WITH":
            valid, word = spdx()[1].get(word.lower()) == word, "exception"
        else:
            valid, word = operand and _listed(word), "name"
        if not valid:
            return False
        previous = word
    return depth == 0 and previous in ("name", "exception", ")")


def denied(licences: Sequence[str], deny: Iterable[str]) -> str | None:
    """The licence by which a policy denies a package, or None. Several entries all apply; of
    alternatives (OR) one that is not denied is enough. A pattern is a licence in any spelling, or
    has `*`; case does not matter.
    """
    patterns = [form for pattern in deny for form in _forms(pattern)]
    for text in licences if patterns else ():
        found = _denied(parse(text), patterns)
        if found:
            return found
    return None


def _denied(expression: Expression, patterns: list[str]) -> str:
    if not expression.operator:
        name = str(expression)
        return name if any(fnmatchcase(name.lower(), one) for one in patterns) else ""
    found = [_denied(part, patterns) for part in expression.parts]
    if expression.operator == "AND":
        return next((one for one in found if one), "")
    return str(expression) if all(found) else ""


def _forms(pattern: str) -> list[str]:
    plain = pattern.strip()
    forms = [plain, plain if "*" in plain else normalise(plain)]
    if re.fullmatch(r"(?:A|L)?GPL-\d\.\d", plain, re.IGNORECASE):
        forms += [f"{plain}-only", f"{plain}-or-later"]
    # Square brackets mean nothing in a pattern.
    return [form.lower().replace("[", "[[]") for form in forms if form]


def _listed(token: str) -> bool:
    if _REFERENCE.match(token):
        return True
    bare = token.removesuffix("+")
    return spdx()[0].get(bare.lower()) == bare or spdx()[0].get(token.lower()) == token


def _one(name: str, exception: str) -> Expression:
    old = _OLD_WITH.match(name)
    if old and not exception:
        return Expression("", current(old[1].upper()), _exception(old[2]))
    return Expression("", name, exception)


def _tokens(text: str) -> list[tuple[str, str]]:
    """Kinds and texts: ( ) AND OR WITH, and names, whose kind is empty."""
    tokens: list[tuple[str, str]] = []
    at = 0
    for found in _TOKEN.finditer(text):
        name = text[at : found.start()].strip()
        if name:
            tokens.append(("", name))
        at = found.end()
        kind = found[1] or _WORDS.get((found[2] or "").lower()) or (found[3] or "AND").upper()
        tokens.append((kind, kind))
    if text[at:].strip():
        tokens.append(("", text[at:].strip()))
    return tokens


def _either(tokens: list[tuple[str, str]], at: int, depth: int) -> tuple[Expression, int]:
    return _joined("OR", tokens, at, depth)


def _joined(
    operator: str, tokens: list[tuple[str, str]], at: int, depth: int
) -> tuple[Expression, int]:
    parts: list[Expression] = []
    while True:
        if operator == "OR":
            part, at = _joined("AND", tokens, at, depth)
        else:
            part, at = _operand(tokens, at, depth)
        parts += part.parts if part.operator == operator else [part]
        if at >= len(tokens) or tokens[at][0] != operator:
            break
        at += 1
    unique = tuple(dict.fromkeys(parts))
    return (unique[0] if len(unique) == 1 else Expression(operator, parts=unique)), at


def _operand(tokens: list[tuple[str, str]], at: int, depth: int) -> tuple[Expression, int]:
    if at >= len(tokens) or depth > _DEEPEST:
        raise ValueError
    kind, text = tokens[at]
    if kind == "(":
        inner, at = _either(tokens, at + 1, depth + 1)
        if at >= len(tokens) or tokens[at][0] != ")":
            raise ValueError
        return inner, at + 1
    if kind:
        raise ValueError
    at += 1
    exception = ""
    if at + 1 < len(tokens) and tokens[at][0] == "WITH" and not tokens[at + 1][0]:
        exception, at = _exception(tokens[at + 1][1]), at + 2
    return _one(identifier(text) or text, exception), at


def _exception(text: str) -> str:
    known = spdx()[1].get(text.lower())
    if known:
        return known
    words = re.sub(r"\b(?:the|special|exceptions?)\b", "", text.lower()).split()
    return next((_EXCEPTIONS[word] for word in words if word in _EXCEPTIONS), text)
