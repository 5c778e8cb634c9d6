"""What must not be reached, as [crown] of martello.toml names it: goals of one's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from martello.cli.config import CROWN, Config, load_config
from martello.core.errors import BadInput
from martello.paths.model import Proposition

_KINDS: Final = {"secrets": "secret", "accounts": "account"}
_PLAIN: Final = ("namespaces", "nodes", "starve")
_ALL: Final = "*"


def crown(config: Config | None = None) -> tuple[Proposition, ...]:
    """The goals that the configuration names. Raises BadInput for a name that is none."""
    known = load_config({}, Path.cwd(), os.environ) if config is None else config
    found = (_read(key, word, known) for key in CROWN for word in known.crown[key])
    return tuple(dict.fromkeys(found))


def _read(key: str, word: str, config: Config) -> Proposition:
    space, slash, name = word.partition("/")
    if key in _PLAIN:
        if word and not slash:
            return (key.removesuffix("s"), word)
    elif space and name and "/" not in name:
        if key == "secrets" and name == _ALL:
            return ("secrets", space)
        return (_KINDS[key], space, name)
    form = "NAME" if key in _PLAIN else "NAMESPACE/NAME"
    raise BadInput(
        f"setting 'crown.{key}' cannot be '{word[:100]}'",
        f"it was given in {config.origin[f'crown.{key}']}",
        f"each is a {form}",
    )
