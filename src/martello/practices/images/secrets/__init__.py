"""Secrets in files and in the configuration of images. What is found is told, never kept.

A text is searched for the words of all rules first, at the speed of `in`; only rules that have one
are tried.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from martello.core.package import Leak
from martello.practices.images.evidence.model import NOTHING, Body, Parsed, Reader
from martello.practices.images.secrets.config import SecretRules, read_trivy_secret_config
from martello.practices.images.secrets.rules import Rule, harmless

LARGEST: Final = 1 << 20  # bytes of a file of an image; larger ones are data
_MOST: Final = 200  # leaks of one file
_SHOWN: Final = 80  # characters either side
_STARS: Final = 40
_FAR: Final = 4096  # bytes around a secret of which a line is cut out

# Where packages keep their own files. A secret there is a test or an example of theirs.
_FOREIGN: Final = re.compile(
    r"(?:\A|/)(?:node_modules|lib/(?:python|ruby|node|perl)[^/]*|site-packages|dist-packages|vendor|"
    r"\.rustup|gems|\.git|__pycache__|locales?|"
    r"bower_components|\.m2|\.gradle|\.cargo/registry|pkg/mod|[^/]*\.dist-info|[^/]*\.egg-info)/|"
    r"\A(?:usr/(?:share|include|lib|lib64|libexec|bin|sbin)|lib|lib64|bin|sbin|proc|sys|"
    r"etc/(?:ssl/certs|fonts|ca-certificates)|usr/local/(?:go|share|include)|opt/yarn-[^/]*|"
    r"usr/src/wordpress|var/(?:lib/(?:dpkg|apt|rpm|dnf|pacman)|cache|log/anaconda))/"
)
_PROSE: Final = re.compile(
    r"\.(?:md|rst|adoc|1|3|8|po|pot|svg|map|css|jpe?g|png|gif|ico|woff2?|ttf|eot|pdf|docx?|zip|gz|"
    r"xz|bz2|zst|tar|jar|war|whl|deb|rpm|apk|so|a|o|pyc|class|wasm|exe|dll)\Z|"
    r"(?:\A|/)(?:go\.(?:mod|sum)|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|bun\.lock|"
    r"pnpm-lock\.yaml|Pipfile\.lock|poetry\.lock|uv\.lock|Gemfile\.lock|Cargo\.lock|"
    r"composer\.lock|mix\.lock|LICEN[CS]E[^/]*|COPYING[^/]*|CHANGELOG[^/]*)\Z",
    re.IGNORECASE,
)
_NAMES: Final = frozenset(
    (
        "config", ".env", ".npmrc", ".yarnrc", ".pypirc", ".netrc", "_netrc", ".git-credentials",
        ".pgpass", ".dockercfg", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "identity",
        "credentials", "credentials.json", "kubeconfig", "shadow", "shadow-", "auth.json",
        ".bash_history", ".htpasswd", "wp-config.php", "settings.xml", "Dockerfile",
        "pip.conf", "admin.conf",
    )
)  # fmt: skip
_SUFFIXES: Final = (
    ".env", ".pem", ".key", ".ppk", ".asc", ".json", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".conf", ".properties", ".tfvars", ".tfstate", ".sh", ".py", ".rb", ".php", ".js", ".ts",
    ".go", ".java", ".cs", ".xml", ".config", ".kubeconfig", ".ovpn", ".sql",
    ".env.local", ".env.production", ".env.development",
)  # fmt: skip
# Names that mean something in one directory only.
_HOMES: Final = {
    "config": ".kube",
    "credentials": ".aws",
    "identity": ".ssh",
    "shadow": "etc",
    "shadow-": "etc",
}
_SECRET_NAME: Final = re.compile(
    r"pass(?:word|wd|phrase)|secret|token|api_?key|access_?key|private_?key|credential|"
    r"(?:\A|_)(?:pass|pwd|pat)\Z",
    re.IGNORECASE,
)
# Names that say where a secret is, what its public part is, or how long it may be.
_OPEN_NAME: Final = re.compile(
    r"(?:_FILE|_PATH|_DIR|_URL|_URI|_NAME|_ID|_TYPE|_LENGTH|_TTL|_EXPIRY|_HEADER|_ENABLED|_ALGORITHM"
    r"|PUBLIC_?KEY)\Z|\APUBLIC_",
    re.IGNORECASE,
)
_ASSIGNED: Final = re.compile(
    r"(?<![\w./-])([A-Za-z_][A-Za-z0-9_]{0,100})=(\"[^\"]{0,400}\"|[^\s\"]{1,400})"
)


def wanted(path: str) -> bool:
    """Whether a file may hold a project's or a user's secrets, by its path alone: neither what
    packages bring nor prose, pictures and lock files do.
    """
    return _FOREIGN.search(path) is None and _PROSE.search(path) is None


def _likely(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    home = _HOMES.get(name)
    return wanted(path) and (home is None or folder.rpartition("/")[2] == home)


def scan_text(path: str, data: bytes, rules: SecretRules | None = None) -> tuple[Leak, ...]:
    """The secrets of one text file; none for binary files. The work grows with the size alone."""
    rules = rules or SecretRules()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", "replace").encode()
    if b"\0" in data[:8192] or rules.skips(path) or not wanted(path):
        return ()
    return _leaks(path, data, rules)


def scan_config(config: Mapping[str, Any], rules: SecretRules | None = None) -> tuple[Leak, ...]:
    """The secrets of an image's configuration (the JSON object that the manifest names): variables,
    labels, commands, and the steps of its history with their build arguments.
    """
    rules = rules or SecretRules()
    found: list[Leak] = []
    known: set[bytes] = set()
    for place, text in _settings(config):
        data = text.encode("utf-8", "replace")
        spans = _spans(place, data, rules) + _assigned(data, rules)
        apart = [
            (start, end, "" if data[start:end] in known else rule, title, severity)
            for start, end, rule, title, severity in _apart(spans)
        ]  # what was told of before is covered all the same
        known.update(data[start:end] for start, end, _, _, _ in apart)
        found += _told(place, data, apart, lines=False)
    return tuple(found)


def blacked(text: str) -> str:
    """A command, a label or another single text of a configuration, with every secret in it blacked
    out by as many rules as there are: also where nobody wants to be told of them.
    """
    data = text.encode("utf-8", "replace")
    rules = SecretRules()
    spans = _apart(_spans("", data, rules) + _assigned(data, rules))
    if not spans:
        return text
    parts: list[bytes] = []
    position = 0
    for start, end, _, _, _ in spans:
        parts += (data[position:start], b"*" * min(end - start, _STARS))
        position = end
    return b"".join((*parts, data[position:])).decode("utf-8", "replace")


_Span = tuple[int, int, str, str, str]  # start, end, rule, title, severity; no rule: covered only


def _leaks(path: str, data: bytes, rules: SecretRules) -> tuple[Leak, ...]:
    return tuple(_told(path, data, _apart(_spans(path, data, rules))))


def _spans(path: str, data: bytes, rules: SecretRules) -> list[_Span]:
    lowered = data.lower()
    words, table = _table(rules)
    present = {word for word in words if word in lowered}
    found: list[_Span] = []
    blocks: list[tuple[int, int]] | None = None
    for rule, own in table:
        if own and present.isdisjoint(own):
            continue
        if rule.path and not rules.fits(rule.path, path):
            continue
        shown = "" if rule.id in rules.disabled else rule.id
        for start, end in rule.spans(data, lowered):
            if rules.allows(rule, path, data[start:end]):
                continue
            if blocks is None:
                blocks = rules.excluded(data)
            if not any(first <= start and end <= last for first, last in blocks):
                found.append((start, end, shown, rule.title, rule.severity))
            if len(found) > 4 * _MOST:
                return [*found, *_between(found, len(data))]
    return found


@lru_cache(maxsize=8)
def _table(
    rules: SecretRules,
) -> tuple[tuple[bytes, ...], tuple[tuple[Rule, frozenset[bytes]], ...]]:
    """The words of all rules, each once, and each rule with its own."""
    table = tuple((one, frozenset(word.encode() for word in one.words)) for one in rules.all())
    return tuple(dict.fromkeys(word for _, own in table for word in own)), table


def _between(spans: list[_Span], size: int) -> Iterator[_Span]:
    """All that no span covers, of a text with so many secrets that nobody looked for the rest."""
    position = 0
    for start, end, _, _, _ in (*_apart(spans), (size, size, "", "", "")):
        if position < start:
            yield position, start, "", "", ""
        position = end


def _start(span: _Span) -> int:
    return span[0]


def _apart(spans: list[_Span]) -> list[_Span]:
    """Spans that do not overlap, by place: of two that do, the earlier rule's stays."""
    taken: list[_Span] = []
    for one in spans:
        place = bisect_left(taken, one[0], key=_start)
        before = place and taken[place - 1][1] > one[0]
        if not before and (place == len(taken) or taken[place][0] >= one[1]):
            taken.insert(place, one)
    return taken


def _told(path: str, data: bytes, spans: list[_Span], *, lines: bool = True) -> Iterator[Leak]:
    line, counted = 1, 0
    for start, _, rule, title, severity in [one for one in spans if one[2]][:_MOST]:
        line += data.count(b"\n", counted, start)
        counted = start
        shown = _shown(data, start, spans)
        yield Leak(rule, title, severity, path, line if lines else 0, shown=shown)


def _shown(data: bytes, at: int, spans: list[_Span]) -> str:
    """The line at a place, with every secret in it blacked out, cut around the place."""
    first = data.rfind(b"\n", max(at - _FAR, 0), at) + 1 or max(at - _FAR, 0)
    last = data.find(b"\n", at, at + _FAR)
    last = min(len(data), at + _FAR) if last < 0 else last
    parts: list[str] = []
    before = 0
    position = first
    nearest = max(bisect_left(spans, first, key=_start) - 1, 0)
    for number in range(nearest, len(spans)):
        start, end = spans[number][:2]
        if start >= last:
            break
        if end <= first:
            continue
        parts.append(_text(data[position : max(start, position)]))
        if start <= at:
            before = sum(map(len, parts))
        parts.append("*" * min(min(end, last) - max(start, first), _STARS))
        position = end
    parts.append(_text(data[position : max(last, position)]))
    whole = "".join(parts)
    cut = max(before - _SHOWN, 0)
    return whole[cut : before + _STARS + _SHOWN].strip()


def _text(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return "".join(one if one.isprintable() else " " for one in text)


def _settings(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    inner = config.get("config")
    inner = inner if isinstance(inner, dict) else {}
    for entry in _list(inner.get("Env")):
        yield f"config:Env/{entry.partition('=')[0][:100]}", entry
    labels = inner.get("Labels")
    for name, value in labels.items() if isinstance(labels, dict) else ():
        yield f"config:Labels/{str(name)[:100]}", f"{name}={value}"
    for field in ("Entrypoint", "Cmd"):
        yield f"config:{field}", " ".join(_list(inner.get(field)))
    history = config.get("history")
    for number, step in enumerate(history if isinstance(history, list) else []):
        if isinstance(step, dict) and isinstance(step.get("created_by"), str):
            yield f"config:history/{number}", step["created_by"]


def _list(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _assigned(data: bytes, rules: SecretRules) -> list[_Span]:
    """Variables and build arguments whose name says that their value is secret."""
    if "config-secret" in rules.disabled:
        return []
    # One byte a character, so that places are those of the bytes.
    found: list[_Span] = []
    for match in _ASSIGNED.finditer(data.decode("latin-1")):
        name, value = match[1], match[2]
        start, end = match.span(2)
        if value.startswith('"'):
            start, end, value = start + 1, end - 1, value[1:-1]
        if not _SECRET_NAME.search(name) or _OPEN_NAME.search(name):
            continue
        weak = name.lower().endswith("password") and _given(value)
        if weak or not harmless(value.encode("latin-1")):
            found.append((start, end, "config-secret", f"a value of {name}", "high"))
    return found


def _given(value: str) -> bool:
    """Whether a value is one at all: even a poor password is one."""
    return (
        bool(value) and value[0] not in "$<{%/" and not value.lower().startswith(("vault:", "arn:"))
    )


def reader(rules: SecretRules | None = None) -> Reader:
    """A reader of the files of an image that people put secrets in."""

    def read(path: str, body: Body) -> Parsed:
        if body.size > LARGEST:
            return NOTHING
        leaks = scan_text(path, body.whole(LARGEST), rules)
        return Parsed(leaks=leaks) if leaks else NOTHING

    return Reader(name="secrets", read=read, names=_NAMES, suffixes=_SUFFIXES, accepts=_likely)


READERS: Final = (reader(),)

__all__ = [
    "LARGEST",
    "READERS",
    "SecretRules",
    "blacked",
    "read_trivy_secret_config",
    "reader",
    "scan_config",
    "scan_text",
    "wanted",
]
