"""Every format says everything that was found, whatever the text is made of."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from importlib import import_module
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.reports import LIMITS, finding, report

from martello.core.finding import ControlVerdict, Unassessed, Waived
from martello.core.resource import Location
from martello.report.model import FORMATS, Report

WAIVED = Waived("sre@example.com", "reads logs", "2026-12-31", "waivers.yaml:3:1")
BROKEN = Unassessed("line 3: found a tab", Location("broken.yaml", 3, 1))
FULL = report(
    finding(),
    finding("db", LIMITS, "no memory limit"),
    finding("agent", waived=WAIVED),
    finding("old", LIMITS, known=True),
    unassessed=(BROKEN, Unassessed("no flows were given", check="NET-022", asked=False)),
)
# anything a name or a message of a hostile object may hold
hostile = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def written(format: str, what: Report) -> str:
    """What a format writes."""
    out = io.StringIO()
    import_module(f"martello.report.{format}").write(what, out)
    return out.getvalue()


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_names_finding_place_and_check(format: str) -> None:
    text = written(format, FULL).replace("\\", "").replace("%3A", ":").replace("<wbr>", "")
    assert "POD-001" in text
    assert "deploy/web.yaml" in text
    assert "web" in text


@pytest.mark.parametrize("format", FORMATS)
def test_same_input_same_bytes(format: str) -> None:
    assert written(format, FULL) == written(format, FULL)


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_report_is_written_too(format: str) -> None:
    assert written(format, report(exit=0))


@given(hostile, hostile)
def test_json_keeps_any_text(name: str, message: str) -> None:
    data = json.loads(written("json", report(finding(name, message=message))))
    assert data["schema"] == "martello/v1"
    assert data["findings"][0]["message"] == message
    assert data["findings"][0]["object"]["name"] == name


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_name_that_is_no_text_is_written(format: str) -> None:
    broken = Unassessed("it is no YAML", Location("caf\udce9.yaml", 1, 1))
    text = written(format, report(finding(), unassessed=(broken,)))
    assert "POD-001" in text
    if format in ("json", "jsonl"):
        assert "caf?.yaml" in text
    if format == "sarif":
        assert "caf%E9.yaml" in text


@pytest.mark.parametrize("count", [0, 1, 500, 501, 1200])
def test_json_written_in_parts_is_one_indented_document(count: int) -> None:
    text = written("json", report(*(finding(f"pod-{n}") for n in range(count))))
    data = json.loads(text)
    assert [f["object"]["name"] for f in data["findings"]] == [f"pod-{n}" for n in range(count)]
    assert text == json.dumps(data, indent=2, ensure_ascii=False) + "\n"


@given(hostile)
def test_jsonl_is_a_document_a_line(message: str) -> None:
    lines = written("jsonl", report(finding(message=message))).split("\n")
    rows = [json.loads(line) for line in lines[:-1]]
    assert [row["type"] for row in rows] == ["header", "finding", "summary"]
    assert rows[1]["message"] == message


@given(hostile, hostile)
def test_junit_stays_xml(name: str, message: str) -> None:
    root = ElementTree.fromstring(written("junit", report(finding(name, message=message))))
    failures = root.findall("./testsuite[@name='access']/testcase/failure")
    assert len(failures) == 1


def test_junit_counts() -> None:
    root = ElementTree.fromstring(written("junit", FULL))
    suites = {suite.get("name"): suite for suite in root}
    assert suites["access"].get("failures") == "1"
    assert suites["access"].get("skipped") == "1"
    assert suites["resources"].get("skipped") == "1"
    assert suites["reading"].get("skipped") == "2"
    assert "network" not in suites  # none of its checks ran: that is no pass
    for suite in root:
        assert suite.get("tests") == str(len(suite.findall("testcase")))


@given(hostile, hostile)
def test_html_is_well_nested_and_inert(name: str, message: str) -> None:
    page = written("html", report(finding(name, message=f"<script>{message}</script>")))
    assert "<script" not in page
    assert _Nesting(page).open == []


def test_html_tells_each_practice() -> None:
    page = written("html", FULL)
    for words in ("authorized images", "the network", "monitor", "resources", "authorize"):
        assert words in page
    assert "http://" not in page
    assert "https://" not in page


def test_html_of_ten_thousand_findings_stays_small() -> None:
    many = [
        finding(f"web-{n}", file=f"deploy/some/longer/path/web-{n}.yaml") for n in range(10_000)
    ]
    assert len(written("html", report(*many)).encode()) <= 2 * 1024 * 1024


@given(hostile)
def test_markdown_rows_keep_their_cells(message: str) -> None:
    text = written("markdown", report(finding(message=message)))
    rows = [line for line in text.split("\n") if line.startswith("| POD")]
    assert len(rows) == 1
    assert len(re.findall(r"(?<!\\)\|", rows[0].replace("\\\\", ""))) == 5
    assert not re.search(r"@\w", text)


def test_markdown_fits_into_a_comment() -> None:
    text = written("markdown", report(*[finding(f"web-{n}") for n in range(5_000)]))
    assert len(text) <= 65_536
    assert re.search(r"\d findings more did not fit", text)


@given(hostile)
def test_github_is_a_command_a_line(message: str) -> None:
    lines = written("github", report(finding(message=message))).split("\n")
    commands = [line for line in lines if line.startswith("::")]
    assert len(commands) == 1
    assert commands[0].startswith("::error file=deploy/web.yaml,line=12,col=15,title=POD-001")


def test_github_says_what_it_leaves_out() -> None:
    text = written("github", report(*[finding(f"web-{n}") for n in range(25)]))
    assert text.count("::error") == 10
    assert "15 more in the full report" in text


def test_github_says_what_got_no_verdict_and_how_it_ends() -> None:
    broken = Unassessed("not YAML,\x1b[31m here", Location("a:b.yaml", 3, 4))
    others = [Unassessed(f"reason {n}") for n in range(12)]
    text = written("github", report(unassessed=(broken, *others), exit=3))
    first = "::warning file=a%3Ab.yaml,line=3,col=4,title=unassessed::not YAML,\\x1b[31m here"
    assert first in text.split("\n")
    assert text.count("::warning") == 10
    assert "3 more in the full report" in text
    assert text.endswith("exit 3: 1 critical (fail-on high)\n")


@pytest.mark.parametrize("format", FORMATS)
def test_no_format_sends_a_terminal_what_it_would_obey(format: str) -> None:
    hostile = "a\x1b[2J\x9b31m\u202e\u2028\x07"
    waived = finding(hostile, waived=Waived(hostile, hostile, "", hostile))
    full = report(
        finding(hostile, message=hostile, file=hostile), waived, unassessed=(Unassessed(hostile),)
    )
    scan = msgspec.structs.replace(full.scan, target=hostile, notes=(hostile,))
    full = msgspec.structs.replace(full, scan=scan, everything=True)
    text = written(format, full)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    if format != "junit":  # XML has no other way to write it
        assert not re.search("[\u2028\u202e]", text)


@pytest.mark.parametrize("format", ["json", "jsonl", "markdown", "table"])
def test_notes_are_told(format: str) -> None:
    scan = msgspec.structs.replace(report().scan, notes=("waiver w matches nothing",))
    text = written(format, msgspec.structs.replace(report(), scan=scan))
    assert "waiver w matches nothing" in text


def test_junit_of_nothing_is_no_pass() -> None:
    empty = report(exit=3)
    empty = msgspec.structs.replace(empty, scan=msgspec.structs.replace(empty.scan, objects=0))
    root = ElementTree.fromstring(written("junit", empty))
    assert [suite.get("name") for suite in root] == ["reading"]
    assert root[0].get("skipped") == root[0].get("tests") == "1"


def test_markdown_fits_with_every_severity_and_says_what_it_leaves_out() -> None:
    worst = [finding(f"web-{n}") for n in range(800)]
    more = [
        msgspec.structs.replace(finding(f"{s}-{n}"), severity=s)
        for s in ("high", "medium", "low")
        for n in range(300)
    ]
    reasons = tuple(Unassessed(f"a reason of some length, number {n}") for n in range(3_000))
    text = written("markdown", report(*worst, *more, unassessed=reasons))
    assert len(text) <= 65_536
    assert re.search(r"lines more did not fit into this comment\n$", text)


def test_table_never_lets_control_characters_through() -> None:
    text = written("table", report(finding("a\x1b[2J", message="b\r\x07")))
    assert all(c.isprintable() or c == "\n" for c in text)


def test_table_ends_with_counts_and_exit() -> None:
    lines = written("table", FULL).splitlines()
    assert "1 critical 1 medium" in lines[-2]
    assert "1 waived" in lines[-2]
    assert "2 unassessed" in lines[-2]
    assert lines[-1].startswith("exit 1: 1 critical (fail-on high)")


class _Nesting(HTMLParser):
    """Follows the elements whose end tags HTML demands."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("meta", "br", "wbr", "td", "th", "tr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a start"
        if self.open[-1] == "p" and tag != "p":
            self.open.pop()
        assert self.open.pop() == tag


def test_json_keeps_to_its_published_schema() -> None:
    schema = json.loads(files("martello.report").joinpath("martello-v1.schema.json").read_text())
    jsonschema.validate(json.loads(written("json", FULL)), schema)
    broken = json.loads(written("json", FULL))
    del broken["findings"][0]["location"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


VERDICTS = (
    ControlVerdict("pss-restricted@1.34", "privileged", "No", "fail", ("POD-001",), 2),
    ControlVerdict("pss-restricted@1.34", "hostPorts", "Ports <x>", "pass", ("POD-009",)),
    ControlVerdict("pss-restricted@1.34", "sysctls", "Kernel", "unassessed", ("POD-025",)),
)


@pytest.mark.parametrize("format", ["table", "json", "html"])
def test_the_controls_of_a_framework_are_told(format: str) -> None:
    text = written(format, msgspec.structs.replace(FULL, controls=VERDICTS))
    for word in ("pss-restricted@1.34", "privileged", "sysctls", "unassessed"):
        assert word in text
    if format != "json":
        assert "1 fail · 1 unassessed · 1 pass" in text
