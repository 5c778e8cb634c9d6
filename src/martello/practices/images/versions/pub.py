"""The order of Dart's versions (pub) and of Julia's: semantic versions that order build metadata.

Source: the comparison of pub_semver, and of VersionNumber in Julia's manual: without build before
with, then identifier by identifier as pre-releases are.
"""

from __future__ import annotations

from martello.practices.images.versions.encoding import memoised
from martello.practices.images.versions.semver import identifiers, release, split


@memoised
def key(version: str) -> bytes:
    """As semver reads it, and the build metadata after it."""
    numbers, pre, build = split(version)
    return release(numbers) + identifiers(pre) + (identifiers(build) if build else b"\0")
