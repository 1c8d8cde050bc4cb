"""Renders events as a title and a plain text, for email, chats, and push services that can't update a message.

Texts of alerts and posts are untrusted. Control characters are removed. A zero-width space breaks chat markup, such as
mentions of everyone and links that hide their target. Lengths are limited.
"""

import datetime as dt
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from router.domain import events
from router.notifiers import event_texts

TITLE, LINE, POST, BODY = 120, 300, 1000, 3000
"""The most characters of a title, a line, the text of a post, and a whole message."""
_LINES = 20  # The most lines about events in one message.
_BREAK = "\N{ZERO WIDTH SPACE}"
# Mentions in Slack, Discord, Mattermost, Teams, Matrix, and Telegram, and Markdown links.
_MARKUP = re.compile(r"@(?=everyone|here|channel|all|room|team)|<(?=[@!#])|\](?=\()", re.IGNORECASE)
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_WAITING = (events.ReviewWaiting, events.ReviewChanged, events.ReviewReminded, events.ReviewEscalated)

Tone = Literal["info", "success", "warning", "failure"]
"""The color that a service may give a message."""


class PlainMessage(NamedTuple):
    """A message about one or more events of one subject."""

    title: str
    body: str
    tone: Tone


def render(recorded_events: Sequence[events.Recorded], console: str) -> PlainMessage:
    """Render at least one event as one message. ``console`` is the console's URL, empty if unknown."""
    newest = recorded_events[-1].event
    incident = getattr(newest, "incident", None)
    lines = [line(entry.event) for entry in recorded_events]
    left_out = len(lines) - _LINES
    if left_out > 0:
        # Keep the newest events, because they say what to do now.
        lines = [f"({left_out} earlier events)", *lines[left_out:]]
    parts = ["\n".join(lines), *_posts(recorded_events)]
    if incident is None:
        return PlainMessage(_cut(lines[-1], TITLE), _join_within_limit(parts, []), _tone(newest))
    return PlainMessage(
        _title(newest, incident), _join_within_limit(parts, [*_facts(incident, console)]), _tone(newest)
    )


def line(event: events.Event) -> str:
    """Describe an event in one line."""
    return _cut(event_texts.describe(event, plain), LINE)


def plain(text: str) -> str:
    """Return an untrusted text as one line, without control characters, mentions, and hidden links."""
    seen = "".join(" " if unicodedata.category(letter) in _UNSEEN else letter for letter in text)
    return _MARKUP.sub(lambda match: match.group() + _BREAK, " ".join(seen.split()))


def _title(event: events.Event, incident: events.Incident) -> str:
    if isinstance(event, _WAITING):
        word = "Escalated review" if isinstance(event, events.ReviewEscalated) else "Review"
        return _cut(f"{word}: {plain(event.review.title or incident.title)}", TITLE)
    state = "Resolved" if incident.status == "closed" else incident.severity.capitalize()
    return _cut(f"{state}: {plain(incident.title)}", TITLE)


def _tone(event: events.Event) -> Tone:
    if isinstance(
        event,
        events.IncidentResolved
        | events.GuardReset
        | events.FreezeEnded
        | events.ReviewDecided
        | events.PublicationRecovered,
    ):
        return "success"
    if isinstance(event, events.TestSent | events.IncidentAcknowledged | events.ReviewTaken):
        return "info"
    incident = getattr(event, "incident", None)
    return "failure" if incident is not None and incident.severity in {"critical", "major"} else "warning"


def _posts(recorded_events: Sequence[events.Recorded]) -> Iterator[str]:
    """Yield the lines that customers will see, for each review that is still pending after these events."""
    reviews: dict[str, events.Review] = {}
    for entry in recorded_events:
        # A later version of a review replaces the earlier one, so only the newest content is shown.
        if isinstance(entry.event, _WAITING):
            reviews[entry.event.review.destination] = entry.event.review
        elif isinstance(entry.event, events.ReviewDecided):
            reviews.pop(entry.event.destination, None)
    for review in reviews.values():
        components = [f"{plain(name)}: {plain(status)}" for name, status in review.components.items()]
        yield "\n".join(
            [
                f"Customers will see at {plain(review.destination)} ({review.work}):",
                *_quote_lines(f"{review.title}\n{review.message}"),
                *([_cut(", ".join(components), LINE)] if components else []),
                *_later(review),
                *_deadline(review),
            ]
        )


def _quote_lines(text: str) -> list[str]:
    lines = [f"> {text_line}" for text_line in map(plain, text.splitlines()) if text_line]
    return [_cut("\n".join(lines), POST)] if lines else []


def _later(review: events.Review) -> Iterator[str]:
    if review.began_at is not None and review.ended_at is not None:
        yield f"It lasted from {_moment(review.began_at)} to {_moment(review.ended_at)}."
    for name, text in review.later.items():
        yield f"Later, as {plain(name)}:"
        yield from _quote_lines(text)


def _deadline(review: events.Review) -> Iterator[str]:
    if review.deadline is not None:
        outcome = "published" if review.at_deadline == "publish" else "dismissed"
        yield f"Without a decision it is {outcome} at {_moment(review.deadline)}."


def _facts(incident: events.Incident, console: str) -> Iterator[str]:
    yield f"Severity: {incident.severity}"
    yield f"Started: {_moment(incident.opened_at)}"
    if incident.acknowledged_at is not None:
        yield f"Acknowledged by {plain(incident.acknowledged_by)} at {_moment(incident.acknowledged_at)}"
    for name, value in (("Rule", incident.rule), ("Owner", incident.owner), ("Runbook", incident.runbook)):
        if value:
            yield f"{name}: {_cut(plain(value), LINE)}"
    yield f"Reference: {incident.reference}"
    if console:
        yield f"{console.rstrip('/')}/incident?{urllib.parse.urlencode({'key': incident.key})}"


def _join_within_limit(parts: Sequence[str], facts: Sequence[str]) -> str:
    """Join the message within its limit. Always keep the facts, because they have the reference and the link."""
    ending = "\n".join(facts)
    body = _cut("\n\n".join(parts), BODY - len(ending) - 2)
    return f"{body}\n\n{ending}" if ending else body


def _moment(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def _cut(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"
