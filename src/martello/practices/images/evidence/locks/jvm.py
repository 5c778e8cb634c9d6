"""Lock files of Gradle and of sbt.

Sources: Gradle's `Locking dependency versions` (one file a project since 6.x, one file a
configuration before), sbt-dependency-lock's file.
"""

from __future__ import annotations

import re
from typing import Final

from martello.core.package import Package
from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.model import Body, Parsed, Reader

_TEST: Final = re.compile(r"(?:test|[a-z]\w*Test(?=[A-Z]|\Z))")
_RUN: Final = frozenset(("compile", "runtime", "default", "master"))


def _gradle(path: str, body: Body) -> Parsed:
    packages: list[Package] = []
    for raw in parse.text(body).splitlines():
        line = raw.strip()
        if not line or line.startswith(("#", "empty=")):
            continue
        coordinates, _, configurations = line.partition("=")
        parts = coordinates.split(":")
        if len(parts) != 3 or not all(parts):
            raise ValueError(f"no group:name:version: {line[:80]}")
        used = [name.strip() for name in configurations.split(",") if name.strip()]
        dev = bool(used) and all(_TEST.match(name) for name in used)
        packages.append(parse.package("maven", f"{parts[0]}:{parts[1]}", parts[2], dev=dev))
    return Parsed(packages=parse.unique(packages))


def _configuration(path: str, body: Body) -> Parsed:
    """gradle/dependency-locks/<configuration>.lockfile: the older form."""
    name = path.rpartition("/")[2].removesuffix(".lockfile")
    found = _gradle(path, body).packages
    if not _TEST.match(name):
        return Parsed(packages=found)
    return Parsed(
        packages=tuple(parse.package(one.type, one.name, one.version, dev=True) for one in found)
    )


def _sbt(path: str, body: Body) -> Parsed:
    document = parse.json(body)
    if document.get("lockVersion") != 1:
        raise ValueError("a lockVersion that is not known; 1 is read")
    packages = []
    for entry in parse.rows(document.get("dependencies")):
        used = parse.words(entry.get("configurations"))
        packages.append(
            parse.package(
                "maven",
                f"{parse.word(entry.get('org'))}:{parse.word(entry.get('name'))}",
                parse.word(entry.get("version")),
                dev=bool(used) and not _RUN.intersection(used),
            )
        )
    return Parsed(packages=parse.unique(packages))


READERS = (
    Reader(
        name="gradle",
        read=_gradle,
        names=frozenset(
            ("gradle.lockfile", "buildscript-gradle.lockfile", "settings-gradle.lockfile")
        ),
    ),
    Reader(
        name="gradle-configuration",
        read=_configuration,
        suffixes=(".lockfile",),
        accepts=lambda path: "gradle/dependency-locks/" in path,
    ),
    Reader(name="sbt", read=_sbt, names=frozenset(("build.sbt.lock",))),
)
