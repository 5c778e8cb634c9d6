"""Kubernetes versions: only the minor one decides what an API server does."""

from __future__ import annotations

import re
from typing import Final

from martello.core.errors import BadInput

# The newest minor version whose rules Martello knows; anything newer is judged by these.
NEWEST: Final = 37


def minor(text: str) -> int:
    """The minor version of `1.34`, `v1.34`, `1.34.2`, `1.34+` or `latest`. Raises BadInput
    otherwise.
    """
    if text == "latest":
        return NEWEST
    match = re.fullmatch(r"v?1\.(\d{1,4})\+?(?:\.\d+)?(?:[-+.].*)?", text)
    if match is None:
        raise BadInput(
            f"no Kubernetes version: {text}",
            "a version is 1.MINOR, or latest",
            "give it as --kubernetes 1.34",
        )
    return int(match.group(1))
