"""Licences: names in all spellings, expressions, and what a policy denies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.practices.images.licences import denied, is_spdx, normalise, parse
from martello.practices.images.licences.names import _ALIASES, identifier, spdx

NAMES = [
    ("MIT", "MIT"),
    ("the MIT licence", "MIT"),
    ("MIT License (MIT)", "MIT"),
    ("Expat", "MIT"),
    ("License :: OSI Approved :: MIT License", "MIT"),
    ("License :: OSI Approved :: Apache Software License", "Apache-2.0"),
    ("License :: OSI Approved :: GNU General Public License v2 or later (GPLv2+)",
     "GPL-2.0-or-later"),
    ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", "LGPL-3.0-only"),
    ("License :: OSI Approved :: GNU Library or Lesser General Public License (LGPL)",
     "LGPL-2.0-or-later"),
    ("License :: OSI Approved :: BSD License", "BSD License"),
    ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
    ("Apache License, Version 2.0", "Apache-2.0"),
    ("http://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"),
    ("https://opensource.org/licenses/MIT", "MIT"),
    ("https://x.local/own/terms", "https://x.local/own/terms"),
    ("Apache-2", "Apache-2.0"),
    ("GPL-2", "GPL-2.0-only"),
    ("GPL-2+", "GPL-2.0-or-later"),
    ("GPL-2.0", "GPL-2.0-only"),
    ("GPL-2.0+", "GPL-2.0-or-later"),
    ("GPLv3+", "GPL-3.0-or-later"),
    ("GPL v2 or any later version", "GPL-2.0-or-later"),
    ("GNU GPL version 2 or (at your option) any later version", "GPL-2.0-or-later"),
    ("GNU GPL", "GPL-1.0-or-later"),
    ("LGPL-2.1+", "LGPL-2.1-or-later"),
    ("GNU Affero General Public License v3", "AGPL-3.0-only"),
    ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
    ("BSD-3-clause", "BSD-3-Clause"),
    ("2-Clause BSD", "BSD-2-Clause"),
    ("ASL 2.0", "Apache-2.0"),
    ("zlib/libpng", "Zlib"),
    ("Python Software Foundation License", "PSF-2.0"),
    ("UNLICENSED", "UNLICENSED"),
    ("SEE LICENSE IN LICENSE.md", "SEE LICENSE IN LICENSE.md"),
    ("public-domain", "public-domain"),
]  # fmt: skip
EXPRESSIONS = [
    ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
    ("mit or apache-2.0", "MIT OR Apache-2.0"),
    ("MIT and/or GPLv2+", "MIT OR GPL-2.0-or-later"),
    ("(GPLv2+ or MIT) and Zlib", "(GPL-2.0-or-later OR MIT) AND Zlib"),
    ("MIT OR GPL-2 AND ISC", "MIT OR (GPL-2.0-only AND ISC)"),
    ("MIT AND (MIT)", "MIT"),
    ("MPL-2.0, MIT; ISC", "MPL-2.0 AND MIT AND ISC"),
    ("GPL-1+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0"),
    ("CDDL + GPLv2 with classpath exception",
     "CDDL-1.0 AND GPL-2.0-only WITH Classpath-exception-2.0"),
    ("GPL-2.0-with-classpath-exception", "GPL-2.0-only WITH Classpath-exception-2.0"),
    ("GPL-2+ with OpenSSL exception", "GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception"),
    ("LGPL-3.0-or-later WITH LLVM-exception", "LGPL-3.0-or-later WITH LLVM-exception"),
    ("MIT OR LicenseRef-own", "MIT OR LicenseRef-own"),
    ("GPL v2 or later and MIT", "GPL-2.0-or-later AND MIT"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), NAMES + EXPRESSIONS)
def test_a_licence_in_the_words_of_spdx(text: str, expected: str) -> None:
    assert normalise(text) == expected
    assert normalise(expected) == expected


@pytest.mark.parametrize("expected", [expected for _, expected in EXPRESSIONS])
def test_what_is_known_is_valid(expected: str) -> None:
    assert is_spdx(expected)


@pytest.mark.parametrize("text", ["MIT AND", "OR MIT", "(MIT or", "MIT with", "()", ")(", "((MIT)"])
def test_what_is_no_expression_stays_or_is_repaired(text: str) -> None:
    assert normalise(text) in (text, "MIT")


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("MIT", True),
        ("mit", False),
        ("MIT OR (ISC AND Zlib)", True),
        ("Apache-2.0+", True),
        ("GPL-2.0+", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("GPL-2.0-only WITH Nothing", False),
        ("GPL-2.0-only WITH GCC-exception-3.1 WITH GCC-exception-3.1", False),
        ("(MIT) WITH GCC-exception-3.1", False),
        ("DocumentRef-a:LicenseRef-b", True),
        ("MIT ISC", False),
        ("MIT OR", False),
        ("OR MIT", False),
        ("MIT OR OR ISC", False),
        ("(MIT", False),
        ("MIT)", False),
        ("()", False),
        ("", False),
        ("Own terms", False),
    ],
)
def test_validity(text: str, valid: bool) -> None:
    assert is_spdx(text) is valid


def test_every_listed_licence_is_known_and_every_alias_means_one() -> None:
    for name in spdx()[0].values():
        assert is_spdx(name)
        assert is_spdx(normalise(name)), name
    for name, aliases in _ALIASES.items():
        assert spdx()[0].get(name.lower()) == name
        for alias in aliases.split("|"):
            assert identifier(alias) == name, alias


TEXTS = [
    ("MIT", "Copyright (c) 2020 X\n\nPermission is hereby granted, free of charge, to any person\n"
     "obtaining a copy ... The above copyright notice and this permission notice shall be included"
     " in all copies. THE SOFTWARE IS PROVIDED \"AS IS\". " + "x " * 100),
    ("BSD-3-Clause", "Redistribution and use in source and binary forms, with or without ... "
     "Redistributions in binary form ... may be used to endorse or promote products" + " x" * 100),
    ("BSD-2-Clause", "Redistribution and use in source and binary forms, with or without ... "
     "Redistributions in binary form must" + " x" * 100),
    ("Apache-2.0", "Apache License\n Version 2.0, January 2004\n TERMS AND CONDITIONS" + " x" * 99),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "text"), TEXTS)
def test_a_whole_text_is_recognised(expected: str, text: str) -> None:
    assert normalise(text) == expected


def test_an_unknown_text_is_cut() -> None:
    assert len(normalise(("All rights are reserved " * 9 + "and none or more. ") * 1000)) == 300


@pytest.mark.parametrize(
    ("licences", "deny", "expected"),
    [
        (("MIT",), ("GPL-*",), None),
        (("GPLv3+",), ("GPL-*",), "GPL-3.0-or-later"),
        (("GPL-3.0-or-later",), ("GPL-3.0",), "GPL-3.0-or-later"),
        (("GPL-3.0-only",), ("gplv3",), "GPL-3.0-only"),
        (("GPL-3.0-or-later",), ("GPL-3.0-only",), None),
        (("MIT OR GPL-3.0-only",), ("GPL-*",), None),
        (("AGPL-3.0-only OR GPL-3.0-only",), ("GPL-*", "AGPL-*"), "AGPL-3.0-only OR GPL-3.0-only"),
        (("MIT AND GPL-3.0-only",), ("GPL-*",), "GPL-3.0-only"),
        (("(MIT OR GPL-3.0-only) AND ISC",), ("GPL-*",), None),
        (("MIT", "AGPL-3"), ("agpl-*",), "AGPL-3.0-only"),
        (("GPL-2.0-only WITH Classpath-exception-2.0",), ("GPL-2.0-only",), None),
        (("GPL-2.0-only WITH Classpath-exception-2.0",), ("GPL-*",),
         "GPL-2.0-only WITH Classpath-exception-2.0"),
        (("Own terms",), ("own*",), "Own terms"),
        (("Own [x] terms",), ("*[x]*",), "Own [x] terms"),
        ((), ("*",), None),
        (("MIT",), (), None),
        (("MIT",), ("",), None),
        (("",), ("*",), None),
    ],
)  # fmt: skip
def test_what_a_policy_denies(
    licences: tuple[str, ...], deny: tuple[str, ...], expected: str | None
) -> None:
    assert denied(licences, deny) == expected


_PARTS = st.sampled_from(
    [
        "MIT",
        "GPL-2+",
        "Own",
        "and",
        "OR",
        "with",
        "(",
        ")",
        "/",
        ",",
        "+",
        "or later",
        "v2",
        " ",
        "2",
    ]
)


@given(st.lists(_PARTS, max_size=12).map(" ".join) | st.text(max_size=60))
def test_no_text_breaks_and_all_come_to_rest(text: str) -> None:
    once = normalise(text)
    assert str(parse(once)) == normalise(once)
    assert isinstance(is_spdx(text), bool)
    denied((text,), ("GPL-*", text))


def test_deep_and_long_expressions_stay_as_they_are() -> None:
    deep = "(" * 60 + "MIT or ISC" + ")" * 60
    assert normalise(deep) == deep
    wide = " OR ".join(f"X{number}" for number in range(100_000))
    assert len(normalise(wide)) == 300
    long = " AND ".join(sorted(set(spdx()[0].values()))[:60])
    assert is_spdx(normalise(long))
    assert normalise(long).count(" AND ") >= 50
