"""Helm charts that nobody has rendered: recognised as charts, not read as manifests."""

from __future__ import annotations

import os
from typing import Final

from martello.core.finding import Unassessed
from martello.core.resource import Location

_TEMPLATES: Final = (".yaml", ".yml", ".json")
_PARTS: Final = frozenset(("templates", "charts"))
_PEEK: Final = 1 << 20
_MOST: Final = 1000


def unrendered_chart(directory: str, names: frozenset[str]) -> Unassessed | None:
    """One entry for a directory with Chart.yaml and templates that use `{{`; None otherwise."""
    if "Chart.yaml" not in names or "templates" not in names:
        return None
    if not _uses_templates(os.path.join(directory, "templates")):
        return None
    import shlex

    name = os.path.basename(os.path.abspath(directory)) or "chart"
    command = f"helm template {shlex.quote(name)} {shlex.quote(directory or '.')} | martello scan -"
    reason = f"a Helm chart that is not rendered: run {command}"
    return Unassessed(reason, Location(os.path.join(directory, "Chart.yaml")))


def is_part(name: str, is_directory: bool) -> bool:
    """Whether an entry of a chart's directory is no manifest by itself: templates, subcharts,
    values and the chart's own files. Custom resource definitions in `crds` are plain manifests.
    """
    if is_directory:
        return name in _PARTS
    return name.startswith(("Chart.", "values", "requirements."))


def _uses_templates(directory: str) -> bool:
    looked = 0
    for path, inner, files in os.walk(directory):
        inner.sort()
        for file in sorted(files):
            if not file.endswith(_TEMPLATES) or looked >= _MOST:
                continue
            looked += 1
            if _mentions_braces(os.path.join(path, file)):
                return True
    return False


def _mentions_braces(path: str) -> bool:
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return b"{{" in file.read(_PEEK)
    except OSError:
        return False
