"""The order of NuGet's versions: four numbers, pre-releases without case, metadata ignored.

Source: NuGet's documentation on package versioning and the comparison of NuGetVersion.
"""

from __future__ import annotations

from martello.practices.images.versions.encoding import memoised
from martello.practices.images.versions.semver import identifiers, release, split


@memoised
def key(version: str) -> bytes:
    """As semver reads it, with any count of numbers and without case."""
    numbers, pre, _ = split(version)
    return release(numbers) + identifiers(pre.lower())
