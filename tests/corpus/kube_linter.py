"""Replays the end-to-end tests of kube-linter whose checks have an equal here, through aliases.

Each asserted report is a case, met by a hit on an object of the same kind; each hit beyond them is
a case that fails. Parameters and kinds come from kube-linter's own definition of the check. It
compares namespaces as text, where for us an object that names none may be meant for any: here the
objects are placed into the default namespace, as `kubectl apply` would.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from tests.corpus.kube_linter_templates import Equal, equal_of, in_scope

from martello.adapters.manifests import read_paths
from martello.catalogue.aliases import Names
from martello.catalogue.load import load
from martello.catalogue.run import Runner
from martello.core.check import Check
from martello.core.kinds import built_in
from martello.core.reading import Reading

Case = tuple[str, bool, str]
_LEFT: Final = ("SecurityContextConstraints", "ServiceMonitor")


def replay(path: Path) -> Iterator[Case]:
    """One case for each report that kube-linter asserts, one for each hit too many."""
    checks = load()
    names = Names(checks)
    by_id = {check.id: check for check in checks}
    for line in (path / "kube-linter.jsonl").read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        equal = [_equal(name, test["definitions"], names) for name in test["checks"]]
        if not all(equal):
            continue
        found: Counter[str] = Counter()
        for one in equal:
            assert one is not None
            found += _kinds(one, [by_id[id] for id in one.ids], test["manifest"])
        yield from _compare(test, found)


def _equal(name: str, definitions: list[Mapping[str, Any]], names: Names) -> Equal | None:
    definition = next((d for d in definitions if d["name"] == name), {"name": name})
    return equal_of(definition, names)


def _kinds(equal: Equal, checks: list[Check], manifest: str) -> Counter[str]:
    """How many places of objects of each kind the checks find."""
    reading = _read(_placed(_read(manifest)))
    params = {check.id: equal.params_for(check) for check in checks}
    runner = Runner(reading.world(), reading, checks, params, {})
    seen: dict[tuple[object, ...], str] = {}
    for check, _, hits in runner.verdicts():
        for hit in hits:
            ref = hit.resource.ref
            if hit.unassessed or not in_scope(ref.group_kind, equal.kinds):
                continue
            if equal.part and equal.part not in hit.path:
                continue
            place = (id(hit.resource), check.id, hit.element, hit.path)
            seen[place] = ref.kind
    return Counter(seen.values())


def _read(text: str) -> Reading:
    return read_paths(["-"], stdin=BytesIO(text.encode()))


def _placed(reading: Reading) -> str:
    """The objects, each in a namespace where its kind lies in one. A ServiceMonitor of
    kube-linter's looks at every namespace unless it says otherwise, and so does ours without one.
    """
    documents = []
    for resource in reading.resources:
        raw, ref = dict(resource.raw), resource.ref
        facts = built_in(ref.api_version, ref.kind)
        if ref.kind not in _LEFT and (facts is None or facts.namespaced):
            raw["metadata"] = {"namespace": "default", **(raw.get("metadata") or {})}
        documents.append(json.dumps(raw))
    return "\n---\n".join(documents)


def _compare(test: Mapping[str, Any], found: Counter[str]) -> Iterator[Case]:
    left = Counter(found)
    wanted = sorted(test["expected"], key=lambda report: report.get("kind") is None)
    for report in wanted:
        kind = report.get("kind") or next(iter(left.elements()), "")
        name = f"{test['test']} {report.get('index', '')} {kind}"
        yield name, left[kind] > 0, f"not found: {report['message'][:160]}"
        left[kind] -= 1
    for kind in (+left).elements():
        yield f"{test['test']} {kind}", False, "found, and kube-linter is silent"
