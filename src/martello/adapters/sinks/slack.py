"""Slack by an incoming webhook: blocks of plain text, in which no markup of an attacker acts.

Limits: a header has 150 characters, a section 3,000, a field 2,000 and ten of them, a context ten
elements (Block Kit reference). `&`, `<` and `>` are escaped everywhere (message formatting).
"""

from __future__ import annotations

from typing import Any

from martello.adapters.sinks.http import Http
from martello.adapters.sinks.text import heading, moment, places, plain
from martello.core.alert import Alert


class Slack:
    """One webhook: one channel."""

    def __init__(self, name: str, http: Http) -> None:
        self.name = name
        self._http = http

    def send(self, alert: Alert) -> None:
        """Posts a message. Slack knows no keys: what is sent twice is shown twice, and says so."""
        self._http.send(message(alert))

    def check(self) -> None:
        """Sends an empty message, which a webhook that works refuses as empty (400); one that is
        revoked, or whose channel is gone, answers 403, 404 or 410.
        """
        self._http.send({}, fine=frozenset((400,)))


def message(alert: Alert) -> dict[str, Any]:
    """The message of an alert."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _text(heading(alert), 150)},
        {"type": "section", "text": _text(alert.says or alert.title, 3_000)},
    ]
    told = [f"{name}: {value}" for name, value in places(alert).items()]
    if told:
        fields = [_text(one, 2_000) for one in told[:10]]
        blocks.append({"type": "section", "fields": fields})
    for word, text in (("why", alert.why), ("fix", alert.fix)):
        if text:
            blocks.append({"type": "section", "text": _text(f"{word}: {text}", 3_000)})
    for reason in alert.raised[:5]:
        blocks.append({"type": "section", "text": _text(f"graver: {reason}", 3_000)})
    count = f"{alert.repeats:,} events, {moment(alert.first)} to {moment(alert.last)}"
    small = [count, alert.key, f"martello monitor alerts explain {alert.id[:12]}"]
    blocks.append({"type": "context", "elements": [_text(one, 2_000) for one in small]})
    return {
        "text": escaped(heading(alert, 1_000)),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }


def escaped(text: str, most: int = 0) -> str:
    """Text in which nothing mentions, links or formats, cut to so many characters."""
    shown = plain(text)
    made: list[str] = []
    size = 0
    for c in shown:
        one = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(c, c)
        if most and size + len(one) > most - 1:
            made.append("…")
            break
        made.append(one)
        size += len(one)
    return "".join(made)


def _text(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": escaped(text, most) or "-", "emoji": False}
