"""Replays trivy's own cases: its feed and an inventory give exactly the stated findings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace
from tests.corpus.trivy_feed import Buckets
from tests.support.locks import Bytes, together

from martello.core.package import Inventory, Package
from martello.core.vulnerability import Affected, Match
from martello.practices.images.ecosystems import LANGUAGES, family, normalise
from martello.practices.images.evidence.model import Parsed
from martello.practices.images.evidence.readers import IMAGE_READERS, choice
from martello.practices.images.match import Settings, looked_up, match
from martello.practices.images.vex import apply
from martello.practices.images.vex.read import read_vex

Case = tuple[str, bool, str]
Row = tuple[str, ...]

_FAMILIES: Final = {
    "alpine": "Alpine:v",
    "amazon": "Amazon Linux:",
    "debian": "Debian:",
    "ubuntu": "Ubuntu:",
    "opensuse-leap": "openSUSE:Leap ",
    "photon": "Photon OS:",
    "oracle": "Oracle Linux:",
    "alma": "AlmaLinux:",
    "rocky": "Rocky Linux:",
    "cbl-mariner": "Azure Linux:",
    "centos": "Red Hat:",
    "redhat": "Red Hat:",
    "suse linux enterprise server": "SUSE:Linux Enterprise Server ",
    "sles": "SUSE:Linux Enterprise Server ",
    "suse linux enterprise micro": "SUSE:Linux Enterprise Micro ",
    "slem": "SUSE:Linux Enterprise Micro ",
    "opensuse": "openSUSE:Leap ",
    "opensuse.leap": "openSUSE:Leap ",
    "opensuse-tumbleweed": "openSUSE:Tumbleweed",
    "opensuse.tumbleweed": "openSUSE:Tumbleweed",
    "azurelinux": "Azure Linux:",
    "minimos": "MinimOS",
    "echo": "Echo",
    "wolfi": "Wolfi",
    "chainguard": "Chainguard",
}
_MAJOR: Final = frozenset(
    ("debian", "oracle", "alma", "rocky", "cbl-mariner", "azurelinux", "centos", "redhat")
)
# whose fixed versions trivy writes as it writes installed ones
_PLAIN_EPOCHS: Final = frozenset(("Red Hat", "AlmaLinux", "Rocky Linux", "Azure Linux"))
_TYPES: Final = {"deb": ("debian", "ubuntu"), "apk": ("alpine", "wolfi", "chainguard")}
_SECRET_DIRECTORY: Final = ("secrets",)


def replay(path: Path) -> Iterator[Case]:
    """A case for each image (all findings exactly), and for each repository's packages,
    vulnerabilities and secrets.
    """
    systems = Buckets([json.loads((path / "feed-os.json").read_text("utf-8"))])
    languages = Buckets([json.loads((path / "feed-lang.json").read_text("utf-8"))])
    for line in (path / "images.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        name = f"image {case['image']} {case['variant']}"
        try:
            yield from _image(case, systems)
        except Exception as error:  # one odd case must not hide the others
            yield name, False, f"{type(error).__name__}: {error}"
    for line in (path / "repos.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        try:
            yield from _repository(case, languages)
        except Exception as error:
            yield f"repository {case['case']}", False, f"{type(error).__name__}: {error}"


def ecosystem(family: str, name: str) -> str:
    """Our ecosystem for a system as trivy names it."""
    start = _FAMILIES[family]
    if not start.endswith((":", " ", "v")):
        return start
    version = name.split()[0]
    if family in _MAJOR:
        version = version.partition(".")[0]
    if family == "alpine":
        version = ".".join(version.split(".")[:2])
        if version == "edge":
            return "Alpine:edge"
    if family == "amazon":
        version = version.partition(".")[0]
        version = version if version in ("2", "2022", "2023") else "1"
    return start + version


def bucket(name: str) -> str:
    """Our ecosystem for a bucket of the feed."""
    for pattern, made in (
        (r"alpine (\d.*)", "Alpine:v{}"),
        (r"amazon linux (\S+)", "Amazon Linux:{}"),
        (r"debian (\d+)", "Debian:{}"),
        (r"ubuntu (\S+)", "Ubuntu:{}"),
        (r"openSUSE (Leap .*)", "openSUSE:{}"),
        (r"Photon OS (.*)", "Photon OS:{}"),
        (r"Oracle Linux (.*)", "Oracle Linux:{}"),
        (r"alma (.*)", "AlmaLinux:{}"),
        (r"rocky (.*)", "Rocky Linux:{}"),
        (r"CBL-Mariner (\d+).*", "Azure Linux:{}"),
        (r"Azure Linux (\d+).*", "Azure Linux:{}"),
        (r"SUSE Linux Enterprise Micro (.*)", "SUSE:Linux Enterprise Micro {}"),
        (r"(Tumbleweed)", "openSUSE:{}"),
        (r"SUSE Linux Enterprise (.*)", "SUSE:Linux Enterprise Server {}"),
    ):
        found = re.fullmatch(pattern, name)
        if found:
            return made.format(found[1])
    plain = {"wolfi": "Wolfi", "chainguard": "Chainguard", "minimos": "MinimOS", "echo": "Echo"}
    plain["alpine edge"] = "Alpine:edge"
    plain["openSUSE Tumbleweed"] = "openSUSE:Tumbleweed"
    return plain.get(name, name)


def _renamed(feed: Buckets, wanted: str) -> None:
    """Keys the rows of the fixtures as the database does; Red Hat's are of every release."""
    rows = dict(feed.rows)
    for (name, package), members in rows.items():
        target = wanted if name == "Red Hat" and wanted.startswith("Red Hat") else bucket(name)
        feed.rows[target, package] = members
        for member in members:
            old, new = (name, package, member.id), (target, package, member.id)
            if old in feed.vendor:
                feed.vendor[new] = feed.vendor[old]
        feed.sources[target] = feed.sources[name]


def _image(case: Mapping[str, Any], feed: Buckets) -> Iterator[Case]:
    system = case["os"]
    release = (case.get("repository") or {}).get("Release", "")
    here = ecosystem(system["Family"], release or system["Name"])
    _renamed(feed, here)
    kind = next((t for t, names in _TYPES.items() if system["Family"] in names), "rpm")
    packages = [
        (_package(row, kind, here), row)
        for row in case["packages"]
        # what comes from elsewhere is no matter of the distribution's feed to trivy
        if (row.get("repository") or {}).get("Class") != "third-party"
    ]
    found: list[Match] = []
    by_products: dict[frozenset[str] | None, list[Package]] = {}
    for package, row in packages:
        by_products.setdefault(_products(row, here, feed), []).append(package)
    options = case.get("options") or {}
    for products, members in by_products.items():
        settings = _settings(options, feed, here, products)
        result = match(Inventory(case["image"], packages=tuple(members)), feed, settings)
        found += result.found
    wanted = sorted(_expected(row) for row in case["expected"])
    ours = sorted(_ours(m, feed) for m in found if not options.get("ignore_unfixed") or m.fixed)
    yield f"image {case['image']} {case['variant']}", ours == wanted, _difference(wanted, ours)


def _package(row: Mapping[str, Any], kind: str, here: str) -> Package:
    by_source = not here.startswith("Rocky Linux")  # trivy's rows of it are of binary packages
    return Package(
        type=kind,
        name=row["name"],
        version=_version(row, ""),
        ecosystem=here,
        source=row.get("src_name", "") if by_source else "",
        source_version=_version(row, "src_") if by_source else "",
        arch=row.get("arch", ""),
        module=row.get("modularity_label", ""),
    )


def _version(row: Mapping[str, Any], start: str) -> str:
    version = str(row.get(f"{start}version", ""))
    release = str(row.get(f"{start}release", ""))
    epoch = row.get(f"{start}epoch", 0)
    return (f"{epoch}:" if epoch else "") + version + (f"-{release}" if release else "")


def _products(row: Mapping[str, Any], here: str, feed: Buckets) -> frozenset[str] | None:
    if not here.startswith("Red Hat"):
        return None
    info = row.get("build_info") or {}
    sets = info.get("ContentSets") or info.get("content_sets") or []
    nvr = f"{info.get('Nvr', '')}-{info.get('Arch', '')}"
    if not sets and nvr == "-":
        major = here.rpartition(":")[2]
        ends = ("server-rpms", "server-extras-rpms")
        if major not in ("6", "7"):
            ends = ("for-x86_64-baseos-rpms", "for-x86_64-appstream-rpms")
        sets = [f"rhel-{major}-{end}" for end in ends]
    return frozenset().union(*(feed.cpes.get(name, frozenset()) for name in (*sets, nvr)))


def _settings(
    options: Mapping[str, Any], feed: Buckets, here: str, products: frozenset[str] | None = None
) -> Settings:
    writer = feed.sources.get(here, "")
    sources = tuple(options.get("severity_sources") or ("distro", writer, "nvd", ""))
    dev = bool(options.get("include_dev_deps"))
    return Settings(severity_from=sources, products=products, dev=dev)


def _ours(found: Match, feed: Buckets) -> Row:
    package = found.package
    name = normalise(package.ecosystem, looked_up(package))
    key = (package.ecosystem, name, found.advisory.id)
    plain = family(package.ecosystem) in _PLAIN_EPOCHS
    fixed = feed.fixed.get(key, found.fixed.removeprefix("0:") if plain else found.fixed)
    status = "fixed" if fixed else found.status
    version = package.version
    return (found.id, package.name.lower(), version, fixed, found.severity, status,
            found.severity_from)  # fmt: skip


def _expected(row: Mapping[str, Any]) -> Row:
    status = row["status"].replace("_", "-").replace("fix-deferred", "deferred")
    installed = row["installed"]
    return (row["id"], row["pkg"].lower(), installed, row["fixed"], row["severity"].lower(),
            status, row["severity_source"])  # fmt: skip


def _repository(case: Mapping[str, Any], feed: Buckets) -> Iterator[Case]:
    options = case["options"]
    skipped = (*options.get("skip_files", ()), *options.get("skip_dirs", ()))
    files = {
        path: text
        for path, text in case["files"].items()
        if not any(path == skip or path.startswith(f"{skip}/") for skip in skipped)
    }
    parsed = together(files) if options.get("mode") != "rootfs" else installed(files)
    for target in case["expected"]:
        name = f"repository {case['case']} {target['target']}"
        if target.get("secrets"):
            yield _secrets(name, case, target)
            continue
        one = parsed[target["target"]]
        packages = tuple(_located(p, target["target"]) for p in one.packages)
        projects = tuple(_located(p, target["target"]) for p in one.projects)
        if options.get("list_all_packages") and target.get("packages"):
            yield _listed(f"{name} packages", packages, target, options)
        ours = sorted(_ours(m, feed) for m in _matches(packages, projects, options, feed))
        ours = [(row[0], row[1], row[2].removeprefix("v"), *row[3:]) for row in ours]
        wanted = sorted(_expected(row) for row in target.get("vulnerabilities") or ())
        wanted = [(row[0], row[1], row[2].removeprefix("v"), *row[3:]) for row in wanted]
        yield f"{name} vulnerabilities", ours == wanted, _difference(wanted, ours)
    told = {target["target"] for target in case["expected"]}
    silent = [p for p, one in parsed.items() if p not in told and one.packages]
    quiet = [p for p in silent if not _matches(parsed[p].packages, (), options, feed)]
    yield f"repository {case['case']} nothing else", quiet == silent, str(silent)


def installed(files: Mapping[str, str]) -> dict[str, Parsed]:
    """Files of a root file system, each by the readers that an image's files get."""
    chosen = choice(IMAGE_READERS)
    found: dict[str, Parsed] = {}
    for path, text in files.items():
        for reader in chosen.wanting(path):
            found[path] = reader.read(path, Bytes(text.encode()))
    return found


def _located(package: Package, path: str) -> Package:
    return replace(package, path=path)


def _matches(
    packages: tuple[Package, ...],
    projects: tuple[Package, ...],
    options: Mapping[str, Any],
    feed: Buckets,
) -> list[Match]:
    made = tuple(replace(p, ecosystem=p.ecosystem or LANGUAGES.get(p.type, "")) for p in packages)
    found: list[Match] = []
    for package in made:
        key = (package.ecosystem, normalise(package.ecosystem, package.name))
        rows = feed.rows.get(key, [])
        for writer in sorted({row.feed for row in rows}):
            only = Only(feed, {key: [row for row in rows if row.feed == writer]})
            usual = ("distro", writer or "nvd", "nvd", "")
            sources = tuple(options.get("severity_sources") or usual)
            settings = Settings(severity_from=sources, dev=bool(options.get("include_dev_deps")))
            found += match(Inventory("repository", packages=(package,)), only, settings).found
    if options.get("vex"):
        statements = read_vex(json.dumps(options["vex"]).encode(), "vex.json")
        inventory = Inventory("repository", packages=made, projects=projects)
        found = list(apply(found, statements, inventory).found)
    return found


class Only(Buckets):
    """The fixtures with some rows only: in these, each feed has a severity of its own."""

    def __init__(self, feed: Buckets, rows: dict[tuple[str, str], list[Affected]]) -> None:
        self.rows, self.records, self.feeds = rows, feed.records, ()


def _listed(
    name: str, packages: tuple[Package, ...], target: Mapping[str, Any], options: Mapping[str, Any]
) -> Case:
    dev = bool(options.get("include_dev_deps"))
    ours = sorted(
        (p.name, p.version.removeprefix("v"), " ".join(p.licences))
        for p in packages
        if p.version and (dev or not p.dev)  # what has no version is in no list of trivy's
    )
    wanted = sorted(
        (row["name"], row["version"].removeprefix("v"), " ".join(row.get("licenses") or ()))
        for row in target["packages"]
    )
    # the project itself is no dependency of its own: a root may be left out
    roots = {
        (row["name"], row["version"].removeprefix("v"))
        for row in target["packages"]
        if row.get("relationship") == "root"
    }
    ours = [row for row in ours if row[:2] not in roots]
    wanted = [row for row in wanted if row[:2] not in roots]
    return name, ours == wanted, _difference(wanted, ours)


def _secrets(name: str, case: Mapping[str, Any], target: Mapping[str, Any]) -> Case:
    from martello.practices.images.secrets import scan_text
    from martello.practices.images.secrets.config import read_trivy_secret_config

    config = case["options"].get("secret_config")
    rules = read_trivy_secret_config(case["files"][config].encode(), config) if config else None
    text = case["files"][target["target"]].encode()
    ours = sorted(
        (leak.rule, leak.severity, str(leak.line))
        for leak in scan_text(target["target"], text, rules)
    )
    wanted = sorted(
        (row["rule"], row["severity"].lower(), str(row["start_line"])) for row in target["secrets"]
    )
    return f"{name} secrets", ours == wanted, _difference(wanted, ours)


def _difference(wanted: list[Any], ours: list[Any]) -> str:
    missing = [row for row in wanted if row not in ours]
    extra = [row for row in ours if row not in wanted]
    return f"missing {missing}, more {extra}"
