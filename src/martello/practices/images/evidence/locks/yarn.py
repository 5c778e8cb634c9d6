"""yarn.lock: version 1, and the YAML of Yarn 2 and later.

Sources: Yarn's documentation and its lock file parser's grammar, as described there: blocks whose
head lists the patterns `name@range` that one version answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.model import Body, Parsed, Reader, Sibling

_NAME: Final = re.compile(r"\A(@[^/@]+/[^/@]+|[^/@]+)@(.*)\Z", re.DOTALL)
_ALIAS: Final = re.compile(r"\Anpm:((?:@[^/@]+/)?[^/@]+)@(.+)\Z")
_PAIR: Final = re.compile(
    r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s":]+)):?\s+(?:"((?:[^"\\]|\\.)*)"|(\S+))\s*\Z'
)


class _Block(msgspec.Struct):
    """One version, the patterns it answers, and the patterns it asks for."""

    patterns: list[str]
    name: str
    version: str
    needs: list[str]
    local: bool = False  # the project itself, or one of its workspaces


def _lock(path: str, body: Body) -> Parsed:
    text = parse.text(body)
    berry = re.search(r"^__metadata:", text, re.MULTILINE) is not None
    blocks = list(_berry(text) if berry else _classic(text))
    needs: dict[str, tuple[str, ...]] = {}
    for block in blocks:
        node = f"{block.name}@{block.version}"
        needs.update(dict.fromkeys(block.patterns, (node,)))
        needs[node] = (*needs.get(node, ()), *block.needs)
    return Parsed(
        packages=parse.unique(
            parse.package("npm", block.name, block.version) for block in blocks if not block.local
        ),
        sibling=Sibling(
            "yarn.lock",
            needs=tuple(needs.items()),
            roots=tuple(block.name for block in blocks if block.local),
        ),
    )


def _classic(text: str) -> Iterator[_Block]:
    block: _Block | None = None
    inside = False  # of dependencies or optionalDependencies
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if line.startswith(("<<<<<<<", ">>>>>>>", "=======")):
            raise ValueError("an unresolved merge conflict")
        if not line[0].isspace():
            if block and block.version:
                yield block
            patterns = [_unquoted(part) for part in stripped.removesuffix(":").split(", ")]
            named = _NAME.match(patterns[0])
            if named is None:
                raise ValueError(f"no name@range: {patterns[0][:60]}")
            alias = _ALIAS.match(named[2])
            block = _Block(patterns, alias[1] if alias else named[1], "", [])
            block.local = named[2].startswith(("file:", "link:"))
        elif block is None:
            raise ValueError("a property before the first block")
        elif not line.startswith("    "):
            inside = stripped in ("dependencies:", "optionalDependencies:")
            if stripped.startswith(("version ", '"version" ')):
                block.version = _unquoted(stripped.partition(" ")[2])
        elif inside and (pair := _PAIR.match(line)):
            block.needs.append(f"{pair[1] or pair[2]}@{pair[3] or pair[4] or ''}")
    if block and block.version:
        yield block


def _berry(text: str) -> Iterator[_Block]:
    for head, entry in parse.yaml_text(text).items():
        if head == "__metadata" or not isinstance(entry, dict):
            continue
        resolution = _NAME.match(parse.word(entry.get("resolution")))
        first = _NAME.match(head.split(", ")[0])
        named = resolution or first
        version = parse.word(entry.get("version"))
        if named is None or not version:
            raise ValueError(f"neither name nor version: {head[:60]}")
        asked = {
            **parse.table(entry.get("dependencies")),
            **parse.table(entry.get("optionalDependencies")),
        }
        yield _Block(
            [_plain(pattern) for pattern in head.split(", ")],
            named[1],
            version,
            [_plain(f"{name}@{parse.word(wish)}") for name, wish in asked.items()],
            local=version == "0.0.0-use.local" or parse.word(entry.get("linkType")) == "soft",
        )


def _plain(pattern: str) -> str:
    # Newer versions write the protocol in dependencies too, older ones leave it out.
    return pattern.replace("@npm:", "@", 1)


def _unquoted(text: str) -> str:
    return text[1:-1] if text[:1] == '"' == text[-1:] and len(text) > 1 else text


READERS = (
    Reader(
        name="yarn",
        read=_lock,
        names=frozenset(("yarn.lock",)),
        accepts=lambda path: "node_modules/" not in path,
    ),
)
