"""Writes src/martello/practices/access/data/default-roles.json: what a new cluster is born with.

    kubectl get clusterroles,clusterrolebindings -o yaml \
      -l kubernetes.io/bootstrapping=rbac-defaults > DIR/defaults.yaml
    python tools/make_default_roles.py DIR/*.yaml

The files are Lists, as kubectl prints them from a fresh cluster. Aggregated rules are left out:
they are computed anew, because further roles may aggregate into them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from martello.adapters.manifests import read_paths

OUT = Path(__file__).parent.parent / "src/martello/practices/access/data/default-roles.json"
KEPT = ("apiVersion", "kind", "rules", "aggregationRule", "roleRef", "subjects")


def slim(raw: dict[str, Any]) -> dict[str, Any]:
    """An object without what a server adds."""
    metadata: dict[str, Any] = {"name": raw["metadata"]["name"]}
    if raw["metadata"].get("labels"):
        metadata["labels"] = raw["metadata"]["labels"]
    kept = {key: raw[key] for key in KEPT if raw.get(key) is not None}
    if "aggregationRule" in kept:
        kept.pop("rules", None)
    return {**kept, "metadata": metadata}


def main(files: list[str]) -> int:
    """Reads the Lists and writes the data, in the order of kinds and names."""
    found = [slim(dict(resource.raw)) for resource in read_paths(files).resources]
    found.sort(key=lambda raw: (raw["kind"], raw["metadata"]["name"]))
    OUT.write_text(json.dumps(found, separators=(",", ":"), sort_keys=True) + "\n", "utf-8")
    print(f"{len(found)} objects, {OUT.stat().st_size >> 10} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
