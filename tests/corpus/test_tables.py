"""Replays tell a wrong table from a right one, and go on after an entry they do not understand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.corpus import escalation, kubehound

SECRETS = {"verbs": ["get"], "resources": ["secrets"], "apiGroups": [""]}
EVENTS = {"verbs": ["get"], "resources": ["events"], "apiGroups": [""]}
ROLES = "rbac.authorization.k8s.io"


def _entry(**more: Any) -> dict[str, Any]:
    return {
        "id": "e",
        "source": "subject",
        "target": "credential",
        "scope": "namespace",
        "needs_any_of": [[SECRETS]],
        "a field of tomorrow": 1,
        **more,
    }


def _escalation(folder: Path, *entries: dict[str, Any]) -> list[bool]:
    document = {"edges": entries, "more": {}}
    (folder / "edges.json").write_text(json.dumps(document), encoding="utf-8")
    return [passed for _, passed, _ in escalation.replay(folder)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"needs_any_of": [[SECRETS, EVENTS]]},  # a part that nothing needs
        {"needs_any_of": [[EVENTS]]},
        {"needs_any_of": [[{**SECRETS, "apiGroups": ["extensions"]}]]},
        {"target": "node"},
        {"target": "galaxy"},
        {"needs_any_of": []},
        {"needs_any_of": [], "facts_any_of": [["what nobody ever said"]]},
        {  # to be bound to a role is no gain by what the role holds
            "target": "role",
            "needs_any_of": [
                [{"verbs": ["bind"], "resources": ["clusterroles"], "apiGroups": [ROLES]}]
            ],
        },
    ],
)
def test_a_wrong_escalation_fails_and_the_next_is_replayed(
    wrong: dict[str, Any], tmp_path: Path
) -> None:
    assert _escalation(tmp_path, _entry()) == [True]
    assert _escalation(tmp_path, _entry(**wrong), _entry()) == [False, True]


def test_a_wrong_edge_of_an_attack_cluster_fails(tmp_path: Path) -> None:
    role = {"apiVersion": f"{ROLES}/v1", "kind": "Role", "metadata": {"name": "r"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}
    binding = {
        **role,
        "kind": "RoleBinding",
        "metadata": {"name": "b"},
        "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "default"}],
        "roleRef": {"apiGroup": ROLES, "kind": "Role", "name": "r"},
    }
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
    world = {"manifests": [{**role, "rules": rules}, account, binding], "more": 1}
    (tmp_path / "world.jsonl").write_text(json.dumps(world), encoding="utf-8")
    row = {"test": "t", "edge": "PERMISSION_DISCOVER", "mode": "exact"}
    row |= {"from_class": "Identity", "to_class": "PermissionSet"}
    rows = [
        {**row, "expected": [["a", "r::b"]]},
        {**row, "expected": [["a", "r::c"]]},
        {**row, "edge": "TIME_TRAVEL"},
        {**row, "mode": "perhaps"},
    ]
    lines = "\n".join(map(json.dumps, rows))
    (tmp_path / "edges.jsonl").write_text(lines, encoding="utf-8")
    passed = [right for _, right, _ in kubehound.replay(tmp_path)]
    assert passed == [True, False, False, False, False]
