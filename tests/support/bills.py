"""Inventories for the tests of bills of materials, and the official validators."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from martello.core.artifact import Platform
from martello.core.package import Inventory, LayerOrigin, Package, System, Unread

AT = "2031-02-03T04:05:06Z"
DEBIAN = System("debian", "12", "bookworm", "Debian GNU/Linux 12 (bookworm)")
PACKAGES = (
    Package("deb", "libssl3", "3.0.9-1", "Debian:12", "openssl", "3.0.9-1", "amd64", layer=0),
    Package("deb", "zlib1g", "1:1.2.13-1+b1", "Debian:12", "zlib", "1:1.2.13-1", "amd64", layer=0),
    Package("pypi", "idna", "3.4", "PyPI", licences=("BSD-3-Clause",), path="a/METADATA", layer=1),
    Package("pypi", "idna", "3.4", "PyPI", licences=("BSD-3-Clause",), path="b/METADATA", layer=1),
    Package("npm", "@scope/name", "1.0.0-rc.1+build", "npm", licences=("MIT OR Apache-2.0",)),
    Package("npm", "left-pad", "1.0.0", "npm", dev=True, licences=("MIT", "Apache-2.0 OR MIT")),
    Package("maven", "org.apache:log4j", "2.14", "Maven", licences=("The Apache License", "MIT")),
    Package("golang", "example.com/a/B", "v1.2.3", "Go", licences=("LicenseRef-own",)),
    Package("pypi", "python3-six", "1.16", "PyPI", owner="python3-six", licences=("GPL-2.0+",)),
    Package("generic", "thing", "1", licences=("GPL-2.0-only WITH Classpath-exception-2.0",)),
    Package("deb", "dash", "0.5", "Debian:12", "dash", "0.5", "amd64", licences=("a\nlong text",)),
)


def inventory(*packages: Package, **more: Any) -> Inventory:
    """An image with packages of many kinds, unless told otherwise."""
    digest = "sha256:" + "ab" * 32
    given: dict[str, Any] = {
        "name": "reg.local:5000/shop/api:1.4",
        "digest": digest,
        "config": "sha256:" + "cd" * 32,
        "platform": Platform("linux", "amd64"),
        "system": DEBIAN,
        "layers": (LayerOrigin(digest, "sha256:" + "ef" * 32, "", 1),) * 2,
    }
    return Inventory(packages=packages or PACKAGES, **{**given, **more})


def incomplete() -> Inventory:
    """One of which a layer could not be read."""
    return inventory(unread=(Unread("layer", "sha256:12", "it is cut off"),))


def cyclonedx_troubles(document: Any) -> list[str]:
    """What the official schema of CycloneDX 1.6 has against a document, formats included."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    found = validator.validate_str(json.dumps(document), all_errors=True)
    return [str(one.data) for one in found] if isinstance(found, Iterable) else []


def spdx_troubles(document: Any) -> list[str]:
    """What the SPDX project's own validator has against a document."""
    from spdx_tools.spdx.parser.error import SPDXParsingError
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    parser: Any = JsonLikeDictParser
    try:
        parsed = parser().parse(json.loads(json.dumps(document)))
    except SPDXParsingError as error:
        return list(map(str, error.messages))
    return [one.validation_message for one in validate_full_spdx_document(parsed, "SPDX-2.3")]
