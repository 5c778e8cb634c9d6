"""What a Sigma rule says about itself: id, severity, techniques, log source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from martello.practices.monitor.documents import Document
from martello.practices.monitor.engine.rule import SEVERITIES, Rule, Source
from martello.practices.monitor.problems import shown

_TECHNIQUE: Final = re.compile(r"attack\.(t[0-9]{4}(?:\.[0-9]{3})?)", re.IGNORECASE)
_LONGEST: Final = 4_000


def rule(file: str, document: Document, value: Mapping[str, Any]) -> Rule:
    """A rule without its tree. Its author stays with it, as the licence of Sigma's rules asks."""
    line, _ = document.place()
    title = _text(value.get("title")) or _text(value.get("name")) or "untitled"
    identity = value.get("id") or value.get("name")
    tags = tuple(_text(tag) for tag in _list(value.get("tags")) if isinstance(tag, str))
    attack = [match[1].upper() for tag in tags if (match := _TECHNIQUE.fullmatch(tag))]
    author = _text(value.get("author"))
    return Rule(
        id=shown(identity, 200) if identity else f"sigma:{file}:{line}",
        title=title,
        severity=severity(value.get("level")),
        why=_text(value.get("description")),
        attack=tuple(dict.fromkeys(attack)),
        tags=(*tags, f"author:{author}") if author else tags,
        aliases=(f"sigma:{title}",),
        source=Source("sigma", file, line),
        warnings=("the rule is deprecated",) if value.get("status") == "deprecated" else (),
    )


def severity(level: Any) -> str:
    """Sigma's level as a severity: the same names, but for informational."""
    text = str(level).lower()
    return "info" if text == "informational" else text if text in SEVERITIES else "medium"


def log_source(value: Mapping[str, Any]) -> tuple[str, str, str]:
    """Category, product and service of a rule, empty where it names none."""
    written = value.get("logsource")
    if not isinstance(written, dict):
        return "", "", ""
    category, product, service = (
        str(written.get(key) or "").lower() for key in ("category", "product", "service")
    )
    return category, product, service


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings as one, member by member; what the other one says counts."""
    found = dict(one)
    for key, value in other.items():
        mine = found.get(key)
        both = isinstance(value, dict) and isinstance(mine, dict)
        found[key] = merged(mine, value) if both else value  # type: ignore[arg-type]
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value.strip()[:_LONGEST] if isinstance(value, str) else ""
