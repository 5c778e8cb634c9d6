"""Pictures and pages of the blast radius, in a real browser."""

from __future__ import annotations

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from tests.support.browser import renders

from martello.report.model import Screen
from martello.report.resources.blast import html, svg, text
from martello.report.resources.blast.model import (
    Advice,
    Bar,
    Beside,
    Hurt,
    Line,
    Row,
    Shared,
    Stand,
    Told,
)

HURT = tuple(
    Hurt(f"data/db-{n}", "data/sts/db", "evicted", "310Mi over its request", n) for n in range(12)
)
LINES = (
    Line("cpu", "500m", "limit 500m", "shop.yaml:9", "every neighbour keeps what it asks for"),
    Line(
        "memory", "", "", "", "evicts 12 pods; first data/db-0", HURT, "unassessed", ("eviction",)
    ),
    Line("pids", "", "", "", "it would be the first to go", (), "bound"),
    Line("inodes", "", "", "", "how many the disk has is not known", (), "unassessed"),
    Line("unenforced", "", "", "", "network: not enforced by Kubernetes, no bound"),
)
ROW = Row(
    "shop/deploy/web",
    "shop.yaml:3",
    "Burstable, no memory limit, 3 replicas on 3 nodes",
    "high",
    41.5,
    "12 pods of 1 namespace evicted",
    LINES,
    advice=Advice(("memory limit 512Mi", "podPidsLimit 1024"), 41.5, 0.2, True),
)
BARS = (
    Bar("cpu", "m", 4000, 3000, 1200, None),
    Bar("memory", "bytes", 1 << 34, 1 << 33, None, 1 << 30),
)
TOLD = Told(
    "container",
    (ROW, msgspec.structs.replace(ROW, attacker="x" * 120 + "/deploy/<b>", severity="", score=0.0)),
    (Stand("worker-1", 30, "shop/web-0", BARS, HURT),),
    60,
    "high",
    notes=("one node stands for all",),
    missing=("Node: forbidden",),
    exit=1,
)
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")


def _written(write: object, *more: object) -> str:
    out = io.StringIO()
    write(TOLD, *more, out)  # type: ignore[operator]
    return out.getvalue()


def test_a_screen_of_eighty_columns_is_enough() -> None:
    lines = _written(text.write, Screen(width=80)).splitlines()
    assert lines[0].split() == ["score", "workload", "cpu", "mem", "pids", "inode", "worst"]
    assert lines[1].split()[:6] == ["41.5", "shop/deploy/web", "0", "12", "-", "?"]
    assert any(line.startswith("cheapest guards: memory limit 512Mi") for line in lines)
    assert lines[-1].startswith("exit 1: 1 high (fail-on high)    next: --write DIR")
    assert max(map(len, lines)) <= 100


def test_colour_adds_nothing_but_colour() -> None:
    plain = _written(text.write, Screen(width=100))
    bright = _written(text.write, Screen(width=100, colour=True))
    assert "\x1b[" in bright
    assert re.sub(r"\x1b\[[0-9;]*m", "", bright) == plain


def test_the_drawing_is_whole_and_says_its_numbers() -> None:
    drawn = _written(svg.write)
    ElementTree.fromstring(drawn)
    for word in (
        "41.5",
        ">12<",
        ">?<",
        "310Mi over its request",
        "8.0Gi asked for",
        "and 4 more go down",
    ):
        assert word in drawn
    assert "<b>" not in drawn


def test_the_drawing_tells_once_what_all_share_and_then_the_rest() -> None:
    fork = Line("pids", "", "", "", "all: 12 pods cannot fork", HURT)
    row = msgspec.structs.replace(ROW, score=100.0, lines=(*LINES[:2], fork))
    rows = (
        msgspec.structs.replace(row, beside=Beside("high", 37.5, "12 pods evicted")),
        msgspec.structs.replace(row, attacker="shop/deploy/calm", beside=Beside("", 0.1, "")),
    )
    shared = Shared("every workload", "pids", "12 pods cannot fork", "podPidsLimit 1024")
    out = io.StringIO()
    svg.write(msgspec.structs.replace(TOLD, rows=rows, shared=shared), out)
    drawn = out.getvalue()
    ElementTree.fromstring(drawn)
    for word in (
        "Every workload, pids: no guard; 12 pods cannot fork",
        "one fix: podPidsLimit 1024",
        ">37.5<",
        "high: 12 pods evicted",
        "1 other: nobody is hurt, pids aside",
    ):
        assert word in drawn
    for word in (">100.0<", ">pids<", "shop/deploy/calm"):
        assert word not in drawn
    out = io.StringIO()
    svg.write(msgspec.structs.replace(TOLD, rows=rows[1:], nodes=(), shared=shared), out)
    assert "Nobody is hurt, pids aside" in out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_renders(width: int, scheme: str, tmp_path: Path) -> None:
    renders(_written(html.write), tmp_path, width, scheme, 1400)
