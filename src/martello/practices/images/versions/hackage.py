"""The order of Haskell's package versions: lists of numbers, more of them after fewer.

Source: the Ord instance of Cabal's Version, the lexicographic one of lists; GHC's own are the same.
Tags behind a hyphen are long gone and do not count in Cabal's comparison.
"""

from __future__ import annotations

from martello.practices.images.versions import cran
from martello.practices.images.versions.encoding import memoised


@memoised
def key(version: str) -> bytes:
    """As CRAN's, without what follows a hyphen."""
    return cran.key(version.partition("-")[0])
