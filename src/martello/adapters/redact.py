"""Takes secret values out of objects that are kept or sent, and leaves what a check judges by:
types, names, and the shape of well-known tokens.
"""

from __future__ import annotations

import base64
import re
from typing import Any, Final

MARKER: Final = "redacted-by-martello"
_ENCODED: Final = base64.b64encode(MARKER.encode()).decode()
DEEPEST: Final = 200
_NAME: Final = (
    r"pass(?:word|wd|phrase)|(?:^|[_.-])pass(?:$|[_.-])|pwd|secret|token|credential|"
    r"(?:api|access|private|encryption|signing|auth|account|master|ssh)[_.-]?key|"
    r"conn(?:ection)?[_.-]?str|(?:^|[_.-])dsn$|webhook[_.-]?url"
)
# Prefixes that the issuers of tokens document, and what they put after them.
_TOKENS: Final = (
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|"
    r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}|\bglpat-[\w-]{18,}|"
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bAIza[\w-]{35}|\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|"
    r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{16,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bdop_v1_[a-f0-9]{60,}|"
    r"\bhv[sb]\.[\w-]{20,}|\beyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]*|"
    r"(?<=KEY-----)[^-]+(?=-----END)"
)
_FLAG: Final = rf"--?[\w.-]*(?:{_NAME})[\w.-]*"
_IN_TEXT: Final = (
    rf"(?P<token>{_TOKENS})|(?P<flag>(?<![\w-]){_FLAG}(?:=|\s+))(?P<given>[^\s$-][^\s]*)|"
    r"(?P<user>://[^\s/:@]+:)(?P<word>[^\s/@$]+)(?=@)"
)
# What stands where a secret will be put: no secret itself, and judged more mildly.
_PLACEHOLDER: Final = r"\s*|\$\([^)]*\)|\$\{[^}]*\}|<[^>]*>|change-?me|placeholder|x+|\*+|null|none"
_KEEP_START: Final = r"(?:eyJ|AKIA|ASIA|AIza|SG\.|gh[pousr]_|github_pat_|xox[abeoprs]-|[a-z]+[-_.])"


class Redactor:
    """Redacts objects; what several objects share is looked at once."""

    def __init__(self) -> None:
        self._name = re.compile(_NAME, re.IGNORECASE)
        self._in_text = re.compile(_IN_TEXT, re.IGNORECASE)
        self._flag = re.compile(_FLAG, re.IGNORECASE)
        self._placeholder = re.compile(_PLACEHOLDER, re.IGNORECASE)
        self._start = re.compile(_KEEP_START)
        self._known: dict[int, tuple[Any, Any]] = {}  # the original is kept so that its id stays

    def object(self, raw: dict[str, Any]) -> dict[str, Any]:
        """A redacted object that shares with the given one whatever holds no secret.

        Raises RecursionError where the object is nested deeper than DEEPEST.
        """
        result = dict(raw)
        if raw.get("kind") == "Secret":
            for key, marker in (("data", _ENCODED), ("stringData", MARKER)):
                if key in raw:
                    result[key] = _blank(raw[key], marker, 0)
        elif raw.get("kind") == "ConfigMap" and isinstance(raw.get("data"), dict):
            result["data"] = {k: self._entry(k, v) for k, v in raw["data"].items()}
        metadata = raw.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("annotations"), dict):
            kept = {k: self._annotation(k, v) for k, v in metadata["annotations"].items()}
            result["metadata"] = {**metadata, "annotations": kept}
        return {key: self._walk(value, 1) for key, value in result.items()}

    def _walk(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if not isinstance(value, dict | list):
            return value
        if depth > DEEPEST:
            raise RecursionError
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        if isinstance(value, dict):
            result: Any = self._mapping(value, depth)
        else:
            result = self._list(value, depth)
        if result == value:
            result = value
        self._known[id(value)] = (value, result)
        return result

    def _mapping(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        name = value.get("name")
        if "value" in value and isinstance(name, str):
            value = {**value, "value": self._entry(name, value["value"])}
        return {key: self._walk(inner, depth + 1) for key, inner in value.items()}

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        result: list[Any] = []
        follows = False  # the element before is a flag whose value this one is
        for inner in value:
            if follows and isinstance(inner, str) and not inner.startswith("-"):
                result.append(self._entry("password", inner))
            else:
                result.append(self._walk(inner, depth + 1))
            follows = isinstance(inner, str) and self._flag.fullmatch(inner) is not None
        return result

    def _entry(self, name: str, value: Any) -> Any:
        if not self._name.search(name):
            return value
        if isinstance(value, str):
            if self._placeholder.fullmatch(value):
                return value
            masked = self._text(value)
            return masked if masked != value else MARKER
        return _blank(value, MARKER, 0)

    def _annotation(self, name: str, value: Any) -> Any:
        if name == "kubectl.kubernetes.io/last-applied-configuration":
            return _blank(value, MARKER, 0)
        return value

    def _text(self, value: str) -> str:
        if len(value) < 8:
            return value
        return self._in_text.sub(self._cover, value)

    def _cover(self, match: re.Match[str]) -> str:
        token = match["token"]
        if token is not None:
            return ".".join(map(self._mask, token.split(".")))
        if match["flag"] is not None:
            given = match["given"]
            kept = given if self._placeholder.fullmatch(given) else MARKER
            return match["flag"] + kept
        return str(match["user"] + MARKER)

    def _mask(self, token: str) -> str:
        """The same shape: what issuers begin with, then one letter for all letters of a case."""
        start = self._start.match(token)
        kept = start.group() if start else ""
        rest = re.sub("[a-z]", "a", token[len(kept) :])
        return kept + re.sub("[A-Z]", "A", re.sub("[0-9]", "0", rest))


def _blank(value: Any, marker: str, depth: int) -> Any:
    """Another value of the same JSON type that tells nothing."""
    if isinstance(value, str):
        return marker if value else value
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return 0
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, list):
        return [_blank(inner, marker, depth + 1) for inner in value]
    return {key: _blank(inner, marker, depth + 1) for key, inner in value.items()}
