"""The file of intents: read strictly, each key with its line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from martello.core.errors import BadInput
from martello.core.path import Path as Keys
from martello.core.resource import Location

if TYPE_CHECKING:
    from martello.practices.network.promises import Intent


def read_intents(file: str) -> tuple[Intent, ...]:
    """The intents of a file. Raises BadInput with every mistake and its line."""
    from martello.catalogue.document import read_document
    from martello.practices.network.promises import parse_intents

    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise BadInput(f"cannot read {file}", why, "check --intents") from None
    document = read_document(text, file)

    def locate(path: Keys) -> Location:
        while path and path not in document.lines:
            path = path[:-1]
        return Location(file, document.lines.get(path, 1), 1)

    if document.problems:
        document.finish()
    return parse_intents(document.data, locate, file)
