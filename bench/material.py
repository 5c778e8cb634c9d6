"""What is measured on: real manifests where the corpora are, generated ones beside them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tests.support.generated import objects

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "bench"


def real_manifests(count: int = 200) -> tuple[Path, int] | None:
    """A directory of whole, real manifests and how many objects it holds; None without corpora."""
    named = os.environ.get("MARTELLO_CORPORA")
    source = (Path(named) if named else ROOT.parent / "shared" / "corpora") / "manifests"
    if not source.is_dir():
        return None
    rows = [
        (f"{project['project']}/{file['path']}", sum(file["objects"].values()))
        for project in json.loads((source / "index.json").read_text(encoding="utf-8"))
        for file in project["files"]
        if file["objects"] and not file.get("partial") and file["bytes"] < 100_000
    ]
    # a third of them the richest, so that 200 files hold about 480 objects
    rich = sorted(rows, key=lambda row: -row[1])[: count // 3]
    chosen = rich + [row for row in rows if row not in rich][: count - len(rich)]
    target = BUILD / "manifests"
    shutil.rmtree(target, ignore_errors=True)
    for path, _ in chosen:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target / path)
    return target, sum(number for _, number in chosen)


def generated_manifests(count: int, in_file: int = 10) -> Path:
    """A directory of `count` generated objects, some in a file."""
    import yaml

    target = BUILD / f"generated-{count}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    made = list(objects(count))
    for number, start in enumerate(range(0, count, in_file)):
        text = yaml.dump_all(made[start : start + in_file], Dumper=yaml.CSafeDumper)
        (target / f"{number:05}.yaml").write_text(text, encoding="utf-8")
    return target
