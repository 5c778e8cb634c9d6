"""Work that looks for no garbage: Python looks for circles among all objects of the process
whenever many lists are made, and where none of these is in a circle that is for nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def calm() -> Iterator[None]:
    """No search for circles meanwhile, in the whole process: for work of some milliseconds."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
