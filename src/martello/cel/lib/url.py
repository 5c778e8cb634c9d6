"""URLs as Go's `net/url` reads them: absolute, or an absolute path."""

from __future__ import annotations

import string
from typing import Final

from martello.cel.lib import ip
from martello.cel.lib.costs import tenth
from martello.cel.types import BOOL, STRING, Library, Overload, Type, list_of, map_of
from martello.cel.values import EvalError

_ALNUM: Final = frozenset(string.ascii_letters.encode() + string.digits.encode())
_HEX: Final = frozenset(string.hexdigits.encode())
_PLAIN: Final = _ALNUM | frozenset(b"-_.~")
_HOST: Final = _PLAIN | frozenset(b"!$&'()*+,;=:[]<>\"")
_PATH: Final = _PLAIN | frozenset(b"$&+,/:;=@")
_PATH_AS_WRITTEN: Final = _PATH | frozenset(b"!'()*[]%")
_USER: Final = _PLAIN | frozenset(b"!$&'()*+,;=:%@")
_SCHEME: Final = frozenset(string.ascii_letters + string.digits + "+-.")


class URL:
    """An immutable URL; `host` keeps brackets and port, `path` is decoded, `written` is not."""

    __slots__ = ("fragment", "host", "opaque", "path", "query", "scheme", "user", "written")

    def __init__(
        self,
        scheme: str,
        *,
        opaque: str = "",
        user: str = "",
        host: str = "",
        path: bytes = b"",
        written: bytes = b"",
        query: str = "",
        fragment: str = "",
    ) -> None:
        self.scheme = scheme
        self.opaque = opaque
        self.user = user
        self.host = host
        self.path = path
        self.written = written
        self.query = query
        self.fragment = fragment

    @property
    def escaped_path(self) -> str:
        """The path as it was written where that is a valid encoding, else encoded anew."""
        if self.path == b"*":
            return "*"
        if self.written and _PATH_AS_WRITTEN.issuperset(self.written):
            return _text(self.written)
        return _text(_escape(self.path))

    @property
    def _parts(self) -> tuple[str, ...]:
        path = self.escaped_path
        return (self.scheme, self.opaque, self.user, self.host, path, self.query, self.fragment)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, URL) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)


def _bad() -> EvalError:
    return EvalError("this string is no absolute URL or path")


def parse(text: str) -> URL:
    """Read a URL that `ParseRequestURI` takes; what follows `#` is its fragment."""
    _parse(text, request=True)
    body, _, fragment = text.partition("#")
    url = _parse(body, request=False)
    url.fragment = _text(_unescape(fragment.encode("utf-8", "replace")))
    return url


def is_url(text: str) -> bool:
    """Whether `ParseRequestURI` takes the text."""
    try:
        _parse(text, request=True)
    except EvalError:
        return False
    return True


def _parse(text: str, *, request: bool) -> URL:
    if any(char < " " or char == "\x7f" for char in text) or (request and not text):
        raise _bad()
    if text == "*":
        return URL("", path=b"*", written=b"*")
    scheme, rest = _scheme(text)
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return URL(scheme, opaque=rest, query=query)
        if request or ":" in rest.partition("/")[0]:
            raise _bad()
    user = host = ""
    if rest.startswith("//") and (scheme or not (request or rest.startswith("///"))):
        authority, slash, path = rest[2:].partition("/")
        user, host = _authority(authority)
        rest = slash + path
    written = rest.encode("utf-8", "replace")
    return URL(scheme, user=user, host=host, path=_unescape(written), written=written, query=query)


def _scheme(text: str) -> tuple[str, str]:
    head, colon, rest = text.partition(":")
    if not _SCHEME.issuperset(head) or not colon:
        return "", text
    if not head:
        raise _bad()
    return (head.lower(), rest) if head[0] in string.ascii_letters else ("", text)


def _authority(authority: str) -> tuple[str, str]:
    user, _, host = authority.rpartition("@")
    octets = user.encode("utf-8", "replace")
    if not _USER.issuperset(octets):
        raise _bad()
    _unescape(octets)
    return user, _host(host)


def _host(host: str) -> str:
    bracket = host.rfind("[")
    if bracket > 0:
        raise _bad()
    if bracket == 0:
        return _literal(host)
    colon = host.rfind(":")
    if colon >= 0 and not _is_port(host[colon:]):
        raise _bad()
    return _text(_unescape(host.encode("utf-8", "replace"), "host"))


def _literal(host: str) -> str:
    """An IPv6 address in brackets, perhaps with a zone and a port."""
    inner, closing, port = host[1:].rpartition("]")
    if not closing or not _is_port(port):
        raise _bad()
    address, percent, zone = inner.partition("%25")
    name = _unescape(address.encode("utf-8", "replace"), "host")
    if percent:
        name += _unescape(f"%25{zone}".encode("utf-8", "replace"), "zone")
    plain, percent, zone = _text(name).partition("%")
    if percent and not zone:
        raise _bad()
    ip.value6(plain)
    return f"[{_text(name)}]{port}"


def _is_port(text: str) -> bool:
    return not text or (text[0] == ":" and (not text[1:] or _digits(text[1:])))


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")


def _escape(octets: bytes) -> bytes:
    return b"".join(bytes((o,)) if o in _PATH else b"%%%02X" % o for o in octets)


def _unescape(octets: bytes, mode: str = "") -> bytes:
    """Percent signs resolved; a host has them for `%25` and for octets beyond ASCII only."""
    pieces = octets.split(b"%")
    if mode and any(octet < 0x80 and octet not in _HOST for piece in pieces for octet in piece[2:]):
        raise _bad()
    if mode and any(octet < 0x80 and octet not in _HOST for octet in pieces[0]):
        raise _bad()
    made = [pieces[0]]
    for piece in pieces[1:]:
        code = piece[:2]
        if len(code) < 2 or not _HEX.issuperset(code):
            raise _bad()
        value = int(code, 16)
        if mode == "host" and value < 0x80 and code != b"25":
            raise _bad()
        if mode == "zone" and code != b"25" and value != 0x20 and value not in _HOST:
            raise _bad()
        made.append(bytes((value,)) + piece[2:])
    return b"".join(made)


def _split_port(host: str) -> tuple[str, str]:
    colon = host.rfind(":")
    name, port = host, ""
    if colon >= 0 and _is_port(host[colon:]):
        name, port = host[:colon], host[colon + 1 :]
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    return name, port


def hostname(url: URL) -> str:
    """The host without brackets and port."""
    return _split_port(url.host)[0]


def port(url: URL) -> str:
    """The port, or nothing."""
    return _split_port(url.host)[1]


def query(url: URL) -> dict[str, list[str]]:
    """The query's values by name; a pair that cannot be decoded is left out, as in Go."""
    found: dict[str, list[str]] = {}
    for pair in url.query.split("&"):
        if not pair or ";" in pair:
            continue
        name, _, value = pair.replace("+", " ").partition("=")
        try:
            key = _text(_unescape(name.encode("utf-8", "replace")))
            item = _text(_unescape(value.encode("utf-8", "replace")))
        except EvalError:
            continue
        found.setdefault(key, []).append(item)
    return found


TYPE: Final = Type("kubernetes.URL")
_ONE: Final = (TYPE,)

LIBRARY: Final = Library(
    "url",
    (
        Overload("url", "string_to_url", (STRING,), TYPE, parse, cost=tenth),
        Overload("isURL", "is_url_string", (STRING,), BOOL, is_url),
        Overload("getScheme", "url_get_scheme", _ONE, STRING, lambda u: u.scheme, member=True),
        Overload("getHost", "url_get_host", _ONE, STRING, lambda u: u.host, member=True),
        Overload("getHostname", "url_get_hostname", _ONE, STRING, hostname, member=True),
        Overload("getPort", "url_get_port", _ONE, STRING, port, member=True),
        Overload(
            "getEscapedPath",
            "url_get_escaped_path",
            _ONE,
            STRING,
            lambda u: u.escaped_path,
            member=True,
        ),
        Overload(
            "getQuery",
            "url_get_query",
            _ONE,
            map_of(STRING, list_of(STRING)),
            query,
            member=True,
        ),
    ),
    types={TYPE.name: TYPE},
    classes={URL: TYPE},
)
