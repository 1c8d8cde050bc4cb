"""Describes events in one line each, in the words that all notifiers share."""

from collections.abc import Callable

from router.domain import events

Quote = Callable[[str], str]
"""Returns an untrusted text as one line that is harmless in the markup of a notifier."""
_OUTCOMES = {
    "approved": "Approved",
    "edited": "Approved with changes",
    "dismissed": "Dismissed",
    "published_at_deadline": "Published at the deadline, without a decision",
    "dismissed_at_deadline": "Dismissed at the deadline, without a decision",
    "withdrawn": "Withdrawn: there is nothing left to decide",
}


def describe(event: events.Event, quote: Quote) -> str:
    """Describe an event in one line. ``quote`` makes untrusted texts harmless in the notifier's markup."""
    incident = getattr(event, "incident", None)
    title = quote(incident.title) if incident is not None else ""
    match event:
        case events.IncidentOpened():
            return f"Opened, {event.incident.severity}: {title}"
        case events.HeartbeatMissed():
            return f"Heartbeat missed for {event.interval_seconds} seconds: {title}"
        case events.IncidentEscalated():
            return f"Escalated from {event.previous_severity} to {event.incident.severity}"
        case events.IncidentPublished() | events.IncidentUpdated():
            word = "Published" if isinstance(event, events.IncidentPublished) else "Updated"
            places = ", ".join(
                f"{quote(publication.destination)} ({publication.state})" for publication in event.publications
            )
            return f"{word} at {places}" if places else f"The severity is {event.incident.severity}"
        case events.IncidentResolved():
            return f"Resolved: {title}"
        case events.OperationFailed():
            return f"Rejected at {quote(event.destination)}: {quote(event.problem)}"
    return _review_line(event, quote)


def decision(event: events.ReviewDecided, quote: Quote, where: str = "") -> str:
    """Describe who decided on a review, and how. ``where`` is added before the reason."""
    return f"{_OUTCOMES[event.outcome]}{_by(event.by, quote)}{where}{_because(event.reason, quote)}"


def _review_line(event: events.Event, quote: Quote) -> str:
    match event:
        case events.ReviewWaiting():
            return f"A post waits for a reviewer at {quote(event.review.destination)}"
        case events.ReviewChanged():
            return f"The waiting post changed at {quote(event.review.destination)}"
        case events.ReviewReminded() | events.ReviewEscalated():
            word = "Still waits" if isinstance(event, events.ReviewReminded) else "Escalated: the post still waits"
            minutes = event.waiting_seconds // 60
            return f"{word} for a reviewer at {quote(event.review.destination)}, after {minutes} minutes"
        case events.ReviewDecided():
            return decision(event, quote, f" at {quote(event.destination)}")
    return _person_line(event, quote) or _router_line(event, quote)


def _person_line(event: events.Event, quote: Quote) -> str:
    """Describe who works on an incident or a review, in one line. Return an empty text for any other event."""
    match event:
        case events.IncidentAcknowledged():
            return f"Acknowledged{_by(event.by, quote)}{_because(event.reason, quote)}"
        case events.IncidentUnacknowledged():
            if event.cause == "escalated":
                return "No longer acknowledged: the severity was raised"
            return f"The acknowledgement was withdrawn{_by(event.by, quote)}{_because(event.reason, quote)}"
        case events.IncidentReminded():
            why = "not acknowledged" if event.cause == "unacknowledged" else "its acknowledgement is stale"
            return f"Still open, after {event.open_seconds // 60} minutes, and {why}"
        case events.ReviewTaken():
            return f"Review taken{_by(event.by, quote)} at {quote(event.review.destination)}"
        case events.ReviewReleased():
            return f"Review released{_by(event.by, quote)} at {quote(event.review.destination)}"
    return ""


def _at(destination: str, quote: Quote) -> str:
    return f" at {quote(destination)}" if destination else ""


def _by(name: str, quote: Quote) -> str:
    return f" by {quote(name)}" if name else ""


def _because(reason: str, quote: Quote) -> str:
    return f": {quote(reason)}" if reason else ""


def _router_line(event: events.Event, quote: Quote) -> str:
    match event:
        case events.DeliveriesFailed():
            return f"Deliveries could not be processed: {event.dead_letters} dead letters"
        case events.GuardTripped():
            return f"The publishing guard tripped{_at(event.destination, quote)}: {quote(event.reason)}"
        case events.GuardReset():
            return f"The publishing guard was reset{_at(event.destination, quote)}{_by(event.by, quote)}"
        case events.FreezeStarted():
            return f"Public pages were frozen{_by(event.by, quote)}{_because(event.reason, quote)}"
        case events.FreezeEnded():
            return f"Public pages were unfrozen{_by(event.by, quote)}"
        case events.TestSent():
            return f"{event.message} ({quote(event.by)})"
        case events.PublicationDelayed():
            instead = f", announced at {', '.join(map(quote, event.failover))} instead" if event.failover else ""
            return f"Can't be opened{_at(event.destination, quote)}{instead}: {quote(event.problem or 'no response')}"
        case events.PublicationRecovered():
            return f"Opened late{_at(event.destination, quote)}"
    return _other_line(event, quote)


def _other_line(event: events.Event, quote: Quote) -> str:
    """Describe an event from its type and fields, such as ``Incident acknowledged by ann: Down``."""
    incident, destination = getattr(event, "incident", None), str(getattr(event, "destination", ""))
    words = events.type_of(event).replace(".", " ").replace("_", " ").capitalize()
    line = f"{words}{_at(destination, quote)}{_by(str(getattr(event, 'by', '')), quote)}"
    return f"{line}: {quote(incident.title)}" if incident is not None else line
