"""Compares the alerts that a source's Alertmanager lists with the states that the router has of them.

Two responses are never enough to know why the sides differ, so differences are remembered from one response to the
next. An alert that the router still hasn't received is found, and an alert that is absent from two complete responses
in a row has ended.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from router.domain import alert_states, heartbeat, incidents, timing
from router.domain.times import Duration, Timestamp

_MILLISECOND = 1000
_DOUBT = 5  # Factor of the patience before an alert that has resolved here counts as firing again.


class Known(NamedTuple):
    """The router's state of an alert.

    It has the incident, since when the alert fires (microseconds), and when the router learned that.

    ``fires`` is also set for a silenced alert. ``news`` says that another message about it would change something.
    """

    incident: str
    starts_at: Timestamp
    learned_at: Timestamp
    fires: bool
    news: bool


class Held(NamedTuple):
    """An alert in the Alertmanager: since when it fires (in microseconds, possibly in whole milliseconds).

    ``active`` is False if the Alertmanager suppresses it, for example by a silence. It is then neither found nor
    absent.
    """

    starts_at: Timestamp
    active: bool


class Memory(msgspec.Struct, frozen=True, array_like=True):
    """The differences that are remembered between responses, by fingerprint; times in microseconds.

    ``unheard`` are alerts that are active there and not received here: the start, and the response since which that is
    so. ``absent`` are alerts that fire here and not there: the start, when that was learned, and since which response.
    """

    unheard: dict[str, tuple[Timestamp, Timestamp]] = {}
    absent: dict[str, tuple[Timestamp, Timestamp, Timestamp]] = {}


class Difference(NamedTuple):
    """The result of a comparison.

    ``found`` are alerts to fold in as firing, each since a time. ``ended`` are alerts to end, each at a time.
    ``memory`` is what to remember for the next comparison.
    """

    found: dict[str, Timestamp]
    ended: dict[str, Timestamp]
    memory: Memory


def learn(
    known_alerts: dict[str, Known],
    incidents_read: Iterable[tuple[incidents.Incident, Timestamp]],
    source: str,
    within: Duration,
) -> None:
    """Add to ``known_alerts``, by fingerprint, the alerts of a source in these incidents, each incident as of a time.

    Another message is news about an alert that would end ``within`` microseconds because it is not repeated.
    """
    for incident, now in incidents_read:
        for identity, state in incident.alerts.items():
            owner, _, fingerprint = identity.rpartition("/")
            if owner == source:
                news = state.expired or _wants_repeating(incident, state, now, within)
                known_alert = Known(incident.key, state.starts_at, state.learned_at, not state.resolved, news)
                known_alerts[fingerprint] = max(known_alert, known_alerts.get(fingerprint, known_alert), key=_weight)
        for identity, muted in incident.muted.items():
            owner, _, fingerprint = identity.rpartition("/")
            if owner == source and not heartbeat.find_beats([muted.routed]):
                known_alerts[fingerprint] = Known(incident.key, muted.routed.alert.starts_at, Timestamp(0), True, False)


def _weight(known_alert: Known) -> tuple[bool, int]:
    """Order the states of an alert that moved between incidents.

    The one that fires counts, or else the one that fired last.
    """
    return known_alert.fires, known_alert.starts_at


def _wants_repeating(
    incident: incidents.Incident, state: alert_states.AlertState, now: Timestamp, within: Duration
) -> bool:
    """Return whether a firing alert would soon end only because no message repeats it."""
    stale_after = timing.timing_of(incident).stale_after
    ends_soon = 0 < state.ends_at <= now + within
    # An alert whose webhooks arrive regularly is repeated long before this.
    stale_soon = stale_after > 0 and now - state.learned_at > stale_after * 3 // 4
    return not state.resolved and (ends_soon or stale_soon)


def last(starts_at: Timestamp) -> Timestamp:
    """Return the latest start that a webhook may carry if the Alertmanager's API gives the start as this millisecond.

    A webhook's nanoseconds may have been rounded up to the next millisecond.
    """
    return Timestamp(starts_at // _MILLISECOND * _MILLISECOND + _MILLISECOND)


def starts_of_end(starts_at: Timestamp) -> tuple[Timestamp, ...]:
    """Return the starts for which to report an alert's end: the one known here, and the latest of its millisecond.

    A late webhook may carry either start. The alert has ended in both cases.
    """
    return tuple(sorted({starts_at, last(starts_at)}))


def compare(
    memory: Memory,
    known_alerts: Mapping[str, Known],
    held_alerts: Mapping[str, Held],
    *,
    asked_at: Timestamp,
    patience: Duration,
    is_complete: bool,
) -> Difference:
    """Compare the router's states before a request, which was sent at ``asked_at``, with the response.

    An alert that was active there and not received here for ``patience`` microseconds is found, and found again only
    after the same time. An alert that has resolved here and is still active there after five times as long fires again.
    It is found with the time at which that was first seen as its start, because the router ignores a start that has
    resolved. An alert that is absent from two responses in a row has ended at the first of them. Only a response that
    is ``is_complete`` counts for absence, and any other response breaks the row.
    """
    unheard, beginnings = _find_unreceived(memory.unheard, known_alerts, held_alerts, asked_at, patience)
    absent, ended = _find_absent(memory.absent, known_alerts, held_alerts, asked_at) if is_complete else ({}, {})
    return Difference(beginnings, ended, Memory(unheard, absent))


def _find_unreceived(
    before: Mapping[str, tuple[Timestamp, Timestamp]],
    known_alerts: Mapping[str, Known],
    held_alerts: Mapping[str, Held],
    asked_at: Timestamp,
    patience: Duration,
) -> tuple[dict[str, tuple[Timestamp, Timestamp]], dict[str, Timestamp]]:
    unheard: dict[str, tuple[Timestamp, Timestamp]] = {}
    beginnings: dict[str, Timestamp] = {}
    for fingerprint, held_alert in held_alerts.items():
        known_alert = known_alerts.get(fingerprint)
        if not held_alert.active or (known_alert is not None and known_alert.fires and not known_alert.news):
            continue
        starts_at, since = before.get(fingerprint, (held_alert.starts_at, asked_at))
        if starts_at != held_alert.starts_at:
            since = asked_at
        has_resolved = known_alert is not None and _is_over(held_alert, known_alert)
        if asked_at - since >= patience * (_DOUBT if has_resolved else 1):
            beginnings[fingerprint] = since if has_resolved else _beginning(held_alert.starts_at, known_alert)
            since = asked_at
        unheard[fingerprint] = (held_alert.starts_at, since)
    return unheard, beginnings


def _is_over(held_alert: Held, known_alert: Known) -> bool:
    """Return whether an alert that is active there has resolved here, judged by its start."""
    # The API may give whole milliseconds for a start that the webhook gave in microseconds.
    began_anew = held_alert.starts_at // _MILLISECOND > known_alert.starts_at // _MILLISECOND
    return not known_alert.fires and not known_alert.news and not began_anew


def _beginning(listed_at: Timestamp, known_alert: Known | None) -> Timestamp:
    """Return since when an alert fires that the API lists in whole milliseconds: in microseconds if those are known."""
    if known_alert is not None and listed_at <= known_alert.starts_at <= last(listed_at):
        return known_alert.starts_at
    return listed_at


def _find_absent(
    before: Mapping[str, tuple[Timestamp, Timestamp, Timestamp]],
    known_alerts: Mapping[str, Known],
    listed_fingerprints: Collection[str],
    asked_at: Timestamp,
) -> tuple[dict[str, tuple[Timestamp, Timestamp, Timestamp]], dict[str, Timestamp]]:
    absent: dict[str, tuple[Timestamp, Timestamp, Timestamp]] = {}
    ended: dict[str, Timestamp] = {}
    for fingerprint, known_alert in known_alerts.items():
        if not known_alert.fires or fingerprint in listed_fingerprints:
            continue
        was = before.get(fingerprint)
        # An alert that was received since the last response is absent for the first time now.
        if was is not None and was[:2] == (known_alert.starts_at, known_alert.learned_at):
            ended[fingerprint] = was[2]
        else:
            absent[fingerprint] = (known_alert.starts_at, known_alert.learned_at, asked_at)
    return absent, ended
