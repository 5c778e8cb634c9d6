"""Which of Red Hat's repositories an image was made from: its content sets.

Its build system leaves them in `content_manifests`; vulnerabilities are stated by repository.
"""

from __future__ import annotations

from typing import Final

import msgspec

from martello.practices.images.evidence.model import Body, Parsed, Reader
from martello.practices.images.evidence.text import decoded, word

PLACES: Final = ("root/buildinfo/content_manifests", "usr/share/buildinfo")
_LARGEST: Final = 16 << 20
_MOST: Final = 500


class _Manifest(msgspec.Struct, frozen=True):
    content_sets: tuple[object, ...] = ()


def read_manifest(_path: str, body: Body) -> Parsed:
    """The content sets of a manifest. Raises ValueError, TooLarge."""
    sets = decoded(body.whole(_LARGEST), _Manifest).content_sets
    return Parsed(content_sets=tuple(dict.fromkeys(s for one in sets if (s := word(one))))[:_MOST])


READERS: Final = (
    Reader(
        "Red Hat content sets",
        read_manifest,
        under=PLACES,
        accepts=lambda path: path.endswith(".json"),
    ),
)
