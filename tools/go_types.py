"""Reads from Kubernetes' Go types what their JSON leaves out: which fields vanish when they are
zero, and which are always there.

Used by make_api_table.py on checkouts of kubernetes/api and kubernetes/apimachinery.
"""

from __future__ import annotations

import re
from pathlib import Path

DROPPED = "?"  # omitempty without a pointer: the zero value vanishes
ALWAYS = "+"  # a struct without a pointer: {} where nothing was given
ZERO = "="  # a scalar without omitempty: its zero value where nothing was given

STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.M | re.S)
ALIAS = re.compile(r"^type (\w+) ([^\s{=][^\n{]*)$", re.M)
FIELD = re.compile(r'^\t(?:(\w+)\s+)?(\S+)\s+`json:"([^",]*)((?:,\w+)*)"', re.M)
SCALARS = {"bool", "string", "float32", "float64"}
# Structs with a JSON form of their own.
SPECIAL = {"Time", "MicroTime", "Quantity", "IntOrString", "RawExtension", "FieldsV1", "Duration"}


class GoTypes:
    """The structs of both repositories by package path, and their fields' flags."""

    def __init__(self, directory: Path) -> None:
        self.structs: dict[str, dict[str, str]] = {}
        self.aliases: dict[str, dict[str, str]] = {}
        for file in sorted(directory.rglob("*.go")):
            if not file.name.endswith("_test.go"):
                package = "/".join(file.parent.relative_to(directory).parts)
                text = file.read_text()
                self.structs.setdefault(package, {}).update(STRUCT.findall(text))
                self.aliases.setdefault(package, {}).update(ALIAS.findall(text))

    def package(self, definition: str) -> tuple[str, str]:
        """Package and type of an OpenAPI definition: `io.k8s.api.core.v1.PodSpec`."""
        *parts, name = definition.removeprefix("io.k8s.").split(".")
        return "/".join(parts), name

    def flags(self, definition: str) -> dict[str, str]:
        """JSON field → flag, of one definition; only fields that have one."""
        return self._fields(*self.package(definition))

    def _fields(self, package: str, name: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for _, go_type, field, options in FIELD.findall(
            self.structs.get(package, {}).get(name, "")
        ):
            if "inline" in options or not field:
                found.update(self._fields(*self._resolve(package, go_type)))
                continue
            flag = self._flag(package, go_type, options)
            if flag:
                found[field] = flag
        return found

    def _resolve(self, package: str, go_type: str) -> tuple[str, str]:
        qualifier, _, name = go_type.lstrip("*").rpartition(".")
        if not qualifier:
            return package, name
        return ("apimachinery/pkg/apis/meta/v1" if qualifier == "metav1" else "api/core/v1"), name

    def _flag(self, package: str, go_type: str, options: str) -> str:
        kind = self._kind(package, go_type)
        if kind == "struct":
            return "" if "omitzero" in options else ALWAYS
        if kind in ("scalar", "collection") and "omitempty" in options:
            return DROPPED
        return ZERO if kind == "scalar" else ""

    def _kind(self, package: str, go_type: str) -> str:
        if go_type.startswith(("[", "map[")):
            return "collection"
        if go_type.startswith("*") or go_type.rpartition(".")[2] in SPECIAL:
            return "other"
        if go_type in SCALARS or re.fullmatch(r"u?int\d*", go_type):
            return "scalar"
        home, name = self._resolve(package, go_type)
        if name in self.structs.get(home, {}):
            return "struct"
        alias = self.aliases.get(home, {}).get(name)
        if alias is None:
            return "scalar" if go_type in ("types.UID",) else "other"
        return self._kind(home, alias.strip())
