"""What is known of vulnerabilities and distributions besides advisories: exploited ones (CISA),
probabilities of exploitation (EPSS), ends of life.

Sources: CISA's known exploited vulnerabilities catalogue (JSON or CSV), the EPSS scores as CSV,
and, for dates of distributions, their own release pages (bundled) or endoflife.date-style JSON.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.practices.images.advisories.archive import whole
from martello.practices.images.ecosystems import canonical

LARGEST: Final = 256 << 20
_CVE: Final = re.compile(r"CVE-\d{4}-\d{4,}\Z")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
LONG_AGO: Final = "1970-01-01"  # ended, and nobody says when
_PRODUCTS: Final = {
    "debian": "Debian:{}",
    "ubuntu": "Ubuntu:{}",
    "alpine": "Alpine:v{}",
    "alpine-linux": "Alpine:v{}",
    "rhel": "Red Hat:{}",
    "rocky-linux": "Rocky Linux:{}",
    "almalinux": "AlmaLinux:{}",
    "oracle-linux": "Oracle Linux:{}",
    "amazon-linux": "Amazon Linux:{}",
    "sles": "SUSE:Linux Enterprise Server {}",
    "opensuse": "openSUSE:Leap {}",
    "photon": "Photon OS:{}",
    "azure-linux": "Azure Linux:{}",
    "mageia": "Mageia:{}",
}


def exploited(path: Path) -> dict[str, str]:
    """CVE to the day on which it was entered as exploited. Raises BadInput."""
    content = whole(path, LARGEST)
    rows: list[Any]
    if content.lstrip()[:1] in (b"{", b"["):
        try:
            body = msgspec.json.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadInput(f"cannot read {path}", f"it is no JSON ({error})") from None
        listed = body.get("vulnerabilities") if isinstance(body, dict) else body
        rows = listed if isinstance(listed, list) else []
    else:
        rows = _table(content, path)
    found = {
        row["cveID"]: row["dateAdded"]
        for row in rows
        if isinstance(row, dict) and _texts(row.get("cveID"), row.get("dateAdded"))
    }
    taken = {id: day for id, day in found.items() if _CVE.match(id) and _DAY.match(day)}
    if not taken:
        raise BadInput(f"cannot read {path}", "it lists no exploited vulnerabilities")
    return taken


def probabilities(path: Path) -> tuple[dict[str, float], str]:
    """CVE to its EPSS score, from a CSV, compressed or not, and the day of the scores where the
    file says it. Raises BadInput.
    """
    content = whole(path, LARGEST)
    if content[:2] == b"\x1f\x8b":
        content = _inflated(content, path)
    head = content[:200].split(b"\n", 1)[0].decode("utf-8", "replace")
    day = re.search(r"score_date:(\S+?)(?:,|$)", head)
    if head.startswith("#"):
        content = content.split(b"\n", 1)[-1]
    taken: dict[str, float] = {}
    for row in _table(content, path):
        score = _score(row.get("epss"))
        if score is not None and _CVE.match(row.get("cve") or ""):
            taken[row["cve"]] = score
    if not taken:
        raise BadInput(f"cannot read {path}", "it lists no scores")
    return taken, day[1].strip() if day else ""


def ends(path: Path | None = None) -> dict[str, str]:
    """Ecosystem (with release) to the ISO day on which its support ends: the bundled table, or a
    file of a product as endoflife.date writes it (named `<product>.json`). Raises BadInput.
    """
    if path is None:
        table = resources.files("martello.practices.images.advisories") / "end_of_life.json"
        return msgspec.json.decode(table.read_bytes(), type=dict[str, str])
    form = _PRODUCTS.get(path.stem)
    if form is None:
        raise BadInput(f"cannot read {path}", f"{path.stem} is no known distribution")
    try:
        body = msgspec.json.decode(whole(path, LARGEST))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"cannot read {path}", f"it is no JSON ({error})") from None
    if isinstance(body, dict):
        result = body.get("result")
        body = result.get("releases") if isinstance(result, dict) else None
    found: dict[str, str] = {}
    for row in body if isinstance(body, list) else ():
        name = row.get("cycle") or row.get("name") if isinstance(row, dict) else None
        if isinstance(name, str) and (day := _end(row)):
            found[canonical(form.format(name))] = day
    if not found:
        raise BadInput(f"cannot read {path}", "it lists no releases")
    return found


def _end(row: dict[str, Any]) -> str:
    """The last day on which everybody gets fixes: paid extensions do not count."""
    day = row.get("eol", row.get("eolFrom"))
    if isinstance(day, str) and _DAY.match(day):
        return day[:10]
    return LONG_AGO if day is True or row.get("isEol") is True else ""


def _table(content: bytes, path: Path) -> list[dict[str, str]]:
    try:
        lines = io.StringIO(content.decode("utf-8-sig"), newline="")
        return list(csv.DictReader(lines))
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {path}", f"it is no CSV ({error})") from None


def _inflated(content: bytes, path: Path) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            inflated = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"cannot read {path}", f"its bytes are damaged ({error})") from None
    if len(inflated) > LARGEST:
        raise BadInput(f"cannot read {path}", f"it is larger than {LARGEST >> 20} MiB")
    return inflated


def _score(text: str | None) -> float | None:
    try:
        score = float(text or "")
    except ValueError:
        return None
    return score if 0 <= score <= 1 else None


def _texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)
