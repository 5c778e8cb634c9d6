"""O1 to O5: Martello's own rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.practices.monitor.engine.ir import Atom, Call, Column, Node
from martello.practices.monitor.engine.rowwise import value
from martello.practices.monitor.engine.rule import Correlation, Rule
from martello.practices.monitor.engine.say import render
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.own import when
from martello.practices.monitor.own.load import aliases, load
from martello.practices.monitor.validation import inline

SHELL = """
id: MON-131
title: Shell opened by kubectl exec
kind: process
severity: medium
when: e.proc_name in params.shells && "entered" in e.proc_flags && has(e.container_id)
params: {shells: [sh, bash, ash, dash, zsh]}
group: [pod_workload, container_name]
window: 1h
say: "{proc_exe} in {k8s_ns}/{pod_workload}, opened by {actor_origin}"
why: A person in a container sees what the container sees.
fix: Use an ephemeral container with its own identity.
learn: baseline
attack: [T1609]
aliases: ["falco:Terminal shell in container", "panther:Kubernetes.Pod.Exec"]
tests:
  - name: bash by exec
    from: columns
    event: {proc_name: bash, proc_flags: [entered], container_id: c1, time: 2026-01-02T03:04:05Z}
    expect: fire
  - name: entrypoint script
    from: columns
    event: {proc_name: bash, proc_flags: [], container_id: c1}
    expect: quiet
"""


def one(text: str) -> Rule:
    loaded = load({"a.yaml": text})
    assert not loaded.errors, loaded.errors
    return list(loaded.pack)[-1]


def rule(expression: str, params: str = "{}") -> Rule:
    quoted = json.dumps(expression)
    return one(f"id: t\ntitle: t\nkind: audit\nseverity: low\nparams: {params}\nwhen: {quoted}\n")


def test_o1_a_rule_is_read_whole() -> None:
    found = one(SHELL)
    assert (found.id, found.title, found.severity) == (
        "MON-131",
        "Shell opened by kubectl exec",
        "medium",
    )
    assert found.kinds == ("process",)
    assert found.group == ("pod_workload", "container_name")
    assert (found.window, found.learn, found.attack) == (3600, "baseline", ("T1609",))
    assert found.source.language == "martello"
    event = {"proc_name": "sh", "proc_flags": ["entered"], "container_id": "c"}
    assert holds(found.tree, event) is True
    assert not holds(found.tree, {**event, "proc_name": "ls"})
    assert not holds(found.tree, {"proc_name": "sh", "proc_flags": ["entered"]})


def test_o1_parts_and_correlate_make_a_correlation() -> None:
    text = """
id: MON-401
title: Token read, then secrets listed
severity: high
when:
  - {name: token, kind: file, when: 'e.file_path.endsWith("/token")'}
  - {name: listed, kind: audit, when: e.api_verb == "list" && e.k8s_resource == "secrets"}
correlate:
  type: sequence
  by: [pod_name]
  within: 10m
  aliases: {listed: {pod_name: actor_pod}}
"""
    token, listed, whole = load({"a.yaml": text}).pack
    assert (token.id, listed.id, whole.id) == ("MON-401/token", "MON-401/listed", "MON-401")
    assert whole.correlate == Correlation(
        "sequence",
        ("MON-401/token", "MON-401/listed"),
        ("pod_name",),
        600,
        ">=",
        2,
        aliases={"MON-401/listed": {"pod_name": "actor_pod"}},
    )
    assert whole.kinds == ("file", "audit")
    assert holds(token.tree, {"file_path": "/var/run/token"}) is True


@pytest.mark.parametrize(
    ("correlate", "wanted"),
    [
        (
            "{type: count, within: 5m, at_least: 10}",
            Correlation("count", ("c/1",), (), 300, ">=", 10),
        ),
        (
            "{type: values, field: k8s_name, within: 5m, at_least: 3, by: actor_user}",
            Correlation("values", ("c/1",), ("actor_user",), 300, ">=", 3, "k8s_name"),
        ),
        (
            "{type: percentile, field: api_ms, percentile: 95, within: 1h, op: '>', value: 500}",
            Correlation("percentile", ("c/1",), (), 3600, ">", 500, "api_ms", 95),
        ),
        ("{type: count, within: 5m, at_least: 2, of: [other], alone: true}",
         Correlation("count", ("other",), (), 300, ">=", 2, alone=True)),
    ],
)  # fmt: skip
def test_o1_figures(correlate: str, wanted: Correlation) -> None:
    text = (
        "- {id: other, title: o, kind: audit, severity: low, when: has(e.api_verb)}\n"
        "- id: c\n  title: c\n  kind: audit\n  severity: low\n  when: e.api_code == 403\n"
        f"  correlate: {correlate}\n"
    )
    found = one(text)
    assert found.correlate == wanted


LOWERED = [
    ('e.api_verb == "list"', {"api_verb": "list"}, True),
    ('"list" == e.api_verb', {"api_verb": "get"}, False),
    ('e.api_verb != "list"', {"api_verb": "get"}, True),
    ('e.api_verb != "list"', {}, None),
    ('!(e.api_verb == "list")', {}, None),
    ("e.api_code >= 400", {"api_code": 403}, True),
    ("400 <= e.api_code", {"api_code": 200}, False),
    ("e.api_code in [401, 403]", {"api_code": 401}, True),
    ("e.api_code in params.codes", {"api_code": 500}, True),
    ('e.k8s_name.startsWith("a")', {"k8s_name": "ab"}, True),
    ('e.k8s_name.endsWith("a" + "b")', {"k8s_name": "xab"}, True),
    ('e.k8s_name.contains("x")', {"k8s_name": "ab"}, False),
    ('e.k8s_name.matches("^[a-z]+$")', {"k8s_name": "ab"}, True),
    ("has(e.k8s_name)", {"k8s_name": "ab"}, True),
    ("!has(e.k8s_name)", {}, True),
    ('"dev" in e.actor_groups', {"actor_groups": ["a", "dev"]}, True),
    ('e.actor_groups.exists(g, g == "dev")', {"actor_groups": ["a"]}, False),
    ('e.actor_groups.exists(g, g.startsWith("d") || g == "x")', {"actor_groups": ["dev"]}, True),
    ('e.actor_groups.all(g, g.startsWith("d"))', {"actor_groups": ["dev", "x"]}, False),
    ('e.actor_groups.exists(g, g in ["a", "b"])', {"actor_groups": ["b"]}, True),
    ("e.spec_uid.exists(u, u == 0)", {"spec_uid": [None, 0]}, True),
    ("e.spec_uid.exists(u, 10 > u)", {"spec_uid": [11, 12]}, False),
    ('params.words.exists(w, e.k8s_name.contains(w))', {"k8s_name": "a-two"}, True),
    ('params.words.all(w, e.k8s_name.contains(w))', {"k8s_name": "a-two"}, False),
    ("size(e.actor_groups) > 1", {"actor_groups": ["a", "b"]}, True),
    ("e.k8s_name.size() == 2", {"k8s_name": "ab"}, True),
    ('e.api_annotations["a.b/c"] == "v"', {"api_annotations": {"a.b/c": "v"}}, True),
    ('"a" in e.api_annotations', {"api_annotations": {"b": "v"}}, False),
    ('e.spec_image[0] == "i"', {"spec_image": ["i", "j"]}, True),
    ('e.k8s_name.lowerAscii() == "ab"', {"k8s_name": "AB"}, True),
    ('string(e.api_code) == "403"', {"api_code": 403}, True),
    ("e.spec_host_network", {"spec_host_network": True}, True),
    ("!e.spec_host_network", {"spec_host_network": False}, True),
    ("e.k8s_name == e.k8s_obj_name", {"k8s_name": "a", "k8s_obj_name": "a"}, True),
    ('e.k8s.name == "a"', {"k8s_name": "a"}, True),
    ('e.api_verb == "a" && (e.k8s_ns == "b" || has(e.k8s_name))', {"k8s_ns": "b"}, None),
    ('e.api_verb == "a" || has(e.k8s_name)', {"k8s_name": "b"}, True),
    ("true || e.api_code == 1", {}, True),
    ("e.actor_user in e.actor_groups", {"actor_user": "a", "actor_groups": ["a"]}, True),
]  # fmt: skip
PARAMS = {"codes": [500, 503], "words": ["one", "two"]}


@pytest.mark.parametrize(("text", "event", "wanted"), LOWERED, ids=lambda v: str(v)[:50])
def test_o2_lowered_to_atoms(text: str, event: dict[str, Any], wanted: bool | None) -> None:
    tree = when.lower(text, PARAMS)
    assert when.rowwise(tree) == ()
    assert holds(tree, event) is wanted


@pytest.mark.parametrize(("text", "event", "wanted"), LOWERED, ids=lambda v: str(v)[:50])
def test_o2_atoms_mean_what_cel_means(text: str, event: dict[str, Any], wanted: Any) -> None:
    """The same expression, evaluated whole by CEL."""
    if "spec_uid" in text or "k8s.name" in text:
        return  # null elements, and dots for underscores, are the columns' own
    columns = tuple(event)
    found = value(text, json.dumps(PARAMS), columns)(event)
    assert found is wanted


ROWWISE = [
    ('e.k8s_name.split("-").size() > 2', {"k8s_name": "a-b-c"}, True),
    ("e.api_code + 1 == 404", {"api_code": 403}, True),
    ('e.?k8s_ns.orValue("none") == "none"', {"api_verb": "x"}, True),
    ('(e.api_verb == "a" ? e.api_code : 0) == 5', {"api_verb": "a", "api_code": 5}, True),
    ('e.actor_groups.exists_one(g, g == "a")', {"actor_groups": ["a", "a"]}, False),
    (
        'e.actor_ips.exists(i, isIP(i) && cidr("10.0.0.0/8").containsIP(i))',
        {"actor_ips": ["10.1.1.1"]},
        True,
    ),
    ("e.api_code + 1 == 404", {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "event", "wanted"), ROWWISE, ids=lambda v: str(v)[:50])
def test_o2_the_rest_is_row_by_row(text: str, event: dict[str, Any], wanted: Any) -> None:
    tree = when.lower(text, {})
    assert len(when.rowwise(tree)) == 1
    assert holds(tree, event) is wanted
    both = when.lower(f"has(e.k8s_uid) && {text}", {})
    assert len(when.rowwise(both)) == 1
    assert isinstance(_parts(both)[0].term, Column)
    assert holds(both, event) is not True


def _parts(node: Node) -> list[Atom]:
    from martello.practices.monitor.engine.ir import atoms

    return list(atoms(node))


def test_o2_a_row_by_row_part_names_its_columns() -> None:
    (atom,) = _parts(when.lower('e.k8s_name + e["k8s_ns"] == "ab"', {}))
    assert isinstance(atom.term, Call)
    assert atom.term.of == (Column("k8s_name"), Column("k8s_ns"))


def test_o2_a_row_by_row_part_is_bounded() -> None:
    many = {"actor_groups": ["g"] * 3000}
    text = "e.actor_groups.all(a, e.actor_groups.all(b, e.actor_groups.exists(c, c != a + b)))"
    assert holds(when.lower(text, {}), many) is None


TEXTS = st.text("ab-", max_size=4)
COLUMN_TEXTS = ("api_verb", "k8s_ns", "k8s_name")
_ATOMS = st.one_of(
    st.tuples(
        st.sampled_from(COLUMN_TEXTS),
        st.sampled_from(["== ", "!= ", "< ", ">= "]),
        TEXTS,
    ).map(lambda t: f"e.{t[0]} {t[1]}{json.dumps(t[2])}"),
    st.tuples(
        st.sampled_from(COLUMN_TEXTS),
        st.sampled_from(["startsWith", "endsWith", "contains"]),
        TEXTS,
    ).map(lambda t: f"e.{t[0]}.{t[1]}({json.dumps(t[2])})"),
    st.sampled_from(COLUMN_TEXTS).map(lambda n: f"has(e.{n})"),
    st.tuples(TEXTS, st.sampled_from(["==", "!="])).map(
        lambda t: f"e.actor_groups.exists(g, g {t[1]} {json.dumps(t[0])})"
    ),
    st.integers(0, 3).map(lambda n: f"e.api_code in [{n}, 7]"),
    st.integers(0, 3).map(lambda n: f"e.api_code > {n}"),
)
EXPRESSIONS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}) && ({t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}) || ({t[1]})"),
    ),
    max_leaves=6,
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(COLUMN_TEXTS, TEXTS),
        "actor_groups": st.lists(TEXTS, min_size=1, max_size=3),
        "api_code": st.integers(0, 4),
    },
)


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, EVENTS)
def test_o2_trees_equal_cel(text: str, event: dict[str, Any]) -> None:
    tree = when.lower(text, {})
    assert holds(tree, event) is value(text, "{}", tuple(event))(event)


def test_o3_inline_tests_run() -> None:
    pack = load({"a.yaml": SHELL}).pack
    assert [(t.test, t.passed) for t in inline.run(pack)] == [
        ("bash by exec", True),
        ("entrypoint script", True),
    ]
    wrong = load({"a.yaml": SHELL.replace("proc_flags: []", "proc_flags: [entered]")}).pack
    assert [t.why for t in inline.run(wrong)] == ["", "it fired"]


def test_o3_tests_pass_the_real_reader_and_its_redaction() -> None:
    text = """
id: MON-102
title: Secrets listed
kind: audit
severity: high
when: e.api_verb == "list" && e.k8s_resource == "secrets" && !e.raw.contains("hunter2")
tests:
  - name: listed
    event:
      kind: Event
      apiVersion: audit.k8s.io/v1
      level: RequestResponse
      auditID: "1"
      stage: ResponseComplete
      verb: list
      requestURI: /api/v1/secrets
      user: {username: ana}
      objectRef: {resource: secrets, apiVersion: v1}
      requestReceivedTimestamp: 2026-01-02T03:04:05.000000Z
      stageTimestamp: 2026-01-02T03:04:05.000000Z
      responseObject: {kind: Secret, apiVersion: v1, data: {a: hunter2}}
    expect: fire
  - {name: no event at all, event: {foo: bar}, expect: quiet}
  - {name: unknown reader, from: nowhere, event: {}, expect: quiet}
"""
    listed, strange, unknown = inline.run(load({"a.yaml": text}).pack)
    assert listed.passed
    assert strange.passed or "no event of ours" in strange.why
    assert not unknown.passed
    assert unknown.why == "there is no reader for events from nowhere"


SOURCES: dict[str, tuple[Any, str]] = {
    "tetragon": (
        {
            "process_exec": {
                "process": {"binary": "/bin/sh", "arguments": "-c id", "pid": 7, "uid": 0},
                "parent": {"binary": "/bin/runc"},
            },
            "time": "2026-01-02T03:04:05Z",
        },
        'e.proc_exe == "/bin/sh" && e.proc_parent_exe == "/bin/runc"',
    ),
    "ndjson": (
        {"kind": "process", "time": 1, "proc.exe": "/bin/sh", "proc_name": "sh"},
        'e.proc_exe == "/bin/sh" && e.proc_name == "sh"',
    ),
    "auditd": (
        "type=SYSCALL msg=audit(1767323045.123:9): arch=c000003e syscall=59 success=yes exit=0 "
        'ppid=1 pid=7 auid=4294967295 uid=0 comm="sh" exe="/bin/sh" key=(null)',
        'e.proc_exe == "/bin/sh"',
    ),
}


@pytest.mark.parametrize("source", SOURCES)
def test_o3_tests_may_come_from_sensors(source: str) -> None:
    event, expression = SOURCES[source]
    rule_ = {
        "id": "r",
        "title": "r",
        "kind": "process",
        "severity": "low",
        "when": expression,
        "tests": [{"from": source, "event": event, "expect": "fire"}],
    }
    loaded = load({"a.yaml": json.dumps(rule_)})
    assert not loaded.errors
    (found,) = inline.run(loaded.pack)
    assert found.passed, found.why


SEQUENCE = """
id: MON-401
title: Token read, then secrets listed
severity: high
when:
  - {name: token, kind: file, when: 'e.file_path.endsWith("/token")'}
  - {name: listed, kind: audit, when: e.api_verb == "list" && e.k8s_resource == "secrets"}
correlate: {type: sequence, by: [account], within: 10m, aliases: {listed: {account: actor_user}}}
tests:
  - name: in this order
    from: columns
    events:
      - {kind: file, file_path: /run/token, k8s_ns: shop, pod_sa: web}
      - {kind: audit, api_verb: list, k8s_resource: secrets, actor_user: USER}
    expect: fire
  - name: the other way
    from: columns
    events:
      - {kind: audit, api_verb: list, k8s_resource: secrets, actor_user: USER}
      - {kind: file, file_path: /run/token, k8s_ns: shop, pod_sa: web}
    expect: quiet
  - name: too late
    from: columns
    events:
      - {kind: file, file_path: /run/token, k8s_ns: shop, pod_sa: web, time: 1}
      - {kind: audit, api_verb: list, k8s_resource: secrets, actor_user: USER, time: 700000000000}
    expect: quiet
"""


def test_o1_o3_correlations_are_tested_with_the_real_correlator() -> None:
    text = SEQUENCE.replace("USER", "'system:serviceaccount:shop:web'")
    loaded = load({"a.yaml": text})
    assert not loaded.errors
    assert [(one.test, one.passed) for one in inline.run(loaded.pack)] == [
        ("in this order", True),
        ("the other way", True),
        ("too late", True),
    ]
    other = load({"a.yaml": SEQUENCE.replace("USER", "ana")})
    assert [one.passed for one in inline.run(other.pack)] == [False, True, True]


def test_o4_say_escapes_what_controls_a_terminal() -> None:
    say = "{proc.exe} in {k8s_ns}/{pod_workload} {actor_groups} {spec_host_network}"
    event = {
        "proc_exe": "/bin/\x1b[2J\u202esh\n",
        "k8s_ns": "shop",
        "actor_groups": ["a", "b"],
        "spec_host_network": True,
    }
    assert render(say, event) == r"/bin/\x1b[2J\u202esh\x0a in shop a, b true"
    assert len(render("{proc_exe}", {"proc_exe": "x" * 10_000})) == 1_000
    assert render("{not a column} {}", {}) == "{not a column} {}"


def test_o5_aliases_map_other_names_to_ours() -> None:
    assert aliases(load({"a.yaml": SHELL}).pack) == {
        "falco:Terminal shell in container": ("MON-131",),
        "panther:Kubernetes.Pod.Exec": ("MON-131",),
    }


WRONG = [
    ("severity: medium", "severity: grave", "severity", "one of info"),
    ("kind: process", "kind: proces", "kind", "a kind is one of"),
    ("e.proc_name in", "e.proc_nam in", "e.proc_nam", "is proc_name meant?"),
    ("params.shells &&", "params.shell &&", "params.shell", "no parameter shell"),
    ("has(e.container_id)", "has(e.container_id", "has(e.container_id", "expected"),
    ("window: 1h", "window: soon", "window", "a time is like"),
    ("say: ", "sya: ", "sya", "is `say` meant?"),
    ("{proc_exe} in", "{proc_exx} in", "say", "is proc_exe meant?"),
    ("learn: baseline", "learn: always", "learn", "`learn` is one of"),
    ("attack: [T1609]", "attack: [1609]", "attack", "list of texts"),
    ("attack: [T1609]", "attack: [TA0001]", "TA0001", "a technique is like"),
    ("group: [pod_workload,", "group: [workload,", "group", "no column workload"),
    ("expect: quiet", "expect: silence", "expect: silence", "fire or quiet"),
    ("title: Shell opened by kubectl exec", "title: 7", "title", "is a text"),
    ("when: e.proc", "when: [e.proc", "", "not valid YAML"),
]


@pytest.mark.parametrize(("old", "new", "at", "why"), WRONG, ids=lambda v: str(v)[:30])
def test_i7_errors_have_places(old: str, new: str, at: str, why: str) -> None:
    text = SHELL.replace(old, new)
    assert text != SHELL
    loaded = load({"a.yaml": text})
    (error,) = loaded.errors
    assert why in error.text
    if at:
        line = text.splitlines()[error.line - 1]
        column = line.index(at)
        assert (line[error.column - 1 :].startswith(at)) or (
            why == "expected" and error.column - 1 > column
        ), (line, error.column)
        (found,) = loaded.pack
        assert found.unassessed
        assert holds(found.tree, {"proc_name": "sh"}) is False


def test_one_broken_rule_leaves_the_others() -> None:
    text = SHELL + "---\nid: MON-132\ntitle: x\n---\n" + SHELL.replace("MON-131", "MON-133")
    loaded = load({"a.yaml": text})
    assert [r.id for r in loaded.pack] == ["MON-131", "MON-132", "MON-133"]
    assert [bool(r.unassessed) for r in loaded.pack] == [False, True, False]
    (error,) = loaded.errors
    assert "severity" in error.text


def test_an_id_is_given_once() -> None:
    loaded = load({"a.yaml": SHELL, "b.yaml": SHELL})
    assert len(loaded.pack) == 1
    (error,) = loaded.errors
    assert (error.file, error.line, error.column) == ("b.yaml", 2, 1)


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 2000 + "true" + ")" * 2000,
        " || ".join(["e.api_code == 1"] * 30_000),
        "e.k8s_name.matches('" + "(a{1000}){1000}" * 9 + "')",
        "e.k8s_name == '" + "a" * 200_000 + "'",
        "[1,2,3].map(x, x)",
        "e",
        "params",
        "",
        "e.k8s_name.matches('(')",
    ],
    ids=lambda text: text[:20],
)
def test_hostile_expressions_are_bounded(expression: str) -> None:
    quoted = json.dumps(expression)
    text = f"id: t\ntitle: t\nkind: audit\nseverity: low\nwhen: {quoted}\n"
    loaded = load({"a.yaml": text})
    (found,) = loaded.pack
    assert found.unassessed or holds(found.tree, {"k8s_name": "aaa"}) in (True, False, None)
    assert all(len(error.text) < 1000 and error.line for error in loaded.errors)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            (
                *("id", "title", "kind", "severity", "when", "params", "group", "window"),
                *("say", "learn", "attack", "tests", "correlate", "enabled", "aliases"),
            )
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=6)
            | st.sampled_from(["audit", "low", "e.api_code == 1", "1h", "count"]),
            lambda inner: st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["type", "of", "by", "within", "field", "op", "aliases", "when"]),
                inner,
                max_size=3,
            ),
            max_leaves=6,
        ),
    )
)  # fmt: skip
def test_any_mapping_is_a_rule_or_an_error(value_: dict[str, Any]) -> None:
    loaded = load({"a.yaml": json.dumps(value_)})
    assert loaded.errors or len(loaded.pack) >= 1 or not value_
    assert all(error.line > 0 for error in loaded.errors)
