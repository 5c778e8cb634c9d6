"""Every node knows its line and column, its comments and its repeated keys."""

from __future__ import annotations

from martello.adapters.manifests import FileOrigin, Parsed, parse_documents
from martello.core.path import parse
from martello.core.resource import Duplicate, Location

POD = """\
# before
---
# Source: web.yaml
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {"app": web, tier: é, x: y}
spec:
  containers:
    - name: a
      image: nginx # pinned? no
      args:
      - "--one"
      - --two

    -
      name: b
      securityContext:
        privileged: true
  'hostPID': true
  ? hostIPC
  : true
"""


def origin(text: str, index: int = 0) -> FileOrigin:
    return FileOrigin(only(text).documents[index])


def only(text: str) -> Parsed:
    parsed = parse_documents(text.encode(), "pod.yaml")
    assert parsed.broken == ()
    return parsed


def at(where: FileOrigin, path: str) -> tuple[int, int]:
    location = where.locate(parse(path))
    assert location.file == "pod.yaml"
    return location.line, location.column


def test_members_are_where_their_key_is_and_elements_where_they_begin() -> None:
    where = origin(POD)
    assert at(where, "") == (4, 1)
    assert at(where, "kind") == (5, 1)
    assert at(where, "metadata.name") == (7, 3)
    assert at(where, "metadata.labels") == (8, 3)
    assert at(where, "metadata.labels.app") == (8, 12)
    assert at(where, "metadata.labels.tier") == (8, 24)
    assert at(where, "metadata.labels.x") == (8, 33)
    assert at(where, "spec.containers") == (10, 3)
    assert at(where, "spec.containers[0]") == (11, 7)
    assert at(where, "spec.containers[0].image") == (12, 7)
    assert at(where, "spec.containers[0].args[0]") == (14, 9)
    assert at(where, "spec.containers[0].args[1]") == (15, 9)
    assert at(where, "spec.containers[1]") == (18, 7)
    assert at(where, "spec.containers[1].securityContext.privileged") == (20, 9)
    assert at(where, "spec.hostPID") == (21, 3)
    assert at(where, "spec.hostIPC") == (22, 5)


def test_what_is_not_there_is_at_its_nearest_ancestor() -> None:
    where = origin(POD)
    assert at(where, "status") == (4, 1)
    assert at(where, "spec.containers[0].securityContext.privileged") == (11, 7)
    assert at(where, "spec.containers[7].image") == (10, 3)
    assert at(where, "spec.containers.name") == (10, 3)
    assert at(where, "metadata[0]") == (6, 1)
    assert at(where, "kind.of.thing") == (5, 1)


def test_aliases_and_merges_point_at_what_is_written() -> None:
    text = (
        "base: &base\n  a: 1\n  b: {c: 2}\n"
        "one:\n  <<: *base\n  d: 3\n"
        "two: *base\n"
        "three: {<<: [*base, {e: 5}], a: 4}\n"
    )
    where = origin(text)
    assert at(where, "one.a") == (2, 3)
    assert at(where, "one.b.c") == (3, 7)
    assert at(where, "one.d") == (6, 3)
    assert at(where, "two") == (7, 1)
    assert at(where, "two.b.c") == (3, 7)
    assert at(where, "three.e") == (8, 22)
    assert at(where, "three.a") == (8, 30)


def test_keys_are_found_under_the_string_that_they_become() -> None:
    where = origin("on: 1\n0x10: {yes: 2}\n'a.b/c': 3\n!!str 7: 4\n")
    assert at(where, '["true"]') == (1, 1)
    assert at(where, '["16"]["true"]') == (2, 8)
    assert at(where, '["a.b/c"]') == (3, 1)
    assert at(where, '["7"]') == (4, 1)


def test_later_documents_windows_line_ends_and_the_separator_line() -> None:
    where = origin("a: 1\r\n---\r\n# x\r\nb: 1\r\nc:\r\n- d\r\n", 1)
    assert at(where, "") == (4, 1)
    assert at(where, "c[0]") == (6, 3)
    assert at(origin("--- {a: 1}\n"), "a") == (1, 6)


def test_block_scalars_and_long_strings_do_not_shift_lines() -> None:
    where = origin('a: |\n  x\n\n  y\nb: "p\n  q"\nc: >-\n  r\n\nd: 1\n')
    assert [at(where, key) for key in "abcd"] == [(1, 1), (5, 1), (7, 1), (10, 1)]


def test_comments_of_the_document() -> None:
    comments = origin(POD).comments()
    assert [(c.line, c.text) for c in comments] == [(3, "Source: web.yaml"), (12, "pinned? no")]


def test_comments_are_not_looked_for_inside_scalars() -> None:
    text = (
        "a: | # one\n  # no\n  x # no\nb: ' # no'  # two\nc: \"\n  # no\n  \" #three\n"
        "d: e#no\nf: [1, # four\n  2]\n#five\ng: >-\n  # no\n"
    )
    found = [(c.line, c.text) for c in origin(text).comments()]
    assert found == [(1, "one"), (4, "two"), (7, "three"), (9, "four"), (11, "five")]


def test_items_have_their_own_comments() -> None:
    text = "kind: List\nitems:\n# a\n- a: 1 # b\n  # c\n- a: 2 # d\n"
    document = only(text).documents[0]
    found = [[c.text for c in FileOrigin(document, ("items", n)).comments()] for n in range(2)]
    assert found == [["b", "c"], ["d"]]


def test_repeated_keys() -> None:
    text = "a: 1\nb:\n- x: 1\n  w: {z: 1, z: 2}\n  x: 2\na: 3\nc: {<<: {d: 1}, d: 2}\n"
    where = origin(text)
    assert where.document.value["a"] == 3
    assert where.duplicates() == (
        Duplicate(("b", 0, "w", "z"), Location("pod.yaml", 4, 7), Location("pod.yaml", 4, 13)),
        Duplicate(("b", 0, "x"), Location("pod.yaml", 3, 3), Location("pod.yaml", 5, 3)),
        Duplicate(("a",), Location("pod.yaml", 1, 1), Location("pod.yaml", 6, 1)),
    )
    item = FileOrigin(where.document, ("b", 0))
    assert [d.path for d in item.duplicates()] == [("w", "z"), ("x",)]
    assert at(where, "a") == (6, 1)
    assert origin(POD).duplicates() == ()
