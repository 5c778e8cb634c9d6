"""The columns of events: one vocabulary for tables, rules and readers."""

from __future__ import annotations

import re

import msgspec

from martello.core.event import COLUMNS, KINDS, AuditEvent, identity

_OF_THE_BODY = {"asked", "actor_as_uid", "actor_as_extra", "api_message"}


def test_columns_are_flat_and_each_is_of_known_kinds() -> None:
    assert all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name) for name in COLUMNS)
    assert all(set(column.kinds) <= set(KINDS) for column in COLUMNS.values())
    types = {"text", "int", "bool", "time", "map", "texts", "ints", "bools"}
    assert {column.type for column in COLUMNS.values()} == types


def test_an_audit_event_is_named_by_columns_that_audit_events_have() -> None:
    names = set(AuditEvent.__struct_fields__) - _OF_THE_BODY
    assert names <= set(COLUMNS)
    assert all("audit" in COLUMNS[name].kinds for name in names)


def test_a_kind_has_no_columns_of_another() -> None:
    assert "proc_exe" not in {n for n, c in COLUMNS.items() if "audit" in c.kinds}
    assert "api_verb" not in {n for n, c in COLUMNS.items() if "process" in c.kinds}


def test_a_foreign_field_means_one_column() -> None:
    for foreign in ("falco", "sigma"):
        fields = [f for c in COLUMNS.values() for f in getattr(c, foreign)]
        assert len(fields) == len(set(fields)) > 20


def test_events_are_frozen() -> None:
    event = AuditEvent("get", "bob")
    assert msgspec.structs.replace(event, api_verb="list").api_verb == "list"
    assert hash(event) == hash(AuditEvent("get", "bob"))


def test_e1_the_id_of_an_event_is_the_same_whenever_it_is_read() -> None:
    one = AuditEvent("get", "bob", api_id="x")
    assert identity("c", one) == identity("c", AuditEvent("list", "eve", api_id="x"))
    later = AuditEvent("get", "bob", api_id="x", time=1)  # clients may choose the id, no time
    assert identity("c", one) != identity("c", later)
    started = msgspec.structs.replace(one, api_stage="ResponseStarted")
    nameless = [AuditEvent("get", "bob"), AuditEvent("get", "eve")]
    ids = {identity("c", each) for each in (one, started, *nameless)} | {identity("d", one)}
    assert len(ids) == 5
