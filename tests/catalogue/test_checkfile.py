"""The check file's form: what is wrong is said all at once, with file, line and key."""

from __future__ import annotations

import pytest
from tests.support.objects import EXAMPLES, check

from martello.catalogue.checkfile import parse_check
from martello.core.errors import BadInput

GOOD = """\
id: POD-900
title: A title
severity: high
why: A reason.
scope: workload
each: containers
params:
  names: {type: array, items: {type: string}, default: [], doc: names that may}
variables:
  - {name: free, expression: "container.name in params.names"}
validations:
  - on: pod
    expression: "!pod.?hostPID.orValue(false)"
    message: no
  - expression: variables.free || container.?image.orValue('') != ''
    message: no image
    path: image
fix: {safety: review, text: Set it., edits: [{set: image, value: x}]}
frameworks: {pss: {level: baseline, check: hostNamespaces}, cis-kubernetes: ["5.2.2"]}
aliases: {trivy: [KSV-0001]}
"""


def errors(text: str, name: str = "a-check.yaml") -> list[str]:
    with pytest.raises(BadInput) as caught:
        parse_check(text, name)
    return [line.strip() for line in caught.value.why.split("\n")]


def test_every_part_of_a_good_file_arrives() -> None:
    made = parse_check(GOOD + EXAMPLES, "a-check.yaml")
    assert (made.id, made.name, made.severity, made.profile) == (
        "POD-900",
        "a-check",
        "high",
        "default",
    )
    assert made.practice == "access"
    assert made.kinds == ("workload",)
    assert made.aliases == {"trivy": ("KSV-0001",)}
    assert made.rule is not None
    assert made.rule["as"] == "container"
    assert made.rule["versions"][0]["validations"][0]["on"] == "pod"
    assert made.rule["fix"]["edits"] == [{"set": "image", "value": "x"}]
    assert [example.good for example in made.examples] == [True, True, False, False]


def test_all_errors_come_at_once_with_their_lines() -> None:
    text = GOOD.replace("severity: high", "severity: grave").replace("title: A title", "titel: x")
    text = text.replace("each: containers", "each: containers\nprofile: odd") + EXAMPLES
    found = errors(text)
    assert any(line.startswith("a-check.yaml:2: titel: unknown key") for line in found)
    assert any(line.startswith("a-check.yaml:3: severity: must be one of") for line in found)
    assert any(line.startswith("a-check.yaml:7: profile: must be one of") for line in found)
    assert any("the key title is missing" in line for line in found)


def test_expressions_are_compiled_and_their_key_is_named() -> None:
    text = GOOD.replace("container.?image", "contaner.?image") + EXAMPLES
    (line,) = errors(text)
    assert line.startswith("a-check.yaml:15: validations[1].expression: 1:19: undeclared")
    assert "container" in line


def test_variables_must_be_declared_before_they_are_read() -> None:
    (line,) = errors(GOOD.replace("variables.free", "variables.fre") + EXAMPLES)
    assert "variables.fre is not declared before" in line


def test_an_expression_must_be_a_truth() -> None:
    (line,) = errors(GOOD.replace('"!pod.?hostPID.orValue(false)"', "\"'yes'\"") + EXAMPLES)
    assert "validations[0].expression" in line
    assert "bool" in line


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id: POD-900", "id: pod", "an id is AREA-NNN"),
        ("id: POD-900", "id: XYZ-900", "name a practice"),
        ("scope: workload", "scope: [service]", "must be Kind or Kind.group"),
        ("scope: workload", "scope: [Service]", "containers needs scope: workload"),
        ("each: containers", "each: spec.rules", "needs as: NAME"),
        ("each: containers", "each: containers.ports", "needs as: NAME"),
        ("each: containers", "each: [containers.ports, spec.x]", "needs as: NAME"),
        ("each: containers", "each: pod\nas: x", "must be a dotted path"),
        ("each: containers", "each: containers\nas: pod", "not taken"),
        ("default: []", "default: 3", "must be an array, is a number"),
        ("path: image", "path: 'im age'", "must be a path"),
        ("    message: no image\n", "", "give either message or messageExpression"),
        ("edits: [{set: image, value: x}]", "edits: [{set: image}]", "is {set: path"),
        ("level: baseline", "level: high", "must be one of baseline, restricted"),
        ("trivy: [KSV-0001]", "snyk: [x]", "unknown key"),
        ('["5.2.2"]', "[5.2]", "quote it"),
    ],
)
def test_mistakes_are_named(old: str, new: str, said: str) -> None:
    assert old in GOOD
    assert any(said in line for line in errors(GOOD.replace(old, new) + EXAMPLES))


def test_versions_stand_in_order_and_alone() -> None:
    entry = "{since: '1.%d', validations: [{expression: 'true', message: m}]}"
    base = "validations: [{expression: 'true', message: m}]\n"
    with pytest.raises(BadInput, match="ascending"):
        _raise(check, f"versions: [{entry % 20}, {entry % 19}]\n")
    with pytest.raises(BadInput, match="either validations or versions"):
        _raise(check, f"{base}versions: [{entry % 20}]\n")


def _raise(make: object, text: str) -> None:
    assert callable(make)
    try:
        make(text)
    except BadInput as error:
        raise BadInput(error.why) from None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "a: b: c", "\t", "a: 1\na: 2", "&a [*a]", "id: !!python/object:os.system {}"],
)
def test_what_is_no_check_file_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_check(text, "x.yaml")
