"""The order of R's package versions: numbers between dots or hyphens, more of them after fewer.

Source: R's documentation of package_version and numeric_version. Bioconductor's are of this kind.
"""

from __future__ import annotations

import re
from typing import Final

from martello.practices.images.versions.encoding import memoised, number, text

_PARTS: Final = re.compile(r"([0-9]+)|([^0-9.-]+)")
_END, _WORDS, _DIGITS = b"\0", b"\1", b"\2"


@memoised
def key(version: str) -> bytes:
    """Words, which R does not allow, come before all numbers at their place."""
    parts = _PARTS.findall(version.strip())
    return b"".join([_DIGITS + number(n) if n else _WORDS + text(w) for n, w in parts]) + _END
