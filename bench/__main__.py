"""`make bench`: the scan beside checkov, on the same files in the same run, and how it grows."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from bench import (
    access,
    audit,
    flows,
    layers,
    live,
    monitor,
    paths,
    resources,
    room,
    sbom,
    sensor,
    sizing,
    store,
    versions,
)
from bench.material import BUILD, generated_manifests, real_manifests
from bench.peers import environment
from bench.process import Usage, run, typical

MARTELLO = (sys.executable, "-m", "martello.cli.main")
SCAN = (*MARTELLO, "scan", "--fail-on", "never", "--allow-incomplete")


def main() -> int:
    """Prints every table; 1 where a figure that has a limit misses it."""
    BUILD.mkdir(parents=True, exist_ok=True)
    found = real_manifests()
    if found is None:
        print("no corpora (MARTELLO_CORPORA): generated manifests instead of real ones")
        found = generated_manifests(480, 3), 480
    directory, count = found
    files = sum(1 for path in directory.rglob("*") if path.is_file())
    print(f"{files} manifests, {count} objects\n")
    _beside_checkov(directory)
    _small()
    _growth()
    tables = (
        layers,
        versions,
        sbom,
        live,
        flows,
        audit,
        monitor,
        room,
        sensor,
        access,
        paths,
        resources,
        sizing,
    )
    return max(int(table.main()) for table in (*tables, store))


def _row(name: str, usage: Usage) -> None:
    print(f"  {name:<28} {usage.cpu:8.3f} s CPU {usage.wall:8.3f} s {usage.memory:7.0f} MiB")


def _beside_checkov(directory: Path) -> None:
    ours = typical((*SCAN, str(directory), "-o", "json"), BUILD / "martello.json", 5)
    _row("martello", ours)
    checkov = str(environment() / "checkov")
    command = (checkov, "-d", str(directory), "--framework", "kubernetes", "-o", "json", "--quiet")
    theirs = typical((*command, "--compact"), BUILD / "checkov.json", 1)
    _row("checkov", theirs)
    cpu, wall, memory = (theirs[i] / ours[i] for i in range(3))
    print(f"  checkov / martello           {cpu:8.1f} x    {wall:8.1f} x {memory:7.1f} x\n")
    report = json.loads((BUILD / "martello.json").read_text(encoding="utf-8"))
    print("  findings by severity")
    print(f"    martello  {report['summary']['severities']}")
    print(f"    checkov   {dict(_severities(BUILD / 'checkov.json'))}\n")


def _severities(path: Path) -> Counter[str]:
    data = json.loads(path.read_text(encoding="utf-8"))
    reports = data if isinstance(data, list) else [data]
    failed = [c for r in reports for c in r.get("results", {}).get("failed_checks", ())]
    return Counter(str(check.get("severity") or "without a severity") for check in failed)


def _small() -> None:
    one = BUILD / "one.yaml"
    first = sorted(generated_manifests(60).iterdir())[1]
    one.write_bytes(first.read_bytes())
    for name, words in (("one small file", (*SCAN, str(one))), ("--help", (*MARTELLO, "--help"))):
        _row(name, typical(words, BUILD / "out.txt", 7))
    _row("python, empty program", typical((sys.executable, "-c", ""), BUILD / "out.txt", 7))
    print()


def _growth() -> None:
    print("  growth, generated objects")
    last: Usage | None = None
    for count in (1_250, 2_500, 5_000):
        directory = generated_manifests(count)
        usage = run((*SCAN, str(directory), "-o", "json"), BUILD / "out.json")
        _row(f"{count} objects", usage)
        if last is not None:
            print(f"    twice the objects: {usage.cpu / last.cpu:.2f} x CPU", end="")
            print(f", {usage.memory / last.memory:.2f} x memory")
        last = usage


if __name__ == "__main__":
    sys.exit(main())
