"""What is to be judged: the words of the command line, read without guessing and without the
network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from martello.core.errors import BadInput

_IMAGE: Final = re.compile(r"[\w.\-/:]*[\w](?::[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})")


class Target(msgspec.Struct, frozen=True):
    """One thing to read: kind path, stdin, cluster, bundle or demo; `where` a path or context."""

    kind: str
    where: str = ""

    def __str__(self) -> str:
        if self.kind in ("path", "stdin"):
            return self.where or "-"
        return f"{self.kind}:{self.where}" if self.where else self.kind


def parse_target(word: str) -> Target:
    """Reads one TARGET. Raises BadInput with both readings where the word is neither a path nor a
    known form: an image is never looked up because a path was mistyped.
    """
    if word == "-":
        return Target("stdin", "-")
    kind, colon, where = word.partition(":")
    if word == "cluster" or (colon and kind == "cluster"):
        return Target("cluster", where)
    if colon and kind == "bundle":
        return Target("bundle", where)
    if os.path.lexists(word):
        return Target("path", word)
    if word == "demo":
        return Target("demo")
    if _IMAGE.fullmatch(word) and (":" in word or "@" in word):
        raise BadInput(
            f"cannot read {word}",
            "there is no such file, and this verb does not read images",
            f"martello image scan {word}, or name a file, a directory, cluster[:CONTEXT]",
        )
    raise BadInput(
        f"cannot read {word}",
        "there is no such file or directory",
        "check the spelling, or name cluster[:CONTEXT], bundle:FILE or demo (images: image scan)",
    )


def in_context(targets: Sequence[Target], context: str) -> list[Target]:
    """The targets, clusters being that of the context that --context names. Raises BadInput where
    no cluster is among them, or another one.
    """
    for target in targets:
        if target.kind == "cluster" and target.where not in ("", context):
            raise BadInput(
                f"{target} and --context {context} name two clusters", "", "give one of them"
            )
    if all(target.kind != "cluster" for target in targets):
        raise BadInput(
            f"--context {context} names a cluster, and none is to be read",
            "",
            f"add the target cluster:{context}, or leave --context out",
        )
    return [Target("cluster", context) if t.kind == "cluster" else t for t in targets]
