"""The text of a table: safe, ordered, and the least that leads from one to the next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from martello.practices.network.firewall.render import (
    Chain,
    Ruleset,
    Set,
    change,
    comment_of,
    removal,
    render,
)

ONE = Ruleset(
    (Chain("m_b", ("drop",)), Chain("m_a", ("goto m_b",))),
    (
        Set("m_k10", "ipv4_addr", {"10.0.0.1": ""}),
        Set("m_k2", "ipv4_addr : verdict", {"10.0.0.1": "goto m_b"}, "map"),
    ),
)


def test_f1_the_text_is_one_transaction_in_one_order() -> None:
    text = render(ONE)
    assert text.startswith("add table inet martello\ndelete table inet martello\ntable inet")
    assert text.index("map m_k2 ") < text.index("set m_k10 ") < text.index("chain m_a ")
    turned = Ruleset(ONE.chains[::-1], ONE.sets[::-1])
    assert render(turned) == text == ONE.text
    assert "flush ruleset" not in text + removal()


@given(st.text(max_size=300))
def test_f3_no_name_leaves_its_quotes(text: str) -> None:
    said = comment_of(text)
    assert len(said.encode()) <= 96
    assert not set(said) & set("\"\\\n\r\t;{}'$`")


def test_equal_tables_need_no_change() -> None:
    assert change(ONE, Ruleset(ONE.chains[::-1], ONE.sets[::-1])) == ""


def test_one_more_element_is_one_line() -> None:
    more = Ruleset(ONE.chains, (Set("m_k10", "ipv4_addr", {"10.0.0.2": ""}), ONE.sets[1]))
    assert change(ONE, more).splitlines() == [
        "delete element inet martello m_k10 { 10.0.0.1 }",
        "add element inet martello m_k10 { 10.0.0.2 }",
    ]


def test_another_type_is_the_whole_table() -> None:
    other = Ruleset(ONE.chains, (Set("m_k10", "ipv6_addr", {}), ONE.sets[1]))
    assert change(ONE, other) == render(other)
