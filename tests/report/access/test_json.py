"""What the access commands write as JSON keeps to the schema that is shipped."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from tests.support.access.audit_lines import month
from tests.support.asked import ask

TEXT = files("martello.report.access").joinpath("martello-access-v1.schema.json").read_text()


@pytest.mark.parametrize(
    "words",
    [
        "can get secrets/db -n shop --as shop/deployer -f demo",
        "why delete deployments/web -n shop --as shop/deployer -f demo",
        "can get pods --as joe -f demo",
        "who-can get secrets -f demo --system",
        "can --list --as kube-system/log-agent -f demo",
        "identities -f demo",
        "diff demo demo",
        "trim --events audit.log -f demo",
    ],
)
def test_documents_keep_to_the_schema(words: str, tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_text(month())
    done = ask("access", *words.split(), "-o", "json", cwd=tmp_path)
    document = json.loads(done.out)
    jsonschema.Draft202012Validator(json.loads(TEXT)).validate(document)
    assert document["schema"] == "martello-access/v1"


def test_the_schema_refuses_what_is_none() -> None:
    checker = jsonschema.Draft202012Validator(json.loads(TEXT))
    assert not checker.is_valid({"schema": "martello-access/v1", "kind": "answer"})
