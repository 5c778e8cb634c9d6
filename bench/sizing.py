"""Right-sizing: how fast samples are read and what is made of them.

`python -m bench.sizing SECTION` runs one section; without its name, all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Final

from bench import sizing_advise, sizing_decode

SECTIONS: Final[Mapping[str, Callable[[], int]]] = {
    "decode": sizing_decode.main,
    "advise": sizing_advise.main,
}


def main(chosen: tuple[str, ...] = ()) -> int:
    """Prints the figures of the chosen sections, else of all; 1 where one misses its limit."""
    return max(int(SECTIONS[name]()) for name in chosen or SECTIONS)


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
