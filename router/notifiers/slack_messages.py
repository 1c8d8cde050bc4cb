"""Renders events as Slack messages in Block Kit, within Slack's limits.

Texts of alerts and posts are escaped, and what customers will see is plain text: Slack shows it as it is.
"""

import datetime as dt
import hashlib
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from router.domain import events

Block = dict[str, Any]
_HEADER, _TEXT, _FIELD, _FIELDS = 150, 3000, 2000, 10
_COLORS = {"critical": ":red_circle:", "major": ":large_orange_circle:", "minor": ":large_yellow_circle:"}
_REMINDERS = (events.ReviewReminded, events.ReviewEscalated)
_OUTCOMES = {
    "approved": "Approved",
    "edited": "Approved with changes",
    "dismissed": "Dismissed",
    "published_at_deadline": "Published at the deadline, without a decision",
    "dismissed_at_deadline": "Dismissed at the deadline, without a decision",
    "withdrawn": "Withdrawn: there is nothing left to decide",
}


class View(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the channel shows of a subject: the newest state from the events so far.

    ``decisions`` say how a review ended, by destination; one that waits has none. ``is_incident_shown`` is false if the
    notifier receives reviews only.
    """

    incident: events.Incident | None = None
    publications: dict[str, events.Publication] = {}
    reviews: dict[str, events.Review] = {}
    decisions: dict[str, str] = {}
    is_incident_shown: bool = False


class Message(NamedTuple):
    """A message to show. ``key`` identifies it within the subject; ``thread`` is the message that it replies to.

    ``is_broadcast``: a reply that the channel shows, too.
    """

    key: str
    text: str
    blocks: list[Block]
    thread: str = ""
    is_broadcast: bool = False

    @property
    def digest(self) -> str:
        """A short hash of what the message shows."""
        packed = msgspec.json.encode((self.text, self.blocks))
        return hashlib.blake2b(packed, digest_size=8).hexdigest()


def apply(view: View, recorded: Sequence[events.Recorded]) -> View:
    """Return the view after further events."""
    for one in recorded:
        view = _applied(view, one.event)
    return view


def _applied(view: View, event: events.Event) -> View:
    incident = getattr(event, "incident", None)
    if isinstance(event, events.IncidentOpened):
        view = View()  # Another episode: its messages are new ones.
    if incident is not None:
        is_shown = view.is_incident_shown or events.topic_of(event) != "reviews"
        view = msgspec.structs.replace(view, incident=incident, is_incident_shown=is_shown)
    match event:
        case events.IncidentPublished() | events.IncidentUpdated():
            shown = {one.destination: one for one in event.publications}
            return msgspec.structs.replace(view, publications={**view.publications, **shown})
        case events.ReviewWaiting() | events.ReviewChanged() | events.ReviewReminded() | events.ReviewEscalated():
            decisions = {name: said for name, said in view.decisions.items() if name != event.review.destination}
            reviews = {**view.reviews, event.review.destination: event.review}
            return msgspec.structs.replace(view, reviews=reviews, decisions=decisions)
        case events.ReviewDecided():
            said = {**view.decisions, event.destination: _decision(event)}
            return msgspec.structs.replace(view, decisions=said)
    return view


class Renderer:
    """Renders messages; ``console`` is the URL of the console, empty if it isn't known."""

    def __init__(self, console: str) -> None:
        self._console = console.rstrip("/")

    def messages(self, view: View, recorded: Sequence[events.Recorded]) -> Iterator[Message]:
        """Return what the channel has to show: the incident, its reviews, and a reply about the newest events."""
        incident = view.incident
        if incident is None:
            yield self._plain(recorded)
            return
        name = incident.reference
        if view.is_incident_shown:
            yield self._incident(incident, view, name)
        for destination, review in view.reviews.items():
            yield self._review(incident, review, view.decisions.get(destination, ""), f"{name}/{destination}")
        yield from _reminders(recorded, name)
        if view.is_incident_shown and not any(isinstance(one.event, events.IncidentOpened) for one in recorded):
            told = [
                one for one in recorded if not isinstance(one.event, events.ReviewReminded | events.ReviewEscalated)
            ]
            lines = "\n".join(f"• {line(one.event)}" for one in told)
            if lines:
                yield Message(f"thread:{told[-1].sequence}", lines, [_section(lines)], name)

    def _plain(self, recorded: Sequence[events.Recorded]) -> Message:
        lines = "\n".join(line(one.event) for one in recorded)
        return Message(f"thread:{recorded[-1].sequence}", lines, [_section(lines)])

    def _incident(self, incident: events.Incident, view: View, key: str) -> Message:
        over = incident.status == "closed"
        mark = ":white_check_mark:" if over else _COLORS.get(incident.severity, ":large_blue_circle:")
        state = "Resolved" if over else f"Open, {incident.severity}"
        text = f"{state}: {escaped(incident.title)} ({incident.reference})"
        facts = [f"*Severity:* {incident.severity}", f"*Started:* {moment(incident.opened_at)}"]
        facts += [f"*Rule:* {escaped(incident.rule)}"] if incident.rule else []
        facts += [f"*Owner:* {escaped(incident.owner)}"] if incident.owner else []
        facts += [f"*Runbook:* {escaped(incident.runbook)}"] if incident.runbook else []
        facts += [self._publication(one) for one in view.publications.values()]
        blocks = [
            _section(f"{mark} *{state}:* {escaped(incident.title)}"),
            {"type": "section", "fields": [_markdown(fact[:_FIELD]) for fact in facts[:_FIELDS]]},
            _context(f"{incident.reference} · {self._link('/incident', {'key': incident.key})}"),
        ]
        return Message(key, text, blocks)

    def _publication(self, one: events.Publication) -> str:
        shown = f"<{escaped(one.url)}|{one.state}>" if one.url else one.state
        return f"*{escaped(one.destination)}:* {shown}{' (edited by a person)' if one.edited else ''}"

    def _review(self, incident: events.Incident, review: events.Review, decision: str, key: str) -> Message:
        head = decision or f"A post waits for a reviewer ({review.work})"
        text = f"{head}: {escaped(review.title or incident.title)} at {escaped(review.destination)}"
        blocks = [
            _section(
                f"{':ballot_box_with_check:' if decision else ':eyes:'} *{head}* at *{escaped(review.destination)}*"
            ),
            _context("Customers will see:" if not decision else "This was shown for review:"),
            *([_header(review.title)] if review.title else []),
            *_verbatim(review.message),
        ]
        components = [f"*{escaped(name)}:* {escaped(status)}" for name, status in review.components.items()]
        if components:
            fields = [_markdown(one[:_FIELD]) for one in components[:_FIELDS]]
            blocks.append({"type": "section", "fields": fields})
        if not decision and review.deadline is not None:
            outcome = "published" if review.at_deadline == "publish" else "dismissed"
            blocks.append(_context(f"Without a decision it is {outcome} at {moment(review.deadline)}."))
        link = self._link("/reviews", {})
        blocks.append(
            _context(f"{incident.reference} · severity {incident.severity} · version {review.digest} · {link}")
        )
        return Message(key, text, blocks)

    def _link(self, path: str, query: dict[str, str]) -> str:
        if not self._console:
            return "see the console"
        encoded = f"?{urllib.parse.urlencode(query)}" if query else ""
        return f"<{self._console}{path}{encoded}|Open in the console>"


def _reminders(recorded: Sequence[events.Recorded], name: str) -> Iterator[Message]:
    """Return a reply for each reminder: an updated message notifies nobody."""
    for one in recorded:
        if isinstance(one.event, _REMINDERS):
            text, thread = line(one.event), f"{name}/{one.event.review.destination}"
            yield Message(f"thread:{one.sequence}", text, [_section(text)], thread, is_broadcast=True)


def line(event: events.Event) -> str:
    """Return one line about an event."""
    incident = getattr(event, "incident", None)
    name = escaped(incident.title) if incident is not None else ""
    match event:
        case events.IncidentOpened() | events.HeartbeatMissed():
            return f"{'Opened' if isinstance(event, events.IncidentOpened) else 'Heartbeat missed'}: {name}"
        case events.IncidentEscalated():
            return f"Escalated from {event.previous_severity} to {event.incident.severity}"
        case events.IncidentPublished() | events.IncidentUpdated():
            word = "Published" if isinstance(event, events.IncidentPublished) else "Updated"
            places = ", ".join(f"{escaped(one.destination)} ({one.state})" for one in event.publications)
            return f"{word} at {places}" if places else f"The severity is {event.incident.severity}"
        case events.IncidentResolved():
            return f"Resolved: {name}"
        case events.ReviewWaiting() | events.ReviewChanged():
            word = "Waits for review" if isinstance(event, events.ReviewWaiting) else "The waiting post changed"
            return f"{word} at {escaped(event.review.destination)}"
        case events.ReviewReminded() | events.ReviewEscalated():
            word = ":bell: Still waits" if isinstance(event, events.ReviewReminded) else ":rotating_light: Escalated"
            return f"{word} at {escaped(event.review.destination)}, for {event.waiting_seconds // 60} minutes by now"
        case events.ReviewDecided():
            return f"{_decision(event)} at {escaped(event.destination)}"
        case events.OperationFailed():
            return f":warning: Rejected at {escaped(event.destination)}: {escaped(event.problem)}"
    return _router_line(event)


def _router_line(event: events.Event) -> str:
    match event:
        case events.DeliveriesFailed():
            return f":warning: Deliveries could not be processed: {event.dead_letters} dead letters"
        case events.GuardTripped():
            where = f" at {escaped(event.destination)}" if event.destination else ""
            return f":octagonal_sign: The publishing guard tripped{where}: {escaped(event.reason)}"
        case events.GuardReset():
            where = f" at {escaped(event.destination)}" if event.destination else ""
            return f":white_check_mark: The publishing guard was reset{where}{_by(event.by)}"
        case events.FreezeStarted():
            reason = f": {escaped(event.reason)}" if event.reason else ""
            return f":snowflake: Public pages were frozen{_by(event.by)}{reason}"
        case events.FreezeEnded():
            return f":white_check_mark: Public pages were unfrozen{_by(event.by)}"
        case events.TestSent():
            return f"{event.message} ({escaped(event.by)})"
    return events.type_of(event)


def _by(name: str) -> str:
    return f" by {escaped(name)}" if name else ""


def _decision(event: events.ReviewDecided) -> str:
    reason = f": {escaped(event.reason)}" if event.reason else ""
    return f"{_OUTCOMES[event.outcome]}{_by(event.by)}{reason}"


def escaped(text: str) -> str:
    """Escape the characters that Slack reads as markup, mentions, and links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def moment(at: dt.datetime) -> str:
    """Return a time that Slack shows in the reader's time zone."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def _markdown(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}


def _section(text: str) -> Block:
    return {"type": "section", "text": _markdown(_cut(text, _TEXT))}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_markdown(_cut(text, _FIELD))]}


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": _cut(text, _HEADER), "emoji": False}}


def _verbatim(text: str) -> list[Block]:
    """Return a text as it is, in as many blocks as it needs."""
    parts = [text[first : first + _TEXT] for first in range(0, len(text), _TEXT)]
    return [{"type": "section", "text": {"type": "plain_text", "text": part, "emoji": False}} for part in parts]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
