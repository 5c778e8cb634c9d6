"""The lexer: text to tokens, with positions in code points."""

from __future__ import annotations

import re
from typing import Any, Final

from martello.cel.issues import Issue
from martello.cel.values import INT_MAX, UINT_MAX, UInt

Token = tuple[str, Any, int, int]  # kind, value, start, end

RESERVED: Final = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
KEYWORDS: Final = frozenset(("true", "false", "null", "in"))

_PATTERN: Final = re.compile(
    r"""
    (?P<space>(?:[ \t\n\f\r]+|//[^\n]*)+)
  | (?P<string>[bB]?(?:
        [rR](?:'''(?:[^']|'(?!''))*+'''|\"\"\"(?:[^"]|"(?!""))*+\"\"\"|'[^'\n\r]*+'|"[^"\n\r]*+")
      | (?:'''(?:[^'\\]|\\[\s\S]|'(?!''))*+'''|\"\"\"(?:[^"\\]|\\[\s\S]|"(?!""))*+\"\"\"
          |'(?:[^'\\\n\r]|\\[^\n\r])*+'|"(?:[^"\\\n\r]|\\[^\n\r])*+")))
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<double>[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
  | (?P<int>(?:0x[0-9a-fA-F]+|[0-9]+)[uU]?)
  | (?P<op>&&|\|\||[=!<>]=|[-+*/%<>!?:.,()\[\]{}])
  | (?P<quoted>`[A-Za-z0-9_.\-/ ]+`)
  | (?P<slot>\$[0-9]+)
    """,
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(
    r"""\\(?:(?P<simple>[abfnrtv\\?"'`])|(?P<octal>[0-3][0-7]{2})|[xX](?P<hex>[0-9a-fA-F]{2})"""
    r"""|u(?P<u4>[0-9a-fA-F]{4})|U(?P<u8>[0-9a-fA-F]{8})|(?P<bad>[\s\S]?))"""
)
_SIMPLE: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class BadLiteral(Exception):
    """A literal that cannot be read, with the offset of the fault inside it."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def tokenize(text: str, issues: list[Issue], slots: bool = False) -> list[Token]:
    """Every token of a text and a last one of kind `end`; faults are added to `issues`, `$0` is a
    token in templates only.
    """
    tokens: list[Token] = []
    position, size = 0, len(text)
    match = _PATTERN.match
    while position < size:
        found = match(text, position)
        if found is None or (found.lastgroup == "slot" and not slots):
            position = _skip(text, position, issues)
            continue
        kind, end = found.lastgroup, found.end()
        if kind == "name":
            word = found.group()
            tokens.append((word if word in KEYWORDS else "name", word, position, end))
        elif kind == "op":
            tokens.append((found.group(), None, position, end))
        elif kind != "space":
            try:
                value = _literal(kind, found.group())
            except BadLiteral as fault:
                at = position + fault.offset
                issues.append(Issue("error", fault.message, at, max(at + 1, end)))
                value = None
            token = {"quoted": "quoted", "slot": "slot"}.get(str(kind), "literal")
            tokens.append((token, value, position, end))
        position = end
    tokens.append(("end", None, size, size))
    return tokens


def _skip(text: str, position: int, issues: list[Issue]) -> int:
    letter = text[position]
    if letter in "'\"":
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        issues.append(Issue("error", "a string that is not closed", position, end))
        return end
    shown = letter if letter.isprintable() else f"U+{ord(letter):04X}"
    issues.append(Issue("error", f"unexpected character {shown}", position, position + 1))
    return position + 1


def _literal(kind: str | None, text: str) -> Any:
    if kind == "string":
        return _string(text)
    if kind == "double":
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise BadLiteral("this double is too large")
        return value
    if kind == "int":
        return _integer(text)
    if kind == "slot":
        return int(text[1:])
    return text[1:-1]


def _integer(text: str) -> int:
    unsigned = text[-1] in "uU"
    digits = text[:-1] if unsigned else text
    if len(digits) > 24:
        raise BadLiteral("this integer is too large")
    value = int(digits[2:], 16) if digits.startswith("0x") else int(digits)
    if value > (UINT_MAX if unsigned else INT_MAX + 1):
        raise BadLiteral("this integer is too large")
    return UInt(value) if unsigned else value


def _string(text: str) -> str | bytes:
    start = 0
    binary = text[0] in "bB"
    start += binary
    raw = text[start] in "rR"
    start += raw
    width = 3 if text.startswith(("'''", '"""'), start) and len(text) - start >= 6 else 1
    body = text[start + width : len(text) - width]
    if width == 3 and "\r" in body:
        body = body.replace("\r\n", "\n").replace("\r", "\n")
    offset = start + width
    if binary:
        return body.encode() if raw or "\\" not in body else _octets(body, offset)
    return body if raw or "\\" not in body else _ESCAPE.sub(lambda m: _point(m, offset), body)


def _point(match: re.Match[str], offset: int) -> str:
    group, at = match.lastgroup, match.start() + offset
    if group == "simple":
        letter = match["simple"]
        return _SIMPLE.get(letter, letter)
    if group == "octal":
        return chr(int(match["octal"], 8))
    if group == "bad" or group is None:
        raise BadLiteral("an escape that CEL does not know", at)
    point = int(match[group], 16)
    if 0xD800 <= point <= 0xDFFF or point > 0x10FFFF:
        raise BadLiteral("an escape that is no Unicode character", at)
    return chr(point)


def _octets(body: str, offset: int) -> bytes:
    out = bytearray()
    last = 0
    for match in _ESCAPE.finditer(body):
        out += body[last : match.start()].encode()
        last = match.end()
        if match.lastgroup in ("u4", "u8"):
            raise BadLiteral("\\u is no escape in bytes", match.start() + offset)
        point = _point(match, offset)
        out += bytes((ord(point),)) if ord(point) < 256 else point.encode()
    return bytes(out + body[last:].encode())
