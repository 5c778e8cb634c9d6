"""Which images of an index the machines of a cluster would run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from martello.core.artifact import Descriptor, Index, Platform
from martello.core.errors import BadInput

# Other spellings of an architecture, and the variant that its plain name means: containerd's
# platforms package.
_SPELLINGS: Final = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "i386": ("386", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_PLAIN: Final = {"arm": "v7", "arm64": "v8", "amd64": "v1"}


def parse_platform(text: str) -> Platform:
    """`linux/arm64`, `linux/arm/v7`. Raises BadInput."""
    parts = text.strip().lower().split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise BadInput(f"no platform: {text[:60]}", "it is not os/architecture or os/arch/variant")
    return normal(Platform(*parts))


def normal(platform: Platform) -> Platform:
    """One spelling of each platform: `linux/aarch64` and `linux/arm64/v8` are `linux/arm64`."""
    os, architecture = platform.os.lower(), platform.architecture.lower()
    architecture, variant = _SPELLINGS.get(architecture, (architecture, ""))
    variant = platform.variant.lower() or variant
    if variant.isdigit():
        variant = f"v{variant}"
    if variant == _PLAIN.get(architecture):
        variant = ""
    return Platform(os, architecture, variant)


def attestation(descriptor: Descriptor) -> bool:
    """Whether a child of an index is what BuildKit attached to an image, and no runtime runs."""
    platform = descriptor.platform
    return platform is not None and platform.os == platform.architecture == "unknown"


def choose(index: Index, platforms: Sequence[Platform] = ()) -> tuple[Descriptor, ...]:
    """The children of an index that machines of these platforms may run: all where none is named.

    A child that names no platform may run anywhere. What BuildKit attached is left out. Where the
    index has nothing for any of the platforms, the result is empty.
    """
    wanted = {normal(platform) for platform in platforms}
    chosen: dict[str, Descriptor] = {}
    for child in index.manifests:
        if attestation(child):
            continue
        if wanted and child.platform is not None and not _runs(child.platform, wanted):
            continue
        chosen.setdefault(child.digest, child)
    return tuple(chosen.values())


def _runs(platform: Platform, wanted: set[Platform]) -> bool:
    found = normal(platform)
    # A newer processor runs what was made for an older one: a node says arm/v7, an image arm/v6.
    return any(
        (found.os, found.architecture) == (node.os, node.architecture)
        and _rank(found) <= _rank(node)
        for node in wanted
    )


def _rank(platform: Platform) -> int:
    variant = platform.variant or _PLAIN.get(platform.architecture, "")
    digits = variant.removeprefix("v").partition(".")[0]
    return int(digits) if digits.isdecimal() and len(digits) < 4 else 0
