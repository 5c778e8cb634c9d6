"""A baseline knows what was there before, however the file was shuffled, and nothing else."""

from __future__ import annotations

import pytest
from tests.support.objects import check, judged

from martello.catalogue.baseline import read_baseline, stable_path, write_baseline
from martello.core.errors import BadInput

CHECK = check(
    "aliases: {checkov: [CKV_K8S_43]}\neach: containers\n"
    "validations: [{expression: container.image == 'good', message: m, path: image}]\n"
)
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop}
spec:
  containers:
    - {name: one, image: bad}
    - {name: two, image: bad}
"""


def known(before: str, after: str) -> list[bool]:
    baseline = read_baseline(write_baseline(judged(before, CHECK).findings), "b.json")
    return [f.known for f in judged(after, CHECK, baseline=baseline).findings]


@pytest.mark.parametrize(
    "after",
    [
        POD,
        "# moved\n\n" + POD,
        POD.replace("{name: one, image: bad}", "{image: bad, name: one, env: []}"),
        POD.replace("one", "x").replace("two", "one").replace("x", "two"),
        POD.replace("    - {name: two, image: bad}\n", ""),
        POD.replace("image: bad", "image: worse"),
    ],
)
def test_what_was_there_is_known(after: str) -> None:
    assert known(POD, after) == [True]


@pytest.mark.parametrize(
    "after",
    [
        POD.replace("name: a,", "name: b,"),
        POD.replace("shop", "other"),
        POD + "    - {name: three, image: bad}\n",
        POD.replace("name: two", "name: three"),
    ],
)
def test_what_is_new_is_new(after: str) -> None:
    assert known(POD, after) == [False]


def test_known_findings_are_in_no_group() -> None:
    baseline = read_baseline(write_baseline(judged(POD, CHECK).findings), "b.json")
    result = judged(POD, CHECK, baseline=baseline)
    assert len(result.findings) == 1
    assert result.groups == ()


def test_the_file_is_sorted_and_stable() -> None:
    text = POD + "---\n" + POD.replace("name: a", "name: b")
    back = POD.replace("name: a", "name: b") + "---\n" + POD
    assert write_baseline(judged(text, CHECK).findings) == write_baseline(
        judged(back, CHECK).findings
    )


def test_paths_have_names_instead_of_indexes() -> None:
    raw = {"spec": {"containers": [{"name": "c", "args": ["-x"]}]}, "rules": [{"verbs": ["*"]}]}
    assert stable_path(raw, ("spec", "containers", 0, "image")) == "spec.containers.[c].image"
    digest = stable_path(raw, ("rules", 0))
    assert digest.startswith("rules.[#")
    assert stable_path({"rules": [{}, {"verbs": ["*"]}]}, ("rules", 1)) == digest


def test_checkovs_baseline_is_read() -> None:
    text = (
        '{"failed_checks": [{"file": "/a.yaml", "findings": [{"resource": "Pod.shop.a", '
        '"check_ids": ["CKV_K8S_43", "CKV_K8S_1"]}]}]}'
    )
    baseline = read_baseline(text, ".checkov.baseline")
    assert judged(POD, CHECK, baseline=baseline).findings[0].known is True
    other = POD.replace("name: a", "name: b")
    assert judged(other, CHECK, baseline=baseline).findings[0].known is False


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "x", "findings": []}', '{"failed_checks": [3]}', "\x00"],
)
def test_what_is_no_baseline_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_baseline(text, "b.json")
