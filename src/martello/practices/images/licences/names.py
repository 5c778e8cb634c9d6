"""Names of licences as packages write them, and the SPDX identifiers that they mean.

Sources: the SPDX licence list, Debian's machine-readable copyright file 1.0 (short names), Fedora's
former short names, PyPI's classifiers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

_LIST: Final = Path(__file__).with_name("spdx.txt")
_NOISE: Final = re.compile(
    r"\b(?:the|licen[cs]ed?|under|version|ver|of|software|foundation's)\b\.?"
)

# Keys as `_key` makes them: lower case, without noise words, one space or digit-dot between parts.
_ALIASES: Final = {
    "0BSD": "zero clause bsd|bsd 0 clause|bsd zero clause",
    "AFL-2.1": "afl 2.1|academic free 2.1",
    "AFL-3.0": "afl 3|afl 3.0|academic free 3.0|academic free",
    "AGPL-3.0-only": "agpl 3|agpl 3.0|gnu affero general public 3|"
    "gnu affero general public 3.0|gnu agpl 3",
    "AGPL-3.0-or-later": "agpl 3+|agpl 3.0+|gnu affero general public 3+|gnu affero general public "
    "3.0+|gnu agpl 3+|agpl|gnu affero general public",
    "Apache-1.1": "apache 1.1|asl 1.1",
    "Apache-2.0": "apache 2|apache 2.0|asl 2|asl 2.0|apache|apache2|apache2.0|apache public 2.0|"
    "al 2.0|apl 2.0|apache 2.0+|asl",
    "Artistic-1.0": "artistic|artistic 1|artistic 1.0",
    "Artistic-1.0-Perl": "artistic perl",
    "Artistic-2.0": "artistic 2|artistic 2.0",
    "Beerware": "beer ware|beer",
    "BSD-2-Clause": "bsd 2 clause|2 clause bsd|simplified bsd|bsd 2|bsd2|freebsd|new bsd 2 clause|"
    "bsd two clause",
    "BSD-3-Clause": "bsd 3 clause|3 clause bsd|new bsd|modified bsd|revised bsd|bsd 3|bsd3|bsd new|"
    "bsd three clause|new bsd 3 clause|bsd modified",
    "BSD-4-Clause": "bsd 4 clause|4 clause bsd|original bsd|bsd 4|bsd with advertising",
    "BSL-1.0": "boost 1.0|boost|bsl 1|bsl 1.0|boost 1|boost 1.0 bsl 1.0",
    "CC0-1.0": "cc0|cc0 1.0|cc0 1.0 universal|cc 0|creative commons zero|cc0 1.0 universal cc0 1.0 "
    "public domain dedication|creative commons zero 1.0 universal",
    "CC-BY-3.0": "cc by 3.0|creative commons attribution 3.0",
    "CC-BY-4.0": "cc by 4.0|creative commons attribution 4.0",
    "CC-BY-SA-3.0": "cc by sa 3.0",
    "CC-BY-SA-4.0": "cc by sa 4.0",
    "CDDL-1.0": "cddl|cddl 1|cddl 1.0|common development and distribution 1.0",
    "CDDL-1.1": "cddl 1.1",
    "CECILL-2.1": "cecill 2.1",
    "CPL-1.0": "cpl|cpl 1|cpl 1.0|common public 1.0",
    "curl": "mit curl",
    "ECL-2.0": "ecl 2.0|educational community 2.0",
    "EPL-1.0": "epl|epl 1|epl 1.0|eclipse public 1.0|eclipse public",
    "EPL-2.0": "epl 2|epl 2.0|eclipse public 2.0|eclipse public 2",
    "EUPL-1.1": "eupl 1.1|european union public 1.1",
    "EUPL-1.2": "eupl 1.2|european union public 1.2",
    "FTL": "freetype|freetype project",
    "GFDL-1.1-or-later": "gfdl 1.1+",
    "GFDL-1.2-only": "gfdl 1.2",
    "GFDL-1.2-or-later": "gfdl 1.2+",
    "GFDL-1.2-no-invariants-or-later": "gfdl niv 1.2+",
    "GFDL-1.3-only": "gfdl 1.3",
    "GFDL-1.3-or-later": "gfdl 1.3+|gfdl|gnu free documentation",
    "GFDL-1.3-no-invariants-only": "gfdl niv 1.3",
    "GFDL-1.3-no-invariants-or-later": "gfdl niv 1.3+",
    "HPND": "historical permission notice and disclaimer",
    "ICU": "unicode icu",
    "IJG": "ijg|libjpeg",
    "ImageMagick": "imagemagick",
    "IPL-1.0": "ibm public|ibm public 1.0|ibm",
    "ISC": "isc|iscl|isc iscl|internet systems consortium",
    "Libpng": "libpng|png",
    "libtiff": "libtiff|mit libtiff",
    "LPPL-1.3c": "lppl 1.3c|lppl 1.3c+",
    "MIT": "mit|expat|mit expat|expat mit|x11 mit|mit x11|mit mit|mit x",
    "MIT-0": "mit no attribution|mit 0",
    "MPL-1.0": "mpl 1.0|mozilla public 1.0|mpl 1",
    "MPL-1.1": "mpl 1.1|mozilla public 1.1",
    "MPL-2.0": "mpl 2|mpl 2.0|mozilla public 2.0|mozilla public 2.0 mpl 2.0|mpl|mozilla public|"
    "mozilla public 2",
    "MS-PL": "ms pl|microsoft public",
    "MulanPSL-2.0": "mulan psl 2.0|mulan permissive 2|mulan psl 2",
    "NCSA": "ncsa|university illinois ncsa open source|uiuc|university illinois/ncsa open source",
    "OFL-1.1": "ofl|ofl 1.1|sil open font 1.1|open font|sil ofl 1.1|sil open font 1.1 ofl 1.1|sil",
    "OLDAP-2.8": "openldap|openldap 2.8",
    "OpenSSL": "openssl",
    "OSL-3.0": "osl 3.0|open 3.0|osl 3",
    "PHP-3.01": "php 3.01|php",
    "PostgreSQL": "postgresql",
    "PSF-2.0": "psf|psfl|psf 2|psf 2.0|python foundation|psf 2.0 python",
    "Python-2.0": "python|python 2.0|python 2",
    "QPL-1.0": "qpl|qpl 1.0",
    "Ruby": "ruby|ruby's",
    "SSPL-1.0": "sspl|sspl 1.0|server side public",
    "TCL": "tcl|tcl tk|tcl/tk",
    "Unicode-3.0": "unicode 3|unicode 3.0",
    "Unlicense": "unlicense|unlicense unlicense",
    "UPL-1.0": "upl|upl 1.0|universal permissive|universal permissive upl",
    "Vim": "vim",
    "W3C": "w3c",
    "WTFPL": "wtfpl|do what the fuck you want to public|wtf public",
    "X11": "x11|mit x11 x consortium",
    "Zlib": "zlib|zlib libpng|zlib/libpng|zlib zlib",
    "ZPL-2.1": "zpl|zpl 2.1|zope public 2.1|zope public",
    "ZPL-2.0": "zpl 2.0|zope public 2.0",
}  # fmt: skip
_GNU: Final = re.compile(
    r"(?:gnu )?(?P<kind>lesser gpl|library gpl|lesser general public|library general public|"
    r"library or lesser general public|general public|lgpl|gpl)(?: (?:lgpl|gpl))?"
    r" ?(?P<number>[123](?:\.[01])?)?(?P<later>\+)?(?: ?(?P<word>only|or later))?"
    r"(?: l?gpl ?[123](?:\.[01])?(?P<again>\+)?| l?gpl)?"
)
_LATER: Final = re.compile(
    r",?\s*\(?(?<![\w-])or\s+(?:\(?at your option\)?,?\s*)?(?:any\s+)?"
    r"(?:later|newer|greater|above|higher)(?:\s+versions?)?\s*\)?",
    re.IGNORECASE,
)
# Phrases of licence texts, all of which one must hold; the first that fits.
_TEXTS: Final = (
    ("Apache-2.0", "apache license", "version 2.0", "terms and conditions"),
    ("AGPL-3.0-only", "gnu affero general public license", "version 3"),
    ("LGPL-3.0-only", "gnu lesser general public license", "version 3"),
    ("LGPL-2.1-only", "gnu lesser general public license", "version 2.1"),
    ("LGPL-2.0-only", "gnu library general public license", "version 2"),
    ("GPL-3.0-only", "gnu general public license", "version 3, 29 june 2007"),
    ("GPL-2.0-only", "gnu general public license", "version 2, june 1991"),
    ("MPL-2.0", "mozilla public license", "version 2.0"),
    ("EPL-2.0", "eclipse public license - v 2.0"),
    ("BSL-1.0", "boost software license - version 1.0"),
    ("Unlicense", "this is free and unencumbered software released into the public domain"),
    ("CC0-1.0", "cc0 1.0 universal"),
    ("Zlib", "altered source versions must be plainly marked", "'as-is'"),
    ("ISC", "permission to use, copy, modify, and/or distribute this software for any purpose"),
    ("ISC", "permission to use, copy, modify, and distribute this software for any purpose",
     "provided that the above copyright notice and this permission notice appear in all copies"),
    ("BSD-4-Clause", "redistribution and use in source and binary forms",
     "all advertising materials mentioning features"),
    ("BSD-3-Clause", "redistribution and use in source and binary forms", "to endorse or promote"),
    ("BSD-2-Clause", "redistribution and use in source and binary forms",
     "redistributions in binary form"),
    ("MIT", "permission is hereby granted, free of charge",
     "the above copyright notice and this permission notice"),
)  # fmt: skip
_CLASSIFIER: Final = re.compile(r"\A(?:License\s*::\s*)(?:.*::\s*)?([^:]+)\Z")


@lru_cache(maxsize=1)
def spdx() -> tuple[dict[str, str], dict[str, str]]:
    """The identifiers of licences and of exceptions, by their lower case."""
    text = "\n".join(line for line in _LIST.read_text("utf-8").split("\n") if line[:1] != "#")
    licences, _, exceptions = text.partition("\n\n")
    return _lowered(licences), _lowered(exceptions)


def _lowered(text: str) -> dict[str, str]:
    names = (line.removeprefix("-") for line in text.split())
    return {name.lower(): name for name in names}


@lru_cache(maxsize=1)
def _aliases() -> dict[str, str]:
    return {_key(alias): name for name, names in _ALIASES.items() for alias in names.split("|")}


def of_text(text: str) -> str:
    """The SPDX identifier of the whole text of a licence; empty where it is not known."""
    plain = " ".join(text.replace('"', "'").lower().split())
    for name, *phrases in _TEXTS:
        if all(phrase in plain for phrase in phrases):
            return name
    return ""


def or_later(text: str) -> str:
    """A name whose words for later versions are a plus."""
    return _LATER.sub("+", text)


def last_name(text: str) -> str:
    """The name at the end of a classifier of PyPI; other texts as they are."""
    classified = _CLASSIFIER.match(text)
    return classified[1].strip() if classified else text


@lru_cache(maxsize=65536)
def identifier(name: str) -> str:
    """The SPDX identifier of one licence by any of its names; empty where it has none."""
    plain = last_name(" ".join(name.split()))
    if "://" in plain:
        return _of_address(plain)
    listed = spdx()[0].get(plain.lower())
    if listed is not None:
        return current(listed)
    key = _key(plain)
    found = _aliases().get(key) or _gnu(key)
    if not found and plain.endswith(")") and "(" in plain:
        head, _, inner = plain[:-1].rpartition("(")
        found = identifier(head) or (identifier(inner) if "(" not in inner else "")
    if not found and key.endswith("+"):
        found = _aliases().get(key[:-1], "")
    return found


def _of_address(address: str) -> str:
    last = re.sub(r"(?:\.(?:html?|txt|php|md))?/*\Z", "", address.lower()).rpartition("/")[2]
    if "apache.org/licenses/license-" in address.lower():
        last = last.replace("license", "apache")
    return identifier(last) if "://" not in last else ""


def current(listed: str) -> str:
    """What stands for an identifier that SPDX has deprecated in its GNU family."""
    parts = re.fullmatch(r"((?:A|L)?GPL|GFDL)-(\d\.\d)(\+)?", listed)
    if parts:
        return f"{parts[1]}-{parts[2]}-{'or-later' if parts[3] else 'only'}"
    return listed


def _key(text: str) -> str:
    text = _LATER.sub("+", text.lower())
    text = _NOISE.sub(" ", text)
    text = re.sub(r"(?<=[a-z])(?<!ni)[ -]?v\.? ?(?=\d)|\bv\.? ?(?=\d)", " ", text)
    text = re.sub(r"[^a-z0-9.+/']+", " ", text)
    text = re.sub(r"(?<=[a-z])(?=\d+(?:\.\d+)?\+?(?: |$))", " ", text) if "gpl" in text else text
    return re.sub(r" *\+", "+", " ".join(text.split())).strip(" .")


def _gnu(key: str) -> str:
    parts = _GNU.fullmatch(key)
    if parts is None:
        return ""
    lesser = parts["kind"] not in ("gpl", "general public")
    number = parts["number"]
    later = bool(parts["later"] or parts["again"]) or parts["word"] == "or later"
    if number is None:  # its text: without a number, any version ever published
        return "LGPL-2.0-or-later" if lesser else "GPL-1.0-or-later"
    number = number if "." in number else f"{number}.0"
    return f"{'L' if lesser else ''}GPL-{number}-{'or-later' if later else 'only'}"
