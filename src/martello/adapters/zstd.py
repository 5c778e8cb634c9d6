"""zstd as Python has it from 3.14 on; before that the same module, backported."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["BOUNDED", "zstd"]

# A frame that wants a larger window than this, 128 MiB, is malformed.
BOUNDED: Final[Mapping[int, int]] = {zstd.DecompressionParameter.window_log_max: 27}
