"""A check as a page, made from its own file: plain text for the terminal, Markdown for docs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from martello.core.check import Check, Example

_FRAMEWORKS: Final = {
    "pss": "Pod Security Standards",
    "cis-kubernetes": "CIS Kubernetes Benchmark",
    "nsa-cisa": "NSA/CISA Kubernetes Hardening",
    "mitre-attack": "MITRE ATT&CK for containers",
    "owasp-k8s": "OWASP Kubernetes Top 10",
}
_PROFILES: Final = {
    "default": "runs by default",
    "strict": "runs with --profile strict",
    "opt-in": "runs when asked for: --check {id} or --profile all",
}


def text(check: Check) -> str:
    """The page for a terminal, free of markup and of a pager."""
    lines = [f"{check.id}  {check.name}", check.title, ""]
    lines += [f"severity   {check.severity}", f"practice   {check.practice}"]
    lines += [f"profile    {_profile(check)}", f"judges     {_kinds(check)}", ""]
    lines += ["Why it matters", *_indented(check.why), ""]
    lines += ["How to fix it", *_indented(check.fix), ""]
    for example in _one_of_each(check):
        lines += ["Good" if example.good else "Bad", *_indented(example.text), ""]
    if check.params:
        lines.append("Parameters")
        lines += [f"  {name} = {default}  {doc}" for name, default, doc in _params(check)]
        lines.append("")
    lines += ["Waive it", *_indented(_waiver(check)), ""]
    known = list(_known_as(check))
    if known:
        lines += ["Also known as", *(f"  {tool}: {names}" for tool, names in known)]
    return "\n".join(lines).rstrip()


def markdown(check: Check) -> str:
    """The page for docs/checks."""
    lines = [f"# {check.id} {check.title}", ""]
    lines += ["| name | severity | practice | profile | judges |", "|---|---|---|---|---|"]
    row = (check.name, check.severity, check.practice, _profile(check), _kinds(check))
    lines += ["| " + " | ".join(row) + " |", ""]
    lines += [check.why.strip(), "", "## Fix", "", check.fix.strip(), ""]
    for example in check.examples:
        params = f" (with {_inline(example.params)})" if example.params else ""
        version = f" (Kubernetes {example.kubernetes})" if example.kubernetes else ""
        lines += [f"## {'Good' if example.good else 'Bad'}{params}{version}", ""]
        if example.at:
            lines += [f"Found at `{example.at}`.", ""]
        lines += ["```yaml", example.text.strip(), "```", ""]
    if check.params:
        lines += ["## Parameters", "", "| in martello.toml | default | meaning |", "|---|---|---|"]
        lines += [f"| `{name}` | `{default}` | {doc} |" for name, default, doc in _params(check)]
        lines.append("")
    known = list(_known_as(check))
    if known:
        lines += ["## Frameworks and other tools' names", ""]
        lines += [f"- {tool}: {names}" for tool, names in known]
        lines.append("")
    lines += ["## Waive", "", "```yaml", _waiver(check), "```"]
    return "\n".join(lines) + "\n"


def _profile(check: Check) -> str:
    return _PROFILES[check.profile].format(id=check.id)


def _kinds(check: Check) -> str:
    if check.kinds == ("workload",):
        return "everything that makes pods"
    if check.kinds == ("cluster",):
        return "the cluster as a whole"
    return "every object" if check.kinds == ("*",) else ", ".join(check.kinds)


def _indented(text: str) -> list[str]:
    return [f"  {line}".rstrip() for line in text.strip().splitlines()]


def _one_of_each(check: Check) -> Iterator[Example]:
    for good in (False, True):
        yield from [e for e in check.examples if e.good is good][:1]


def _params(check: Check) -> Iterator[tuple[str, str, str]]:
    for name, spec in check.params.items():
        kebab = "".join(f"-{c.lower()}" if c.isupper() else c for c in name)
        given = spec if isinstance(spec, Mapping) else {}
        yield kebab, _inline(given.get("default")), str(given.get("doc", ""))


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_inline(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(v) for v in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _known_as(check: Check) -> Iterator[tuple[str, str]]:
    for key, controls in check.frameworks.items():
        title = _FRAMEWORKS.get(key, key)
        if isinstance(controls, Mapping):
            yield title, f"{controls.get('level', '')}, {controls.get('check', '')}"
        else:
            yield title, ", ".join(map(str, controls))
    for tool, names in check.aliases.items():
        yield tool, ", ".join(names)


def _waiver(check: Check) -> str:
    return f"""apiVersion: martello.dev/v1alpha1
kind: Waiver
metadata: {{name: {check.name}}}
spec:
  checks: [{check.id}]
  reason: why this is accepted
  owner: team@example.com
  until: YYYY-MM-DD
  match: {{namespaces: [shop], names: ["web-*"]}}"""
