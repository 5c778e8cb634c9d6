"""Lock files of Python: Pipfile.lock, poetry.lock, pdm.lock, uv.lock, pylock.toml.

Sources: the documentation of Pipenv, Poetry, PDM and uv; PEP 751 for pylock.toml.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.locks.graph import mark_dev, node, reach
from martello.practices.images.evidence.model import Body, Parsed, Reader, Sibling

# uv's words for the project and for directories beside it: none of them comes from an index.
_LOCAL: Final = ("editable", "virtual", "directory", "path")
_PINNED: Final = re.compile(r"={2,3}\s*([^=*\s]+)\Z")
_PYLOCK: Final = re.compile(r"(?:.*/)?pylock(?:\.[^./]+)?\.toml\Z")


def _pipfile(path: str, body: Body) -> Parsed:
    document = parse.json(body)
    packages = []
    for section, entries in document.items():
        # All categories but `develop` are of the project: default, and names of its own.
        if section == "_meta" or not isinstance(entries, dict):
            continue
        for name, entry in entries.items():
            entry = parse.table(entry)
            pin = _PINNED.match(parse.word(entry.get("version")))
            if pin or not any(word in entry for word in ("path", "file", "editable")):
                version = pin[1] if pin else ""  # of a repository of source: not known
                packages.append(parse.package("pypi", name, version, dev=section == "develop"))
    return Parsed(packages=parse.unique(packages))


def _poetry(path: str, body: Body) -> Parsed:
    entries = parse.rows(parse.toml(body).get("package"))
    told = any("groups" in entry or "category" in entry for entry in entries)
    packages = tuple(
        parse.package(
            "pypi",
            parse.word(entry.get("name")),
            parse.word(entry.get("version")),
            dev=_in_dev_group(entry),
        )
        for entry in entries
        if parse.table(entry.get("source")).get("type") not in ("directory", "file")
    )
    graph: tuple[tuple[str, tuple[str, ...]], ...] = ()
    if not told:  # Poetry 1.5 to 1.8: pyproject.toml alone knows
        graph = tuple(_by_name(entries, lambda entry: parse.table(entry.get("dependencies"))))
    return Parsed(
        packages=parse.unique(packages),
        sibling=None if told else Sibling("poetry.lock", needs=graph),
    )


def _in_dev_group(entry: dict[str, Any]) -> bool:
    groups = parse.words(entry.get("groups"))
    if groups:
        return "main" not in groups
    return parse.word(entry.get("category")) == "dev"


def _pdm(path: str, body: Body) -> Parsed:
    entries = parse.rows(parse.toml(body).get("package"))
    packages = []
    for entry in entries:
        groups = parse.words(entry.get("groups"))
        # One entry without and one for each extra: the same package.
        if "path" in entry or entry.get("editable") is True:
            continue
        packages.append(
            parse.package(
                "pypi",
                parse.word(entry.get("name")),
                parse.word(entry.get("version")),
                dev=bool(groups) and all(_dev_name(group) for group in groups),
            )
        )
    return Parsed(packages=parse.unique(packages))


def _dev_name(group: str) -> bool:
    """Whether the name of a group says so: PDM does not write which table it stood in."""
    return re.match(r"(?:dev|test|lint|doc|typing)", group.lower()) is not None


def _uv(path: str, body: Body) -> Parsed:
    document = parse.toml(body)
    entries = parse.rows(document.get("package"))
    packages = []
    versions: dict[str, list[str]] = {}
    needs: dict[str, list[str]] = {}
    roots: list[str] = []
    for entry in entries:
        name, version = parse.word(entry.get("name")), parse.word(entry.get("version"))
        versions.setdefault(name, []).append(version)
        if any(word in parse.table(entry.get("source")) for word in _LOCAL):
            roots.append(f"{name}@{version}")
        elif version:
            packages.append(parse.package("pypi", name, version))
    for entry in entries:
        key = f"{parse.word(entry.get('name'))}@{parse.word(entry.get('version'))}"
        needs[key] = [
            target
            for one in _uv_dependencies(entry, key in roots)
            for target in _uv_targets(one, versions)
        ]
    # An early uv.lock, or one of a workspace without packages, names no root: nothing is known.
    found = mark_dev(packages, reach(needs, roots)) if roots else tuple(packages)
    return Parsed(packages=parse.unique(found))


def _uv_dependencies(entry: dict[str, Any], root: bool) -> Iterator[dict[str, Any]]:
    yield from parse.rows(entry.get("dependencies"))
    # Extras of others are locked only if something asks for them.
    for extra in parse.table(entry.get("optional-dependencies")).values():
        yield from parse.rows(extra)


def _uv_targets(one: dict[str, Any], versions: dict[str, list[str]]) -> list[str]:
    name, version = parse.word(one.get("name")), parse.word(one.get("version"))
    return [f"{name}@{each}" for each in ([version] if version else versions.get(name, []))]


def _pylock(path: str, body: Body) -> Parsed:
    document = parse.toml(body)
    if not parse.word(document.get("lock-version")).startswith("1."):
        raise ValueError("a lock-version that is not known; 1.x is read")
    return Parsed(
        packages=parse.unique(
            parse.package(
                "pypi",
                parse.word(entry.get("name")),
                parse.word(entry.get("version")),
                dev=_only_groups(parse.word(entry.get("marker"))),
            )
            for entry in parse.rows(document.get("packages"))
            # PEP 751: a directory and a repository need no version.
            if parse.word(entry.get("version")) and "directory" not in entry
        )
    )


def _only_groups(marker: str) -> bool:
    """Whether a marker asks for dependency groups and nothing else lets the package in."""
    asked = re.findall(r"""['"]([^'"]+)['"]\s+in\s+dependency_groups""", marker)
    return bool(asked) and all(map(_dev_name, asked)) and "extras" not in marker


def _pyproject(path: str, body: Body) -> Parsed:
    """What the project itself asks for, in the present form and in Poetry's."""
    document = parse.toml(body)
    project = parse.table(document.get("project"))
    poetry = parse.table(parse.table(document.get("tool")).get("poetry"))
    wanted = [*parse.words(project.get("dependencies"))]
    for extra in parse.table(project.get("optional-dependencies")).values():
        wanted += parse.words(extra)
    wanted += [name for name in parse.table(poetry.get("dependencies")) if name != "python"]
    dev = list(parse.table(poetry.get("dev-dependencies")))
    for group, content in parse.table(poetry.get("group")).items():
        names = list(parse.table(parse.table(content).get("dependencies")))
        if group == "main":
            wanted += names
        else:
            dev += names
    for content in parse.table(document.get("dependency-groups")).values():
        dev += parse.words(content)
    if not (wanted or dev):
        return Parsed()
    return Parsed(
        sibling=Sibling(
            "pyproject.toml", wanted=tuple(map(_bare, wanted)), wanted_dev=tuple(map(_bare, dev))
        )
    )


def _bare(requirement: str) -> str:
    """The normalised name of a requirement."""
    name = re.match(r"\s*[A-Za-z0-9._-]*", requirement)
    return normal(name[0].strip()) if name else ""


def normal(name: str) -> str:
    """A name as PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _by_name(
    entries: Iterable[dict[str, Any]], needs: Any
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A graph whose nodes are names, and the versions below each."""
    merged: dict[str, list[str]] = {}
    for entry in entries:
        name = normal(parse.word(entry.get("name")))
        one = parse.package("pypi", parse.word(entry.get("name")), parse.word(entry.get("version")))
        merged.setdefault(name, []).extend((node(one), *map(normal, needs(entry))))
    yield from ((name, tuple(targets)) for name, targets in merged.items())


READERS = (
    Reader(name="pipenv", read=_pipfile, names=frozenset(("Pipfile.lock",))),
    Reader(name="poetry", read=_poetry, names=frozenset(("poetry.lock",))),
    Reader(name="pdm", read=_pdm, names=frozenset(("pdm.lock",))),
    Reader(name="uv", read=_uv, names=frozenset(("uv.lock",))),
    Reader(
        name="pylock",
        read=_pylock,
        suffixes=(".toml",),
        accepts=lambda path: _PYLOCK.match(path) is not None,
    ),
    Reader(name="pyproject", read=_pyproject, names=frozenset(("pyproject.toml",))),
)
