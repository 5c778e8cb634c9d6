"""`make corpus`: replays every corpus under MARTELLO_CORPORA for which there is a runner here.

A runner is a module named as the corpus' directory (`-` becomes `_`) with
`replay(path) -> Iterator[(case, passed, detail)]`. Disagreements go to build/corpus/NAME.txt;
`ONLY=NAME` replays one.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
DEFAULT = HERE.parents[1].parent / "shared" / "corpora"


def main() -> int:
    """Prints one line a corpus. Fails where nothing was replayed though something was there."""
    root = Path(os.environ.get("MARTELLO_CORPORA") or DEFAULT)
    only = os.environ.get("ONLY", "")
    if not root.is_dir():
        print(f"no corpora: {root} is not a directory (set MARTELLO_CORPORA)")
        return 1 if only else 0
    replayed = 0
    for module in sorted(HERE.glob("[a-z]*.py")):
        name = module.stem.replace("_", "-")
        if (only and name != only) or not (root / name).is_dir():
            continue
        print(replay(name, root / name), flush=True)
        replayed += 1
    if not replayed:
        print(f"no runner for {only or 'any corpus'} and a directory in {root}")
    return 0 if replayed else 1


def replay(name: str, path: Path) -> str:
    """Runs one corpus, writes its disagreements, and gives its line."""
    runner = import_module(f"tests.corpus.{name.replace('-', '_')}")
    total = 0
    wrong: list[str] = []
    for case, passed, detail in runner.replay(path):
        total += 1
        if not passed:
            wrong.append(f"{case}: {detail}\n")
    target = Path("build") / "corpus" / f"{name}.txt"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(wrong), encoding="utf-8")
    passed_count = total - len(wrong)
    percent = 100 * passed_count / total if total else 0.0
    return f"{name} passed {passed_count} of {total} ({percent:.1f}%)"


if __name__ == "__main__":
    sys.exit(main())
