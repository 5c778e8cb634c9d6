"""Small objects and scans for tests of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from io import BytesIO
from typing import Any

from martello.adapters.manifests import read_paths
from martello.catalogue.checkfile import parse_check
from martello.catalogue.scan import scan
from martello.core.check import Check
from martello.core.finding import Scan
from martello.core.reading import Reading

TODAY = date(2026, 7, 1)
EXAMPLES = """
examples:
  - good: {apiVersion: v1}
  - good: {apiVersion: v1}
  - bad: {apiVersion: v1}
  - bad: {apiVersion: v1}
""".replace("{", "'{").replace("}", "}'")


def reading(text: str) -> Reading:
    """The objects of a YAML text."""
    return read_paths(["-"], stdin=BytesIO(text.encode()))


def check(text: str, name: str = "test-check") -> Check:
    """A check of a few lines; what a test does not care about is filled in."""
    filled = text
    for key, value in (
        ("id", "POD-900"),
        ("title", "Test"),
        ("severity", "medium"),
        ("why", "Because."),
        ("scope", "workload"),
        ("fix", "{none: a test}"),
    ):
        if f"\n{key}:" not in f"\n{text}":
            filled = f"{key}: {value}\n{filled}"
    return parse_check(filled + EXAMPLES, f"{name}.yaml")


def judged(text: str, *checks: Check, **options: Any) -> Scan:
    """The scan of a YAML text by some checks, all of them."""
    ids: Sequence[str] = [c.id for c in checks]
    return scan(reading(text), checks, **{"today": TODAY, "ids": ids, **options})
