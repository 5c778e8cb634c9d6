"""Charts, kustomizations, patches and templates: recognised, counted, never judged as objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from martello.adapters.manifests import read_paths
from martello.adapters.manifests.exclude import excluder
from martello.core.reading import Reading

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: NAME}\n"
TEMPLATE = "kind: Pod\nmetadata: {name: {{ .Release.Name }}}\n{{- if .x }}\n  z: 1\n"


def tree(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.replace("NAME", path.stem))


def names(reading: Reading) -> list[str]:
    return [r.ref.name for r in reading.resources]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_chart_is_one_entry(here: Path) -> None:
    chart = {
        "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "values.yaml": "a: 1\n",
        "values-prod.yaml": "a: {{ broken\n",
        "values.schema.json": "{}",
        "templates/a.yaml": TEMPLATE,
        "templates/tests/b.yaml": TEMPLATE,
        "templates/plain.yaml": POD,
        "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\n",
        "charts/sub/templates/c.yaml": TEMPLATE,
        "crds/crd.yaml": POD,
    }
    tree(here, {f"deploy/my web/{name}": text for name, text in chart.items()})
    tree(here, {"deploy/beside.yaml": POD})
    reading = read_paths(["deploy"])
    assert names(reading) == ["beside", "crd"]
    (entry,) = reading.unassessed
    assert entry.location is not None
    assert entry.location.file == "deploy/my web/Chart.yaml"
    assert entry.reason == (
        "a Helm chart that is not rendered: run "
        "helm template 'my web' 'deploy/my web' | martello scan -"
    )
    assert reading.partial == 4
    assert "helm template" in read_paths(["deploy/my web"]).unassessed[0].reason


def test_a_chart_without_templating_is_read(here: Path) -> None:
    tree(here, {"c/Chart.yaml": "apiVersion: v2\nname: c\n", "c/templates/a.yaml": POD})
    reading = read_paths(["c"])
    assert (names(reading), reading.partial, reading.unassessed) == (["a"], 1, ())


def test_a_lone_template_is_one_entry(here: Path) -> None:
    tree(here, {"a.yaml": f"{TEMPLATE}---\n{TEMPLATE}---\n{POD}"})
    reading = read_paths(["a.yaml"])
    assert names(reading) == ["a"]
    (entry,) = reading.unassessed
    assert entry.reason.endswith("it contains {{ }}: render the template, then scan what comes out")


def test_kustomizations_and_what_they_name_are_partial(here: Path) -> None:
    tree(
        here,
        {
            "k/base/kustomization.yaml": "resources: [web.yaml]\n",
            "k/base/web.yaml": POD,
            "k/over/kustomization.yml": (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
                "resources: [../base, extra.yaml]\n"
                "patches: [{path: ../patches/one.yaml}, {patch: 'a: 1'}]\n"
                "patchesStrategicMerge: [two.yaml, 'a: 1\n\nb: 2']\n"
                "patchesJson6902: [{path: three.json, target: {kind: Pod}}]\n"
                "transformers: [four.yaml]\nreplacements: [{path: five.yaml}]\n"
                "configMapGenerator: [{files: [six.yaml, key=seven.yaml]}]\n"
                "helmCharts: [{valuesFile: eight.yaml}]\nopenapi: {path: nine.json}\n"
            ),
            "k/over/extra.yaml": POD,
            "k/patches/one.yaml": POD,
            "k/over/two.yaml": POD,
            "k/over/three.json": "[]",
            "k/over/four.yaml": POD,
            "k/over/five.yaml": "[]",
            "k/over/six.yaml": POD,
            "k/over/seven.yaml": "not: [yaml",
            "k/over/eight.yaml": "a: 1",
            "k/over/nine.json": "{}",
            "k/over/ten.yaml": POD,
        },
    )
    reading = read_paths(["k"])
    assert names(reading) == ["web", "extra", "ten"]
    assert (reading.partial, reading.foreign, reading.unassessed) == (11, 0, ())
    assert names(read_paths(["k/patches/one.yaml"])) == ["one"]


def test_kustomize_kinds_are_partial_and_flux_kinds_are_objects(here: Path) -> None:
    text = (
        "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: a}\n---\n"
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n---\n"
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: b}\n"
    )
    tree(here, {"a.yaml": text})
    reading = read_paths(["a.yaml"])
    assert (names(reading), reading.partial) == (["b"], 2)


def test_broken_kustomizations_are_named(here: Path) -> None:
    tree(here, {"k/kustomization.yaml": "patches: [\n", "k/a.yaml": POD})
    reading = read_paths(["k"])
    assert names(reading) == ["a"]
    assert len(reading.unassessed) == 1
    for content in ("patches: 1", "patches: [1]", "patches: [{path: 1}]", "[]", "patches: {a: 1}"):
        tree(here, {"k/kustomization.yaml": content})
        assert names(read_paths(["k"])) == ["a"]


EXCLUDED = [
    ("*.yaml", "a.yaml", True),
    ("*.yaml", "b/c/a.yaml", True),
    ("*.yaml", "a.yml", False),
    ("test", "x/test", True),
    ("test/", "x/test", False),
    ("test", "testing", False),
    ("/test", "test", True),
    ("/test", "x/test", False),
    ("a/b", "a/b", True),
    ("a/b", "x/a/b", False),
    ("a/*/c", "a/b/c", True),
    ("a/*/c", "a/b/b/c", False),
    ("a/**/c", "a/b/b/c", True),
    ("a/**/c", "a/c", True),
    ("**/c", "a/b/c", True),
    ("a/**", "a/b/c", True),
    ("./a.yaml", "a.yaml", True),
    ("a?.yaml", "ab.yaml", True),
    ("a?.yaml", "a/.yaml", False),
    ("[ab].yaml", "b.yaml", True),
    ("[!ab].yaml", "b.yaml", False),
    ("a.yaml", "abyaml", False),
    ("a[.yaml", "a[.yaml", True),
    ("[a-c]x", "bx", True),
    ("[a-c]x", "-x", False),
    ("*a*b", "xaxbxab", True),
    ("*a*b", "xbxa", False),
    ("a*", "a", True),
    ("**/**/c", "a/b/c", True),
    ("*a" * 30 + "b", "a" * 200, False),
    ("# note", "# note", False),
    ("", "", False),
]


@pytest.mark.parametrize(("pattern", "path", "excluded"), EXCLUDED)
def test_patterns(pattern: str, path: str, excluded: bool) -> None:
    assert excluder([pattern])(path, False) is excluded


def test_directories_and_taking_back() -> None:
    rule = excluder(["test/", "*.json", "!keep.json"])
    assert rule("a/test", True)
    assert rule("a.json", False)
    assert not rule("b/keep.json", False)


def test_excluded_files_are_not_read(here: Path) -> None:
    tree(here, {"d/a.yaml": POD, "d/skip/b.yaml": POD, "d/x/c.yaml": POD, "d/x/d.yaml": "a: ["})
    reading = read_paths(["d"], exclude=["skip/", "x/d.yaml"])
    assert (names(reading), reading.unassessed) == (["a", "c"], ())
    assert names(read_paths(["d/a.yaml"], exclude=["*.yaml"])) == ["a"]
