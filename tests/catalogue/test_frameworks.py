"""Frameworks select checks and say of every control whether it passed; silence is never a pass."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.support.objects import check, judged

from martello.catalogue.frameworks import Outcome, framework, pinned, report, violated
from martello.catalogue.load import load
from martello.catalogue.select import select
from martello.core.check import Check
from martello.core.errors import BadInput

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c}]}\n"


def rule(id: str, expression: str) -> Check:
    text = f"id: {id}\nframeworks: {{cis-kubernetes: ['5.2.{id[-1]}']}}\n"
    return check(f'{text}validations: [{{expression: "{expression}", message: m}}]\n', id.lower())


def outcomes(*checks: Check) -> Mapping[str, Outcome]:
    result = judged(POD, *checks)
    return {o.control.id: o for o in report(framework("cis-kubernetes"), checks, result)}


def test_the_five_outcomes_of_a_control() -> None:
    found = outcomes(
        rule("POD-902", "true"), rule("POD-903", "false"), rule("POD-904", "pod.nothing")
    )
    assert {id: found[id].status for id in ("5.2.2", "5.2.3", "5.2.4", "5.2.5", "5.4.2")} == {
        "5.2.2": "pass",
        "5.2.3": "fail",
        "5.2.4": "unassessed",
        "5.2.5": "not covered",
        "5.4.2": "manual",
    }
    assert found["5.2.3"].findings == 1
    assert found["5.2.3"].checks == ("POD-903",)


def test_what_could_not_be_read_leaves_every_control_open() -> None:
    good = rule("POD-902", "true")
    result = judged(POD + "---\na: [\n", good)
    assert {o.status for o in report(framework("cis-kubernetes"), [good], result)} == {
        "unassessed",
        "not covered",
        "manual",
    }


def test_pod_security_selects_by_level_whatever_the_profile() -> None:
    baseline = {c.id for c in select(load(), "default", ["pss-baseline@1.34"])}
    restricted = {c.id for c in select(load(), "default", ["pss-restricted@1.34"])}
    assert {"POD-001", "POD-005", "POD-027"} <= baseline
    assert "POD-028" not in baseline
    assert {"POD-001", "POD-028"} <= restricted
    assert "POD-005" not in restricted


@pytest.mark.parametrize("name", ["pss", "cis-kubernetes@9", "pss-baseline@x"])
def test_unknown_frameworks_are_refused(name: str) -> None:
    with pytest.raises(BadInput):
        framework(name)


def test_restricted_replaces_baseline_checks_from_a_version_on() -> None:
    hits = [("baseline", "procMount"), ("baseline", "privileged"), ("restricted", "runAsUser")]
    assert violated("baseline", 34, hits) == ("privileged", "procMount")
    assert violated("restricted", 34, hits) == ("privileged", "procMount", "runAsUser")
    assert violated("restricted", 35, hits) == ("privileged", "runAsUser")


def test_a_pinned_standard_decides_the_version_judged_for() -> None:
    made = check(
        "frameworks: {pss: {level: baseline, check: sysctls}}\nversions:\n"
        "  - {since: '1.0', validations: [{expression: 'false', message: old}]}\n"
        "  - {since: '1.30', validations: [{expression: 'false', message: new}]}\n"
    )
    for framework_, said in (("pss-baseline@1.29", "old"), ("pss-baseline", "new")):
        result = judged(POD, made, ids=(), frameworks=[framework_])
        assert [f.message for f in result.findings] == [said]
    result = judged(POD, made, ids=(), frameworks=["pss-baseline@1.29"], kubernetes=30)
    oldest = judged(POD, made, ids=(), frameworks=["pss-baseline@1.30"], kubernetes=0)
    assert [f.message for f in oldest.findings] == ["old"]
    assert [f.message for f in result.findings] == ["new"]


def test_two_versions_of_pod_security_are_two_scans() -> None:
    assert pinned(["pss-restricted@1.29", "nsa-cisa", "pss-baseline@v1.29"]) == 29
    with pytest.raises(BadInput, match="two versions"):
        pinned(["pss-restricted@1.20", "pss-baseline@1.34"])
