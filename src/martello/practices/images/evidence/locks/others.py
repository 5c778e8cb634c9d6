"""Lock files of Ruby, Elixir, Dart, Haskell, R and Julia.

Sources: Bundler's, Mix', Pub's, Cabal's and Stack's documentation, renv's and Julia's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from martello.core.package import Package
from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.model import Body, Parsed, Reader

# The version of a gem, and the platform it was built for: 1.16.0-x86_64-linux
_GEM: Final = re.compile(r"    ([A-Za-z0-9._-]+) \(([^()\s]+)\)\Z")
_PLATFORM: Final = re.compile(
    r"-(?:x86|x64|i[3-6]86|amd64|arm|aarch64|java|jruby|universal|mswin|mingw|ppc|power|s390|"
    r"riscv|loong|mips|sparc|ruby\b|dalvik|dotnet|darwin|linux|freebsd|openbsd).*\Z"
)
_HEX: Final = re.compile(r'"[^"\n]+":\s*\{:hex,\s*:"?([A-Za-z0-9_]+)"?,\s*"([^"\n]+)"')
_MIX_SOURCE: Final = re.compile(r'"([^"\n]+)":\s*\{:git,')
_CABAL: Final = re.compile(r"\b(?:any\.)?([A-Za-z0-9-]+)\s*==\s*(\d[\d.]*)")
_STACK: Final = re.compile(r"([A-Za-z0-9-]+?)-(\d[\d.]*)(?:@.*)?\Z")


def _gemfile(path: str, body: Body) -> Parsed:
    packages: list[Package] = []
    section = ""
    for line in parse.text(body).splitlines():
        if line.startswith(("<<<<<<<", ">>>>>>>", "=======")):
            raise ValueError("an unresolved merge conflict")
        if line and not line[0].isspace():
            section = line.strip()
        # PATH holds the project's own gems.
        parts = _GEM.match(line) if section in ("GEM", "GIT", "PLUGIN SOURCE") else None
        if parts:
            packages.append(parse.package("gem", parts[1], _PLATFORM.sub("", parts[2])))
    if not section:
        raise ValueError("no section of a Gemfile.lock")
    return Parsed(packages=parse.unique(packages))


def _mix(path: str, body: Body) -> Parsed:
    text = parse.text(body)
    if not text.lstrip().startswith("%{"):
        raise ValueError("no map of Elixir")
    packages = [parse.package("hex", one[1], one[2]) for one in _HEX.finditer(text)]
    # Dependencies from repositories of source have a commit and no version.
    packages += [parse.package("hex", one[1], "") for one in _MIX_SOURCE.finditer(text)]
    return Parsed(packages=parse.unique(packages))


def _pub(path: str, body: Body) -> Parsed:
    packages = []
    for name, entry in parse.table(parse.yaml(body).get("packages")).items():
        entry = parse.table(entry)
        version = parse.word(entry.get("version"))
        # The SDK's own packages and the project's directories come from no index.
        if version and parse.word(entry.get("source")) not in ("sdk", "path"):
            dev = parse.word(entry.get("dependency")) == "direct dev"
            packages.append(parse.package("pub", name, version, dev=dev))
    return Parsed(packages=parse.unique(packages))


def _cabal(path: str, body: Body) -> Parsed:
    text = "\n".join(line.partition("--")[0] for line in parse.text(body).splitlines())
    return Parsed(
        packages=parse.unique(
            parse.package("hackage", found[1], found[2]) for found in _CABAL.finditer(text)
        )
    )


def _stack(path: str, body: Body) -> Parsed:
    return Parsed(packages=parse.unique(_stack_packages(parse.yaml(body))))


def _stack_packages(document: dict[str, Any]) -> Iterator[Package]:
    for entry in parse.rows(document.get("packages")):
        completed = parse.table(entry.get("completed"))
        name, version = parse.word(completed.get("name")), parse.word(completed.get("version"))
        parts = _STACK.match(parse.word(completed.get("hackage")))
        if name and version:
            yield parse.package("hackage", name, version)
        elif parts:
            yield parse.package("hackage", parts[1], parts[2])


def _renv(path: str, body: Body) -> Parsed:
    packages = []
    for name, entry in parse.table(parse.json(body).get("Packages")).items():
        entry = parse.table(entry)
        version = parse.word(entry.get("Version"))
        kind = "bioconductor" if entry.get("Source") == "Bioconductor" else "cran"
        if version and entry.get("Source") not in ("Local", "unknown"):
            packages.append(parse.package(kind, parse.word(entry.get("Package")) or name, version))
    return Parsed(packages=parse.unique(packages))


def _julia(path: str, body: Body) -> Parsed:
    document = parse.toml(body)
    # Since format 2 the packages stand in a table of their own.
    table = parse.table(document.get("deps")) if "manifest_format" in document else document
    return Parsed(
        packages=parse.unique(
            parse.package("julia", name, parse.word(entry["version"]))
            for name, entries in table.items()
            for entry in parse.rows(entries)
            # What has no hash of its tree is a part of Julia itself.
            if parse.word(entry.get("version")) and "path" not in entry and "uuid" in entry
        )
    )


READERS = (
    Reader(name="bundler", read=_gemfile, names=frozenset(("Gemfile.lock", "gems.locked"))),
    Reader(name="mix", read=_mix, names=frozenset(("mix.lock",))),
    Reader(name="pub", read=_pub, names=frozenset(("pubspec.lock",))),
    Reader(name="cabal", read=_cabal, names=frozenset(("cabal.project.freeze",))),
    Reader(name="stack", read=_stack, names=frozenset(("stack.yaml.lock",))),
    Reader(name="renv", read=_renv, names=frozenset(("renv.lock",))),
    Reader(name="julia", read=_julia, names=frozenset(("Manifest.toml", "JuliaManifest.toml"))),
)
