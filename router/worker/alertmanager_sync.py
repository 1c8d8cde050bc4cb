"""Polls Alertmanagers for alerts whose webhooks were lost.

Alerts that the router never received, and the ends of alerts that an Alertmanager no longer lists, are added to the
inbox as if a webhook had delivered them. The sync runs in the webhook server, which has the active rules.
"""

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from router.domain import (
    alertmanager_diff,
    alerts,
    decisions,
    deliveries,
    fold,
    heartbeat,
    identity,
    incidents,
    timeline,
)
from router.domain.times import Duration, Timestamp
from router.outbound import alertmanager, client
from router.outbound.errors import Failure
from router.sources import base, polled
from router.store import errors
from router.store.inbox import LimitedInbox
from router.store.incidents import Change, StoredIncident
from router.store.store import Store
from router.telemetry import log, metrics

_READ = 64  # Incidents that are read together. Requests to the webhook server wait meanwhile.
_HANDED_IN = 128  # Alerts of one delivery.
_LOOK_SECONDS = 1.0
_AWAY_SECONDS = 5.0
_PATIENCE = 2  # Polls for which an alert may be missing here.
_AHEAD = 5  # An alert that would expire within this many polls is worth repeating.


@dataclass(frozen=True)
class PolledSource:
    """One source's Alertmanager: how to poll it, and how to read its responses. ``every`` is in microseconds.

    ``read`` parses a webhook's body into alerts, as of a time; ``concerns`` says which alerts the router should
    receive.
    """

    source: str
    config: polled.Config
    http: client.Client
    read: Callable[[bytes, Timestamp], base.Parsed]
    concerns: Callable[[alertmanager.Listed], bool]

    @property
    def every(self) -> Duration:
        """Return the time from one poll to the next."""
        return self.config.every


@dataclass
class _RouterAlerts:
    """The router's alerts before a request was sent. Incidents in ``full`` hold no further alert."""

    alerts: dict[str, alertmanager_diff.Known] = field(default_factory=dict)
    full: set[str] = field(default_factory=set)


class _Held(NamedTuple):
    """An alert that fires here.

    It has the latest time at which the alert may have started, and the decision that led to its incident.
    """

    starts_at: Timestamp
    decision: decisions.Decision


RawAlerts = Sequence[Mapping[str, Any]]
Routed = tuple[alerts.Alert, decisions.Decision]
Decide = Callable[[alerts.Alert, Timestamp], decisions.Decision]


class AlertmanagerSync:
    """Polls each Alertmanager in turn. Of several processes, only one polls at a time."""

    def __init__(
        self,
        conditions: Sequence[PolledSource],
        decide: Decide,
        *,
        inbox: LimitedInbox,
        store: Store,
        clock: Callable[[], Timestamp],
        randomness: identity.Randomness,
    ) -> None:
        """Set up. ``decide`` applies the active rules; ``clock`` returns microseconds since the epoch."""
        self._sources = conditions
        self._decide = decide
        self._inbox = inbox
        self._store = store
        self._clock = clock
        self._randomness = randomness
        self._log = log.get("polls")

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for condition in self._sources:
                    group.create_task(self._follow(condition))
        finally:
            for condition in self._sources:
                await condition.http.aclose()

    async def _follow(self, condition: PolledSource) -> None:
        while True:
            result = await self.turn(condition)
            await asyncio.sleep(_AWAY_SECONDS if result == "unavailable" else _LOOK_SECONDS)

    async def turn(self, condition: PolledSource) -> str:
        """Poll if it is this process's turn. Return the result; empty if it isn't."""
        try:
            # Another process has polled this source within the interval.
            if not await self._store.sync_state.acquire(condition.source, condition.every):
                return ""
            result = await self._poll(condition)
        except Failure as failure:
            self._log.warning("poll_failed", source=condition.source, reason=failure.message)
            result = "failed"
        except errors.Unavailable as error:
            self._log.warning("store_unavailable", reason=error.reason)
            result = "unavailable"
        except Exception:  # noqa: BLE001 - logged; a response must not stop the webhook server
            self._log.exception("poll_failed", source=condition.source)
            result = "failed"
        metrics.polls.labels(condition.source, result).inc()
        return result

    async def _poll(self, source: PolledSource) -> str:
        # Read the router's own state first. An alert that the response lacks was then lost, and is not in transit.
        here = await self._read_alerts(source)
        asked_at = self._clock()
        condition = await alertmanager.read_status(source.http)
        listed_alerts = {alert.fingerprint: alert for alert in await alertmanager.read_alerts(source.http)}
        # An Alertmanager that has just started, or whose cluster is settling, may not list all alerts yet. Absence from
        # its response then proves nothing.
        is_complete = condition.settled and asked_at - condition.up_since >= source.config.min_uptime
        held_alerts = {
            name: alertmanager_diff.Held(alert.starts_at, alert.active and source.concerns(alert))
            for name, alert in listed_alerts.items()
        }
        beginnings, ended, memory = alertmanager_diff.compare(
            await self._store.sync_state.read(source.source),
            here.alerts,
            held_alerts,
            asked_at=asked_at,
            patience=Duration(_PATIENCE * source.every),
            is_complete=is_complete,
        )
        over = await self._end(source, ended, here)
        received = await self._add_missing(
            source, [_with_start(listed_alerts[name], starts_at) for name, starts_at in beginnings.items()], here
        )
        # Saved last: a process that ends before this repeats the deliveries at the next poll, and repeats change
        # nothing.
        await self._store.sync_state.save(source.source, memory, source.every)
        if received or over:
            self._log.warning(
                "poll_changed", source=source.source, found=received, ended=over, alerts=len(listed_alerts)
            )
        return "whole" if is_complete else "partial"

    async def _read_alerts(self, condition: PolledSource) -> _RouterAlerts:
        """Return the router's state of the source's alerts. Reads all incidents, some at a time."""
        here = _RouterAlerts()
        for names in _chunks(await self._store.incidents.names(), _READ):
            incidents_read = [
                (stored.incident, stored.read_at) for stored in (await self._store.incidents.read(names, {})).values()
            ]
            alertmanager_diff.learn(here.alerts, incidents_read, condition.source, Duration(_AHEAD * condition.every))
            # A full incident ignores further alerts. Without this set, every poll would take them for lost webhooks.
            here.full |= {
                incident.key for incident, _ in incidents_read if incident.still_fires >= fold.MAX_HELD_ALERTS
            }
        return here

    async def _add_missing(
        self, condition: PolledSource, listed_alerts: list[alertmanager.Listed], here: _RouterAlerts
    ) -> int:
        """Add alerts to the inbox that no webhook delivered and a rule matches.

        Return how many didn't fire here already.
        """
        received = repeated = 0
        firing = {name for name, known_count in here.alerts.items() if known_count.fires}
        for chunk in _chunks(listed_alerts):
            now = self._clock()
            firing_alerts = [polled.firing_alert(alert) for alert in chunk]
            routed = [(alert, self._decide(alert, now)) for alert in self._read(condition, firing_alerts, now)]
            wanted_rows = [row for row in routed if _should_accept(row, here.full)]
            await self._accept(condition, firing_alerts, wanted_rows, now)
            known_count = sum(alert.fingerprint in firing for alert, _ in wanted_rows)
            received, repeated = received + len(wanted_rows) - known_count, repeated + known_count
        metrics.polled_alerts.labels(condition.source, "found").inc(received)
        metrics.polled_alerts.labels(condition.source, "repeated").inc(repeated)
        return received

    async def _end(self, condition: PolledSource, ended: Mapping[str, int], here: _RouterAlerts) -> int:
        """Add the ends of alerts that are no longer listed, with the reason in the timeline.

        Return how many there were.
        """
        groups: dict[str, dict[str, alertmanager_diff.Known]] = {}
        for name in ended:
            groups.setdefault(here.alerts[name].incident, {})[name] = here.alerts[name]
        over = 0
        for key, group in groups.items():
            held_alerts: dict[str, _Held] = {}
            await self._store.incidents.update(
                key, functools.partial(_note_ends, source=condition.source, known_alerts=group, to=held_alerts)
            )
            for chunk in _chunks(list(held_alerts)):
                now = self._clock()
                ended_alerts = [
                    polled.resolved_alert(name, starts_at, Timestamp(ended[name]))
                    for name in chunk
                    # The API returns milliseconds, so the start may be rounded. An end with another start would not end
                    # this alert.
                    for starts_at in alertmanager_diff.starts_of_end(held_alerts[name].starts_at)
                ]
                routed = [
                    (alert, held_alerts[alert.fingerprint].decision)
                    for alert in self._read(condition, ended_alerts, now)
                ]
                await self._accept(condition, ended_alerts, routed, now)
                over += len({alert.fingerprint for alert, _ in routed})
        metrics.polled_alerts.labels(condition.source, "ended").inc(over)
        return over

    def _read(self, condition: PolledSource, alert_list: RawAlerts, now: Timestamp) -> list[alerts.Alert]:
        """Parse alerts as from a webhook. Leave out those that the webhook server would quarantine."""
        try:
            read = condition.read(polled.webhook(alert_list, condition.config.url), now).alerts
        except base.Unparsable:
            read = []
        if len(read) < len(alert_list):
            # The parser's message may quote the alert, which must not be logged.
            self._log.warning("polled_alerts_unreadable", source=condition.source, alerts=len(alert_list) - len(read))
        # The response covers every instance that sends webhooks, so it isn't a separate sender.
        return [msgspec.structs.replace(alert, origin="") for alert in read]

    async def _accept(
        self, condition: PolledSource, alert_list: RawAlerts, routed: list[Routed], now: Timestamp
    ) -> None:
        if routed:
            delivery = deliveries.pack(identity.new_delivery_id(now, self._randomness), condition.source, now, routed)
            names = {alert.fingerprint for alert, _ in routed}
            body = polled.webhook(
                [alert for alert in alert_list if alert["fingerprint"] in names], condition.config.url
            )
            await self._inbox.accept(delivery, body)


def _note_ends(
    stored: StoredIncident,
    *,
    source: str,
    known_alerts: Mapping[str, alertmanager_diff.Known],
    to: dict[str, _Held],
) -> Change | None:
    """Return a change with the reason for the ends in the timeline, and put the alerts that still fire into ``to``.

    Return None if none fires. An alert that was received since isn't the one that the response was about.
    """
    # The store calls this again if another process has written the incident first.
    to.clear()
    for name, known_alert in known_alerts.items():
        held_alert = _find_unchanged(stored.incident, f"{source}/{name}", known_alert)
        if held_alert is not None:
            to[name] = held_alert
    if not to:
        return None
    event = timeline.vanished_event([f"{source}/{name}" for name in to], stored.read_at)
    return Change(stored.incident, stored.version, wake=False, events=[event])


def _find_unchanged(incident: incidents.Incident, name: str, known_alert: alertmanager_diff.Known) -> _Held | None:
    """Return an alert that still fires in an incident or is silenced there, unchanged; None if there is none."""
    state, muted = incident.alerts.get(name), incident.muted.get(name)
    version = (known_alert.starts_at, known_alert.learned_at)
    # A message that arrived after the poll began is newer than the response, and changes the version.
    if state is not None and not state.resolved and (state.starts_at, state.learned_at) == version:
        return _Held(state.starts_at, decisions.Decision(incident.key, state.severity, incident.response))
    # A silenced alert waits with its message. Without its end, it would fire when the silence ends.
    if muted is not None and muted.routed.alert.starts_at == known_alert.starts_at:
        return _Held(known_alert.starts_at, muted.routed.decision)
    return None


def _with_start(listed_alert: alertmanager.Listed, starts_at: Timestamp) -> alertmanager.Listed:
    return msgspec.structs.replace(listed_alert, starts_at=starts_at)


def _should_accept(row: Routed, full: set[str]) -> bool:
    """Return whether to add an alert: a rule matches it, its incident has room, and it is no heartbeat.

    A heartbeat has to arrive by webhook, because it shows that webhooks work.
    """
    alert, decision = row
    # The alert would be ignored, or its incident has no room for it.
    if decision.response is None or decision.incident_key in full:
        return False
    return not heartbeat.find_beats([decisions.Routed(alert, decision)])


def _chunks(items: Sequence[Any], size: int = _HANDED_IN) -> Iterator[Any]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
