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
class Asked:
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
class _Here:
    """The router's alerts before a request was sent. Incidents in ``full`` hold no further alert."""

    alerts: dict[str, alertmanager_diff.Known] = field(default_factory=dict)
    full: set[str] = field(default_factory=set)


class _Held(NamedTuple):
    """An alert that fires here:

    the latest time at which it may have started, and the decision that led to its incident.
    """

    starts_at: Timestamp
    decision: decisions.Decision


Told = Sequence[Mapping[str, Any]]
Routed = tuple[alerts.Alert, decisions.Decision]
Decide = Callable[[alerts.Alert, Timestamp], decisions.Decision]


class AlertmanagerSync:
    """Polls each Alertmanager in turn. Of several processes, only one polls at a time."""

    def __init__(
        self,
        asked: Sequence[Asked],
        decide: Decide,
        *,
        inbox: LimitedInbox,
        store: Store,
        clock: Callable[[], Timestamp],
        randomness: identity.Randomness,
    ) -> None:
        """Set up. ``decide`` applies the active rules; ``clock`` returns microseconds since the epoch."""
        self._asked = asked
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
                for one in self._asked:
                    group.create_task(self._follow(one))
        finally:
            for one in self._asked:
                await one.http.aclose()

    async def _follow(self, one: Asked) -> None:
        while True:
            result = await self.turn(one)
            await asyncio.sleep(_AWAY_SECONDS if result == "unavailable" else _LOOK_SECONDS)

    async def turn(self, one: Asked) -> str:
        """Poll if it is this process's turn. Return the result; empty if it isn't."""
        try:
            if not await self._store.sync_state.acquire(one.source, one.every):
                return ""
            result = await self._poll(one)
        except Failure as failure:
            self._log.warning("poll_failed", source=one.source, reason=failure.message)
            result = "failed"
        except errors.Unavailable as error:
            self._log.warning("store_unavailable", reason=error.reason)
            result = "unavailable"
        except Exception:  # noqa: BLE001 - logged; a response must not stop the webhook server
            self._log.exception("poll_failed", source=one.source)
            result = "failed"
        metrics.polls.labels(one.source, result).inc()
        return result

    async def _poll(self, one: Asked) -> str:
        # Read the router's own state first. An alert that the response lacks was then lost, and is not in transit.
        here = await self._known(one)
        asked_at = self._clock()
        condition = await alertmanager.condition(one.http)
        listed = {alert.fingerprint: alert for alert in await alertmanager.alerts(one.http)}
        whole = condition.settled and asked_at - condition.up_since >= one.config.min_uptime
        there = {
            name: alertmanager_diff.Held(alert.starts_at, alert.active and one.concerns(alert))
            for name, alert in listed.items()
        }
        found, ended, memory = alertmanager_diff.compare(
            await self._store.sync_state.read(one.source),
            here.alerts,
            there,
            asked_at=asked_at,
            patience=Duration(_PATIENCE * one.every),
            whole=whole,
        )
        over = await self._end(one, ended, here)
        heard = await self._hear_of(one, [_since(listed[name], starts_at) for name, starts_at in found.items()], here)
        await self._store.sync_state.save(one.source, memory, one.every)
        if heard or over:
            self._log.warning("poll_changed", source=one.source, found=heard, ended=over, alerts=len(listed))
        return "whole" if whole else "partial"

    async def _known(self, one: Asked) -> _Here:
        """Return the router's state of the source's alerts. Reads all incidents, some at a time."""
        here = _Here()
        for names in _chunks(await self._store.incidents.names(), _READ):
            held = [(found.incident, found.read_at) for found in (await self._store.incidents.read(names, {})).values()]
            alertmanager_diff.learn(here.alerts, held, one.source, Duration(_AHEAD * one.every))
            here.full |= {incident.key for incident, _ in held if incident.still_fires >= fold.MOST_HELD}
        return here

    async def _hear_of(self, one: Asked, found: list[alertmanager.Listed], here: _Here) -> int:
        """Add alerts to the inbox that no webhook delivered and a rule matches.

        Return how many didn't fire here already.
        """
        heard = again = 0
        firing = {name for name, known in here.alerts.items() if known.fires}
        for listed in _chunks(found):
            now = self._clock()
            told = [polled.firing(alert) for alert in listed]
            routed = [(alert, self._decide(alert, now)) for alert in self._read(one, told, now)]
            wanted = [row for row in routed if _is_wanted(row, here.full)]
            await self._hand_in(one, told, wanted, now)
            known = sum(alert.fingerprint in firing for alert, _ in wanted)
            heard, again = heard + len(wanted) - known, again + known
        metrics.polled_alerts.labels(one.source, "found").inc(heard)
        metrics.polled_alerts.labels(one.source, "repeated").inc(again)
        return heard

    async def _end(self, one: Asked, ended: Mapping[str, int], here: _Here) -> int:
        """Add the ends of alerts that are no longer listed, with the reason in the timeline.

        Return how many there were.
        """
        groups: dict[str, dict[str, alertmanager_diff.Known]] = {}
        for name in ended:
            groups.setdefault(here.alerts[name].incident, {})[name] = here.alerts[name]
        over = 0
        for key, known in groups.items():
            held: dict[str, _Held] = {}
            await self._store.incidents.update(key, functools.partial(_noted, source=one.source, known=known, to=held))
            for chunk in _chunks(list(held)):
                now = self._clock()
                told = [
                    polled.ended(name, starts_at, Timestamp(ended[name]))
                    for name in chunk
                    for starts_at in alertmanager_diff.starts_of_end(held[name].starts_at)
                ]
                routed = [(alert, held[alert.fingerprint].decision) for alert in self._read(one, told, now)]
                await self._hand_in(one, told, routed, now)
                over += len({alert.fingerprint for alert, _ in routed})
        metrics.polled_alerts.labels(one.source, "ended").inc(over)
        return over

    def _read(self, one: Asked, told: Told, now: Timestamp) -> list[alerts.Alert]:
        """Parse alerts as from a webhook. Leave out those that the webhook server would quarantine."""
        try:
            read = one.read(polled.webhook(told, one.config.url), now).alerts
        except base.Unparsable:
            read = []
        if len(read) < len(told):
            # The parser's message may quote the alert, which must not be logged.
            self._log.warning("polled_alerts_unreadable", source=one.source, alerts=len(told) - len(read))
        # The response covers every instance that sends webhooks, so it isn't a separate sender.
        return [msgspec.structs.replace(alert, origin="") for alert in read]

    async def _hand_in(self, one: Asked, told: Told, routed: list[Routed], now: Timestamp) -> None:
        if routed:
            delivery = deliveries.pack(identity.new_delivery_id(now, self._randomness), one.source, now, routed)
            names = {alert.fingerprint for alert, _ in routed}
            body = polled.webhook([alert for alert in told if alert["fingerprint"] in names], one.config.url)
            await self._inbox.accept(delivery, body)


def _noted(
    held: StoredIncident,
    *,
    source: str,
    known: Mapping[str, alertmanager_diff.Known],
    to: dict[str, _Held],
) -> Change | None:
    """Return a change with the reason for the ends in the timeline, and put the alerts that still fire into ``to``.

    Return None if none fires. An alert that was received since isn't the one that the response was about.
    """
    to.clear()
    for name, one in known.items():
        found = _still(held.incident, f"{source}/{name}", one)
        if found is not None:
            to[name] = found
    if not to:
        return None
    event = timeline.alerts_vanished([f"{source}/{name}" for name in to], held.read_at)
    return Change(held.incident, held.version, wake=False, events=[event])


def _still(incident: incidents.Incident, name: str, known: alertmanager_diff.Known) -> _Held | None:
    """Return an alert that still fires in an incident or is silenced there, unchanged; None if there is none."""
    state, muted = incident.alerts.get(name), incident.muted.get(name)
    version = (known.starts_at, known.learned_at)
    if state is not None and not state.resolved and (state.starts_at, state.learned_at) == version:
        return _Held(state.starts_at, decisions.Decision(incident.key, state.severity, incident.response))
    if muted is not None and muted.routed.alert.starts_at == known.starts_at:
        return _Held(known.starts_at, muted.routed.decision)
    return None


def _since(listed: alertmanager.Listed, starts_at: Timestamp) -> alertmanager.Listed:
    return msgspec.structs.replace(listed, starts_at=starts_at)


def _is_wanted(row: Routed, full: set[str]) -> bool:
    """Return whether to add an alert: a rule matches it, its incident has room, and it is no heartbeat.

    A heartbeat has to arrive by webhook, because it shows that webhooks work.
    """
    alert, decision = row
    if decision.response is None or decision.incident_key in full:
        return False
    return not heartbeat.beats([decisions.Routed(alert, decision)])


def _chunks(of: Sequence[Any], most: int = _HANDED_IN) -> Iterator[Any]:
    for start in range(0, len(of), most):
        yield of[start : start + most]
