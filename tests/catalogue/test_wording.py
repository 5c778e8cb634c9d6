"""The texts of the checks read as one voice: what is wrong, why it matters, what to do first."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from tests.support.ledger import world
from tests.support.objects import TODAY, reading

from martello.catalogue.load import Source, packaged, read
from martello.catalogue.scan import scan
from martello.core.version import minor

SOURCES: Final = tuple(packaged())
FILES: Final = tuple(source for source in SOURCES if not source.module)
BANNED: Final = re.compile(
    r"\b(simply|just|easily|obviously|of course|please|actually|basically)\b", re.IGNORECASE
)
SENTENCE: Final = re.compile(r"[.!?](?=\s+[A-Z]|\s*$)")
# A message may begin with what somebody wrote: a kind with a name.
NAMED: Final = re.compile(r"(User|Group|ServiceAccount|Service|Pod)[ /]\S")
# A regular expression is one word that cannot be broken.
PATTERN: Final = re.compile(r"'[^']{80,}'|\"\"\".{80,}\"\"\"")
LONGEST: Final = 140


def name(source: Source) -> str:
    return source.file.rpartition("/")[2].partition(".")[0]


def sentence_case(text: str) -> bool:
    return text[:1].isupper() and not re.match(r"(A|An|The) ", text)


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_title_why_and_fix(source: Source) -> None:
    check = read(source)
    assert sentence_case(check.title), "without an article in front"
    assert not check.title.endswith(".")
    assert check.id not in check.title
    assert check.why.endswith(".")
    assert len(SENTENCE.findall(check.why)) <= 5
    assert sentence_case(check.fix), "an imperative"
    assert check.fix.endswith(".")
    assert len(SENTENCE.findall(check.fix)) == 1
    assert BANNED.findall(f"{check.title} {check.why} {check.fix}") == []


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_messages_are_clauses(source: Source) -> None:
    check = read(source)
    said = set()
    for example in check.examples:
        result = scan(
            reading(example.text),
            [check],
            ids=[check.id],
            today=TODAY,
            kubernetes=minor(example.kubernetes or "latest"),
            params={check.id: example.params},
            facts=world(),
        )
        said |= {finding.message for finding in result.findings}
    assert said
    for text in said:
        assert not text[0].isupper() or NAMED.match(text), text
        assert text == text.strip()
        assert not text.endswith((".", ":", "!")), text
        assert not BANNED.search(text), text


@pytest.mark.parametrize("source", FILES, ids=name)
def test_lines_fit(source: Source) -> None:
    lines = Path(source.path).read_text("utf-8").splitlines()
    assert [n for n, s in enumerate(lines, 1) if len(PATTERN.sub("", s)) > LONGEST] == []
