"""The fold: one denial denies, in whatever order; warnings stay within what a server passes on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from martello.gate.judge import Opinion, Ruling, fold, warnings

RULINGS = st.lists(
    st.builds(
        Ruling,
        st.sampled_from(["images", "checks"]),
        st.just(""),
        st.sampled_from(["deny", "warn", "audit", "unassessed"]),
        st.text(max_size=400),
    ),
    max_size=12,
)


@given(RULINGS, st.randoms())
def test_order_does_not_change_whether_it_is_allowed(rulings: list[Ruling], random: object) -> None:
    mixed = list(rulings)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    one = fold([Opinion(tuple(rulings))])
    other = fold([Opinion((ruling,)) for ruling in mixed])
    assert one.allowed == other.allowed
    denied = [
        r for r in rulings if r.action == "deny" or (r.action, r.judge) == ("unassessed", "images")
    ]
    assert one.allowed is not bool(denied)


@given(st.lists(st.text(max_size=600), max_size=60))
def test_warnings_are_short_unique_printable_and_few(messages: list[str]) -> None:
    told = warnings(messages)
    assert len(set(told)) == len(told)
    assert all(len(text) <= 256 and text.isprintable() for text in told)
    assert sum(map(len, told)) <= 4096


def test_the_first_denial_gives_the_message_and_all_are_causes() -> None:
    rulings = tuple(
        Ruling("images", "", action, f"m{n}", ("spec", n))
        for n, action in enumerate(("warn", "deny", "unassessed", "deny"))
    )
    verdict = fold([Opinion(rulings, patch=({"op": "x"},))])
    assert (verdict.message, verdict.code, verdict.patch) == ("m1 (2 more)", 403, ())
    assert [field for field, _ in verdict.causes] == ["spec[1]", "spec[2]", "spec[3]"]
    assert verdict.warnings == ("m0",)


def test_what_becomes_of_the_unassessed_is_each_judges_own() -> None:
    one = Opinion((Ruling("checks", "", "unassessed", "m"),))
    assert fold([one]).warnings == ("m",)
    assert not fold([one], {"checks": "deny"}).allowed
    silent = fold([one], {"checks": "allow"})
    assert (silent.allowed, silent.warnings, silent.rulings[0].action) == (True, (), "audit")
