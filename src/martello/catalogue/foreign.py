"""Skips that were written for other tools, in annotations and comments of an object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from martello.core.path import Path
from martello.core.resource import Resource, strings
from martello.core.workload import template_path

_CHECKOV_KEY: Final = re.compile(r"(?:checkov\.io|bridgecrew\.io|cortex\.io)/skip[0-9]*")
_KUBE_LINTER: Final = "ignore-check.kube-linter.io/"
_KUBE_LINTER_ALL: Final = "kube-linter.io/ignore-all"
_POLARIS: Final = "polaris.fairwinds.com/"
_CHECKOV_TEXT: Final = re.compile(r"(CKV2?_[A-Za-z0-9_]+)\s*(?:[=:]\s*(.*))?", re.DOTALL)
_TRIVY_TEXT: Final = re.compile(
    r"trivy:ignore:([A-Za-z0-9-]+)(?::exp:([0-9]{4}-[0-9]{2}-[0-9]{2}))?"
)


class Skip(msgspec.Struct, frozen=True):
    """One skip of a peer's check. `line` is 0 where it covers the whole object, else the line of
    the node whose findings it covers.
    """

    peer: str
    name: str
    reason: str
    until: str = ""
    line: int = 0


def skips(resource: Resource) -> Iterator[Skip]:
    """Every skip written at an object: its annotations, its pod template's, its comments."""
    yield from _annotated(resource.annotations)
    template = template_path(resource)
    if template:
        value: Any = resource.raw
        for part in (*template, "metadata", "annotations"):
            value = value.get(part) if isinstance(value, dict) else None
        yield from _annotated(strings(value))
    yield from _commented(resource)


def _annotated(annotations: dict[str, str]) -> Iterator[Skip]:
    for key, text in annotations.items():
        if key.startswith(_KUBE_LINTER):
            yield Skip("kube-linter", key.removeprefix(_KUBE_LINTER), text)
        elif key == _KUBE_LINTER_ALL:
            yield Skip("kube-linter", "*", text)
        elif key.startswith(_POLARIS):
            yield from _polaris(key.removeprefix(_POLARIS), text)
        elif _CHECKOV_KEY.fullmatch(key):
            match = _CHECKOV_TEXT.fullmatch(text.strip())
            if match is not None:
                yield Skip("checkov", match.group(1), match.group(2) or "")


def _polaris(key: str, text: str) -> Iterator[Skip]:
    """`exempt`, or `<check>-exempt` with the check in kebab or camel case; only `true` counts."""
    if text != "true":
        return
    if key == "exempt":
        yield Skip("polaris", "*", "")
    elif key.endswith("-exempt"):
        yield Skip("polaris", key.removesuffix("-exempt").replace("-", ""), "")


def _commented(resource: Resource) -> Iterator[Skip]:
    # Finding comments means parsing the text again; an origin that can be searched is asked first.
    mentions = getattr(resource.origin, "mentions", None)
    if mentions is not None and not mentions(b"checkov:skip=", b"trivy:ignore:"):
        return
    comments = resource.origin.comments()
    taken = {comment.line for comment in comments}
    for comment in comments:
        text = comment.text.strip()
        if text.startswith("checkov:skip="):
            match = _CHECKOV_TEXT.fullmatch(text.removeprefix("checkov:skip=").strip())
            if match is not None:
                yield Skip("checkov", match.group(1), match.group(2) or "")
            continue
        for match in _TRIVY_TEXT.finditer(text):
            line = comment.line + 1
            while line in taken:
                line += 1
            yield Skip("trivy", match.group(1), "", match.group(2) or "", line)


def covers(skip: Skip, resource: Resource, path: Path) -> bool:
    """Whether a skip at a line covers a finding: the line, or the one above it, begins the node or
    one of those around it.
    """
    if not skip.line:
        return True
    lines = {resource.locate(path[:length]).line for length in range(len(path) + 1)}
    return skip.line in lines or skip.line - 1 in lines
