"""The pictures: well-formed SVG without script and style attributes, folded, escaped, in order."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from martello.core.reach import ALL, NONE, Ports, conn
from martello.report.network import html
from martello.report.network.focus_svg import focus_svg, folded
from martello.report.network.matrix_svg import matrix_svg
from martello.report.network.model import DOUBT, OPEN, PART, SELF, Cell, Edge, Focus, Matrix, Spot
from martello.report.network.svg import cut

SVG = "{http://www.w3.org/2000/svg}"
HTTP = conn([Ports("TCP", 80, 80)])
NAMES = ("ci", "shop", "<script>alert(1)</script>", "internet")


def matrix(names: tuple[str, ...] = NAMES) -> Matrix:
    cells = {
        (0, 1): Cell(OPEN, ALL),
        (0, 2): Cell(PART, HTTP, NONE, 1, 0, 4),
        (1, 0): Cell(DOUBT, NONE, ALL),
        (1, 1): Cell(SELF),
    }
    return Matrix("Who reaches whom & why", "namespace", names, names, cells, 5, 1, 12, ("note",))


def star(others: int, groups: int = 3) -> Focus:
    spots = [Spot("a/w", "a")]
    spots += [Spot(f"g{i % groups}/w{i}", f"g{i % groups}", 1, "TCP 80") for i in range(others)]
    return Focus("star", tuple(spots), tuple(Edge(0, i + 1) for i in range(others)))


def elements(svg: str) -> list[ElementTree.Element]:
    """Every element; that it parses is the first test."""
    return list(ElementTree.fromstring(svg).iter())


@pytest.mark.parametrize("svg", [matrix_svg(matrix()), focus_svg(star(4)), focus_svg(star(200))])
def test_no_script_and_no_style_attribute(svg: str) -> None:
    for each in elements(svg):
        assert each.tag.removeprefix(SVG) not in ("script", "style", "foreignObject", "a", "image")
        assert not [name for name in each.attrib if name == "style" or name.startswith("on")]


def test_names_are_text() -> None:
    svg = matrix_svg(matrix())
    assert "<script>" not in svg
    assert "<script>alert(1)</script>" in [e.text for e in elements(svg) if e.tag == f"{SVG}title"]
    hostile = Focus("\x1b[31m", (Spot('"><svg onload=x>', "\u202egroup"),), ())
    assert "\x1b" not in focus_svg(hostile)
    elements(focus_svg(hostile))


def test_every_verdict_has_a_sign_of_its_own() -> None:
    """Colour never carries meaning alone: full square, half square, dot, question mark."""
    legend = [e.text for e in elements(matrix_svg(matrix())) if e.tag == f"{SVG}text"]
    for words in ("everything passes", "some of it passes", "nothing passes", "not known", "?"):
        assert words in legend


def test_a_cell_says_what_passes() -> None:
    titles = [e.text for e in elements(matrix_svg(matrix())) if e.tag == f"{SVG}title"]
    assert "ci → shop: everything passes (all)" in titles
    assert any(t and t.endswith("some of it passes (TCP 80), 1 of 4 pairs") for t in titles)
    assert "shop → ci: not known (perhaps all)" in titles


def test_a_file_of_its_own_brings_its_style() -> None:
    assert "<style>" in matrix_svg(matrix(), style=True)
    assert "<style>" not in matrix_svg(matrix())


@pytest.mark.parametrize(("others", "groups"), [(61, 3), (500, 10), (500, 45), (300, 300)])
def test_at_most_sixty_places_are_drawn_and_the_rest_is_counted(others: int, groups: int) -> None:
    shown = folded(star(others, groups))
    assert len(shown.spots) <= 60
    assert len(shown.edges) == len(set(shown.edges))
    reached = {e.destination for e in shown.edges} | {e.source for e in shown.edges}
    assert reached == set(range(len(shown.spots)))


def test_nothing_is_folded_below_the_limit() -> None:
    assert folded(star(59)) == star(59)


def test_matrix_counts_what_it_does_not_draw() -> None:
    names = tuple(f"ns{i}" for i in range(90))
    svg = matrix_svg(matrix(names))
    assert "90 rows and 90 columns; the first 60" in svg


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    found = [e for e in elements(svg) if e.get("class", "").startswith("spot")]
    return [tuple(float(e.get(k, "0")) for k in ("x", "y", "width", "height")) for e in found]  # type: ignore[misc]


@pytest.mark.parametrize("others", [1, 7, 59, 400])
def test_boxes_do_not_overlap_and_stay_inside(others: int) -> None:
    svg = focus_svg(star(others))
    width, height = (float(v) for v in elements(svg)[0].get("viewBox", "").split()[2:])
    found = boxes(svg)
    for at, (x, y, w, h) in enumerate(found):
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
        for x2, y2, w2, h2 in found[at + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_order_follows_the_neighbours() -> None:
    """Two chains do not cross: the second hop lies in the order of the first."""
    spots = (
        Spot("n/w", "n"),
        Spot("n/a", "n", 1),
        Spot("n/b", "n", 1),
        Spot("n/x", "n", 2),
        Spot("n/y", "n", 2),
    )
    crossed = Focus("f", spots, (Edge(0, 1), Edge(0, 2), Edge(1, 4), Edge(2, 3)))
    found = boxes(focus_svg(crossed))
    assert found[4][1] < found[3][1]


def test_long_names_are_cut_in_the_middle_and_kept_in_the_title() -> None:
    assert cut("abcdefghij", 5) == "ab…ij"
    assert cut("abcde", 5) == "abcde"
    name = "ns/" + "x" * 200
    svg = focus_svg(Focus("f", (Spot(name, "ns"),), ()))
    assert name in [e.text for e in elements(svg) if e.tag == f"{SVG}title"]


def test_page_is_whole_and_says_the_table_too() -> None:
    out = io.StringIO()
    html.write((matrix(), star(3)), "title", out)
    page = out.getvalue()
    assert "default-src 'none'" in page
    assert "<td>TCP 80" in page
    assert "style=" not in page.partition("</style>")[2]


@pytest.mark.slow
@pytest.mark.parametrize("width", [500, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_renders(width: int, scheme: str, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no browser: apt-get install chromium")
    out = io.StringIO()
    html.write((matrix(), star(30)), "title", out)
    page = tmp_path / "page.html"
    page.write_text(out.getvalue(), encoding="utf-8")
    dark = ("--blink-settings=preferredColorScheme=0",) if scheme == "dark" else ()
    done = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--enable-logging=stderr",
            *dark,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},900",
            f"--screenshot={tmp_path / 'shot.png'}",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "CONSOLE" not in done.stderr
    assert (tmp_path / "shot.png").stat().st_size > 5_000
