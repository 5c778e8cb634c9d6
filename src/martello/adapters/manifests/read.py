"""Reads files, directories and standard input into objects. Nothing given is lost: it is an object,
counted, or unassessed with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Final

from martello.adapters.manifests import kustomize
from martello.adapters.manifests.exclude import excluder
from martello.adapters.manifests.limits import DEFAULT, Limits, Unreadable
from martello.adapters.manifests.objects import Objects
from martello.adapters.manifests.parse import TEMPLATE, parse_documents
from martello.adapters.manifests.source import Identity, bounded, decoded, read_file
from martello.adapters.manifests.walk import Found
from martello.core.errors import BadInput
from martello.core.finding import Unassessed
from martello.core.reading import Reading
from martello.core.resource import Location

STDIN: Final = "<stdin>"


def read_paths(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    exclude: Sequence[str] = (),
    limits: Limits = DEFAULT,
) -> Reading:
    """Reads every path: a file, a directory (`*.yaml`, `*.yml`, `*.json` below it), or `-`.

    `exclude` holds patterns as .gitignore has them, for what lies below directories. Raises
    BadInput for a path that does not exist and for `-` without standard input; all else is in the
    Reading.
    """
    found = Found()
    excluded = excluder(exclude)
    reader = _Reader(limits)
    for path in paths:
        if path != "-":
            found.add(path, excluded)
        elif stdin is None:
            raise BadInput("nothing to read on standard input")
        else:
            reader.stream(stdin)
    reader.skip_what_kustomizations_name(found)
    for path in found.files:
        reader.file(path, named=path in found.named)
    objects = reader.objects
    if len(paths) > 1:  # one alone says so itself: there are no objects
        reason = "nothing to judge: no YAML or JSON files to read"
        found.unassessed += [Unassessed(reason, Location(path)) for path in found.empty]
    return Reading(
        " ".join(paths),
        tuple(objects.resources),
        (*found.unassessed, *objects.unassessed),
        files=reader.files,
        foreign=objects.foreign,
        partial=objects.partial + found.partial,
    )


def read_texts(texts: Mapping[str, bytes], target: str, limits: Limits = DEFAULT) -> Reading:
    """The same for texts in memory, each under the name that findings shall give as its file."""
    reader = _Reader(limits)
    for name, text in texts.items():
        reader.files += 1
        reader.text(text, name, named=True)
    objects = reader.objects
    return Reading(
        target,
        tuple(objects.resources),
        tuple(objects.unassessed),
        files=reader.files,
        foreign=objects.foreign,
        partial=objects.partial,
    )


class _Reader:
    """Reads one file after the other and keeps count."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.objects = Objects()
        self.files = 0
        self.partial: set[str] = set()  # normalised paths that kustomizations name
        self.seen: set[Identity] = set()

    def stream(self, stdin: BinaryIO) -> None:
        """Standard input as one file."""
        self.files += 1
        try:
            self.text(decoded(bounded(stdin, self.limits)), STDIN, named=True)
        except Unreadable as error:
            self.refuse(STDIN, error)

    def skip_what_kustomizations_name(self, found: Found) -> None:
        """Notes the patches and data of every kustomization, wherever it stands in the order."""
        for path in found.files:
            if not kustomize.is_kustomization(path):
                continue
            try:
                text, _ = read_file(path, self.limits, named=False)
            except Unreadable:
                continue  # reported when its turn comes
            for document in parse_documents(text, path, self.limits).documents:
                self.partial.update(kustomize.named_files(document.value, os.path.dirname(path)))

    def file(self, path: str, *, named: bool) -> None:
        """One file. What was read before under another name is not read again."""
        try:
            text, identity = read_file(path, self.limits, named=named)
        except Unreadable as error:
            self.files += 1
            self.refuse(path, error)
            return
        if identity in self.seen:
            return
        self.seen.add(identity)
        self.files += 1
        if not named and os.path.normpath(path) in self.partial:
            self.objects.partial += 1
        else:
            self.text(text, path, named=named)

    def text(self, text: bytes, name: str, *, named: bool) -> None:
        """Sorts the documents of one text."""
        parsed = parse_documents(text, name, self.limits)
        if parsed.broken and not named and _foreign_json(name, text):
            self.objects.foreign += 1
            return
        if kustomize.is_kustomization(name) or os.path.basename(name) == "Chart.yaml":
            self.objects.partial += len(parsed.documents)
        else:
            for document in parsed.documents:
                self.objects.add(document)
        self.objects.unassessed.extend(_once_per_template(parsed.broken))

    def refuse(self, path: str, error: Unreadable) -> None:
        """A file that gave no text."""
        self.objects.unassessed.append(Unassessed(error.reason, Location(path)))


def _foreign_json(name: str, text: bytes) -> bool:
    """JSON with comments and the like, of tools that have nothing to do with Kubernetes."""
    return name.lower().endswith(".json") and b"apiVersion" not in text


def _once_per_template(broken: Sequence[Unassessed]) -> list[Unassessed]:
    """A template is broken in many places: the first one says it."""
    kept: list[Unassessed] = []
    templates = 0
    for entry in broken:
        templates += entry.reason.endswith(TEMPLATE)
        if templates <= 1 or not entry.reason.endswith(TEMPLATE):
            kept.append(entry)
    return kept
