"""composer.lock. Source: Composer's documentation of its lock file and schema."""

from __future__ import annotations

from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.model import Body, Parsed, Reader


def _lock(path: str, body: Body) -> Parsed:
    document = parse.json(body)
    if not isinstance(document.get("packages"), list):
        raise ValueError("no list of packages")
    return Parsed(
        packages=parse.unique(
            parse.package(
                "composer",
                parse.word(entry.get("name")),
                parse.word(entry.get("version")),
                dev=section == "packages-dev",
                licences=parse.words(entry.get("license"))
                or [one for one in [parse.word(entry.get("license"))] if one],
            )
            for section in ("packages", "packages-dev")
            for entry in parse.rows(document.get(section))
            # A package of the project's own, in a directory beside it.
            if parse.table(entry.get("dist")).get("type") != "path"
        )
    )


READERS = (Reader(name="composer", read=_lock, names=frozenset(("composer.lock",))),)
