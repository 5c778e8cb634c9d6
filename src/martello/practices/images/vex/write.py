"""Writes OpenVEX 0.2: what is affected and what to do, and what was settled and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from martello.core.package import Inventory
from martello.core.vulnerability import Aside, Ruled
from martello.practices.images.ecosystems import purl
from martello.practices.images.sbom.cyclonedx import oci_purl

CONTEXT = "https://openvex.dev/ns/v0.2.0"


def openvex(
    inventory: Inventory, ruled: Sequence[Ruled], aside: Sequence[Aside], *, at: str, author: str
) -> dict[str, Any]:
    """The document as plain data: open matches are `affected` with the action that helps; what is
    waived is `affected` too, with who accepts it. What other statements settled goes along.
    """
    product = oci_purl(inventory) or inventory.name
    statements = [_affected(one, product, inventory) for one in ruled]
    statements += [_settled(one, product, inventory) for one in aside if one.kind == "vex"]
    identity = uuid5(NAMESPACE_URL, f"martello:{inventory.name}\0{inventory.digest}\0{at}")
    return {
        "@context": CONTEXT,
        "@id": f"https://martello.dev/vex/{identity}",
        "author": author,
        "timestamp": at,
        "version": 1,
        "statements": statements,
    }


def _affected(one: Ruled, product: str, inventory: Inventory) -> dict[str, Any]:
    match = one.match
    status = "under_investigation" if match.status == "under-investigation" else "affected"
    named: dict[str, Any] = {"name": match.id}
    if match.aliases:
        named["aliases"] = list(match.aliases)
    statement: dict[str, Any] = {
        "vulnerability": named,
        "products": [
            {"@id": product, "subcomponents": [{"@id": purl(match.package, inventory.system)}]}
        ],
        "status": status,
    }
    if one.waived is not None:
        until = f" until {one.waived.until}" if one.waived.until else ""
        action = f"Accepted by {one.waived.by}{until}: {one.waived.reason}"
    elif match.fixed:
        action = f"Update {match.package.name} to {match.fixed}."
    else:
        action = "No fixed version is known."
    if status == "affected":
        statement["action_statement"] = action
    return statement


def _settled(one: Aside, product: str, inventory: Inventory) -> dict[str, Any]:
    fixed = one.why.startswith("fixed")
    statement: dict[str, Any] = {
        "vulnerability": {"name": one.id},
        "products": [
            {"@id": product, "subcomponents": [{"@id": purl(one.package, inventory.system)}]}
        ],
        "status": "fixed" if fixed else "not_affected",
    }
    if not fixed:
        statement["impact_statement"] = one.why
    return statement
