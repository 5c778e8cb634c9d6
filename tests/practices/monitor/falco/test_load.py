"""Files of Falco's rules as packs: what replaces what, exceptions, errors with places, bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.falco.load import Loaded, load

RULE: dict[str, Any] = {
    "rule": "r",
    "desc": "d",
    "condition": "evt.type = open",
    "output": "o",
    "priority": "INFO",
}


_TWO = ["proc.name", "fd.name"]


def _load(*items: Any, strict: bool = True) -> Loaded:
    return load([("f.yaml", yaml.safe_dump([*items], sort_keys=False))], strict=strict)


def _compiled(*items: Any) -> str:
    found = _load(*items)
    assert not found.errors, [*map(str, found.errors)]
    return str(found.described["r"]["compiled"])


def _why(*items: Any) -> str:
    (error,) = _load(*items).errors
    return error.why


def _codes(*items: Any) -> list[str]:
    return [one.code for one in _load(*items).warnings]


def test_f1_a_file_is_documents_of_lists_of_mappings() -> None:
    assert not load([("empty", "")], strict=True).errors
    assert not load([("null", "---\n---\n- \n")], strict=True).errors
    for text, code in (
        ("a: b", "LOAD_ERR_YAML_VALIDATE"),
        ("text", "LOAD_ERR_YAML_VALIDATE"),
        ("- text", "LOAD_ERR_YAML_VALIDATE"),
        ("a : b : c", "LOAD_ERR_YAML_PARSE"),
        ("- *nothing", "LOAD_ERR_YAML_PARSE"),
    ):
        (error,) = load([("f", text)], strict=True).errors
        assert error.code == code
    both = yaml.safe_dump([RULE]) + "---\n" + yaml.safe_dump([{**RULE, "rule": "s"}])
    assert [one.title for one in load([("f", both)]).pack] == ["r", "s"]


def test_f2_a_later_definition_replaces_and_keeps_the_place() -> None:
    later = {**RULE, "condition": "evt.type = close", "priority": "ERROR"}
    found = _load(RULE, {**RULE, "rule": "s"}, later)
    assert [(one.title, one.severity) for one in found.pack] == [("r", "high"), ("s", "info")]
    why = _why({**RULE, "source": "syscall"}, {**RULE, "source": "k8s_audit"})
    assert why == "Rule has been re-defined with a different source"


@pytest.mark.parametrize(
    ("condition", "compiled"),
    [
        ("proc.name in (l)", 'proc.name in (a, "b c")'),
        ("proc.name in (x, l, y)", 'proc.name in (x, a, "b c", y)'),
        ("proc.name in (xl)", "proc.name in (xl)"),
        ("proc.name = one", "proc.name = z"),
        ("proc.name= one or proc.name=one", "(proc.name = z or proc.name = z)"),
        ("proc.name in (none, a)", "proc.name in (a)"),
        ("proc.name in (a, none)", "proc.name in (a)"),
        ("proc.name in (none)", "proc.name in ()"),
    ],
)
def test_f3_lists_are_put_in_as_text(condition: str, compiled: str) -> None:
    lists = [
        {"list": "l", "items": ["a", "b c"]},
        {"list": "one", "items": ["z"]},
        {"list": "none", "items": []},
    ]
    assert _compiled(*lists, {**RULE, "condition": condition}) == compiled


def test_f4_what_a_list_or_a_macro_sees() -> None:
    rule = {**RULE, "condition": "proc.name in (outer)"}
    inner, outer = {"list": "inner", "items": ["x"]}, {"list": "outer", "items": ["inner"]}
    assert _compiled(inner, outer, rule) == "proc.name in (x)"
    assert _compiled(rule, {"list": "late", "items": ["q"]}, inner, outer) == "proc.name in (x)"
    first = {"macro": "first", "condition": "second"}
    second = {"macro": "second", "condition": "evt.type = open"}
    rule = {**RULE, "condition": "first"}
    assert _why(first, second, rule) == "Undefined macro 'second' used in filter."
    appended = {"macro": "first", "condition": "or evt.type = close", "append": True}
    assert _compiled(first, second, appended, rule) == "(evt.type = open or evt.type = close)"


def test_f5_append_joins_texts_and_warns() -> None:
    more = {"rule": "r", "condition": "or proc.name = a", "append": True}
    assert _compiled(RULE, more) == "(evt.type = open or proc.name = a)"
    assert "LOAD_DEPRECATED_ITEM" in _codes(RULE, more)
    one, two = {"list": "l", "items": ["a"]}, {"list": "l", "items": ["b"], "append": True}
    rule = {**RULE, "condition": "proc.name in (l)"}
    assert _compiled(one, two, rule) == "proc.name in (a, b)"
    assert "no rule by that name" in _why(more)
    assert "no list by that name" in _why(two)
    assert "must have exceptions or condition" in _why(RULE, {"rule": "r", "append": True})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"priority": "ERROR", "override": {"priority": "append"}}, "cannot be appended to"),
        ({"source": "x", "override": {"source": "replace"}}, "cannot be replaced"),
        ({"override": {"desc": "replace"}}, "'desc' is not defined"),
        ({"desc": "x", "tags": ["a"], "override": {"desc": "replace"}}, "Unexpected key 'tags'"),
        ({"desc": "x", "append": True, "override": {"desc": "append"}}, "cannot be used together"),
        ({"desc": "x", "override": {"desc": "join"}}, "Invalid override operation"),
    ],
)
def test_f6_overrides_are_checked(change: Any, why: str) -> None:
    assert why in _why(RULE, {"rule": "r", **change})


def test_f6_overrides_append_and_replace() -> None:
    change = {
        "rule": "r",
        "condition": "and proc.name = a",
        "output": "p",
        "priority": "ERROR",
        "tags": ["t"],
        "enabled": False,
        "capture": True,
        "override": {
            "condition": "append",
            "output": "append",
            "priority": "replace",
            "tags": "replace",
            "enabled": "replace",
            "capture": "replace",
        },
    }
    found = _load(RULE, change)
    says = found.described["r"]
    assert says["compiled"] == "(evt.type = open and proc.name = a)"
    assert (says["output"], says["priority"], says["tags"]) == ("o p", "error", ["t"])
    assert (says["enabled"], says["capture"]) == (False, True)


def test_f7_a_rule_with_enabled_alone_switches() -> None:
    found = _load(RULE, {"rule": "r", "enabled": False})
    assert [one.enabled for one in found.pack] == [False]
    assert [one.code for one in found.warnings] == ["LOAD_DEPRECATED_ITEM"]
    assert "no rule by that name" in _why({"rule": "r", "enabled": False})
    found = _load({**RULE, "capture": True, "capture_duration": 5})
    assert found.described["r"]["capture_duration"] == 5


@pytest.mark.parametrize(
    ("exceptions", "compiled"),
    [
        (
            [
                {
                    "name": "a",
                    "fields": ["proc.name", "fd.name"],
                    "values": [["x", "y z"], ["p", "q"]],
                }
            ],
            '(evt.type = open and not ((proc.name = x and fd.name = "y z") or '
            "(proc.name = p and fd.name = q)))",
        ),
        (
            [{"name": "a", "fields": "proc.name", "values": ["x", "y"]}],
            "(evt.type = open and not proc.name in (x, y))",
        ),
        (
            [{"name": "a", "fields": ["proc.name"], "comps": ["in"], "values": [["l"], [["m"]]]}],
            "(evt.type = open and not (proc.name in (b, c) or proc.name in (m)))",
        ),
        (
            [
                {"name": "a", "fields": ["proc.name"], "values": [["toupper(proc.pname)"]]},
                {"name": "b", "fields": ["fd.name"], "comps": ["glob oneof"], "values": [[["*"]]]},
            ],
            "(evt.type = open and not proc.name = toupper(proc.pname) and not "
            "fd.name glob oneof (*))",
        ),
        ([{"name": "a", "fields": ["proc.name"]}], "evt.type = open"),
    ],
)
def test_f8_f9_exceptions_become_conditions(exceptions: Any, compiled: str) -> None:
    listed = {"list": "l", "items": ["b", "c"]}
    assert _compiled(listed, {**RULE, "exceptions": exceptions}) == compiled


@pytest.mark.parametrize(
    ("exempt", "why"),
    [
        ({"fields": ["proc.name"]}, "no mapping for key 'name'"),
        ({"name": "a"}, "no mapping for key 'fields'"),
        ({"name": "a", "fields": ["no.field"]}, "not a supported filter field"),
        ({"name": "a", "fields": ["proc.name"], "comps": ["=", "="]}, "equal length"),
        ({"name": "a", "fields": ["proc.name"], "comps": ["~"]}, "not a supported comparison"),
        ({"name": "a", "fields": "proc.name", "comps": "="}, "comps must be one of"),
        ({"name": "a", "fields": "proc.name", "comps": ["in"]}, "both be strings"),
        ({"name": "a", "fields": ["proc.name"], "values": [["a", "b"]]}, "equal length"),
        ({"name": "a", "fields": ["proc.name"], "values": "a"}, "must be a sequence"),
    ],
)
def test_f8_exceptions_are_checked(exempt: Any, why: str) -> None:
    assert why in _why({**RULE, "exceptions": [exempt]})


def test_f9_appended_exceptions_add_values_only() -> None:
    base = {**RULE, "exceptions": [{"name": "a", "fields": ["proc.name"]}]}

    def more(**exempt: Any) -> Any:
        return {"rule": "r", "append": True, "exceptions": [{"name": "a", **exempt}]}

    compiled = "(evt.type = open and not proc.name = x)"
    assert _compiled(base, more(values=[["x"]])) == compiled
    assert "only values" in _why(base, more(fields=["fd.name"]))
    assert "only values" in _why(base, more(comps=["in"]))
    assert "LOAD_APPEND_NO_VALUES" in _codes(base, more())


def test_f10_unknown_sources_fields_and_events() -> None:
    found = _load({**RULE, "source": "okta"})
    assert [one.code for one in found.warnings] == ["LOAD_UNKNOWN_SOURCE"]
    assert [one.unassessed for one in found.pack] == ["unknown source okta"]
    for change, code in (
        ({"condition": "no.field = a"}, "LOAD_ERR_COMPILE_CONDITION"),
        ({"condition": "evt.type = nosuch"}, "LOAD_ERR_COMPILE_CONDITION"),
        ({"output": "%no.field"}, "LOAD_ERR_COMPILE_OUTPUT"),
    ):
        (error,) = _load({**RULE, **change}).errors
        assert error.code == code
        skipped = _load({**RULE, **change, "skip-if-unknown-filter": True})
        assert not skipped.errors
        assert "LOAD_UNKNOWN_FILTER" in [one.code for one in skipped.warnings]


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([{"list": "l", "items": []}], "LOAD_UNUSED_LIST"),
        ([{"macro": "m", "condition": "evt.type = open"}], "LOAD_UNUSED_MACRO"),
        ([{**RULE, "typo": 1}], "LOAD_UNKNOWN_KEY"),
        ([{"typo": 1}], "LOAD_UNKNOWN_ITEM"),
        ([{"list": "a b", "items": []}], "LOAD_INVALID_LIST_NAME"),
        ([{"macro": "a-b", "condition": "evt.type = open"}], "LOAD_INVALID_MACRO_NAME"),
        ([{**RULE, "condition": "proc.name = proc.pname"}], "LOAD_COMPILE_CONDITION"),
        ([{**RULE, "condition": "evt.type = open and evt.dir = <"}], "LOAD_DEPRECATED_ITEM"),
        ([{**RULE, "output": "%evt.dir"}], "LOAD_DEPRECATED_ITEM"),
        ([{**RULE, "condition": "proc.name = a"}], "LOAD_NO_EVTTYPE"),
        (
            [{**RULE, "source": "k8s_audit", "condition": "ka.verb = <NA>"}],
            "LOAD_UNSAFE_NA_CHECK",
        ),
    ],
)
def test_f11_warnings(items: list[Any], code: str) -> None:
    found = _load(*items)
    assert not found.errors
    assert code in [one.code for one in found.warnings]


@pytest.mark.parametrize(
    ("version", "fits"),
    [(26, True), ("0.63.0", True), ("0.64.0", False), (64, False), ("1.0.0", False), ("x", False)],
)
def test_f12_required_versions(version: Any, fits: bool) -> None:
    assert (not _load({"required_engine_version": version}).errors) is fits
    plugins = [{"name": "k8saudit", "version": "0.7.0", "alternatives": []}]
    assert not _load({"required_plugin_versions": plugins}).errors
    plugins[0]["version"] = "new"
    assert _load({"required_plugin_versions": plugins}).errors


def test_f32_messages() -> None:
    output = "*%proc.name of %proc.pname: %ka.x"
    assert _load({**RULE, "output": output}).errors
    found = _load({**RULE, "output": "%proc.name, %fd.cport; %5proc.pid| 100 %proc.name."})
    event = {"proc_name": "sh", "proc_pid": 7}
    assert found.outputs["r"].render(event) == "sh, <NA>; 7    | 100 sh."
    (rule,) = found.pack
    assert rule.say == "{proc_name}, {net_src_port}; {proc_pid}| 100 {proc_name}."
    audit = {**RULE, "source": "k8s_audit", "condition": "ka.verb = get"}
    found = _load({**audit, "output": "%ka.user.groups %ka.verb {x}"})
    event = {"actor_groups": ["a", "b"], "api_verb": "get"}
    assert found.outputs["r"].render(event) == "(a,b) get {x}"
    assert found.described["r"]["output"] == "%ka.user.groups %ka.verb {x}"
    for broken in ("%", "a %5", "% a"):
        assert _load({**RULE, "output": broken}).errors


def test_f32_templates_name_the_column_that_says_most_of_a_field() -> None:
    output = "%proc.cmdline %evt.type %container.id %fd.name %user.name %tolower(proc.name)"
    (one,) = _load({**RULE, "output": output}).pack
    said = "{proc_args} {sys_call} {container_id} {file_path} - {proc_name}"
    assert one.say == said
    audit = {**RULE, "source": "k8s_audit", "condition": "ka.verb = get"}
    output = "%ka.req.pod.containers.image %jevt.value[/x] %jevt.value[/verb] %ka.auth.reason"
    (one,) = _load({**audit, "output": output}).pack
    assert one.say == "{spec_image} - {api_verb} {api_grant}"


def test_k1_without_audit_id_nothing_is_known() -> None:
    rule = {**RULE, "source": "k8s_audit", "condition": "not ka.verb = get"}
    (one,) = _load(rule).pack
    assert holds(one.tree, {"api_id": "1", "api_verb": "list"}) is True
    assert holds(one.tree, {"api_verb": "list"}) is False
    (one,) = _load({**rule, "condition": "jevt.value[/x] = 5"}).pack
    assert holds(one.tree, {"raw": json.dumps({"x": 5})}) is True


def test_i5_a_broken_rule_is_unassessed_and_the_rest_loads() -> None:
    items = [
        {**RULE, "rule": "broken", "condition": "proc.name ="},
        {**RULE, "rule": "bytes", "condition": "evt.buffer bcontains CA"},
        {**RULE, "rule": "no output", "output": None},
        {"macro": "m", "condition": "and"},
        {**RULE, "rule": "of macro", "condition": "m"},
        RULE,
    ]
    found = _load(*items, strict=False)
    told = {one.title: one.unassessed for one in found.pack}
    assert told["r"] == ""
    assert all(told[name] for name in ("broken", "bytes", "no output", "of macro"))
    assert [one.id for one in found.pack.usable("file")] == ["falco:r"]
    assert _load(*items).pack.rules == {}


@pytest.mark.parametrize(
    ("priority", "severity"),
    [
        ("EMERGENCY", "critical"),
        ("alert", "critical"),
        ("Critical", "critical"),
        ("ERROR", "high"),
        ("WARNING", "medium"),
        ("NOTICE", "low"),
        ("INFO", "info"),
        ("informational", "info"),
        ("DEBUG", "info"),
    ],
)
def test_i6_severities(priority: str, severity: str) -> None:
    (one,) = _load({**RULE, "priority": priority}).pack
    assert one.severity == severity
    assert _why({**RULE, "priority": "loud"}) == "Invalid priority"


def test_i7_every_problem_has_its_place_and_code() -> None:
    text = _OPEN + "evt.type = open and x.y\n"
    (error,) = load([("dir/f.yaml", text)], strict=True).errors
    assert (error.place.line, error.place.column) == (5, 37)
    assert error.code == "LOAD_ERR_COMPILE_CONDITION"
    assert str(error).startswith("dir/f.yaml:5:37: expected a valid check operator")
    (warning,) = load([("f.yaml", "- list: a\n  items: [x]\n")]).warnings
    assert str(warning).startswith("f.yaml:1:3: List not referred to")


def test_k5_k6_rules_say_where_they_differ_and_what_they_need() -> None:
    audit = {**RULE, "source": "k8s_audit"}
    (one,) = _load({**audit, "condition": "ka.req.pod.containers.image.repository in (a)"}).pack
    assert "keeps the port" in one.warnings[0]
    (one,) = _load({**audit, "condition": "ka.sourceips in (1.2.3.4)"}).pack
    assert "ka.sourceips has values" in one.warnings[0]
    (one,) = _load({**RULE, "condition": "evt.type = open and tolower(user.name) = a"}).pack
    assert one.warnings == ("user.name is known only where Falco printed it",)
    (one,) = _load(RULE).pack
    assert one.warnings == ()


def test_rules_tell_where_they_are_written_and_what_they_are_tagged() -> None:
    (one,) = _load({**RULE, "tags": ["T1059", "shell"]}).pack
    assert (one.attack, one.tags, one.source.line) == (("T1059",), ("T1059", "shell"), 1)
    assert one.source.language == "falco"


_OPEN = "- rule: r\n  desc: d\n  output: o\n  priority: INFO\n  condition: "
_LISTS = "".join(f"- list: l{n}\n  items: [{', '.join([f'l{n + 1}'] * 10)}]\n" for n in range(12))
_MACROS = "- macro: m0\n  condition: evt.type=open\n" + "".join(
    f"- macro: m{n}\n  condition: m{n - 1} or m{n - 1}\n" for n in range(1, 40)
)
_ALIASES = "".join(f"  exceptions: &e{n} [{','.join([f'*e{n - 1}'] * 10)}]\n" for n in range(1, 9))


@pytest.mark.parametrize(
    "text",
    [
        _OPEN + "(" * 1000 + "evt.type=open" + ")" * 1000,
        _LISTS + _OPEN + "proc.name in (l0)",
        _MACROS + _OPEN + "m39",
        "- macro: a\n  condition: evt.type=open\n- macro: b\n  condition: a\n"
        "- macro: a\n  condition: b\n" + _OPEN + "a",
        "[" * 100_000,
        "- list: l\n  items: &a [*a]\n",
        "- rule: r\n  exceptions: &e0 [x]\n" + _ALIASES,
        _OPEN + "'proc.name regex \"(a{1000}){1000}\"'",
        _OPEN + "'proc.name regex \"" + "(" * 5000 + ")" * 5000 + "\"'",
        _OPEN + "tolower(" * 5000 + "proc.name" + ")" * 5000 + " = a",
        _OPEN + "x" * 500_000,
        _OPEN.replace("output: o", "output: '" + "%zzz" * 9000 + "'") + "evt.type = open",
        _OPEN + '"a\\0b"',
        "\x00\x01",
        "- !!python/object/apply:os.system [id]\n",
    ],
    ids=lambda text: f"{len(text)} of {text[:12]!r}",
)
@pytest.mark.parametrize("strict", [False, True])
def test_hostile_files_end_in_an_error_with_a_place(text: str, strict: bool) -> None:
    found = load([("f.yaml", text)], strict=strict)
    assert found.errors
    assert all(one.place.line > 0 and len(str(one)) < 1000 for one in found.errors)
    assert all(one.unassessed for one in found.pack)


def test_long_conditions_load() -> None:
    names = ",".join(f"n{number}" for number in range(20_000))
    found = load([("f.yaml", f"{_OPEN}evt.type = open and proc.name in ({names})\n")], strict=True)
    assert not found.errors
    (one,) = found.pack
    assert holds(one.tree, {"sys_call": "open", "proc_name": "n19999"}) is True
