"""Paths as pictures and for other tools: nothing is lost, nothing of an attacker gets out."""

from __future__ import annotations

import io
import json
import re
from xml.etree import ElementTree

from tests.support.asked import ask
from tests.support.reports import report

from martello.report.network.dot import write_focus
from martello.report.network.focus_svg import focus_svg
from martello.report.paths import bloodhound, html
from martello.report.paths.graph import called, graph, links
from martello.report.paths.model import Evidence, Step, Told, Way

ODD = 'x"]><script>\x1b[2J'


def step(gives: str, *needs: str, sure: bool = True, edge: str = "an-edge") -> Step:
    fact = Evidence("a fact", "a.yaml:1", sure, "" if sure else "nobody looked")
    return Step(edge, f"gains {gives}", gives, (fact,), needs=needs, kind="account")


def way(*steps: Step, begin: str = "internet", more: tuple[str, ...] = ()) -> Way:
    names = (begin, *more)
    return Way("high", begin, steps[-1].gives, names, steps, 3, kinds=("internet",) * len(names))


def told(*ways: Way) -> Told:
    return Told(ways, None, 1, ("goal",), report())


def test_a_step_that_needs_two_things_has_two_edges() -> None:
    made = way(step("a", "internet"), step("b", "internet"), step("goal", "a", "b"))
    drawn = graph([made], "t")
    names = [spot.name for spot in drawn.spots]
    edges = {(names[e.source], names[e.destination]) for e in drawn.edges}
    assert edges == {("internet", "a"), ("internet", "b"), ("a", "goal"), ("b", "goal")}


def test_a_place_that_two_paths_gain_stands_once_and_no_edge_runs_back() -> None:
    one = way(step("a", "internet"), step("b", "a"), step("goal", "b"))
    other = way(step("b", "pod"), step("goal", "b"), begin="pod")
    drawn = graph([one, other], "t")
    names = [spot.name for spot in drawn.spots]
    assert sorted(names) == ["a", "b", "goal", "internet", "pod"]
    layer = {spot.name: spot.layer for spot in drawn.spots}
    assert all(drawn.spots[e.source].layer < drawn.spots[e.destination].layer for e in drawn.edges)
    assert layer["pod"] == layer["b"] - 1, "a foothold stands beside what it is needed for"


def test_paths_in_a_circle_end() -> None:
    one = way(step("a", "internet"), step("b", "a"))
    other = way(step("b", "pod"), step("a", "b"), begin="pod")
    assert len(graph([one, other], "t").spots) == 4


def test_what_is_only_perhaps_gained_is_not_certain() -> None:
    drawn = graph([way(step("a", "internet", sure=False), step("goal", "a"))], "t")
    assert {s.name: s.certain for s in drawn.spots} == {
        "internet": True,
        "a": False,
        "goal": True,
    }
    assert "stroke-dasharray" in focus_svg(drawn, style=True)


def test_a_need_that_is_not_shown_is_joined_to_what_came_before() -> None:
    made = way(step("a", "internet"), step("goal", "hidden"))
    assert [needs for needs, _ in links(made)] == [("internet",), ("a",)]


def test_names_of_an_attacker_are_text_everywhere() -> None:
    made = way(step(ODD, "internet"), step("goal", ODD))
    drawn = graph([made], ODD)
    ElementTree.fromstring(focus_svg(drawn, style=True))
    dot, page = io.StringIO(), io.StringIO()
    write_focus(drawn, dot)
    html.write(told(made), ODD, page)
    assert "<script" not in page.getvalue()
    assert "\x1b" not in page.getvalue() + dot.getvalue()
    assert '\\"]' in dot.getvalue(), "a quotation mark ends no name"


def test_bloodhound_gets_every_foothold_and_what_it_would_refuse_is_not_there() -> None:
    made = way(
        step("a", "internet", edge="pod create/now"),
        step("goal", "a", "internet"),
        more=("pods of x", "user joe"),
    )
    out = io.StringIO()
    bloodhound.write(told(made), "prod", out)
    data = json.loads(out.getvalue())["graph"]
    ids = {node["id"] for node in data["nodes"]}
    assert ids == {f"prod|{n}" for n in ("internet", "pods of x", "user joe", "a", "goal")}
    for edge in data["edges"]:
        assert re.fullmatch(r"[A-Za-z0-9_]+", edge["kind"])
        assert {edge["start"]["value"], edge["end"]["value"]} <= ids
    into = [e["start"]["value"] for e in data["edges"] if e["end"]["value"] == "prod|a"]
    assert sorted(into) == ["prod|internet", "prod|pods of x", "prod|user joe"]
    for one in (*data["nodes"], *data["edges"]):
        for name, value in one["properties"].items():
            assert name == name.lower()
            assert isinstance(value, str | bool | int) or all(isinstance(v, str) for v in value)


def test_the_command_writes_every_format() -> None:
    for format, start in (
        ("svg", "<svg"),
        ("dot", "digraph"),
        ("html", "<!doctype html>"),
        ("bloodhound", '{\n  "metadata"'),
    ):
        done = ask("paths", "-f", "demo", "-o", format)
        assert done.out.startswith(start)
        assert done.code == 1
    assert called(way(step("a", "internet"), more=("pods of x",))) == "internet and 1 more"


def test_a_foothold_that_others_gain_stands_after_them() -> None:
    one = way(step("a", "internet"), step("pod", "a"))
    other = way(step("goal", "pod"), begin="pod")
    drawn = graph([one, other], "t")
    assert all(drawn.spots[e.source].layer < drawn.spots[e.destination].layer for e in drawn.edges)


def test_the_picture_goes_without_the_step_into_the_containers_of_a_pod() -> None:
    runs = Step("pod-container", "runs", "code", needs=("pod",), kind="code")
    made = way(runs, step("goal", "code"), begin="pod")
    drawn = graph([made], "t")
    assert [spot.name for spot in drawn.spots] == ["pod", "goal"]
    assert len(list(links(made))) == 2, "exports are complete"


def test_a_doubt_is_marked_on_the_page_and_the_verdict_stands_first() -> None:
    page = io.StringIO()
    html.write(told(way(step("a", "internet", sure=False), step("goal", "a"))), "t", page)
    assert "<span class=unsure>?</span> gains a" in page.getvalue()
    assert page.getvalue().index('class="verdict') < page.getvalue().index("<svg")
