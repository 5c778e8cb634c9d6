"""CSAF VEX documents in the form that Red Hat publishes them, made small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

BASEOS = "cpe:/o:redhat:enterprise_linux:9::baseos"
APPSTREAM = "cpe:/a:redhat:enterprise_linux:9::appstream"
RHEL9 = "cpe:/o:redhat:enterprise_linux:9"
EUS = "cpe:/a:redhat:rhel_eus:9.2::appstream"


def document(
    statuses: Mapping[str, Iterable[tuple[str, str]]],
    *,
    cve: str = "CVE-2024-1111",
    remedies: Iterable[tuple[str, str, Iterable[tuple[str, str]]]] = (),
    impact: str = "Important",
    status: str = "final",
) -> dict[str, Any]:
    """`statuses`: what is said, and of which (CPE of a product, package URL). `remedies`: the
    category, the words (or the address), and of which.
    """
    pairs = sorted({pair for group in statuses.values() for pair in group})
    products = sorted({cpe for cpe, _ in pairs})
    return {
        "document": {
            "category": "csaf_vex",
            "title": "curl: a flaw",
            "tracking": {
                "id": cve,
                "status": status,
                "current_release_date": "2024-12-18T09:14:23+00:00",
            },
        },
        "product_tree": {
            "branches": [
                {
                    "category": "vendor",
                    "name": "Red Hat",
                    "branches": [
                        *({"product": _product(cpe, cpe=cpe)} for cpe in products),
                        {
                            "category": "architecture",
                            "branches": [
                                {"product": _product(purl, purl=purl)} for _, purl in pairs
                            ],
                        },
                    ],
                }
            ],
            "relationships": [
                {
                    "category": "default_component_of",
                    "full_product_name": {"name": "x", "product_id": f"{cpe} {purl}"},
                    "product_reference": purl,
                    "relates_to_product_reference": cpe,
                }
                for cpe, purl in pairs
            ],
        },
        "vulnerabilities": [
            {
                "cve": cve,
                "release_date": "2024-10-18T00:00:00+00:00",
                "notes": [{"category": "description", "text": "A flaw was found."}],
                "references": [{"category": "self", "url": f"https://rh.example/{cve}"}],
                "scores": [
                    {"cvss_v3": {"vectorString": "CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:H/I:N/A:N"}}
                ],
                "product_status": {
                    kind: [f"{cpe} {purl}" for cpe, purl in group]
                    for kind, group in statuses.items()
                },
                "remediations": [
                    {
                        "category": category,
                        "details": words,
                        "url": words,
                        "date": "2024-11-19T04:46:55+00:00",
                        "product_ids": [f"{cpe} {purl}" for cpe, purl in group],
                    }
                    for category, words, group in remedies
                ],
                "threats": [
                    {
                        "category": "impact",
                        "details": impact,
                        "product_ids": [f"{cpe} {purl}" for cpe, purl in pairs],
                    }
                ],
            }
        ],
    }


def _product(id: str, **helper: str) -> dict[str, Any]:
    return {"name": id, "product_id": id, "product_identification_helper": helper}
