"""A small shop for tests of the image commands: one image, the feeds about it, the database."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.support.images import Compression, Content, File, Image, image, layer
from tests.support.images import index as index_of

RELEASE: Final = (
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n'
    "VERSION_CODENAME=bookworm\nID=debian\n"
)
STATUS: Final = (
    "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl\n"
    "Version: 3.0.9-1\n\n"
    "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.9-1\n\n"
    "Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nSource: zlib\n"
    "Version: 1:1.2.13.dfsg-1\n"
)
WHEEL: Final = "app/lib/python3.11/site-packages/idna-3.4.dist-info/METADATA"
METADATA: Final = "Metadata-Version: 2.1\nName: idna\nVersion: 3.4\nLicense: BSD-3-Clause\n"
GEM: Final = "usr/local/bundle/specifications/rack-2.2.3.gemspec"
GEMSPEC: Final = (
    'Gem::Specification.new do |s|\n  s.name = "rack".freeze\n  s.version = "2.2.3"\nend\n'
)
TOKEN: Final = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
STEPS: Final = ("ADD rootfs.tar /", "RUN pip install idna", "COPY . /app")
CVE: Final = "CVE-2031-1111"  # openssl, with a fix
OTHER: Final = "CVE-2031-2222"  # idna, with a fix
OPEN: Final = "CVE-2031-3333"  # zlib, without one
FIXED: Final = "CVE-2030-0001"  # openssl, fixed before the version that is installed


def shop(platform: str = "linux/amd64", compression: Compression = "gzip", **config: Any) -> Image:
    """Debian 12 with an old openssl, an old idna of pip and a token that somebody copied in."""
    base = {"etc/os-release": RELEASE, "var/lib/dpkg/status": STATUS, "etc/hostname": "x"}
    copied: dict[str, Content] = {
        "app/settings.yaml": f"token: {TOKEN}\n",
        "app/main.py": File(b"print(1)\n"),
    }
    return image(
        layer(base, compression),
        layer({WHEEL: METADATA}, compression),
        layer(copied, compression),
        config={"User": "65532", **config},
        history=STEPS,
        platform=platform,
    )


def both() -> Image:
    """An index of the shop for two platforms."""
    return index_of(shop(), shop("linux/arm64"))


def tree(directory: Path) -> Path:
    """The files of the shop as a root file system."""
    files = {
        "etc/os-release": RELEASE,
        "var/lib/dpkg/status": STATUS,
        WHEEL: METADATA,
        "app/settings.yaml": f"token: {TOKEN}\n",
    }
    return _written(directory, files)


def project(directory: Path) -> Path:
    """A source tree: a lock file, and a token that was committed."""
    lock = {
        "name": "web",
        "lockfileVersion": 3,
        "packages": {"": {"name": "web"}, "node_modules/left-pad": {"version": "1.0.0"}},
    }
    files = {
        "requirements.txt": "idna==3.4\n",
        "package-lock.json": json.dumps(lock),
        "src/deploy.sh": f"curl -H 'Authorization: token {TOKEN}' https://example.com\n",
        "src/logo.png": "\x89PNG\0",
    }
    return _written(directory, files)


def _written(directory: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return directory


def record(id: str, ecosystem: str, name: str, fixed: str = "", **more: Any) -> dict[str, Any]:
    """One record of OSV: affected from the beginning, up to a fix."""
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    affected = {
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    plain = {
        "id": id,
        "summary": f"{name} does what it should not",
        "modified": "2031-01-03T00:00:00Z",
        "published": "2031-01-02T00:00:00Z",
        "affected": [affected],
    }
    return plain | more


def feeds(folder: Path, made: datetime | None = None) -> Path:
    """The folder of feeds about the shop: Debian, PyPI, npm, exploitation, an end of life. `made`
    is when they were: now, unless told otherwise.
    """
    low = {"database_specific": {"severity": "LOW"}}
    high = {"database_specific": {"severity": "HIGH"}}
    zipped = {
        "Debian": [
            record("DEBIAN-" + CVE, "Debian:12", "openssl", "3.0.11-1~deb12u2", upstream=[CVE]),
            record("DEBIAN-" + FIXED, "Debian:12", "openssl", "3.0.8-1", upstream=[FIXED]),
            record("DEBIAN-" + OPEN, "Debian:12", "zlib", upstream=[OPEN]),
        ],
        "PyPI": [
            record("GHSA-aaaa-bbbb-cccc", "PyPI", "idna", "3.7", aliases=[OTHER], **high),
            record("PYSEC-2031-1", "PyPI", "idna", "3.7", aliases=[OTHER]),
        ],
        "npm": [record("GHSA-dddd-eeee-ffff", "npm", "left-pad", "1.3.0", **low)],
    }
    at = (made or datetime.now(UTC) - timedelta(hours=2)).isoformat().replace("+00:00", "Z")
    kept = {}
    for ecosystem, records in zipped.items():
        path = folder / ecosystem / "all.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for one in records:
                archive.writestr(zipfile.ZipInfo(f"{one['id']}.json"), json.dumps(one))
        kept[f"{ecosystem}/all.zip"] = {"time": at}
    catalogue = {
        "catalogVersion": "2031.01.05",
        "dateReleased": "2031-01-05T00:00:00.0000Z",
        "count": 1,
        "vulnerabilities": [{"cveID": CVE, "dateAdded": "2031-01-05"}],
    }
    (folder / "known_exploited_vulnerabilities.json").write_text(json.dumps(catalogue))
    kept["known_exploited_vulnerabilities.json"] = {"time": at}
    (folder / "feeds.json").write_text(json.dumps(kept))
    return folder


def database(directory: Path, made: datetime | None = None) -> Path:
    """The advisory database of the feeds."""
    from martello.practices.images.advisories.build import build
    from martello.practices.images.advisories.sources import find

    found = find(feeds(directory / "feeds", made))
    at = (made or datetime.now(UTC)).isoformat(timespec="seconds").replace("+00:00", "Z")
    build(found.sources, directory / "advisories.db", at, extras=found.extras)
    return directory / "advisories.db"
