"""Where alerts go, from a URL each.

    slack:env:NAME                            the webhook's address in a variable, or file:PATH
    pagerduty:env:NAME                        the routing key; ?at=URL for another region
    alertmanager+https://HOST[/PREFIX]
    webhook+https://HOST/PATH?format=falco    or format=ocsf; webhook:env:NAME hides the address
    otlp+https://HOST/v1/logs
    syslog://HOST[:514]  syslog+tcp://HOST[:601]  syslog+tls://HOST[:6514]
    file:///PATH  stdout:

HTTP takes `token=env:NAME` (bearer) or `basic=env:NAME` (USER:PASSWORD), and TLS `ca=`, `cert=` and
`key=` (files). Secrets come from variables and files: a command line is seen by everybody. A file
is read again for every delivery.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from martello.core.errors import BadInput
from martello.core.sink import Sink

if TYPE_CHECKING:
    from martello.adapters.sinks.http import Http

FORMATS: Final = ("martello", "falco", "ocsf")
_HTTP: Final = ("token", "basic", "ca", "cert", "key")
_WEB: Final = ("alertmanager", "webhook", "otlp")
_PORTS: Final = {"udp": 514, "tcp": 601, "tls": 6514}
_LARGEST: Final = 64 << 10  # bytes of a secret's file
# A part of a path that is long and mixes letters and digits is likely to be a secret.
_TOKEN: Final = re.compile(r"(?=[^/?#]*[A-Za-z])(?=[^/?#]*\d)[A-Za-z0-9_~.+=-]{20,}")
_HOST: Final = re.compile(r"(?:\w+\+)?https?:/*[^/]*|slack:(?!env:|file:)/*[^/]*")
Options = dict[str, str]


def open_sink(url: str, environ: Mapping[str, str] | None = None) -> Sink:
    """The sink of a URL; nothing is sent yet. Raises BadInput, which shows no secret."""
    environ = os.environ if environ is None else environ
    head, _, query = url.partition("?")
    scheme, colon, rest = head.partition(":")
    kind, _, how = scheme.lower().partition("+")
    if not colon or not url.isprintable():
        raise _unknown(url)
    options = _options(query, url)
    name = redacted(url)
    if kind == "slack" and not how:
        return _slack(name, rest, options, environ)
    if kind == "pagerduty" and not how:
        return _pagerduty(name, rest, options, environ)
    if kind in _WEB and (how in ("https", "http") or (not how and kind == "webhook")):
        address = f"{how}:{rest}" if how else rest
        return _web(kind, name, address, options, environ)
    if kind == "syslog" and how in ("", "tcp", "tls"):
        return _syslog(name, how or "udp", f"//{rest.removeprefix('//')}", options)
    if kind in ("file", "stdout") and not how:
        return _local(kind, name, head, options)
    raise _unknown(url)


def redacted(url: str) -> str:
    """The URL as it may be shown: without what looks like a secret, and still its own."""
    head, mark, query = url.partition("?")
    shown = re.sub(r"//[^/?#]*@", "//…@", head)
    host = _HOST.match(shown)
    if host:
        shown = host[0] + _TOKEN.sub("…", shown[host.end() :])
    shown += mark + query
    if shown == url:
        return url
    return f"{shown}#{hashlib.sha256(url.encode()).hexdigest()[:6]}"


def _slack(name: str, rest: str, options: Options, environ: Mapping[str, str]) -> Sink:
    from martello.adapters.sinks.slack import Slack

    url = _secret(rest, "the address of Slack's webhook", environ)
    return Slack(name, _http(url, _only(options, name, *_HTTP[2:]), environ))


def _pagerduty(name: str, rest: str, options: Options, environ: Mapping[str, str]) -> Sink:
    from martello.adapters.sinks.pagerduty import URL, PagerDuty

    key = _secret(rest, "the routing key of PagerDuty", environ)
    at = _only(options, name, "at", *_HTTP[2:]).pop("at", URL)
    _checked(at)
    return PagerDuty(name, _http(lambda: at, options, environ, secret=key), key)


def _web(kind: str, name: str, address: str, options: Options, environ: Mapping[str, str]) -> Sink:
    format = _format(options) if kind == "webhook" else ""
    _only(options, name, *_HTTP)
    if address.startswith(("https:", "http:")):
        _checked(address)
        at = address.rstrip("/") if kind == "alertmanager" else address
        http = _http(lambda: at, options, environ)
    else:
        http = _http(_secret(address, "the address of a webhook", environ), options, environ)
    if kind == "alertmanager":
        from martello.adapters.sinks.alertmanager import Alertmanager

        return Alertmanager(name, http)
    if kind == "otlp":
        from martello.adapters.sinks.otlp import Otlp

        return Otlp(name, http)
    from martello.adapters.sinks.webhook import Webhook

    return Webhook(name, http, format)


def _syslog(name: str, how: str, rest: str, options: Options) -> Sink:
    from martello.adapters.sinks.syslog import Address, Syslog

    _only(options, name, *(_HTTP[2:] if how == "tls" else ()))
    try:
        parts = urlsplit(rest)
        host, port = parts.hostname, parts.port or _PORTS[how]
    except ValueError:
        raise _unknown(name) from None
    if not host or parts.path.strip("/") or parts.username is not None:
        raise _unknown(name)
    context = None
    if how == "tls":
        from martello.adapters.sinks.http import Trust

        context = Trust(**options).context()
    return Syslog(name, Address(how, host, port), context)


def _local(kind: str, name: str, head: str, options: Options) -> Sink:
    format = _format(options)
    _only(options, name)
    if kind == "stdout":
        from martello.adapters.sinks.stdout import Stdout

        return Stdout(name, format)
    from martello.adapters.sinks.file import File

    parts = urlsplit(head)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or "\0" in path:
        raise BadInput(f"no file: {name}", "a file has a whole path", "file:///var/log/alerts")
    return File(name, Path(path), format)


def _http(
    url: Callable[[], str],
    options: Options,
    environ: Mapping[str, str],
    *,
    secret: Callable[[], str] | None = None,
) -> Http:
    from martello.adapters.sinks.http import Http, Trust

    token, basic = (
        _secret(options[n], f"the {n} of a sink", environ) if n in options else None
        for n in ("token", "basic")
    )
    trust = Trust(**{n: options[n] for n in _HTTP[2:] if n in options})
    return Http(url, secret=secret, trust=trust, token=token, basic=basic)


def _secret(word: str, what: str, environ: Mapping[str, str]) -> Callable[[], str]:
    """What reads a secret; it is read once here. Raises BadInput that does not show it."""
    where, _, name = word.partition(":")
    if where == "env" and name:
        value = environ.get(name, "").strip()
        if not _usable(value):
            raise BadInput(f"{what} is not there", f"the variable {name} is empty", f"set {name}")
        return lambda: value
    if where == "file" and name:
        path = Path(name)

        def read() -> str:
            with path.open("rb") as file:
                value = file.read(_LARGEST).decode("utf-8", "replace").strip()
            if not _usable(value):
                raise OSError(f"{name} holds no line of text")
            return value

        try:
            read()
        except OSError as error:
            why = error.strerror or str(error)
            raise BadInput(f"{what} cannot be read from {name}", why, "check the file") from None
        return read
    raise BadInput(
        f"{what} is a secret: it does not belong on a command line",
        "everybody on this machine can read it there",
        "env:NAME or file:PATH in its place",
    )


def _usable(value: str) -> bool:
    return bool(value) and value.isprintable()


def _options(query: str, url: str) -> Options:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise _unknown(url) from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadInput(f"a sink has an option twice: {redacted(url)}", "", "name each once")
    return found


def _only(options: Options, name: str, *known: str) -> Options:
    for one in options:
        if one not in known:
            told = ", ".join(known) or "none"
            raise BadInput(
                f"a sink has no option '{one[:40]}': {name.partition('?')[0]}",
                "what is meant for its server goes into webhook:env:NAME",
                f"its options: {told}",
            )
    return options


def _format(options: Options) -> str:
    format = options.pop("format", FORMATS[0])
    if format not in FORMATS:
        raise BadInput(f"no format '{format[:40]}'", "", f"format={'|'.join(FORMATS)}")
    return format


def _checked(address: str) -> None:
    """Raises BadInput for what is no address of a server, or holds a password."""
    try:
        parts = urlsplit(address)
        host, user, _ = parts.hostname, parts.username, parts.port
    except ValueError:
        raise _unknown(address) from None
    if parts.scheme not in ("https", "http") or not host or parts.query:
        raise _unknown(address)
    if user is not None:
        raise BadInput(
            f"a password does not belong into the address of a sink: {host}",
            "everybody on this machine can read a command line",
            "basic=env:NAME, where the variable holds USER:PASSWORD",
        )


def _unknown(url: str) -> BadInput:
    return BadInput(
        f"no such sink: {redacted(url)[:200]!a}",
        "",
        "slack:env:NAME, alertmanager+https://HOST, pagerduty:env:NAME, webhook+https://HOST/PATH, "
        "otlp+https://HOST/v1/logs, syslog://HOST, file:///PATH or stdout:",
    )
