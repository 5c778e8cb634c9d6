"""The order of versions, an ecosystem a module: keys that sort as bytes, and the comparison.

No version raises. What an ecosystem's grammar does not know has a place in its order all the same,
which its module tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from martello.practices.images.versions import (
    alpine,
    composer,
    conan,
    cran,
    debian,
    gem,
    hackage,
    maven,
    nuget,
    pep440,
    pub,
    rpm,
    semver,
)
from martello.practices.images.versions.encoding import by_key


class Scheme(msgspec.Struct, frozen=True):
    """How the versions of an ecosystem are ordered.

    `compare` gives -1, 0 or 1 and decides. `key` sorts as it, byte by byte, wherever `keyed`; else
    `key` is a true order beside a comparison that is none in odd cases (Maven, `#` of Packagist).
    `compare_bound` compares a version with the bound of a range.
    """

    name: str
    key: Callable[[str], bytes]
    compare: Callable[[str, str], int]
    compare_bound: Callable[[str, str], int]
    keyed: bool = True


def scheme(ecosystem: str) -> Scheme | None:
    """The scheme of an ecosystem as OSV names it, whatever its release; None for a strange one."""
    return _SCHEMES.get(ecosystem.partition(":")[0])


def _keyed(name: str, key: Callable[[str], bytes]) -> Scheme:
    compare = by_key(key)
    return Scheme(name, key, compare, compare)


def _compared(name: str, key: Callable[[str], bytes], compare: Callable[[str, str], int]) -> Scheme:
    return Scheme(name, key, compare, compare, keyed=False)


_RPM: Final = Scheme("rpm", rpm.key, by_key(rpm.key), rpm.compare_bound)
_FAMILIES: Final[tuple[tuple[Scheme, tuple[str, ...]], ...]] = (
    (_keyed("debian", debian.key), ("Debian", "Ubuntu", "Echo")),
    (
        _keyed("alpine", alpine.key),
        ("Alpine", "Alpaquita", "BellSoft Hardened Containers", "Chainguard", "MinimOS", "Wolfi"),
    ),
    (
        _RPM,
        ("AlmaLinux", "Amazon Linux", "Azure Linux", "CBL-Mariner", "Fedora", "Mageia",
         "Oracle Linux", "Photon OS", "Red Hat", "Rocky Linux", "SUSE", "openEuler", "openSUSE"),
    ),
    (_keyed("pep440", pep440.key), ("PyPI",)),
    (_compared("maven", maven.key, maven.compare), ("Maven",)),
    (
        _keyed("semver", semver.key),
        ("Bitnami", "Docker Hardened Images", "GitHub Actions", "Go", "Hex", "SwiftURL", "VSCode",
         "crates.io", "npm"),
    ),
    (_keyed("pub", pub.key), ("Pub", "Julia")),
    (_keyed("gem", gem.key), ("RubyGems",)),
    (_keyed("pod", gem.pod_key), ("CocoaPods",)),
    (_compared("composer", composer.key, composer.compare), ("Packagist",)),
    (_keyed("nuget", nuget.key), ("NuGet",)),
    (_keyed("cran", cran.key), ("CRAN", "Bioconductor")),
    (_keyed("hackage", hackage.key), ("Hackage", "GHC")),
    (_keyed("conan", conan.key), ("ConanCenter",)),
    (_keyed("opam", debian.opam_key), ("opam",)),
)  # fmt: skip
_SCHEMES: Final = {name: found for found, names in _FAMILIES for name in names}
