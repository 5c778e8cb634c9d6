"""Replays facts `A < B`, `A = B` and `A > B` of versions, each in both directions.

A fact passes where the comparison gives it both ways and nothing raises; and where keys are the
order (all schemes but Maven's and, for `#`, Packagist's), where the keys give it too.

| fact not followed | why |
|---|---|
| (none) | no fact contradicts another |
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from martello.practices.images.versions import Scheme, scheme

Case = tuple[str, bool, str]

ECOSYSTEMS: Final = {
    "alpine": ("Alpine",),
    "cran": ("CRAN",),
    "debian": ("Debian",),
    "hackage": ("Hackage",),
    "maven": ("Maven",),
    "nuget": ("NuGet",),
    "packagist": ("Packagist",),
    "pub": ("Pub",),
    "pypi": ("PyPI",),
    "redhat": ("Red Hat",),
    "rubygems": ("RubyGems",),
    "semver": ("npm", "crates.io", "Go", "Hex"),
}
SIGNS: Final = {"<": -1, "=": 0, ">": 1}


def replay(path: Path) -> Iterator[Case]:
    """One case for each fact and ecosystem that it is about."""
    for file in sorted(path.glob("*.txt.gz")):
        for ecosystem in ECOSYSTEMS[file.name.removesuffix(".txt.gz")]:
            order = scheme(ecosystem)
            assert order is not None
            for line in gzip.decompress(file.read_bytes()).decode("utf-8").splitlines():
                passed, detail = judge(order, *line.split())
                yield f"{ecosystem} {line.strip()}", passed, detail


def judge(order: Scheme, a: str, sign: str, b: str) -> tuple[bool, str]:
    """Whether a scheme agrees with a fact, and what it says."""
    wanted = SIGNS[sign]
    try:
        found = [order.compare(a, b), -order.compare(b, a)]
        if order.keyed:
            left, right = order.key(a), order.key(b)
            found.append((left > right) - (left < right))
    except Exception as error:  # a version that raises is what is looked for
        return False, f"raised {error!r}"
    return found == [wanted] * len(found), f"wanted {wanted}, found {found}"
