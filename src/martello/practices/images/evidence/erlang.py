"""Erlang and Elixir: applications of a release, by their `.app` resource files.

Applications of Erlang's and Elixir's own distributions are not packages of Hex.
"""

from __future__ import annotations

import re
from typing import Final

from martello.practices.images.evidence.model import NOTHING, Body, Parsed, Reader
from martello.practices.images.evidence.text import proven

_LARGEST: Final = 4 << 20
_PLACE: Final = re.compile(
    r"(?:\A|/)lib/(?P<name>[a-z][a-z0-9_]*)(?:-[^/]+)?/ebin/(?P=name)\.app\Z"
)
_NAME: Final = re.compile(r"\{\s*application\s*,\s*'?([a-z]\w*)'?\s*,")
_VERSION: Final = re.compile(r"""\{\s*vsn\s*,\s*"([^"\n]+)"\s*\}""")
_OWN: Final = re.compile(
    "asn1|common_test|compiler|crypto|debugger|dialyzer|diameter|edoc|eldap|erl_docgen"
    "|erl_interface|erts|et|eunit|ftp|inets|jinterface|kernel|megaco|mnesia|observer|odbc"
    "|os_mon|parsetools|public_key|reltool|runtime_tools|sasl|snmp|ssh|ssl|stdlib"
    "|syntax_tools|tftp|tools|wx|xmerl|eex|elixir|ex_unit|iex|logger|mix"
)


def read_application(path: str, body: Body) -> Parsed:
    """The application of a resource file. Raises ValueError, TooLarge."""
    text = body.whole(_LARGEST).decode("utf-8", "replace")
    name, version = _NAME.search(text), _VERSION.search(text)
    if name and _OWN.fullmatch(name[1]):
        return NOTHING
    return Parsed((proven("hex", name and name[1], version and version[1]),))


READERS: Final = (
    Reader(
        "Erlang application",
        read_application,
        suffixes=(".app",),
        accepts=lambda path: _PLACE.search(path) is not None,
    ),
)
