"""Writes src/martello/core/data/api.json: every built-in kind and the types of all its fields.

    pip download --no-deps -d DIR kubernetes-validate==1.20.0 kubernetes-validate==1.24.0 …
    pip download --no-deps -d DIR kubernetes==12.0.1 kubernetes==37.0.2 …
    git clone --depth 1 https://github.com/kubernetes/api GO/api
    git clone --depth 1 https://github.com/kubernetes/apimachinery GO/apimachinery
    python tools/make_api_table.py DIR GO

`kubernetes-validate` carries the OpenAPI definitions of a range of versions, `kubernetes` the REST
paths (plurals, scope). Give enough of both to cover the versions wanted; a field counts as known
when any version knows it, and the newest version that knows it says its type. The Go types say
which fields vanish when they are zero. Only the standard library is used, and nothing is downloaded
here.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from go_types import GoTypes

OUT = Path(__file__).parent.parent / "src/martello/core/data/api.json"
DEFINITIONS = re.compile(r"/v1\.(\d+)\.\d+-local/_definitions\.json$")
API_MODULE = re.compile(r"kubernetes/client/api/\w+_api\.py$")
REST_PATH = re.compile(r"'(/api/v1/[^']+|/apis/[^']+)'")

# Types that OpenAPI writes down less exactly than the server's decoder reads them.
BY_NAME = {
    "resource.Quantity": "q",
    "intstr.IntOrString": "x",
    "meta.v1.Time": "t",
    "meta.v1.MicroTime": "t",
    "runtime.RawExtension": "*",
    "meta.v1.FieldsV1": "*",
}
SCALARS = {
    ("string", None): "s",
    ("string", "byte"): "b",
    ("string", "date-time"): "t",
    ("string", "int-or-string"): "x",
    ("integer", "int32"): "i",
    ("integer", "int64"): "l",
    ("integer", None): "l",
    ("boolean", None): "o",
    ("number", None): "n",
    ("number", "double"): "n",
}

# Where the OpenAPI definitions outlive the service: Kubernetes' deprecated API migration guide.
REMOVED = {
    16: {
        "extensions/v1beta1": "DaemonSet Deployment NetworkPolicy PodSecurityPolicy ReplicaSet",
        "apps/v1beta1": "*",
        "apps/v1beta2": "*",
    },
    22: {
        "admissionregistration.k8s.io/v1beta1": "MutatingWebhookConfiguration ValidatingWebhook"
        "Configuration",
        "apiextensions.k8s.io/v1beta1": "*",
        "apiregistration.k8s.io/v1beta1": "*",
        "authentication.k8s.io/v1beta1": "TokenReview",
        "authorization.k8s.io/v1beta1": "*",
        "certificates.k8s.io/v1beta1": "CertificateSigningRequest",
        "coordination.k8s.io/v1beta1": "Lease",
        "extensions/v1beta1": "Ingress",
        "networking.k8s.io/v1beta1": "Ingress IngressClass",
        "rbac.authorization.k8s.io/v1alpha1": "*",
        "rbac.authorization.k8s.io/v1beta1": "*",
        "scheduling.k8s.io/v1alpha1": "PriorityClass",
        "scheduling.k8s.io/v1beta1": "PriorityClass",
        "storage.k8s.io/v1beta1": "CSIDriver CSINode StorageClass VolumeAttachment",
    },
    25: {
        "autoscaling/v2beta1": "*",
        "batch/v1beta1": "*",
        "discovery.k8s.io/v1beta1": "*",
        "events.k8s.io/v1beta1": "*",
        "node.k8s.io/v1beta1": "*",
        "policy/v1beta1": "PodDisruptionBudget PodSecurityPolicy",
    },
    26: {"autoscaling/v2beta2": "*", "flowcontrol.apiserver.k8s.io/v1beta1": "*"},
    27: {"storage.k8s.io/v1beta1": "CSIStorageCapacity"},
    29: {"flowcontrol.apiserver.k8s.io/v1beta2": "*"},
    32: {"flowcontrol.apiserver.k8s.io/v1beta3": "*"},
}


def members(archive: Path, pattern: re.Pattern[str]) -> Iterator[tuple[re.Match[str], bytes]]:
    """The files of a wheel or source archive whose names match."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if match := pattern.search(name):
                    yield match, wheel.read(name)
        return
    with tarfile.open(archive) as source:
        for member in source:
            match = pattern.search(member.name)
            stream = source.extractfile(member) if match else None
            if match and stream:
                yield match, stream.read()


def read_definitions(directory: Path) -> dict[int, dict[str, Any]]:
    """Minor version → OpenAPI definitions."""
    found: dict[int, dict[str, Any]] = {}
    for archive in sorted(directory.glob("kubernetes?validate*")):
        for match, text in members(archive, DEFINITIONS):
            document = json.loads(text)
            found[int(match[1])] = document.get("$defs") or document["definitions"]
    return found


def read_paths(directory: Path) -> dict[tuple[str, str], bool]:
    """(apiVersion, plural) → whether the resource lies in a namespace."""
    found: dict[tuple[str, str], bool] = {}
    for archive in sorted(directory.glob("kubernetes-[0-9]*.whl")):
        for _, text in members(archive, API_MODULE):
            for path in REST_PATH.findall(text.decode()):
                parts = path.strip("/").split("/")
                parts = parts[1:] if parts[0] == "api" else ["/".join(parts[1:3]), *parts[3:]]
                scoped = parts[1:3] == ["namespaces", "{namespace}"]
                rest = parts[3:] if scoped else parts[1:]
                if rest and not rest[0].startswith(("{", "watch")) and rest[1:] in ([], ["{name}"]):
                    key = (parts[0], rest[0])
                    found[key] = found.get(key, False) or scoped
    return found


def plural(kind: str) -> str:
    """What Kubernetes' own kinds are called in paths."""
    word = kind.lower()
    if word == "endpoints":
        return word
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    return word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeo" else word + "s"


def scope_of(paths: dict[tuple[str, str], bool], group: str, api: str, word: str) -> bool | None:
    """Whether a resource lies in a namespace, by another version of its group where need be; None
    for what is no resource."""
    if (api, word) in paths:
        return paths[api, word]
    others = [scoped for (a, w), scoped in paths.items() if w == word and a.startswith(f"{group}/")]
    return others[0] if group and others else None


def kinds_of(
    versions: dict[int, dict[str, Any]], paths: dict[tuple[str, str], bool]
) -> dict[str, list[Any]]:
    """`apiVersion/Kind` → [type name, namespaced, since, removed] (0: unknown or never)."""
    first, last = min(versions), max(versions)
    kinds: dict[str, list[Any]] = {}
    for minor in sorted(versions):
        for name, schema in sorted(versions[minor].items()):
            names = schema.get("x-kubernetes-group-version-kind", [])
            if len(names) != 1:
                continue
            kind = names[0]["kind"]
            api = "/".join(p for p in (names[0]["group"], names[0]["version"]) if p)
            namespaced = scope_of(paths, names[0]["group"], api, plural(kind))
            if namespaced is None:
                continue
            since = 0 if minor == first else minor
            entry = kinds.setdefault(f"{api}/{kind}", [name, int(namespaced), since, 0])
            entry[0] = name
            entry[3] = 0 if minor == last else minor + 1
    known = sorted(versions)
    for entry in kinds.values():
        if entry[3] and entry[3] not in versions:
            entry[3] = next(m for m in known if m >= entry[3])
    for minor, apis in REMOVED.items():
        for api, words in apis.items():
            for key, entry in kinds.items():
                owner, _, kind = key.rpartition("/")
                if owner == api and (words == "*" or kind in words.split()):
                    entry[3] = minor
    return kinds


class Types:
    """The field tables of all types that the kinds reach, numbered as they are met."""

    def __init__(self, versions: dict[int, dict[str, Any]], go: GoTypes) -> None:
        self.go = go
        self.newest: dict[str, dict[str, Any]] = {}
        for minor in sorted(versions):
            for name, schema in versions[minor].items():
                older = self.newest.get(name, {}).get("properties", {})
                merged = {**older, **schema.get("properties", {})}
                self.newest[name] = {**schema, "properties": merged} if merged else schema
        self.index: dict[str, int] = {}
        self.tables: list[dict[str, str]] = []

    def reference(self, name: str) -> str:
        """The code of a named type."""
        for suffix, code in BY_NAME.items():
            if name.endswith(suffix):
                return code
        schema = self.newest[name]
        if not schema.get("properties"):
            return self.code({k: v for k, v in schema.items() if k != "properties"})
        if name not in self.index:
            self.index[name] = len(self.tables)
            table: dict[str, str] = {}
            self.tables.append(table)
            required = schema.get("required") or ()
            flags = self.go.flags(name)
            for field, inner in schema["properties"].items():
                marks = ("!" if field in required else "") + flags.get(field, "")
                table[field] = marks + self.code(inner)
        return str(self.index[name])

    def code(self, schema: dict[str, Any]) -> str:
        """The code of one schema: a letter, a number (of a type), `[` or `{` and a code."""
        reference = schema.get("$ref")
        if reference:
            return self.reference(reference.rpartition("/")[2])
        type_ = schema.get("type")
        if isinstance(type_, list):
            type_ = next(t for t in type_ if t != "null")
        if type_ == "array":
            return "[" + self.code(schema["items"])
        if type_ == "object":
            inner = schema.get("additionalProperties")
            return "{" + (self.code(inner) if isinstance(inner, dict) else "*")
        if type_ is None:
            return "*"
        return SCALARS[type_, schema.get("format")]


def main() -> None:
    """Reads the directories given, writes the table."""
    directory = Path(sys.argv[1])
    versions = read_definitions(directory)
    kinds = kinds_of(versions, read_paths(directory))
    types = Types(versions, GoTypes(Path(sys.argv[2])))
    for entry in kinds.values():
        entry[0] = int(types.reference(entry[0]))
    table = {
        "versions": [min(versions), max(versions)],
        "kinds": dict(sorted(kinds.items())),
        "types": types.tables,
    }
    OUT.write_text(json.dumps(table, separators=(",", ":")) + "\n")
    print(f"{len(kinds)} kinds, {len(types.tables)} types, versions {sorted(versions)}")
    print(f"{OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
