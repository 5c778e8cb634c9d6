"""URLs of sinks: what each opens, what is refused, and that no secret is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from martello.adapters.sinks import open_sink, redacted
from martello.core.errors import BadInput

ENVIRON = {
    "SLACK_URL": "https://hooks.slack.com/services/T00000000/B00000000/abcdefgh12345678",
    "PD": "0123456789abcdef0123456789abcdef",
    "TOKEN": "t0k3n-of-ours",
    "EMPTY": " ",
    "LINES": "one\ntwo",
    "ODD": "no url at all",
}
GOOD = (
    ("slack:env:SLACK_URL", "Slack"),
    ("pagerduty:env:PD", "PagerDuty"),
    ("pagerduty:env:PD?at=https://events.eu.pagerduty.com/v2/enqueue", "PagerDuty"),
    ("alertmanager+https://alerts.example:9093/prefix?token=env:TOKEN", "Alertmanager"),
    ("alertmanager+http://alertmanager.monitoring:9093", "Alertmanager"),
    ("webhook+https://hooks.example/in?format=falco", "Webhook"),
    ("webhook+https://hooks.example/in?format=ocsf&basic=env:TOKEN", "Webhook"),
    ("webhook:env:SLACK_URL?format=ocsf", "Webhook"),
    ("otlp+https://collector.example:4318/v1/logs", "Otlp"),
    ("webhook+https://h1.a-long-name-of-a-service.example/in", "Webhook"),
    ("slack:env:SLACK_URL", "Slack"),
    ("file:///var/log/alerts-of-cluster-2026-01.ndjson", "File"),
    ("syslog://logs.example:514", "Syslog"),
    ("syslog:logs.example", "Syslog"),
    ("syslog+tcp://[::1]:6514", "Syslog"),
    ("syslog+tls://logs.example", "Syslog"),
    ("file:///var/log/alerts.ndjson", "File"),
    ("file:///var/log/a%20b?format=ocsf", "File"),
    ("stdout:", "Stdout"),
    ("stdout:?format=falco", "Stdout"),
)


@pytest.mark.parametrize(("url", "kind"), GOOD)
def test_a_url_opens_its_sink_whose_name_is_the_url(url: str, kind: str) -> None:
    sink = open_sink(url, ENVIRON)
    assert type(sink).__name__ == kind
    assert sink.name == url


BAD = (
    "",
    "slack",
    "slack:",
    "slack:https://hooks.slack.com/services/T0/B0/abcdefgh12345678",
    "slack://hooks.slack.com/services/T0/B0/abcdefgh12345678",
    "slack:env:MISSING",
    "slack:env:EMPTY",
    "slack:env:LINES",
    "slack:env:ODD",
    "slack:file:/nonexistent",
    "slack:env:SLACK_URL?channel=x",
    "slack+https://x",
    "pagerduty:0123456789abcdef0123456789abcdef",
    "pagerduty:env:PD?at=http://events.example/v2",
    "pagerduty:env:PD?at=ftp://events.example/v2",
    "webhook+https://user:t0k3n-of-ours@hooks.example/in",
    "webhook+https://hooks.example/in?code=t0k3n-of-ours",
    "webhook+https://hooks.example/in?format=xml",
    "webhook+https://hooks.example/in?format=falco&format=ocsf",
    "webhook+https://hooks.example/in?token=t0k3n-of-ours",
    "webhook+http://hooks.example/in?token=env:TOKEN",
    "webhook+http://hooks.example/in?basic=env:TOKEN",
    "webhook+ftp://hooks.example/in",
    "webhook+https://",
    "webhook+https://host:99999/",
    "webhook+https://[::1/",
    "webhook+https://hooks.example/in?ca=/nonexistent",
    "webhook+https://hooks.example/\x1b[2J",
    "alertmanager:9093",
    "alertmanager+https://host?format=falco",
    "otlp://host",
    "syslog+quic://host",
    "syslog://",
    "syslog://host:port",
    "syslog://host/path",
    "syslog://user@host",
    "syslog://host?ca=/x",
    "syslog+tls://host?ca=/nonexistent",
    "file:alerts",
    "file://host/var/log/alerts",
    "file:///a%00b",
    "stdout:?x",
    "kafka://host",
    "https://hooks.example/in",
)


@pytest.mark.parametrize("url", BAD, ids=range(len(BAD)))
def test_what_is_no_sink_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        open_sink(url, ENVIRON)
    told = str(caught.value)
    assert told.isprintable() or "\n" in told
    assert "\x1b" not in told
    secrets = ("abcdefgh12345678", "0123456789abcdef", "t0k3n-of-ours", "one\ntwo", "no url")
    assert not any(secret in told for secret in secrets), told
    assert caught.value.next


def test_what_looks_like_a_secret_is_shown_as_dots_and_still_told_apart() -> None:
    one, other = (f"webhook+https://hooks.example/in/{word}" for word in ("a1" * 12, "b2" * 12))
    shown = open_sink(one).name
    assert shown.startswith("webhook+https://hooks.example/in/…#")
    assert "a1a1" not in shown
    assert shown != open_sink(other).name == redacted(other)
    assert redacted("syslog://user:pass@host").startswith("syslog://…@host#")


def test_a_secret_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(BadInput, match="cannot be read"):
        open_sink(f"pagerduty:file:{file}")
    file.write_text("\n")
    with pytest.raises(BadInput, match="holds no line"):
        open_sink(f"pagerduty:file:{file}")
    file.write_text("s3cr3t\n")
    assert "s3cr3t" not in repr(vars(open_sink(f"pagerduty:file:{file}")))
