"""The words that rules use, each with the set of rules that name it.

A rule is a bit. A word that no rule names has no entry: it is the symbol `other`, which wildcards
alone match. So every request is answered exactly, also for verbs and kinds of tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from martello.practices.access.model import Request
from martello.practices.access.rules import Lists


class Words:
    """The words of one dimension: word → the rules that name it, as the bits of an int."""

    __slots__ = ("_listed", "_masks")

    def __init__(self) -> None:
        self._listed: dict[str, list[int]] = {}
        self._masks: dict[str, int] = {}

    def add(self, word: str, rule: int) -> None:
        """Says that a rule names the word."""
        self._listed.setdefault(word, []).append(rule)

    def mask(self, word: str) -> int:
        """The rules that name the word: 0 for a word that is none of any rule."""
        found = self._masks.get(word)
        if found is None:
            listed = self._listed.get(word)
            if listed is None:
                return 0
            found = self._masks[word] = bits(listed)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)


class Symbols:
    """What rules say, turned around: which rules allow a request."""

    __slots__ = ("_lengths", "groups", "names", "prefixes", "resources", "unnamed", "urls", "verbs")

    def __init__(self, rules: Iterable[Lists]) -> None:
        self.verbs, self.groups, self.resources = Words(), Words(), Words()
        self.names, self.urls, self.prefixes = Words(), Words(), Words()
        unnamed: list[int] = []
        lengths: set[int] = set()
        for bit, (verbs, groups, resources, names, urls) in enumerate(rules):
            for words, said in (
                (self.verbs, verbs),
                (self.groups, groups),
                (self.resources, resources),
                (self.names, names),
                (self.urls, urls),
            ):
                for word in said:
                    words.add(word, bit)
            for url in urls:
                if url.endswith("*"):
                    prefix = url.rstrip("*")
                    self.prefixes.add(prefix, bit)
                    lengths.add(len(prefix))
            if not names:
                unnamed.append(bit)
        self.unnamed = bits(unnamed)
        self._lengths = tuple(sorted(lengths))

    def allowing(self, request: Request) -> int:
        """The rules that allow a request, as bits."""
        found = self.verbs.mask(request.verb) | self.verbs.mask("*")
        if request.path:
            return found & self._url(request.path)
        found &= self.groups.mask(request.group) | self.groups.mask("*")
        found &= self._resource(request.resource, request.subresource)
        return found & (self.unnamed | self.names.mask(request.name))

    def covering(self, verb: str, group: str, resource: str, name: str | None, url: str) -> int:
        """The rules that grant a whole single right: a wildcard is covered by a wildcard alone."""
        found = self.verbs.mask(verb) | self.verbs.mask("*")
        if url:
            return found & self._url(url)
        parent, _, sub = resource.partition("/")
        found &= self.groups.mask(group) | self.groups.mask("*")
        found &= self._resource(parent, sub)
        return found & (self.unnamed | (self.names.mask(name) if name is not None else 0))

    def lacking(self, request: Request) -> dict[str, int]:
        """The rules that would allow a request but for one of its fields, by that field."""
        verbs = self.verbs.mask(request.verb) | self.verbs.mask("*")
        if request.path:
            paths = self._url(request.path)
            return {"verb": paths & ~verbs, "path": 0}
        groups = self.groups.mask(request.group) | self.groups.mask("*")
        resources = self._resource(request.resource, request.subresource)
        names = self.unnamed | self.names.mask(request.name)
        whole = {"verb": verbs, "group": groups, "resource": resources, "name": names}
        found: dict[str, int] = {}
        for field, own in whole.items():
            held = -1
            for other, mask in whole.items():
                if other != field:
                    held &= mask
            found[field] = held & ~own
        return found

    def _resource(self, resource: str, subresource: str) -> int:
        found = self.resources.mask("*")
        if not subresource:
            return found | self.resources.mask(resource)
        found |= self.resources.mask(f"{resource}/{subresource}")
        return found | self.resources.mask(f"*/{subresource}")

    def _url(self, path: str) -> int:
        found = self.urls.mask(path)
        for length in self._lengths:
            if length > len(path):
                break
            found |= self.prefixes.mask(path[:length])
        return found


def bits(places: Iterable[int]) -> int:
    """The int in which these bits are set."""
    listed = list(places)
    if not listed:
        return 0
    if len(listed) == 1:
        return 1 << listed[0]
    held = bytearray((max(listed) >> 3) + 1)
    for place in listed:
        held[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(held, "little")


def places(mask: int) -> list[int]:
    """The bits that are set, from the lowest."""
    found: list[int] = []
    for at, byte in enumerate(mask.to_bytes((mask.bit_length() + 7) >> 3, "little")):
        while byte:
            low = byte & -byte
            found.append((at << 3) + low.bit_length() - 1)
            byte ^= low
    return found
