"""Twice as much of anything is about twice the work, and long texts and names stay bounded."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from datetime import date
from importlib import import_module
from types import FrameType
from typing import Any

import pytest
from tests.support.crowds import CROWDS

from martello.catalogue.load import load
from martello.catalogue.scan import scan
from martello.core.finding import Scan
from martello.core.reading import Reading
from martello.core.resource import Nowhere, resource_of
from martello.report.model import FORMATS, Report

# NET-013 tries the rules of a pod one by one, and stops at a budget that these crowds do not reach.
CHECKS = tuple(check for check in load() if check.id != "NET-013")
Crowd = Callable[[int], list[dict[str, Any]]]


def judged(documents: list[dict[str, Any]]) -> Scan:
    resources = tuple(resource_of(document, Nowhere()) for document in documents)
    return scan(Reading("test", resources), CHECKS, today=date(2026, 7, 1), profile="all")


def work(documents: list[dict[str, Any]]) -> int:
    """How many calls a scan takes: the same on every machine."""
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        judged(documents)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("crowd", CROWDS, ids=lambda crowd: crowd.__name__)
def test_work_grows_with_the_objects(crowd: Crowd) -> None:
    judged(crowd(2))  # compiles what is needed
    some, twice = work(crowd(50)), work(crowd(100))
    assert twice < 2.2 * some


def test_a_long_text_is_read_in_linear_time() -> None:
    def long(size: int) -> list[dict[str, Any]]:
        text = ("password=" + "aA1" * 20 + " ./:@*=-_ \n") * (size // 80)
        name = {"metadata": {"name": "x", "namespace": "shop"}}
        image = "a/" * (size // 200) + "b:c"
        container = {"name": "c", "image": image, "env": [{"name": "A", "value": text}]}
        return [
            {"apiVersion": "v1", "kind": "ConfigMap", **name, "data": {"a": text}},
            {"apiVersion": "v1", "kind": "ConfigMap", **name, "data": {"a": "-" * size}},
            {
                "apiVersion": "v1",
                "kind": "Pod",
                **name,
                "spec": {"containers": [{**container, "args": [text], "command": ["=" * size]}]},
            },
        ]

    judged(long(1000))
    some, twice = work(long(20_000)), work(long(40_000))
    assert twice < 2.2 * some


NAMES = {
    "control": "a\x00\x07\x1b[31mb\r\nc",
    "right-to-left": "a\u202eb\u2066c",
    "long": "n" * 10_000,
    "markup": "<script>alert(1)</script>|`**x**`::error",
    "wide": "\U0001f525\u0301",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_no_report_repeats_what_a_terminal_would_obey(name: str) -> None:
    container = {"name": name, "image": f"x:{name}", "securityContext": {"privileged": True}}
    labels = {name: name}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": name, "labels": labels},
        "spec": {"containers": [container], name: name},
    }
    result = judged([pod])
    assert "POD-001" in {finding.check for finding in result.findings}
    report = Report(result, {c.id: c for c in CHECKS}, 1, "", "", "0", everything=True)
    for name_of_format in FORMATS:
        out = io.StringIO()
        import_module(f"martello.report.{name_of_format}").write(report, out)
        text = out.getvalue()
        if name_of_format in ("table", "markdown", "html", "github"):
            raw = [c for c in text if (c < " " and c not in "\n\t") or c in "\u202e\u2066\x7f"]
        else:  # data, in which a text stays what it is
            raw = [c for c in text if c < " " and c not in "\n\t\r"]
        assert raw == [], name_of_format
        if name_of_format == "html":
            assert "<script>alert" not in text
