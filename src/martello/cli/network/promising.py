"""The file of intents: read strictly, each key with its line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from martello.core.errors import BadInput
from martello.core.path import Path as Keys
from martello.core.resource import Location

if TYPE_CHECKING:
    from martello.practices.network.intents.promises import Intent

_LARGEST: Final = 16 << 20


def text_of(file: str, flag: str) -> str:
    """The text of a file that a flag names, which may be a device without an end. Raises
    BadInput.
    """
    try:
        with Path(file).open("rb") as opened:
            raw = opened.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            why = f"larger than {_LARGEST >> 20} MiB, the limit for one file"
            raise BadInput(f"cannot read {file}", why, f"check {flag}")
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise BadInput(f"cannot read {file}", why, f"check {flag}") from None


def read_intents(file: str) -> tuple[Intent, ...]:
    """The intents of a file. Raises BadInput with every mistake and its line."""
    from martello.catalogue.document import read_document
    from martello.practices.network.intents.promises import parse_intents

    text = text_of(file, "--intents")
    document = read_document(text, file)

    def locate(path: Keys) -> Location:
        while path and path not in document.lines:
            path = path[:-1]
        return Location(file, document.lines.get(path, 1), 1)

    if document.problems:
        document.finish()
    return parse_intents(document.data, locate, file)
