"""Comparing versions on ready keys, and making keys, beside univers on the same pairs."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.practices.images.versions.samples import SAMPLES

from bench.material import ROOT
from bench.peers import environment
from martello.practices.images.versions import scheme

Pair = tuple[str, str]

# An ecosystem: its file of facts, and the class of univers.
PEERS: Final = {
    "Debian": ("debian", "DebianVersion"),
    "Alpine": ("alpine", "AlpineLinuxVersion"),
    "Red Hat": ("redhat", "RpmVersion"),
    "PyPI": ("pypi", "PypiVersion"),
    "Maven": ("maven", "MavenVersion"),
    "RubyGems": ("rubygems", "RubygemsVersion"),
    "Packagist": ("packagist", "ComposerVersion"),
    "npm": ("semver", "SemverVersion"),
    "NuGet": ("nuget", "NugetVersion"),
}
LEAST: Final = 20_000  # comparisons a measurement, by going over the pairs again
AIM: Final = 50  # how many times as fast a comparison of keys is to be

# What runs beside univers: which pairs it can compare, and seconds of CPU for each of our steps.
_THEIRS: Final = """
import gc, json, sys, time
import univers.versions
gc.disable()
out = {}
for ecosystem, (name, pairs, rounds) in json.load(sys.stdin).items():
    make = getattr(univers.versions, name)
    known = []
    for place, (a, b) in enumerate(pairs):
        try:
            make(a) < make(b)
            known.append(place)
        except Exception:
            pass
    strings = {s for place in known for s in pairs[place]}
    begun = time.process_time()
    made = {s: make(s) for s in strings}
    build = time.process_time() - begun
    ready = [(made[pairs[p][0]], made[pairs[p][1]]) for p in known]
    begun = time.process_time()
    for _ in range(rounds):
        for a, b in ready:
            a < b
    out[ecosystem] = known, build, time.process_time() - begun
json.dump(out, sys.stdout)
"""


def main() -> int:
    """Prints a line an ecosystem; 1 where keys are compared less than AIM times as fast."""
    asked = {
        name: (peer, pairs, -(-LEAST // len(pairs))) for name, (peer, pairs) in _pairs().items()
    }
    command = (str(environment() / "python"), "-c", _THEIRS)
    done = subprocess.run(
        command, input=json.dumps(asked), stdout=subprocess.PIPE, text=True, check=True
    )
    print("  versions, beside univers         compared on keys             keys made   strings")
    worst = float("inf")
    for ecosystem, (known, build, compared) in json.loads(done.stdout).items():
        _, pairs, rounds = asked[ecosystem]
        ours = _ours(ecosystem, [pairs[place] for place in known], rounds)
        faster, made = compared / ours[1], build / ours[0]
        worst = min(worst, faster)
        speed = rounds * len(known) / ours[1] / 1e6
        refused = len(pairs) - len(known)
        print(f"    {ecosystem:<12} {len(known):6} pairs {speed:8.1f} M/s {faster:8.0f} x", end="")
        print(f" {ours[0] / _distinct(pairs) * 1e6:8.1f} us {made:8.1f} x", end="")
        print(f" {compared / ours[2]:8.1f} x", end="")
        print(f"   univers refuses {refused}" if refused else "")
    print(f"    at least {AIM} x on keys: {'kept' if worst >= AIM else 'missed'}\n")
    return int(worst < AIM)


def _pairs() -> dict[str, tuple[str, list[Pair]]]:
    """Facts of the corpus by ecosystem; without it, neighbours among the samples of the tests."""
    named = os.environ.get("MARTELLO_CORPORA")
    corpus = (Path(named) if named else ROOT.parent / "shared" / "corpora") / "versions"
    found: dict[str, tuple[str, list[Pair]]] = {}
    for ecosystem, (name, peer) in PEERS.items():
        file = corpus / f"{name}.txt.gz"
        if file.exists():
            lines = gzip.decompress(file.read_bytes()).decode("utf-8").splitlines()
            found[ecosystem] = peer, [(a, b) for a, _, b in map(str.split, lines)]
        else:
            found[ecosystem] = peer, list(pairwise(SAMPLES[ecosystem].split()))
    return found


def _ours(ecosystem: str, pairs: list[Pair], rounds: int) -> tuple[float, float, float]:
    """Seconds of CPU to make the keys, of which none is remembered yet, to compare them so many
    rounds, and to compare the strings as often by what decides.
    """
    found = scheme(ecosystem)
    assert found is not None
    strings = {version for pair in pairs for version in pair}
    begun = time.process_time()
    made = {version: found.key(version) for version in strings}
    build = time.process_time() - begun
    ready = [(made[a], made[b]) for a, b in pairs]
    begun = time.process_time()
    for _ in range(rounds):
        for a, b in ready:
            a < b  # noqa: B015
    compared = time.process_time() - begun
    begun = time.process_time()
    for _ in range(rounds):
        for a, b in pairs:
            found.compare(a, b)
    return build, compared, time.process_time() - begun


def _distinct(pairs: Iterable[Pair]) -> int:
    return len({version for pair in pairs for version in pair})
