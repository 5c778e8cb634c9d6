"""`matrix`, `diff`, `lint`: every format, the schema of the JSON, promises as a gate."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from tests.support.network.asked import ask

from martello.demo import texts

INTENTS = """
never:
  - {from: {namespace: ci}, to: {namespace: data}}
must:
  - {from: shop/web, to: shop/cart, ports: [TCP 8081]}
"""
KEPT = """
must:
  - {from: shop/web, to: shop/cart, ports: [TCP 8081]}
"""

PING = """
{apiVersion: v1, kind: Pod, metadata: {name: one, namespace: a, labels: {app: one}},
  spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: two, namespace: b, labels: {app: two}},
  spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: b},
  spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [
    {from: [{namespaceSelector: {}}], ports: [{port: 80}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: q, namespace: a},
  spec: {podSelector: {}, policyTypes: [Egress], egress: [
    {to: [{namespaceSelector: {}}], ports: [{port: 81}]}]}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The demo's manifests in two directories, old and new; new lets web reach checkout."""
    for side in ("old", "new"):
        (tmp_path / side).mkdir()
        for name, text in texts().items():
            (tmp_path / side / Path(name).name).write_bytes(text)
    file = tmp_path / "new" / "shop.yaml"
    more = (
        "matchLabels: {app: cart}\n        - podSelector: {matchLabels: {app: web}}\n      ports:\n"
    )
    file.write_text(file.read_text().replace("matchLabels: {app: cart}\n      ports:\n", more))
    (tmp_path / "intents.yaml").write_text(INTENTS)
    (tmp_path / "kept.yaml").write_text(KEPT)
    return tmp_path


def document(*words: str, cwd: Path | None = None) -> Any:
    """What `-o json` writes, which fits its schema."""
    found = json.loads(ask(*words, "-o", "json", cwd=cwd).out)
    text = files("martello.report.network").joinpath("martello-network-v1.schema.json").read_text()
    jsonschema.validate(found, json.loads(text))
    return found


def test_grid_of_namespaces() -> None:
    done = ask("matrix", "-f", "demo")
    lines = done.out.splitlines()
    assert done.code == 0
    assert lines[0].split() == ["1", "2", "3", "4", "5"]
    assert lines[1].split() == ["1", "ci", "◪", "◪", "◪", "◪", "■"]
    assert lines[2].split() == ["2", "data", "·", "◪", "◪", "◪", "■"]
    assert "62 of 156 pairs open" in lines
    assert all(len(line) <= 80 for line in lines)


def test_listing_of_workloads() -> None:
    lines = ask("matrix", "-f", "demo", "--by", "workload").out.splitlines()
    assert lines[:2] == ["ci/build-cache", "  TCP 8090  from ci/runner"]
    assert lines[lines.index("shop/web") + 1] == "  all       from everywhere"


@pytest.mark.parametrize("by", ["workload", "namespace"])
def test_a_picture_of_one_namespace_shows_who_reaches_it_from_wherever(by: str) -> None:
    found = document("matrix", "-f", "demo", "-n", "data", "--by", by)
    whole = document("matrix", "-f", "demo", "--by", by)
    name = "data/db" if by == "workload" else "data"
    into = [
        [c for c in one["cells"] if c["destination"] == name and c["verdict"] != "self"]
        for one in (found, whole)
    ]
    assert sorted(into[0], key=str) == sorted(into[1], key=str)
    assert {"ci", "shop"} <= {c["source"].partition("/")[0] for c in into[0]}
    assert (found["open"], found["pairs"]) == (13, 39)
    assert any("data also reaches 3 workloads" in note for note in found["notes"])


def test_pairs_of_which_only_ping_is_open_to_doubt_are_not_unknown(tmp_path: Path) -> None:
    """Rules with ports say nothing of ping: that is in the data, and is no hole in a picture."""
    (tmp_path / "pods.yaml").write_text(PING)
    for by, ends in (("workload", ("a/one", "b/two")), ("namespace", ("a", "b"))):
        words = ("matrix", "-f", "pods.yaml", "--by", by)
        done = ask(*words, cwd=tmp_path)
        assert done.code == 0
        assert "not known" not in done.out.splitlines()[-1]
        cells = document(*words, cwd=tmp_path)["cells"]
        cell = next(c for c in cells if (c["source"], c["destination"]) == ends)
        assert (cell["verdict"], cell["perhaps"]["text"]) == ("shut", "other protocols")
        for format in ("csv", "dot"):
            assert "perhaps" not in ask(*words, "-o", format, cwd=tmp_path).out.partition("\n")[2]
            assert "other protocols" not in ask(*words, "-o", format, cwd=tmp_path).out


def test_a_namespace_of_one_workload_has_nothing_to_tell_of_itself(tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text(PING)
    lines = ask("matrix", "-f", "pods.yaml", cwd=tmp_path).out.splitlines()
    assert lines[1].split() == ["1", "a", "·", "·"]
    assert lines[2].split() == ["2", "b", "·", "·"]


@pytest.mark.parametrize("words", [("matrix",), ("matrix", "--by", "workload")])
def test_matrix_as_data_is_what_can_says(words: tuple[str, ...]) -> None:
    found = document(*words, "-f", "demo")
    assert found["open"] == 62
    if words[-1] != "workload":
        return
    cells = {(c["source"], c["destination"]): c["passes"]["text"] for c in found["cells"]}
    for pair in (("shop/web", "data/db"), ("shop/web", "shop/mail"), ("internet", "shop/web")):
        answer = json.loads(ask("can", *pair, "-f", "demo", "-o", "json").out)
        assert answer["passes"]["text"] == cells.get(pair, "none")


def test_matrix_as_csv_svg_dot_and_html(tmp_path: Path) -> None:
    names = {f: str(tmp_path / f"m.{f}") for f in ("csv", "svg", "dot", "html")}
    done = ask("matrix", "-f", "demo", *(w for f, n in names.items() for w in ("-o", f"{f}={n}")))
    assert (done.code, done.out) == (0, "")
    rows = list(csv.reader(io.StringIO(Path(names["csv"]).read_text())))
    assert ["ci", "data", "part", "TCP 5432", "other protocols", "3", "9"] in rows
    ElementTree.parse(names["svg"])
    assert Path(names["dot"]).read_text().startswith('digraph "Who reaches whom, by namespace"')
    assert "<svg" in Path(names["html"]).read_text()


def test_hops() -> None:
    lines = ask("matrix", "-f", "demo", "--from", "shop/web", "--hops", "2").out.splitlines()
    assert "  shop/checkout  TCP 8082, from shop/cart" in lines
    assert lines[-3] == "5 of 11 places reached"
    assert " ".join(lines[-2:]).startswith("note: the internet is reached from shop/web, data/db")
    found = document("matrix", "-f", "demo", "--from", "shop/web", "--hops", "2")
    assert {"source": "shop/cart", "destination": "shop/checkout", "certain": True} in found[
        "edges"
    ]


def test_exposure() -> None:
    found = document("matrix", "-f", "demo", "--exposure", "-n", "shop")
    assert [(e["workload"], e["what"]) for e in found["outside"]] == [("shop/web", "TCP 8080")]
    assert any(e["workload"] == "shop/web" and e["direction"] == "in" for e in found["newcomers"])
    assert "what strangers reach" in ask("matrix", "-f", "demo", "--exposure").out


def test_diff_names_what_opens_and_by_which_rule(shop: Path) -> None:
    done = ask("diff", "old", "new", cwd=shop)
    assert done.code == 0
    assert done.out.splitlines()[:3] == [
        "from old to new: 1 pair opens",
        "  opens    shop/web → shop/checkout  TCP 8082",
        "           by shop/NetworkPolicy/checkout (new/shop.yaml:274:7)",
    ]
    back = document("diff", "new", "old", cwd=shop)
    assert [(c["kind"], c["sources"]) for c in back["changes"]] == [("closes", ["shop/web"])]
    assert "nothing changes" in ask("diff", "old", "old", cwd=shop).out


def test_diff_is_a_gate_for_promises(shop: Path) -> None:
    words = ("-o", "sarif=n.sarif", "-o", "junit=n.xml", "-o", "markdown")
    done = ask("diff", "old", "new", "--intents", "intents.yaml", *words, cwd=shop)
    assert done.code == 1
    told = "**broken promise**: ci/runner, ci/build-cache and ci/nightly reach data/db on TCP 5432"
    assert told in done.out
    assert done.out.count("promised: ") == 1
    results = json.loads((shop / "n.sarif").read_text())["runs"][0]["results"]
    assert [r["ruleId"] for r in results] == ["NET-019"]
    place = results[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "new/data.yaml"
    assert place["region"]["startLine"] == 99
    suites = ElementTree.parse(shop / "n.xml").getroot()
    assert [(s.get("name"), s.get("failures")) for s in suites] == [("network", "1")]
    assert ask("diff", "old", "new", "--intents", "kept.yaml", cwd=shop).code == 0


def test_a_promise_that_was_broken_before_is_told_apart(shop: Path) -> None:
    """Whoever opens a pull request sees what of it is theirs."""
    (shop / "both.yaml").write_text(INTENTS + "only:\n  - {to: shop/checkout, from: [shop/cart]}\n")
    words = ("diff", "old", "new", "--intents", "both.yaml")
    found = {b["message"]: b["before"] for b in document(*words, cwd=shop)["broken"]}
    mine = "shop/web reaches shop/checkout on TCP 8082; promised: only shop/cart may reach"
    assert [(message.startswith(mine), was) for message, was in found.items()] == [
        (False, True),
        (True, False),
    ]
    out = ask(*words, cwd=shop, columns=0).out
    assert out.count("(before the change as well)") == 1
    assert "next: martello network explain shop/web shop/checkout -f new" in out
    (shop / "typo.yaml").write_text("never:\n  - {from: dev/*, to: data/db}\n")
    marked = ask("diff", "old", "new", "--intents", "typo.yaml", "-o", "markdown", cwd=shop)
    assert marked.code == 3
    assert "- **unassessed**: dev/&#42; must never reach data/db" in marked.out


def test_diff_between_revisions(shop: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *who, *words], cwd=shop, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", "old")
    git("commit", "-q", "-m", "one")
    (shop / "old" / "shop.yaml").write_text((shop / "new" / "shop.yaml").read_text())
    git("commit", "-q", "-a", "-m", "two")
    found = document("diff", "git:HEAD~1:old", "git:main", cwd=shop)
    assert [(c["kind"], c["destination"]) for c in found["changes"]] == [("opens", "shop/checkout")]
    assert ask("diff", "git:HEAD:nothing", "old", cwd=shop).code == 2
    assert ask("diff", "git:--help", "old", cwd=shop).code == 2


def test_lint_finds_mistakes_and_broken_promises(shop: Path) -> None:
    done = ask("lint", "-f", "old", "--intents", "intents.yaml", "-o", "json", cwd=shop)
    found = {f["check"] for f in json.loads(done.out)["findings"]}
    assert done.code == 1
    assert {"NET-001", "NET-009", "NET-017", "NET-019", "NET-025"} <= found
    assert all(check.startswith("NET-") for check in found)
    without = ask("lint", "-f", "old", "-o", "json", cwd=shop)
    assert "NET-019" not in without.out


def test_lint_knows_what_a_plugin_does_not_enforce(shop: Path) -> None:
    out = ask("lint", "-f", "old", "--cni", "flannel", "--all", cwd=shop).out
    assert "NET-014" in out
    assert "flannel stores policies and drops nothing" in out


def test_a_wrong_intents_file_is_told_with_its_line(shop: Path) -> None:
    (shop / "bad.yaml").write_text("never:\n  - from: dev\n    to: a/b\n")
    done = ask("lint", "-f", "old", "--intents", "bad.yaml", cwd=shop)
    assert done.code == 2
    assert "bad.yaml:2" in done.err
    assert "no place: dev" in done.err
