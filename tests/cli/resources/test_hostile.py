"""Odd worlds put to the four verbs: an answer or an error that is told, nothing that breaks.

WORLDS says how many each verb is asked about.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Final

import pytest
from tests.support.asked import ask
from tests.support.command import Done
from tests.support.resources import mutated

WORLDS: Final = int(os.environ.get("WORLDS", "20"))
LEVELS: Final = ("container", "token", "namespace", "tenant")


def _answer(verb: str, seed: int, folder: Path) -> Done:
    """One question about one world; an internal error fails the test (`ask`)."""
    rng = Random(f"{verb} {seed}")
    (folder / "world.json").write_text(mutated.world(rng), encoding="utf-8")
    words: list[str] = []
    if verb == "admit":
        (folder / "more.json").write_text(mutated.world(rng), encoding="utf-8")
        words += ["more.json", *rng.choice(((), ("--replicas", "3")))]
    if verb in ("blast", "quota") and rng.random() < 0.5:
        (folder / "kubelet.json").write_text(mutated.kubelet(rng), encoding="utf-8")
        words += ["--kubelet", "kubelet.json"]
    if verb == "advise" or (verb == "quota" and rng.random() < 0.2):
        (folder / "use.csv").write_text(mutated.samples(rng), encoding="utf-8")
        words += ["--samples", "use.csv"]
    if verb == "blast":
        words += ["--attacker", rng.choice(LEVELS), *rng.choice(((), ("--target", "10")))]
    if verb in ("blast", "quota") and rng.random() < 0.3:
        words += ["--write", "guards"]
    elif verb in ("blast", "advise"):
        words += ["-o", rng.choice(("text", "json", "html"))]
    return ask("resources", verb, *words, "-f", "world.json", cwd=folder)


@pytest.mark.parametrize("verb", ["admit", "quota", "advise", "blast"])
def test_odd_worlds_break_nothing(verb: str, tmp_path: Path) -> None:
    codes = set()
    for seed in range(WORLDS):
        done = _answer(verb, seed, tmp_path)
        assert done.code in (0, 1, 2, 3), (seed, done.err)
        assert "\x1b" not in done.out + done.err, seed
        codes.add(done.code)
    assert len(codes) > 1  # they are not all refused at the door
