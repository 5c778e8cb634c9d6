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
# What the issuers of tokens document: a beginning that stays, and what comes after it.
_TOKENS: Final = (
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|"
    r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{22,}|\bglpat-[\w-]{18,}|"
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bAIza[\w-]{35}|\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|"
    r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{16,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bdop_v1_[a-f0-9]{60,}|"
    r"\bhv[sb]\.[\w-]{20,}|(?<![\w-])eyJ[\w-]{8,}+\.eyJ[\w-]{4,}+\.?[\w-]*|\bsk-ant-[\w-]{16,}|"
    r"hooks\.slack\.com/services/T[\w/]+|\bbearer [\w.~+/=-]{12,}|"
    r"(?:(?<=PRIVATE KEY-----)|(?<=KEY BLOCK-----))[^-]+"
)
_KEEP_START: Final = (
    r"eyJ|AKIA|ASIA|AIza|SG\.|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[sr]k_(?:live|test)_|"
    r"npm_|pypi-|dop_v1_|hv[sb]\.|sk-ant-|hooks\.slack\.com/services/T|[Bb]earer "
)
_ANYWHERE: Final = (
    rf"(?P<token>{_TOKENS})|(?P<user>://[^\s/:@]*:)(?P<word>[^\s/@$<{{(%*][^\s/@]*)(?=@)"
)
# A word that holds such a name. It is looked at from its beginning, once: no text is slow.
_WORD: Final = rf"(?<![\w.-])(?=[\w.-]*?(?:{_NAME}))"
_FLAG: Final = rf"{_WORD}-[\w.-]++"
# Values that begin otherwise are variables, templates or further flags.
_GIVEN: Final = r"""["']?(?P<given>[^\s"'$<{%(-][^\s"']*)"""
_COMMAND: Final = rf"(?P<flag>{_FLAG}(?:=|\s++)|{_WORD}[\w.-]++=){_GIVEN}"
_SETTING: Final = rf"(?P<flag>{_WORD}[\w.-]++[\"']?[ \t]*+[:=][ \t]*+){_GIVEN}"
# What stands where a secret will be put, or says where it is kept: no secret itself.
_HARMLESS: Final = (
    r"\s*+(?:(?:true|false|yes|no|null|none|nil|change[-_ ]?(?:me|it)\S*|replace[-_ ]?me\S*|"
    r"placeholder|redacted|x+|\*+|your[-_ ].*|https?://[^\s@]*|"
    r"(?:vault|op|ref\+[a-z0-9]+|awssm|gcpsm|sm|file|env|secretref|arn):\S*|"
    r"/(?:etc|run|var|home|opt|srv|mnt|tmp|secrets?|app|usr|data|vault|root|config)/\S*)?\s*$|"
    r"(?:[$<%]|\{\{))"
)


class Redactor:
    """Redacts objects; what several objects share is looked at once."""

    def __init__(self) -> None:
        self._name = re.compile(_NAME, re.IGNORECASE)
        self._anywhere = re.compile(_ANYWHERE, re.IGNORECASE)
        self._command = re.compile(_COMMAND, re.IGNORECASE)
        self._setting = re.compile(_SETTING, re.IGNORECASE)
        self._flag = re.compile(_FLAG, re.IGNORECASE)
        self._harmless = re.compile(_HARMLESS, re.IGNORECASE)
        self._start = re.compile(_KEEP_START)
        # The original is kept beside its result, so that its id stays its own.
        self._known: dict[tuple[int, bool], tuple[Any, Any]] = {}

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
            result["data"] = {k: self._file(k, v) for k, v in raw["data"].items()}
        metadata = raw.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("annotations"), dict):
            kept = {k: self._annotation(k, v) for k, v in metadata["annotations"].items()}
            result["metadata"] = {**metadata, "annotations": kept}
        return {key: self._walk(value, 1) for key, value in result.items()}

    def _walk(self, value: Any, depth: int, command: bool = False) -> Any:
        if isinstance(value, str):
            value = self._text(value)
            return self._command.sub(self._cover, value) if command else value
        if not isinstance(value, dict | list):
            return value
        if depth > DEEPEST:
            raise RecursionError
        known = self._known.get((id(value), command))
        if known is not None:
            return known[1]
        if isinstance(value, dict):
            result: Any = self._mapping(value, depth)
        else:
            result = self._list(value, depth, command)
        if result == value:
            result = value
        self._known[(id(value), command)] = (value, result)
        return result

    def _mapping(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        name = value.get("name")
        if "value" in value and isinstance(name, str):
            value = {**value, "value": self._entry(name, value["value"])}
        return {
            key: self._walk(inner, depth + 1, key in ("command", "args"))
            for key, inner in value.items()
        }

    def _list(self, value: list[Any], depth: int, command: bool) -> list[Any]:
        result: list[Any] = []
        follows = False  # the element before is a flag whose value this one is
        for inner in value:
            if follows and isinstance(inner, str) and not inner.startswith("-"):
                result.append(self._given(inner))
            else:
                result.append(self._walk(inner, depth + 1, command))
            follows = command and isinstance(inner, str) and self._flag.fullmatch(inner) is not None
        return result

    def _file(self, name: str, value: Any) -> Any:
        """An entry of a ConfigMap: a value, or a file of settings."""
        value = self._entry(name, value)
        return self._setting.sub(self._cover, value) if isinstance(value, str) else value

    def _entry(self, name: str, value: Any) -> Any:
        if not self._name.search(name):
            return value
        if isinstance(value, str):
            return value if self._harmless.match(value) else MARKER
        return _blank(value, MARKER, 0)

    def _annotation(self, name: str, value: Any) -> Any:
        if name == "kubectl.kubernetes.io/last-applied-configuration":
            return _blank(value, MARKER, 0)
        return value

    def _text(self, value: str) -> str:
        return value if len(value) < 8 else self._anywhere.sub(self._hide, value)

    def _cover(self, match: re.Match[str]) -> str:
        """A flag or setting with its value covered."""
        whole = match.group()
        begin = match.start("given") - match.start()
        return whole[:begin] + self._given(match["given"])

    def _given(self, value: str) -> str:
        if self._harmless.match(value):
            return value
        return f"/{MARKER}" if value.startswith("/") else MARKER

    def _hide(self, match: re.Match[str]) -> str:
        token = match["token"]
        if token is None:
            return str(match["user"]) + self._mask(match["word"])
        if token.startswith("eyJ"):
            return ".".join(map(self._mask, token.split(".")))
        return self._mask(token)

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
