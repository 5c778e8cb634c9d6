"""The examples of a check are its test: good ones stay silent, bad ones are found in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from martello.catalogue.edits import edited
from martello.catalogue.scan import scan
from martello.core.check import Check, Example
from martello.core.errors import BadInput
from martello.core.finding import Scan
from martello.core.reading import Reading
from martello.core.resource import Resource
from martello.core.version import minor

Read = Callable[[str], Reading]  # YAML text → what is in it
TODAY: Final = date(2026, 7, 1)  # examples speak of waivers before and after this day


def problems(check: Check, read: Read, facts: Mapping[str, Any] | None = None) -> list[str]:
    """What is wrong with the examples of a check; empty where all hold. `facts` are those that the
    check needs from outside the objects.
    """
    found: list[str] = []
    for index, example in enumerate(check.examples):
        kind = "good" if example.good else "bad"
        failures = _failures(check, example, read, facts or {})
        found += [f"example {index} ({kind}): {text}" for text in failures]
    return found


def blind_spots(check: Check, read: Read) -> list[str]:
    """The expressions of a YAML check whose negation breaks no example: nothing tests them."""
    if check.rule is None:
        return []
    versions = check.rule["versions"]
    texts = dict.fromkeys(v["expression"] for e in versions for v in e["validations"])
    return [text for text in texts if not problems(_negated(check, text), read)]


def _negated(check: Check, text: str) -> Check:
    assert check.rule is not None
    versions = [
        {
            **entry,
            "validations": [
                {**v, "expression": f"!({text})"} if v["expression"] == text else v
                for v in entry["validations"]
            ],
        }
        for entry in check.rule["versions"]
    ]
    return msgspec.structs.replace(check, rule={**check.rule, "versions": versions})


def _failures(
    check: Check, example: Example, read: Read, facts: Mapping[str, Any]
) -> Iterator[str]:
    try:
        reading = read(example.text)
    except BadInput as error:
        yield f"cannot be read: {error.what} {error.why}"
        return
    if reading.unassessed or not reading.resources:
        yield f"cannot be read: {'; '.join(u.reason for u in reading.unassessed) or 'no object'}"
        return
    result = _scan(check, example, reading, facts)
    yield from (f"not assessed: {reason}" for reason in _open(check, result))
    if example.good:
        yield from (f"found {f.message!r} at {f.where}" for f in result.findings)
        return
    if not result.findings:
        yield "nothing was found"
        return
    places = [finding.where for finding in result.findings]
    if example.at and example.at not in places:
        yield f"found at {', '.join(places)}, not at {example.at}"
    if example.message and not any(example.message in f.message for f in result.findings):
        yield f"said {result.findings[0].message!r}, not {example.message!r}"
    if example.fixed or (check.rule or {}).get("fix", {}).get("safety") == "safe":
        yield from _unfixed(check, example, reading)


def _open(check: Check, result: Scan) -> list[str]:
    """Why the check has no verdict; what spoils a pod matters to checks of workloads alone."""
    concerned = (check.id, "") if check.kinds == ("workload",) else (check.id,)
    return [u.reason for u in result.unassessed if u.check in concerned]


def _scan(
    check: Check, example: Example, reading: Reading, facts: Mapping[str, Any] | None = None
) -> Scan:
    return scan(
        reading,
        [check],
        ids=[check.id],
        today=TODAY,
        kubernetes=minor(example.kubernetes or "latest"),
        params={check.id: example.params},
        facts=facts,
    )


def _unfixed(check: Check, example: Example, reading: Reading) -> Iterator[str]:
    """Whether the check is silent after its fix, and the example's expression, if any, holds. A
    fix that is safe must mend every bad example.
    """
    from martello.catalogue.compile import condition
    from martello.catalogue.locate import sites
    from martello.catalogue.subject import Subject

    version = minor(example.kubernetes or "latest")
    cluster = reading.world(version)
    edits: Sequence[Any] = (check.rule or {}).get("fix", {}).get("edits", ())
    mended: list[Resource] = []
    for resource in reading.resources:
        raw: Any = resource.raw
        for base in sites(check, resource, cluster, example.params):
            raw = edited(raw, base, edits)
        mended.append(Resource(raw, resource.ref, resource.origin))
    after = msgspec.structs.replace(reading, resources=tuple(mended))
    result = _scan(check, example, after)
    yield from (f"after the fix: {f.message} at {f.where}" for f in result.findings)
    yield from (f"after the fix: not assessed: {reason}" for reason in _open(check, result))
    if not example.fixed:
        return
    holds = condition(example.fixed)
    world = after.world(version)
    for resource in mended:
        subject = Subject(resource, world.workload(resource), world)
        if holds(subject) is not True:
            yield f"after the fix, {example.fixed} does not hold for {resource.ref}"
