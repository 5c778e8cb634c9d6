"""Programs, whatever language they are of: read once, asked by each language."""

from __future__ import annotations

import struct
from typing import Final

from martello.core.package import Unread
from martello.practices.images.evidence.executable import is_program, read_tables
from martello.practices.images.evidence.golang import SECTIONS, read_go
from martello.practices.images.evidence.model import NOTHING, Body, Parsed, Reader
from martello.practices.images.evidence.rust import SECTION, read_rust

_WANTED: Final = SECTIONS | {SECTION}
_LARGEST: Final = 1 << 30


def read_program(path: str, body: Body) -> Parsed:
    """The modules and crates of a program; nothing where it is none, or of another language.
    Raises TooLarge.
    """
    head = body.head(4096)
    if not is_program(head):
        return NOTHING
    with body.spooled(_LARGEST) as file:
        try:
            program = read_tables(file, _WANTED)
        except (ValueError, struct.error):  # such a file does not run either
            return NOTHING
        if program is None:
            return NOTHING
        go, rust = read_go(path, program), read_rust(path, program)
    unread = go.unread + rust.unread
    if not program.tables and b"UPX!" in head and not go.packages:
        why = "it is packed with UPX: unpack it with upx -d to see what it is made of"
        unread += (Unread("program", path, why),)
    return Parsed(go.packages + rust.packages, unread=unread)


READERS: Final = (Reader("program", read_program, programs=True),)
