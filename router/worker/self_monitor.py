"""Reports the router's own failures as alerts, and pings an external monitor.

It reports accounts at vendors that have stopped working, a tripped publishing guard, a long freeze of the pages, and
alert storms that hold incidents back. Its alerts pass through the inbox like any others, so they are stored, folded,
and reconciled.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from router.destinations import base
from router.domain import alerts, decisions, deliveries, identity, times
from router.domain.times import Duration, Timestamp
from router.outbound import errors
from router.store import incidents
from router.store.store import Store
from router.telemetry import log
from router.worker import circuit_breaker, configured_destinations, self_alerts, storm_control


@dataclass(frozen=True)
class SelfMonitorSettings:
    """The settings of self-monitoring: destinations, delays (microseconds), and the ping.

    ``frozen_after`` is how long pages may be frozen before that is reported. ``place`` is the configuration file, which
    takes the place of a rule in decisions. ``of_storms`` are the destinations at which alert storms are reported,
    ``of_unreadable`` those at which unreadable deliveries are reported.
    """

    destinations: tuple[str, ...] = ()
    of_storms: tuple[str, ...] = ()
    after: Duration = Duration(5 * times.MINUTE)
    frozen_after: Duration = Duration(4 * times.HOUR)
    ping: Callable[[], Awaitable[None]] | None = None
    place: str = ""
    of_unreadable: tuple[str, ...] = ()
    unreadable: self_alerts.UnreadableReportSettings = field(default_factory=self_alerts.UnreadableReportSettings)


class SelfMonitor:
    """Reports on this worker's accounts, and on the publishing controls."""

    def __init__(
        self,
        configured: SelfMonitorSettings,
        places: Mapping[str, configured_destinations.ConfiguredDestination],
        breakers: circuit_breaker.CircuitBreakers,
        *,
        store: Store,
        storms: storm_control.StormControl,
        randomness: identity.Randomness,
    ) -> None:
        """Set up with the settings, the destinations and their health, the inbox, and the publishing controls."""
        self._storms = storms
        self._store = store
        self._settings = configured
        self._places = places
        self._breakers = breakers
        self._randomness = randomness
        self._log = log.get("worker")

    async def turn(self, now: Timestamp) -> None:
        """Report each condition that has lasted long enough, and each recovery, once. Alert storms are included."""
        findings = [self_alerts.storm(await self._storms.turn())]
        if self._settings.destinations:
            # An account that this worker hasn't called yet is unknown, so its report neither opens nor ends.
            account_healths = {name: circuit_breaker.AccountHealth() for name in self._places} | dict(
                self._breakers.health
            )
            findings += self_alerts.accounts(account_healths, self._settings.after, now)
            findings += self_alerts.pages(
                await self._store.publishing_controls.read(), self._settings.frozen_after, now
            )
        if self._settings.of_unreadable:
            findings += self_alerts.unreadable(
                await self._store.unreadable_counts.read(), self._settings.unreadable, now
            )
        stored = await self._store.incidents.read([finding.report.key for finding in findings], {})
        for finding in (finding for finding in findings if finding.report.key in stored):
            reported = stored[finding.report.key].incident.status != "closed"
            if finding.fires and not reported:
                await self._report(finding, "firing", now)
            elif finding.fires:
                await self._update_report(finding, stored[finding.report.key])
            elif finding.fires is False and reported:
                await self._report(replace(finding, since=_find_start(stored[finding.report.key])), "resolved", now)
            # The next unreadable delivery begins another report.
            if finding.fires is False and finding.report.kind == self_alerts.SOURCE_KIND:
                await self._store.unreadable_counts.clear(finding.report.name)

    async def admit(self) -> None:
        """Wake the incidents that an alert storm has room for."""
        await self._storms.turn()

    async def ping(self) -> None:
        """Ping the external monitor: this worker runs and reaches its store."""
        if self._settings.ping is None:
            return
        # A worker without its store does nothing, so its monitor must miss the ping.
        await self._store.health.ping()
        try:
            await self._settings.ping()
        except errors.Failure as failure:
            self._log.warning("ping_failed", reason=failure.message)

    async def _report(self, finding: self_alerts.Finding, status: alerts.Status, now: Timestamp) -> None:
        report = finding.report
        targets = self._targets(report)
        # An incident without destinations would reach no reader. A resolution still ends an open one.
        if not targets and status == "firing":
            return
        if report.kind != self_alerts.STORM.kind:  # A storm is no failure, and was logged already.
            self._log.error("own_failure" if status == "firing" else "own_recovery", **{report.kind: report.name})
        alert = report.alert(status, finding.since, now, finding.reason)
        response = decisions.Response(self_alerts.RULE, self._settings.place, "", targets)
        report_alert = (alert, decisions.Decision(report.key, report.severity, response))
        identity_of = identity.new_delivery_id(now, self._randomness)
        # The router's own reports bypass the limit for senders: they matter most while Redis is short of memory.
        await self._store.inbox.accept(deliveries.pack(identity_of, self_alerts.SOURCE, now, [report_alert]), b"")

    async def _update_report(self, finding: self_alerts.Finding, stored: incidents.StoredIncident) -> None:
        """Update the text of an open report. Its destinations stay the same."""
        now = {target.destination: target for target in self._targets(finding.report)}

        def make(stored: incidents.StoredIncident) -> incidents.Change | None:
            response = stored.incident.response
            if response is None or stored.incident.status == "closed":
                return None
            targets = tuple(now.get(target.destination, target) for target in response.targets)
            if targets == response.targets:
                return None
            response = msgspec.structs.replace(response, targets=targets)
            asks = tuple(msgspec.structs.replace(ask, response=response) for ask in stored.incident.asks)
            return incidents.Change(
                msgspec.structs.replace(stored.incident, response=response, asks=asks), stored.version, wake=True
            )

        if make(stored) is not None:
            await self._store.incidents.update(finding.report.key, make)

    def _targets(self, report: self_alerts.ReportKind) -> tuple[decisions.Target, ...]:
        """Return the targets of a report: every configured destination except those of the account that it is about."""
        failing = self._places[report.name].account if report.kind == "destination" else None
        targets = []
        destinations_by_kind = {
            self_alerts.STORM.kind: self._settings.of_storms,
            self_alerts.SOURCE_KIND: self._settings.of_unreadable,
        }
        for name in destinations_by_kind.get(report.kind, self._settings.destinations):
            place = self._places[name]
            if place.account != failing:
                fields = base.map_title_and_text(place.kind.opening, report.title, report.text)
                targets.append(decisions.Target(name, fields))
        return tuple(targets)


def _find_start(stored: incidents.StoredIncident) -> Timestamp:
    """Return when a report began. Its end has that start, so that the next report is newer by any clock."""
    return Timestamp(max((state.starts_at for state in stored.incident.alerts.values()), default=0))
