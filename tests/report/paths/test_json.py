"""What the commands of paths write as JSON keeps to the schema that is shipped."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from tests.support.asked import ask

from martello.demo import texts

TEXT = files("martello.report.paths").joinpath("martello-paths-v1.schema.json").read_text()


@pytest.mark.parametrize("words", ["-f demo", "cut -f demo", "diff new demo", "diff demo new"])
def test_documents_keep_to_the_schema(words: str, tmp_path: Path) -> None:
    for file, text in texts(fixed=True).items():
        place = tmp_path / "new" / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text)
    done = ask("paths", *words.split(), "-o", "json", cwd=tmp_path)
    document = json.loads(done.out)
    jsonschema.Draft202012Validator(json.loads(TEXT)).validate(document)
    assert document["schema"] == "martello-paths/v1"
    assert document["exit"] == done.code


def test_the_schema_refuses_what_is_none() -> None:
    checker = jsonschema.Draft202012Validator(json.loads(TEXT))
    assert not checker.is_valid({"schema": "martello-paths/v1", "kind": "paths"})
