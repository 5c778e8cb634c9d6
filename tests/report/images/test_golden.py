"""Every format of images as it is, in files that a person has read; MARTELLO_GOLDEN=write rewrites
them.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any, Final

import jsonschema
import msgspec
import pytest
from tests.support import shop
from tests.support.bills import cyclonedx_troubles, spdx_troubles
from tests.support.images import Memory
from tests.support.reports import PRIVILEGED

from martello.cli.images.flow import Judging, Verdict, examine, report_of
from martello.cli.images.outputs import IMAGE_FORMATS, _writer
from martello.core.finding import Waived
from martello.practices.images.advisories.db import open_database
from martello.practices.images.exceptions import Exemption
from martello.practices.images.scan import scan_image
from martello.report.images import explain
from martello.report.images.model import Images
from martello.report.model import Screen

GOLDEN: Final = Path(__file__).parent / "golden"
MADE: Final = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
NOW: Final = datetime(2031, 2, 3, 10, 5, 6, tzinfo=UTC)
SCREENS: Final = {
    "": Screen(),
    "-80": Screen(80),
    "-120": Screen(120),
    "-colour": Screen(100, True),
}
CASES: Final = [("table", screen) for screen in SCREENS] + [
    (format, "") for format in IMAGE_FORMATS if format not in ("table", "html")
]
# by hand: the words of the catalogue may change
CHECKS: Final = {
    id: msgspec.structs.replace(PRIVILEGED, id=id, name=name, title=title, practice="images")
    for id, name, title in (
        ("IMG-001", "vulnerable-package", "Image holds packages with known vulnerabilities"),
        ("IMG-002", "end-of-life-system", "Image is built on a system past its end"),
        ("IMG-003", "exploited-vulnerability", "Image holds what is known to be exploited"),
        ("IMG-009", "secret-in-layer", "Image holds a secret"),
        ("IMG-011", "image-runs-as-root", "Image names no user"),
    )
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """The shop, and the shop without advisories for one of its packages."""
    place = tmp_path_factory.mktemp("golden")
    waiver = Exemption(
        ids=(shop.OPEN,), source="waivers.yaml:3:1", by="sre@example.com", reason="no input",
        until="2031-12-31",
    )  # fmt: skip
    with open_database(shop.database(place, MADE)) as database:
        made = shop.shop(compression="plain")  # what gzip makes of it depends on the zlib
        inventory = scan_image(made.image, Memory({"1": made}), name="reg.local/shop/api:1.4")
        one = examine(inventory, database, Judging(exemptions=(waiver,)), NOW)
        gem = msgspec.structs.replace(
            inventory.packages[-1], type="gem", name="rack", ecosystem="RubyGems"
        )
        more = msgspec.structs.replace(
            inventory, name="reg.local/shop/web:1.0", packages=(gem,), leaks=(), user="",
            platform=None, digest="",
        )  # fmt: skip
        two = examine(more, database, Judging(), NOW)
        found = report_of("reg.local/shop/api:1.4 web", [one, two], Verdict(), 0.0, NOW, database)
    report = msgspec.structs.replace(
        found.report,
        checks=CHECKS,
        version="1.2.3",
        everything=True,
        scan=msgspec.structs.replace(found.report.scan, seconds=0.1),
    )
    # the bytes of a database depend on the SQLite that wrote it
    data = [msgspec.structs.replace(e.data, digest="sha256:" + "5a" * 32) for e in found.examined]
    examined = tuple(
        msgspec.structs.replace(e, data=d) for e, d in zip(found.examined, data, strict=True)
    )
    return msgspec.structs.replace(found, examined=examined, report=report)


def written(images: Images, format: str, screen: Screen = SCREENS[""]) -> str:
    """What a format writes, without the version of this program."""
    out = StringIO()
    report = msgspec.structs.replace(images.report, screen=screen)
    _writer(msgspec.structs.replace(images, report=report), format)(report, out)
    from martello import __version__

    own = re.escape(__version__)
    text = re.sub(rf"martello([ @-]){own}", r"martello\g<1>1.2.3", out.getvalue())
    return re.sub(rf'("version": ?)"{own}"', r'\g<1>"1.2.3"', text)


def compared(name: str, text: str) -> None:
    """Compares with the file of that name, or writes it."""
    place = GOLDEN / name
    if os.environ.get("MARTELLO_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        place.write_text(text, "utf-8")
    assert place.read_text("utf-8") == text


@pytest.mark.parametrize(("format", "screen"), CASES)
def test_golden(images: Images, format: str, screen: str) -> None:
    compared(f"{format}{screen}.txt", written(images, format, SCREENS[screen]))


def test_golden_explain(images: Images, tmp_path: Path) -> None:
    with open_database(shop.database(tmp_path, MADE)) as database:
        records = database.vulnerabilities(database.group(shop.OTHER))
        lines = explain.vulnerability(shop.OTHER, images.examined[0], records)
    lines += ["", *explain.image(images.examined[0])]
    compared("explain.txt", "\n".join(lines) + "\n")


def test_json_keeps_to_its_published_schema(images: Images) -> None:
    schema = json.loads(files("martello.report").joinpath("martello-v1.schema.json").read_text())
    document = json.loads(written(images, "json"))
    jsonschema.validate(document, schema)
    closed = _closed(schema)
    for one in document["images"]:
        jsonschema.validate(one, {**closed["$defs"]["image"], "$defs": closed["$defs"]})
    del document["images"][0]["vulnerabilities"][0]["severityFrom"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def _closed(schema: Any) -> Any:
    """The schema with nothing besides what it names: what is written is described."""
    if isinstance(schema, list):
        return [_closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        inner.setdefault("additionalProperties", False)
    return inner


def test_documents_are_valid(images: Images) -> None:
    one = msgspec.structs.replace(images, examined=images.examined[:1])
    assert cyclonedx_troubles(json.loads(written(one, "cyclonedx"))) == []
    assert spdx_troubles(json.loads(written(one, "spdx"))) == []


# What GitLab's schema 15.0.7 of container scanning asks of a report, in our words.
_TEXT: Final = {"type": "string", "minLength": 1}
_TOOL: Final = {
    "required": ["id", "name", "version", "vendor"],
    "properties": {"id": _TEXT, "vendor": {"required": ["name"]}},
}
_MOMENT: Final = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"}
GITLAB: Final = {
    "required": ["scan", "version", "vulnerabilities"],
    "properties": {
        "version": {"pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
        "scan": {
            "required": ["analyzer", "scanner", "type", "start_time", "end_time", "status"],
            "properties": {
                "analyzer": _TOOL,
                "scanner": _TOOL,
                "type": {"const": "container_scanning"},
                "start_time": _MOMENT,
                "end_time": _MOMENT,
                "status": {"enum": ["success", "failure"]},
                "messages": {
                    "items": {
                        "required": ["level", "value"],
                        "properties": {
                            "level": {"enum": ["info", "warn", "fatal"]},
                            "value": _TEXT,
                        },
                    }
                },
            },
        },
        "vulnerabilities": {
            "items": {
                "required": ["id", "identifiers", "location"],
                "properties": {
                    "id": _TEXT,
                    "name": {"type": "string", "maxLength": 255},
                    "solution": {"type": "string", "maxLength": 7000},
                    "severity": {"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
                    "identifiers": {
                        "minItems": 1,
                        "items": {
                            "required": ["type", "name", "value"],
                            "properties": {"type": _TEXT, "name": _TEXT, "value": _TEXT},
                        },
                    },
                    "links": {
                        "items": {
                            "required": ["url"],
                            "properties": {"url": {"pattern": "^(https?|ftp)://.+"}},
                        }
                    },
                    "location": {
                        "required": ["dependency", "operating_system", "image"],
                        "properties": {
                            "dependency": {
                                "required": ["package", "version"],
                                "properties": {"package": {"required": ["name"]}},
                            },
                            "operating_system": _TEXT,
                            "image": _TEXT,
                        },
                    },
                },
            }
        },
    },
}


def test_gitlab_takes_its_report(images: Images) -> None:
    document = json.loads(written(images, "gitlab"))
    jsonschema.validate(document, GITLAB)
    assert len(document["vulnerabilities"]) == 3  # the waived one is for GitLab to triage
    long = images.examined[0].ruled[0]
    match = msgspec.structs.replace(
        long.match,
        title="x" * 5000 + "\x00",
        references=("javascript:x", "https://ok", ""),
        package=msgspec.structs.replace(long.match.package, name="y" * 400),
        fixed="1" * 9000,
        severity="negligible",
        aliases=("-", "-x"),
    )
    hostile = msgspec.structs.replace(
        images.examined[0],
        ruled=(msgspec.structs.replace(long, match=match),),
        inventory=msgspec.structs.replace(images.examined[0].inventory, name="", system=None),
    )
    changed = msgspec.structs.replace(images, examined=(hostile,))
    jsonschema.validate(json.loads(written(changed, "gitlab")), GITLAB)


def test_openvex_says_what_to_do_or_why_not(images: Images) -> None:
    one = msgspec.structs.replace(images, examined=images.examined[:1])
    document = json.loads(written(one, "openvex"))
    assert document["@context"] == "https://openvex.dev/ns/v0.2.0"
    assert {"@id", "author", "timestamp", "version"} <= set(document)
    for statement in document["statements"]:
        assert statement["status"] == "affected"
        assert statement["action_statement"]
        assert statement["products"][0]["@id"].startswith("pkg:oci/api@sha256%3A")
    waived = [s for s in document["statements"] if s["vulnerability"]["name"] == shop.OPEN]
    assert "Accepted by sre@example.com until 2031-12-31" in waived[0]["action_statement"]


def test_openvex_is_read_back_as_vex(images: Images) -> None:
    from martello.practices.images.vex.read import read_vex

    one = msgspec.structs.replace(images, examined=images.examined[:1])
    statements = read_vex(written(one, "openvex").encode(), "x.json")
    assert {s.vulnerabilities[0] for s in statements} == {shop.CVE, shop.OTHER, shop.OPEN}


def test_no_format_hides_a_waiver(images: Images) -> None:
    assert any(isinstance(r.waived, Waived) for r in images.examined[0].ruled)
    for format in ("table", "json", "openvex", "cyclonedx"):
        assert "sre@example.com" in written(images, format), format
