"""VEX documents of three formats, read into statements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.practices.images.vex import Product, Statement

LARGEST: Final = 64 << 20  # bytes of a document
_DEEPEST: Final = 30  # branches of a CSAF product tree
_CYCLONEDX: Final = {
    "not_affected": "not_affected",
    "false_positive": "not_affected",
    "resolved": "fixed",
    "resolved_with_pedigree": "fixed",
    "exploitable": "affected",
    "in_triage": "under_investigation",
}
_CSAF: Final = {
    "known_not_affected": "not_affected",
    "fixed": "fixed",
    "first_fixed": "fixed",
    "known_affected": "affected",
    "under_investigation": "under_investigation",
}
_OPENVEX: Final = frozenset(("not_affected", "fixed", "affected", "under_investigation"))


def read_vex(content: bytes, source: str) -> tuple[Statement, ...]:
    """The statements of a document of any of the three formats. Raises BadInput."""
    if len(content) > LARGEST:
        raise BadInput(f"cannot read {source}", f"it is larger than {LARGEST >> 20} MiB")
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput(f"cannot read {source}", "it is no JSON") from None
    if isinstance(body, dict):
        try:
            if "openvex" in _text(body.get("@context")):
                return tuple(_openvex(body, source))
            if body.get("bomFormat") == "CycloneDX":
                return tuple(_cyclonedx(body, source))
            if isinstance(body.get("document"), dict) and "vulnerabilities" in body:
                return tuple(_csaf(body, source))
        except _Malformed as error:
            raise BadInput(f"cannot read {source}", str(error), "mend the document") from None
    raise BadInput(
        f"cannot read {source}",
        "it is neither OpenVEX nor CycloneDX nor CSAF",
        "give a VEX document in one of these formats",
    )


class _Malformed(Exception):
    """A part has a form that its format does not know."""


def _openvex(body: dict[str, Any], source: str) -> Iterator[Statement]:
    author, time = _text(body.get("author")), _text(body.get("timestamp"))
    for entry in _maps(body.get("statements"), "statements"):
        named = entry.get("vulnerability")
        # 0.0 wrote the name itself
        names = [named] if isinstance(named, str) else []
        if isinstance(named, dict):
            names = [_text(named.get("name")), _tail(_text(named.get("@id")))]
            names += _texts(named.get("aliases"))
        status = _text(entry.get("status"))
        if status not in _OPENVEX:
            raise _Malformed(f"a statement has the status {status[:40]!r}")
        yield Statement(
            vulnerabilities=tuple(dict.fromkeys(name for name in names if name)),
            products=tuple(map(_openvex_product, _list(entry.get("products"), "products"))),
            status=status,
            justification=_text(entry.get("justification")),
            impact=_text(entry.get("impact_statement")),
            author=author,
            time=_text(entry.get("timestamp")) or time,
            source=source,
        )


def _openvex_product(value: Any) -> Product:
    if isinstance(value, str):
        return Product(value)
    if not isinstance(value, dict):
        raise _Malformed("a product is neither a text nor a mapping")
    parts = [_component(part) for part in _list(value.get("subcomponents"), "subcomponents")]
    given = value.get("hashes")
    hashes = given if isinstance(given, dict) else {}
    found = {f"{k.lower().replace('-', '')}:{v}" for k, v in hashes.items() if isinstance(v, str)}
    return Product(_component(value), tuple(parts), tuple(sorted(found)))


def _component(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise _Malformed("a component is neither a text nor a mapping")
    known = value.get("identifiers")
    url = _text(known.get("purl")) if isinstance(known, dict) else ""
    return url or _text(value.get("@id"))


def _cyclonedx(body: dict[str, Any], source: str) -> Iterator[Statement]:
    urls: dict[str, str] = {}
    metadata = body.get("metadata")
    root = metadata.get("component") if isinstance(metadata, dict) else None
    pending: list[Any] = [*_list(body.get("components"), "components"), root]
    while pending:
        component = pending.pop()
        if isinstance(component, dict):
            url = _text(component.get("purl"))
            if url:
                urls[_text(component.get("bom-ref"))] = url
            pending += _list(component.get("components"), "components")
    time = _text(metadata.get("timestamp")) if isinstance(metadata, dict) else ""
    for entry in _maps(body.get("vulnerabilities"), "vulnerabilities"):
        analysis = entry.get("analysis")
        if not isinstance(analysis, dict):
            continue
        state = _text(analysis.get("state"))
        if state not in _CYCLONEDX:
            raise _Malformed(f"an analysis has the state {state[:40]!r}")
        references = [r.get("id") for r in _maps(entry.get("references"), "references")]
        affected = [_text(a.get("ref")) for a in _maps(entry.get("affects"), "affects")]
        refs = [ref.rpartition("#")[2] if ref.startswith("urn:cdx:") else ref for ref in affected]
        names = [_text(entry.get("id")), *map(_text, references)]
        yield Statement(
            vulnerabilities=tuple(dict.fromkeys(name for name in names if name)),
            products=tuple(Product(urls.get(ref, ref)) for ref in refs),
            status=_CYCLONEDX[state],
            justification=_text(analysis.get("justification")),
            impact=_text(analysis.get("detail")),
            time=_text(analysis.get("lastUpdated")) or time,
            source=source,
        )


def _csaf(body: dict[str, Any], source: str) -> Iterator[Statement]:
    document = body["document"]
    publisher = document.get("publisher")
    author = _text(publisher.get("name")) if isinstance(publisher, dict) else ""
    tracking = document.get("tracking")
    time = _text(tracking.get("current_release_date")) if isinstance(tracking, dict) else ""
    products = _csaf_products(body.get("product_tree"))
    for entry in _maps(body.get("vulnerabilities"), "vulnerabilities"):
        statuses = entry.get("product_status")
        if not isinstance(statuses, dict):
            continue
        ids = [_text(i.get("text")) for i in _maps(entry.get("ids"), "ids")]
        names = tuple(n for n in (_text(entry.get("cve")), *ids) if n)
        reasons = _csaf_reasons(entry)
        for key, status in _CSAF.items():
            for id in _texts(statuses.get(key)):
                if id in products:
                    why = reasons.get(id, ("", ""))
                    yield Statement(names, (products[id],), status, *why, author, time, source)


def _csaf_products(tree: Any) -> dict[str, Product]:
    found: dict[str, Product] = {}
    if not isinstance(tree, dict):
        return found
    pending: list[tuple[Any, int]] = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        if not isinstance(node, dict):
            continue
        if depth > _DEEPEST:
            raise _Malformed("its product tree is nested too deeply")
        pending += [(branch, depth + 1) for branch in _list(node.get("branches"), "branches")]
        for product in (node.get("product"), *_list(node.get("full_product_names"), "products")):
            if isinstance(product, dict):
                helper = product.get("product_identification_helper")
                url = _text(helper.get("purl")) if isinstance(helper, dict) else ""
                found[_text(product.get("product_id"))] = Product(url)
    for relation in _maps(tree.get("relationships"), "relationships"):
        whole = found.get(_text(relation.get("relates_to_product_reference")))
        part = found.get(_text(relation.get("product_reference")))
        named = relation.get("full_product_name")
        if whole is not None and part is not None and isinstance(named, dict):
            id = _text(named.get("product_id"))
            found[id] = Product(whole.id, (part.id,)) if whole.id else Product(part.id)
    return {id: product for id, product in found.items() if product.id}


def _csaf_reasons(entry: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The justification and the impact of each product."""
    found: dict[str, tuple[str, str]] = {}
    for flag in _maps(entry.get("flags"), "flags"):
        for id in _texts(flag.get("product_ids")):
            found[id] = (_text(flag.get("label")), found.get(id, ("", ""))[1])
    for threat in _maps(entry.get("threats"), "threats"):
        if threat.get("category") == "impact":
            for id in _texts(threat.get("product_ids")):
                found[id] = (found.get(id, ("", ""))[0], _text(threat.get("details")))
    return found


def _list(value: Any, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Malformed(f"{name} is no list")
    return value


def _maps(value: Any, name: str) -> list[dict[str, Any]]:
    entries = _list(value, name)
    if not all(isinstance(entry, dict) for entry in entries):
        raise _Malformed(f"{name} holds what is no mapping")
    return entries


def _texts(value: Any) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _tail(id: str) -> str:
    """The name at the end of an IRI: `https://nvd.nist.gov/vuln/detail/CVE-1` means CVE-1."""
    return id.rpartition("/")[2].rpartition("#")[2]
