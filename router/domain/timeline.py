"""The timeline of an incident: its events in order, as text. Each change of the incident records its events."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from router.domain import acknowledgements, decisions, identity, incidents, timing
from router.domain.notices import Code, Notice
from router.domain.times import Timestamp

MAX_ALERTS = 20  # Alerts that are named. Beyond this, only each power of ten is reported.
MAX_NAMES = 5  # Names in one sentence.


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event. ``what`` is a fixed word, ``text`` a sentence for people, and ``detail`` data for programs.

    ``at`` is microseconds since the epoch by Redis' clock. ``who`` is the person who caused the event; empty if none
    did.
    """

    at: Timestamp
    what: str
    text: str
    destination: str = ""
    who: str = ""
    detail: dict[str, Any] = {}


def events_for_change(
    before: incidents.Incident, after: incidents.Incident, arrived: Iterable[decisions.Routed], now: Timestamp
) -> list[Event]:
    """Return the events of a change that was made by alerts or by time alone."""
    if after is before:
        return []
    return [
        *_episode_events(before, after, now),
        *alert_events(before, after, arrived, now),
        *_overflow_events(before, after, now),
        *_muted_events(before, after, now),
    ]


def ignored_event(late: list[decisions.Routed], deliveries: list[str], now: Timestamp) -> Event:
    """Return the event for messages that were ignored as late deliveries."""
    names = sorted({routed.alert.identity for routed in late})
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    noun = "message" if len(late) == 1 else "messages"
    text = f"Ignored {len(late)} late {noun} of {', '.join(names[:MAX_NAMES])}{more}: newer ones were received before."
    return Event(now, "ignored", text, detail={"alerts": names[:MAX_NAMES], "deliveries": deliveries[:MAX_NAMES]})


def unknown_end_event(after: incidents.Incident, now: Timestamp) -> Event:
    """Return the event for an end whose beginning is no longer known."""
    reference = identity.reference(after.episode)
    text = (
        f"Over, by a resolved alert; the data in Redis that was lost may have had it open. Its items that are open at "
        f"the vendors are resolved, as {reference}."
    )
    return Event(now, "closed", text, detail={"episode": after.episode, "reference": reference})


def vanished_event(names: list[str], now: Timestamp) -> Event:
    """Return the event for alerts that ended without a message, because their Alertmanager no longer lists them."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    text = f"Alertmanager no longer has {', '.join(names[:MAX_NAMES])}{more}."
    return Event(now, "alerts", text, detail={"alerts": names[:MAX_NAMES]})


def notice_events(notices: Iterable[Notice], now: Timestamp) -> list[Event]:
    """Return an event for each code of the notices: what was cut, replaced, or ignored in the received alerts."""
    by_code: dict[Code, dict[Notice, None]] = {}
    for notice in notices:  # A notice about a whole delivery occurs once for each of its alerts.
        by_code.setdefault(notice.code, {})[notice] = None
    events = []
    for code, notices_of_code in by_code.items():
        first = next(iter(notices_of_code))
        count = sum(notice.count for notice in notices_of_code)
        suffix = f" of {first.fingerprint}" if first.fingerprint else ""
        more = f" ({count} changes in all)" if count > first.count else ""
        detail = {"code": code, "count": count, "where": first.where, "alert": first.fingerprint}
        events.append(Event(now, "notice", f"{code}: {first.where}{suffix}: {first.detail}{more}.", detail=detail))
    return events


def _episode_events(before: incidents.Incident, after: incidents.Incident, now: Timestamp) -> Iterator[Event]:
    if after.episode != before.episode:
        if before.status == "open":
            yield Event(now, "closed", "All alerts are resolved.")
        yield opened_event(after, now)
        before = msgspec.structs.replace(before, status="open", severity=after.severity, quiet=None)
    if after.status == "pending" and before.status != "pending":
        hold = timing.timing_of(after).open_after // 1_000_000
        yield Event(now, "held", f"An alert fires. The incident opens if an alert still fires after {hold} s.")
    if after.severity != before.severity and after.status == before.status == "open":
        way = "raised" if after.severity > before.severity else "lowered"
        text = f"The severity is {way} from {before.severity.word} to {after.severity.word}."
        yield Event(now, "severity", text, detail={"from": before.severity.word, "to": after.severity.word})
    if after.status == "open":
        yield from _acknowledgement_end_events(before, after, now)
    yield from _end_events(before, after, now)


def acknowledged_event(acknowledgement: acknowledgements.Acknowledgement) -> Event:
    """Return the event for an acknowledgement."""
    reason = f": {acknowledgement.reason}" if acknowledgement.reason else "."
    return Event(
        acknowledgement.at,
        "acknowledged",
        f"Acknowledged by {acknowledgement.name}{reason}",
        acknowledgement.destination,
        acknowledgement.who,
    )


def unacknowledged_event(ended: acknowledgements.Acknowledgement) -> Event:
    """Return the event for an acknowledgement that an operator has withdrawn."""
    reason = f": {ended.ended_reason}" if ended.ended_reason else "."
    text = f"{ended.ended_by} withdrew the acknowledgement by {ended.name}{reason}"
    return Event(ended.ended_at, "unacknowledged", text, who=ended.ended_by)


def _acknowledgement_end_events(
    before: incidents.Incident, after: incidents.Incident, now: Timestamp
) -> Iterator[Event]:
    acknowledgement, ended = before.interventions.acknowledgement, after.interventions.acknowledgement
    if acknowledgement is None or acknowledgement.ended_at or ended is None or not ended.ended_at:
        return
    text = f"The acknowledgement by {ended.name} has ended, because the severity was raised."
    yield Event(now, "unacknowledged", text)


def opened_event(after: incidents.Incident, now: Timestamp) -> Event:
    """Return the event for the begin of an episode."""
    response, alert = after.response, after.opening_alert
    assert response is not None and alert is not None  # noqa: S101, PT018 - what opens was opened by an alert
    reference = identity.reference(after.episode)
    name = alert.title or alert.identity
    why = f'for "{name}"'
    if response.timing.heartbeat:
        why = f'because "{name}" was not received for {response.timing.heartbeat // 1_000_000} s'
    text = f"Opened as {reference} by rule {response.rule} ({response.place}) {why}."
    if after.follows:
        text += f" It continues {identity.reference(after.follows)}."
    detail = {
        "episode": after.episode,
        "reference": reference,
        "rule": response.rule,
        "place": response.place,
        "version": response.version,
        "alert": alert.identity,
        "severity": after.severity.word,
        "because": [[reason.rule, reason.place, reason.asked] for reason in response.because],
    }
    return Event(now, "opened", text, detail=detail)


def _end_events(before: incidents.Incident, after: incidents.Incident, now: Timestamp) -> Iterator[Event]:
    if before.status == "pending" and after.status == "closed":
        yield Event(now, "closed", "The alerts resolved during the hold period. No incident was opened.")
    elif before.status == "open" and after.status == "closed":
        beats = timing.timing_of(after).heartbeat
        yield Event(now, "closed", "The heartbeat was received again." if beats else "All alerts are resolved.")
    elif after.status == "open" and after.monitored_since and not before.monitored_since:
        seconds = timing.monitor_for(after) // 1_000_000
        yield Event(
            now, "monitored", f"All alerts are resolved. The incident is monitored for {seconds} s before it ends."
        )
    elif after.status == "open" and (after.quiet is None) != (before.quiet is None):
        if after.quiet is not None:
            seconds = timing.quiet_period(after) // 1_000_000
            if after.quiet.overtaken_at is not None and not seconds:
                text = "All alerts are resolved. The incident ends unless earlier deliveries contradict that."
                yield Event(now, "quiet", text)
                return
            flaps = " (it is flapping)" if timing.is_flapping(after) else ""
            ends = "The incident is monitored before it ends" if timing.monitor_for(after) else "It ends"
            yield Event(now, "quiet", f"All alerts are resolved. {ends} if they stay resolved for {seconds} s{flaps}.")
        else:
            yield Event(now, "firing", "An alert fires again before the incident ends.")


def alert_events(
    before: incidents.Incident, after: incidents.Incident, arrived: Iterable[decisions.Routed], now: Timestamp
) -> Iterator[Event]:
    """Yield the events for alerts that fire or have resolved: the first by name. Of a storm, yield only its size."""
    fires, fired = after.still_fires, before.still_fires
    if after.status == "closed" or max(len(before.alerts), fired) > MAX_ALERTS:
        if (size := _power_of_ten(fires)) > max(_power_of_ten(fired), MAX_ALERTS):
            yield Event(now, "alerts", f"More than {size} alerts fire.", detail={"firing": fires})
        return
    opening = after.opening_alert.identity if after.opening_alert is not None else ""
    joined: list[str] = []
    left: list[str] = []
    for routed in arrived:
        name = routed.alert.identity
        was, now_is = before.alerts.get(name), after.alerts.get(name)
        if now_is is None or now_is.resolved == (was is None or was.resolved):
            continue
        if now_is.resolved:
            left.append(name)
        elif name != opening or before.status != "closed":
            joined.append(name)
    for names, singular, many in ((joined, "fires", "fire"), (left, "has resolved", "have resolved")):
        if names:
            verb = many if len(names) > 1 else singular
            more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
            text = f"{', '.join(names[:MAX_NAMES])}{more} {verb}."
            yield Event(now, "alerts", text, detail={"alerts": names[:MAX_NAMES], "firing": fires})


def _muted_events(before: incidents.Incident, after: incidents.Incident, now: Timestamp) -> Iterator[Event]:
    """Yield an event for each reason why alerts are newly muted."""
    if after.muted == before.muted:
        return
    reasons: dict[str, list[str]] = {}
    for name, muted in after.muted.items():
        was = before.muted.get(name)
        if was is None or was.by != muted.by:
            reasons.setdefault(muted.by, []).append(name)
    for by, names in reasons.items():
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        yield Event(now, "muted", f"Muted by {by}: {', '.join(names[:MAX_NAMES])}{more}.")


def _overflow_events(before: incidents.Incident, after: incidents.Incident, now: Timestamp) -> Iterator[Event]:
    """Yield an event for messages about alerts beyond those that an incident holds.

    There is one for the first message, and for each power of ten.
    """
    if after.overflow_count and _power_of_ten(after.overflow_count) > _power_of_ten(before.overflow_count):
        noun = "message" if after.overflow_count == 1 else "messages"
        text = f"Counted {after.overflow_count} {noun} of further alerts beyond the maximum of firing alerts."
        yield Event(now, "unheld", text, detail={"messages": after.overflow_count, "firing": after.still_fires})


def _power_of_ten(number: int) -> int:
    return 10 ** (len(str(number)) - 1) if number > 0 else 0
