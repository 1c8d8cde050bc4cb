"""Renders events as Slack messages in Block Kit, within Slack's limits.

Texts of alerts and posts are escaped, and what customers will see is plain text: Slack shows it as it is.
"""

import datetime as dt
import hashlib
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from router.domain import events
from router.notifiers import event_texts, slack_blocks, slack_reviews

_COLORS = {"critical": ":red_circle:", "major": ":large_orange_circle:", "minor": ":large_yellow_circle:"}
_BROADCAST = (
    events.IncidentReminded,
    events.PublicationDelayed,
    events.ReviewReminded,
    events.ReviewEscalated,
)
_OF_TAKES = (events.ReviewTaken, events.ReviewReleased)
_EMOJI: Mapping[type, str] = {
    events.ReviewReminded: ":bell:",
    events.ReviewEscalated: ":rotating_light:",
    events.OperationFailed: ":warning:",
    events.IncidentAcknowledged: ":raised_hand:",
    events.IncidentReminded: ":bell:",
    events.ReviewTaken: ":raised_hand:",
    events.DeliveriesFailed: ":warning:",
    events.GuardTripped: ":octagonal_sign:",
    events.GuardReset: ":white_check_mark:",
    events.FreezeStarted: ":snowflake:",
    events.FreezeEnded: ":white_check_mark:",
    events.PublicationDelayed: ":rotating_light:",
    events.PublicationRecovered: ":white_check_mark:",
}


class SubjectView(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of a subject's message: the newest state from the events so far.

    ``decisions`` and ``decided_at`` have the outcome and the time of each decided review, by destination. A pending
    review has neither. ``is_incident_shown`` is false if the notifier receives only reviews.
    """

    incident: events.Incident | None = None
    publications: dict[str, events.Publication] = {}
    reviews: dict[str, events.Review] = {}
    decisions: dict[str, str] = {}
    decided_at: dict[str, dt.datetime] = {}
    is_incident_shown: bool = False


class SlackMessage(NamedTuple):
    """A message to show. ``key`` identifies it within the subject; ``thread`` is the message that it replies to.

    ``is_broadcast``: a reply that the channel shows, too.
    """

    key: str
    text: str
    blocks: list[slack_blocks.Block]
    thread: str = ""
    is_broadcast: bool = False

    @property
    def digest(self) -> str:
        """A short hash of the message's content."""
        packed = msgspec.json.encode((self.text, self.blocks))
        return hashlib.blake2b(packed, digest_size=8).hexdigest()


def apply(view: SubjectView, recorded_events: Sequence[events.Recorded]) -> SubjectView:
    """Return the view after further events."""
    for entry in recorded_events:
        view = _apply_event(view, entry.event, entry.time)
    return view


def _apply_event(view: SubjectView, event: events.Event, at: dt.datetime) -> SubjectView:
    incident = getattr(event, "incident", None)
    if isinstance(event, events.IncidentOpened):
        view = SubjectView()  # Another episode: its messages are new ones.
    if incident is not None:
        # A notifier that receives only reviews must not post a message that it never updates.
        is_shown = view.is_incident_shown or events.topic_of(event) != "reviews"
        view = msgspec.structs.replace(view, incident=incident, is_incident_shown=is_shown)
    match event:
        case events.IncidentPublished() | events.IncidentUpdated():
            publications = {publication.destination: publication for publication in event.publications}
            return msgspec.structs.replace(view, publications={**view.publications, **publications})
        case events.ReviewWaiting() | events.ReviewChanged() | events.ReviewReminded() | events.ReviewEscalated():
            decisions = {
                name: texts_of_decisions
                # A waiting review has no decision, so the decision on its previous version is dropped.
                for name, texts_of_decisions in view.decisions.items()
                if name != event.review.destination
            }
            reviews = {**view.reviews, event.review.destination: event.review}
            return msgspec.structs.replace(view, reviews=reviews, decisions=decisions)
        case events.ReviewDecided():
            texts_of_decisions = {
                **view.decisions,
                event.destination: event_texts.decision(event, slack_blocks.escape),
            }
            times = {**view.decided_at, event.destination: at}
            return msgspec.structs.replace(view, decisions=texts_of_decisions, decided_at=times)
    if isinstance(event, _OF_TAKES):
        return msgspec.structs.replace(view, reviews={**view.reviews, event.review.destination: event.review})
    return view


class MessageRenderer:
    """Renders messages. ``console`` is the console's URL, empty if unknown. ``buttons`` adds buttons to reviews."""

    def __init__(self, console: str, *, buttons: bool = False) -> None:
        self._console = console.rstrip("/")
        self._reviews = slack_reviews.ReviewRenderer(console, buttons=buttons)

    def messages(self, view: SubjectView, recorded_events: Sequence[events.Recorded]) -> Iterator[SlackMessage]:
        """Return the messages of the channel: the incident, its reviews, and a reply about the newest events."""
        incident = view.incident
        # Events such as a freeze belong to no incident, so they get a message of their own.
        if incident is None:
            yield self._plain(recorded_events)
            return
        name = incident.reference
        if view.is_incident_shown:
            yield self._incident(incident, view, name)
        for destination in view.reviews:
            yield self._review(incident, view, destination)
        yield from _reminders(recorded_events, name)
        if view.is_incident_shown and not any(
            isinstance(entry.event, events.IncidentOpened) for entry in recorded_events
        ):
            # Broadcast events have replies of their own.
            lines_of = [entry for entry in recorded_events if not isinstance(entry.event, _BROADCAST)]
            lines = "\n".join(f"• {line(entry.event)}" for entry in lines_of)
            if lines:
                yield SlackMessage(f"thread:{lines_of[-1].sequence}", lines, [slack_blocks.section(lines)], name)

    def _plain(self, recorded_events: Sequence[events.Recorded]) -> SlackMessage:
        lines = "\n".join(line(entry.event) for entry in recorded_events)
        return SlackMessage(f"thread:{recorded_events[-1].sequence}", lines, [slack_blocks.section(lines)])

    def _incident(self, incident: events.Incident, view: SubjectView, key: str) -> SlackMessage:
        over = incident.status == "closed"
        mark = ":white_check_mark:" if over else _COLORS.get(incident.severity, ":large_blue_circle:")
        state = "Resolved" if over else f"Open, {incident.severity}"
        text = f"{state}: {slack_blocks.escape(incident.title)} ({incident.reference})"
        facts = [f"*Severity:* {incident.severity}", f"*Started:* {slack_blocks.moment(incident.opened_at)}"]
        facts += _acknowledgement_facts(incident)
        facts += [f"*Rule:* {slack_blocks.escape(incident.rule)}"] if incident.rule else []
        facts += [f"*Owner:* {slack_blocks.escape(incident.owner)}"] if incident.owner else []
        facts += [f"*Runbook:* {slack_blocks.link(incident.runbook)}"] if incident.runbook else []
        facts += [self._publication(publication) for publication in view.publications.values()]
        blocks = [
            slack_blocks.section(f"{mark} *{state}:* {slack_blocks.escape(incident.title)}"),
            *slack_blocks.fields(facts[: slack_blocks.FIELDS]),
            slack_blocks.context(f"{incident.reference} · {self._link('/incident', {'key': incident.key})}"),
        ]
        return SlackMessage(key, text, blocks)

    def _publication(self, publication: events.Publication) -> str:
        state = (
            f"<{slack_blocks.escape(publication.url)}|{publication.state}>" if publication.url else publication.state
        )
        edited = " (edited by a person)" if publication.edited else ""
        return f"*{slack_blocks.escape(publication.destination)}:* {state}{edited}"

    def _review(self, incident: events.Incident, view: SubjectView, destination: str) -> SlackMessage:
        review, decision = view.reviews[destination], view.decisions.get(destination, "")
        review_view = slack_reviews.ReviewView(incident, review, decision)
        title = slack_blocks.escape(review.title or incident.title)
        text = f"{slack_reviews.head(review_view)}: {title} at {slack_blocks.escape(destination)}"
        blocks = self._reviews.blocks(review_view)
        if not decision and review.taken_by and review.taken_until is not None:
            reviewer, deadline = slack_blocks.escape(review.taken_by), slack_blocks.moment(review.taken_until)
            blocks.append(slack_blocks.context(f"{reviewer} works on this review until {deadline}."))
        if decision and destination in view.decided_at:
            blocks.append(slack_blocks.context(f"Decided at {slack_blocks.moment(view.decided_at[destination])}"))
        return SlackMessage(f"{incident.reference}/{destination}", text, blocks)

    def _link(self, path: str, query: dict[str, str]) -> str:
        if not self._console:
            return "see the console"
        encoded = f"?{urllib.parse.urlencode(query)}" if query else ""
        return f"<{self._console}{path}{encoded}|Open in the console>"


def _reminders(recorded_events: Sequence[events.Recorded], name: str) -> Iterator[SlackMessage]:
    """Yield a reply for each reminder and delayed opening, because Slack doesn't notify users of an updated message."""
    for entry in recorded_events:
        if isinstance(entry.event, _BROADCAST):
            review = getattr(entry.event, "review", None)
            text, thread = line(entry.event), name if review is None else f"{name}/{review.destination}"
            yield SlackMessage(
                f"thread:{entry.sequence}", text, [slack_blocks.section(text)], thread, is_broadcast=True
            )


def line(event: events.Event) -> str:
    """Return one line about an event."""
    text = _short_line(event) or event_texts.describe(event, slack_blocks.escape)
    emoji = _EMOJI.get(type(event))
    return f"{emoji} {text}" if emoji else text


def _short_line(event: events.Event) -> str:
    """Return a line without the facts of the message above it; empty for most events."""
    match event:
        case events.IncidentOpened() | events.HeartbeatMissed():
            word = "Opened" if isinstance(event, events.IncidentOpened) else "Heartbeat missed"
            return f"{word}: {slack_blocks.escape(event.incident.title)}"
        case events.ReviewWaiting():
            return f"Waits for review at {slack_blocks.escape(event.review.destination)}"
        case events.ReviewReminded() | events.ReviewEscalated():
            word = "Still waits" if isinstance(event, events.ReviewReminded) else "Escalated"
            minutes = event.waiting_seconds // 60
            return f"{word} at {slack_blocks.escape(event.review.destination)}, for {minutes} minutes"
        case events.IncidentReminded():
            why = "not acknowledged" if event.cause == "unacknowledged" else "its acknowledgement is stale"
            return f"Still open, for {event.open_seconds // 60} minutes, and {why}"
    return ""


def _acknowledgement_facts(incident: events.Incident) -> list[str]:
    if incident.acknowledged_at is None or not incident.acknowledged_by:
        return []
    at = slack_blocks.moment(incident.acknowledged_at)
    return [f"*Acknowledged* by {slack_blocks.escape(incident.acknowledged_by)} at {at}"]
