"""The check file: strict YAML that becomes a core Check, or one BadInput that lists every error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from martello.catalogue.document import read_document
from martello.catalogue.environment import problems
from martello.catalogue.form import Form
from martello.catalogue.parameters import schema_problem
from martello.catalogue.subject import ALSO
from martello.core.check import AREAS, PROFILES, Check, Example
from martello.core.finding import PRACTICES, SEVERITIES
from martello.core.path import Path
from martello.core.path import parse as parse_path
from martello.core.resource import kind_of

ELEMENTS: Final = {
    "containers": "container",
    "resourceContainers": "container",
    "servingContainers": "container",
    "volumes": "volume",
}
NAMES: Final = frozenset(
    ("object", "pod", "podMetadata", "containers", "params", "namespaceObject", "kubernetes")
)
FRAMEWORKS: Final = ("pss", "cis-kubernetes", "nsa-cisa", "mitre-attack", "owasp-k8s")
PEERS: Final = ("checkov", "trivy", "kubescape", "kube-linter", "polaris")
_KEYS: Final = frozenset(
    (
        *("id", "title", "severity", "profile", "practice", "why", "scope", "each", "as"),
        *("params", "variables", "when", "validations", "versions", "fix", "frameworks"),
        *("aliases", "examples", "enforce", "kubernetes"),
    )
)
_REQUIRED: Final = ("id", "title", "severity", "why", "scope", "fix", "examples")
_ID: Final = re.compile(r"[A-Z]{2,8}-[0-9]{3,5}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_KIND: Final = re.compile(r"[A-Z][A-Za-z0-9]*(?:\.[a-z0-9.-]+)?")
_EACH: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:\[\])?(?:\.[A-Za-z][A-Za-z0-9]*(?:\[\])?)*")


def parse_check(text: str, file: str, *, limited: bool = False) -> Check:
    """Reads one check file. Raises one BadInput naming file, line and key of everything wrong, its
    expressions included. The expressions of a limited check have a budget.
    """
    document = read_document(text, file)
    check = _CheckForm(document).check(PurePath(file).stem, limited)
    if check is not None and check.rule is not None:
        for path, message in problems(check.rule):
            document.complain(path, message)
    document.finish()
    assert check is not None
    return check


class _CheckForm(Form):
    """Reads the keys of a check, in the order of the file."""

    __slots__ = ()

    def check(self, name: str, limited: bool) -> Check | None:
        data = self.document.data
        if not isinstance(data, dict):
            self.complain((), f"a check file is a mapping, this is a {kind_of(data)}")
            return None
        self.known(data, (), _KEYS)
        for key in _REQUIRED:
            if key not in data:
                self.complain((), f"the key {key} is missing")
        if not _FILE.fullmatch(name):
            self.complain((), f"the file name {name!r} is not kebab-case")
        id = self.text(data, ("id",))
        if id and not _ID.fullmatch(id):
            self.complain(("id",), "an id is AREA-NNN")
        params = self.params(data.get("params", {}))
        fix, repair = self.fix(data.get("fix"))
        return Check(
            id=id,
            name=name,
            title=self.text(data, ("title",)),
            severity=self.word(data, ("severity",), SEVERITIES, ""),
            profile=self.word(data, ("profile",), PROFILES, "default"),
            practice=self.practice(data, id),
            why=self.text(data, ("why",)).strip(),
            kinds=self.scope(data.get("scope")),
            fix=fix,
            frameworks=self.frameworks(data.get("frameworks", {})),
            aliases=self.aliases(data.get("aliases", {})),
            file=self.document.file,
            params=params,
            examples=self.examples(data.get("examples"), params),
            rule={
                "each": self.each(data),
                "as": self.bound(data),
                "variables": self.variables(data.get("variables", [])),
                "versions": self.versions(data),
                "fix": repair,
                "enforce": self.word(data, ("enforce",), ("deny", "audit"), "deny"),
                "kubernetes": self.version(data, ("kubernetes",), 0),
                "limited": limited,
            },
        )

    def practice(self, data: Mapping[str, Any], id: str) -> str:
        own = AREAS.get(id.partition("-")[0])
        if own is None and "practice" not in data:
            known = ", ".join(AREAS)
            self.complain(("id",), f"area is none of {known}: name a practice: for this check")
        return self.word(data, ("practice",), PRACTICES, own or PRACTICES[0])

    def scope(self, value: Any) -> tuple[str, ...]:
        if value == "workload":
            return ("workload",)
        if value == "*":
            return ("*",)
        if value is None:
            return ()
        kinds = self.texts(value, ("scope",))
        for index, kind in enumerate(kinds):
            if kind != "*" and not _KIND.fullmatch(kind):
                self.complain(("scope", index), "must be Kind or Kind.group, as kubectl spells it")
        if not kinds:
            self.complain(("scope",), "names no kind")
        return kinds

    def each(self, data: Mapping[str, Any]) -> str:
        value = data.get("each")
        several = isinstance(value, list)
        parts = self.texts(value, ("each",)) if several else (self.text(data, ("each",)),)
        for part in parts:
            head = part.partition(".")[0]
            of_pods = part in ELEMENTS or head == "pod" or ELEMENTS.get(head) == "container"
            if of_pods and data.get("scope") != "workload":
                self.complain(("each",), f"{head} needs scope: workload")
            if part in ELEMENTS and not several:
                continue
            if part == "pod" or (part and not _EACH.fullmatch(part)):
                self.complain(("each",), "must be a dotted path, with [] after lists on the way")
            elif part and "as" not in data:
                self.complain(
                    ("each",), "needs as: NAME, the name of an element in the expressions"
                )
        return ALSO.join(parts)

    def bound(self, data: Mapping[str, Any]) -> str:
        each = data.get("each")
        default = ELEMENTS.get(each, "") if isinstance(each, str) else ""
        value = self.text(data, ("as",), default)
        if "as" in data and not each:
            self.complain(("as",), "names the elements of each, and there is no each")
        if value and (not _NAME.fullmatch(value) or value in NAMES or value == "variables"):
            self.complain(("as",), "must be an identifier that is not taken")
        return value

    def params(self, value: Any) -> dict[str, Any]:
        params = self.mapping(value, ("params",))
        for name, schema in params.items():
            problem = schema_problem(schema)
            if problem:
                self.complain(("params", name), problem)
        return params

    def variables(self, value: Any) -> list[list[str]]:
        found: list[list[str]] = []
        for index, item in enumerate(self.sequence(value, ("variables",))):
            path: Path = ("variables", index)
            entry = self.mapping(item, path)
            self.known(entry, path, frozenset(("name", "expression")))
            name = self.text(entry, (*path, "name"))
            if not _NAME.fullmatch(name) or any(name == n for n, _ in found):
                self.complain((*path, "name"), "must be an identifier, used once")
            found.append([name, self.expression(entry, path, "expression")])
        return found

    def expression(self, data: Mapping[str, Any], path: Path, key: str) -> str:
        if key not in data:
            self.complain(path, f"the key {key} is missing")
            return "true"
        value = data[key]
        if isinstance(value, bool):
            return "true" if value else "false"
        return self.text(data, (*path, key)) or "true"

    def versions(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        if ("validations" in data) == ("versions" in data):
            self.complain((), "give either validations or versions")
            return []
        if "validations" in data:
            return [self.entry(data, (), 0)]
        if "when" in data:
            self.complain(("when",), "belongs into the entries of versions")
        found: list[dict[str, Any]] = []
        keys = frozenset(("since", "when", "validations"))
        for index, item in enumerate(self.sequence(data["versions"], ("versions",))):
            path: Path = ("versions", index)
            entry = self.mapping(item, path)
            self.known(entry, path, keys)
            if "since" not in entry:
                self.complain(path, "the key since is missing")
            since = self.version(entry, (*path, "since"), 0)
            if found and since <= found[-1]["since"]:
                self.complain((*path, "since"), "entries stand in ascending order")
            found.append(self.entry(entry, path, since))
        return found

    def entry(self, data: Mapping[str, Any], path: Path, since: int) -> dict[str, Any]:
        when = self.expression(data, path, "when") if "when" in data else ""
        place: Path = (*path, "validations")
        items = self.sequence(data.get("validations"), place)
        if not items:
            self.complain(place, "names no validation")
        found = [self.validation(item, (*place, i)) for i, item in enumerate(items)]
        return {"since": since, "when": when, "validations": found, "at": list(path)}

    def validation(self, value: Any, path: Path) -> dict[str, str]:
        data = self.mapping(value, path)
        keys = ("expression", "message", "messageExpression", "path", "on")
        self.known(data, path, frozenset(keys))
        if ("message" in data) == ("messageExpression" in data):
            self.complain(path, "give either message or messageExpression")
        place = self.text(data, (*path, "path"))
        try:
            parse_path(place)
        except ValueError:
            self.complain((*path, "path"), "must be a path such as spec.ports[0]")
            place = ""
        return {
            "expression": self.expression(data, path, "expression"),
            "message": self.text(data, (*path, "message")),
            "messageExpression": self.text(data, (*path, "messageExpression")),
            "path": place,
            "on": self.word(data, (*path, "on"), ("pod", "metadata", "object"), ""),
        }

    def fix(self, value: Any) -> tuple[str, dict[str, Any]]:
        if value is None:
            return "", {}
        data = self.mapping(value, ("fix",))
        self.known(data, ("fix",), frozenset(("safety", "text", "edits", "none")))
        if "none" in data:
            if len(data) > 1:
                self.complain(("fix",), "none stands alone")
            return self.text(data, ("fix", "none")), {}
        if "text" not in data:
            self.complain(("fix",), "the key text is missing")
        edits = self.sequence(data.get("edits", []), ("fix", "edits"))
        for index, item in enumerate(edits):
            self.edit(item, ("fix", "edits", index))
        safety = self.word(data, ("fix", "safety"), ("safe", "review"), "review")
        return self.text(data, ("fix", "text")), {"safety": safety, "edits": edits}

    def edit(self, value: Any, path: Path) -> None:
        data = self.mapping(value, path)
        verbs = [key for key in ("set", "remove", "add") if key in data]
        self.known(data, path, frozenset(("set", "remove", "add", "value", "on")))
        if len(verbs) != 1 or ("value" in data) == (verbs == ["remove"]):
            self.complain(path, "is {set: path, value: …}, {add: path, value: …} or {remove: path}")
            return
        try:
            parse_path(self.text(data, (*path, verbs[0])))
        except ValueError:
            self.complain((*path, verbs[0]), "must be a path")

    def frameworks(self, value: Any) -> dict[str, Any]:
        data = self.mapping(value, ("frameworks",))
        self.known(data, ("frameworks",), frozenset(FRAMEWORKS))
        found: dict[str, Any] = {}
        for name, part in data.items():
            path: Path = ("frameworks", name)
            if name != "pss":
                found[name] = list(self.texts(part, path))
                continue
            pss = self.mapping(part, path)
            self.known(pss, path, frozenset(("level", "check")))
            level = self.word(pss, (*path, "level"), ("baseline", "restricted"), "")
            found[name] = {"level": level, "check": self.text(pss, (*path, "check"))}
        return found

    def aliases(self, value: Any) -> dict[str, tuple[str, ...]]:
        data = self.mapping(value, ("aliases",))
        self.known(data, ("aliases",), frozenset(PEERS))
        return {name: self.texts(part, ("aliases", name)) for name, part in data.items()}

    def examples(self, value: Any, params: Mapping[str, Any]) -> tuple[Example, ...]:
        if value is None:
            return ()
        items = self.sequence(value, ("examples",))
        found = tuple(self.example(item, ("examples", i), params) for i, item in enumerate(items))
        good = sum(example.good for example in found)
        if good < 2 or len(found) - good < 2:
            self.complain(("examples",), "needs at least two good and two bad ones")
        return found

    def example(self, value: Any, path: Path, declared: Mapping[str, Any]) -> Example:
        data = self.mapping(value, path)
        keys = ("good", "bad", "at", "params", "kubernetes", "fixed", "message")
        self.known(data, path, frozenset(keys))
        if ("good" in data) == ("bad" in data):
            self.complain(path, "is either good or bad")
        good = "good" in data
        for key in ("at", "fixed", "message"):
            if good and key in data:
                self.complain((*path, key), "belongs to bad examples")
        params = self.mapping(data.get("params", {}), (*path, "params"))
        for name in params:
            if name not in declared:
                self.complain((*path, "params", name), "is no parameter of this check")
        self.version(data, (*path, "kubernetes"), 0)
        return Example(
            good=good,
            text=self.text(data, (*path, "good" if good else "bad")),
            at=self.text(data, (*path, "at")),
            params=params,
            kubernetes=self.text(data, (*path, "kubernetes")),
            message=self.text(data, (*path, "message")),
            fixed=self.text(data, (*path, "fixed")),
        )
