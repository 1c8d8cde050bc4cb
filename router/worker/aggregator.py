"""Aggregates alerts into incidents: reads a batch of the inbox, folds it, commits by version, and acknowledges it."""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec

from router.domain import (
    affected_components,
    decisions,
    deliveries,
    ending,
    fold,
    identity,
    incidents,
    inhibition,
    new_alerts,
    silences,
    timeline,
    times,
    timing,
)
from router.domain.notices import by_fingerprint
from router.domain.times import Duration
from router.store import codec, dataset, errors, inbox, keys
from router.store.incidents import Change, StoredIncident
from router.store.store import Store
from router.telemetry import log, metrics, tracing
from router.worker import conflicting_alerts, lost_incidents, routing, silencing

MAX_TRIES = 50  # Two workers that conflict finish long before this; more tries point to a fault.

MAX_ATTEMPTS = 3  # Workers that may die over one delivery.
SMALL = 64  # Fewer incidents than this are written at once.
PORTIONS = 4
UNINTERRUPTED = 200  # Incidents folded without a pause: one delivery may hold 20,000.
IGNORED_PAUSE = Duration(10 * times.MINUTE)  # The time between two timeline entries on ignored messages.


class Aggregator:
    """Folds batches of the inbox. ``wake`` receives the shards in which publications have to be reconciled.

    ``muting`` finds muted alerts; ``conflict_guard`` looks for sources that contradict themselves.
    """

    def __init__(
        self,
        reader: inbox.InboxReader,
        store: Store,
        *,
        randomness: identity.Randomness,
        wake: Callable[[set[int]], None],
        conflict_guard: conflicting_alerts.ConflictGuard,
        muting: silencing.SilenceService | None = None,
        traces: tracing.Traces = tracing.OFF,
        installation: str = "",
        data: dataset.WatchedDataSet | None = None,
    ) -> None:
        """Set up. ``data`` says whether the data set was lost, so that a resolution may be of an unknown incident."""
        self._ends = lost_incidents.Ends(data, installation, randomness)
        self._installation = installation
        self._reader = reader
        self._store = store
        self._randomness = randomness
        self._wake = wake
        self._conflict_guard = conflict_guard
        self._muting = muting
        self._traces = traces
        self._router = routing.Router(store, lambda: identity.new_id(randomness))
        self._log = log.get("triage")

    async def handle(self, entries: list[inbox.InboxEntry]) -> None:
        """Fold the entries, commit, wake the reconciler, and acknowledge, in this order."""
        folded = await self.fold(entries)
        if folded:
            await self._reader.acknowledge(folded)

    async def fold(self, entries: list[inbox.InboxEntry]) -> list[inbox.InboxEntry]:
        """Fold the entries without acknowledging them. Return the entries to acknowledge."""
        with contextlib.ExitStack() as spans:
            arrivals, readable = await self._unpack(entries, spans)
            stuck = await self._fold_all(await self._mark_overtaking(arrivals, readable))
        # The other alerts of these entries are committed. A dead letter keeps the delivery until its incident can be
        # read.
        for entry in readable:
            if entry.id in stuck:
                await self._reader.move_to_dead_letters(entry, stuck[entry.id])
        return [entry for entry in readable if entry.id not in stuck]

    async def handle_again(self, entries: list[inbox.InboxEntry]) -> None:
        """Fold entries that were read before and never acknowledged: one at a time, so that a bad one affects no other.

        An entry that ``MAX_ATTEMPTS`` workers did not survive becomes a dead letter. Each entry is counted alone,
        before it is processed: entries that only waited in the same batch while a worker died are not suspected, and
        neither is an entry that failed because the store was unavailable.
        """
        for entry in entries:
            times = await self._reader.record_redelivery(entry)
            if times > MAX_ATTEMPTS:
                self._log.error("entry_worn_out", entry=entry.id.decode(), attempts=times - 1)
                await self._reader.move_to_dead_letters(
                    entry, f"{times - 1} workers began to fold it and ended before they finished"
                )
            # With 0, the entry is no longer pending: another worker has finished it.
            elif times:
                await self._handle_suspected(entry)

    async def _handle_suspected(self, entry: inbox.InboxEntry) -> None:
        try:
            await self.handle([entry])
        except errors.Unavailable:
            # The store failed, and not the entry. If outages counted, a healthy delivery would become a dead letter.
            with contextlib.suppress(errors.Unavailable):
                await self._reader.clear_redeliveries(entry)
            raise

    async def _unpack(
        self, entries: list[inbox.InboxEntry], spans: contextlib.ExitStack
    ) -> tuple[list[routing.Arrival], list[inbox.InboxEntry]]:
        arrivals: list[routing.Arrival] = []
        readable = []
        for entry in entries:
            try:
                delivery = codec.unpack_delivery(entry.packed)
            # Another attempt would fail, too, so the entry leaves the inbox, and the rest of the batch is folded.
            except errors.UnreadableDocument as error:
                self._log.error("entry_unreadable", entry=entry.id.decode(), reason=str(error))
                await self._reader.move_to_dead_letters(entry, str(error))
                continue
            readable.append(entry)
            await self._conflict_guard.check(delivery)
            trace = delivery.trace
            if self._traces.is_on:
                span = self._traces.span("fold", "consumer", parent=trace, delivery=delivery.id, source=delivery.source)
                trace = spans.enter_context(span).traceparent
            noticed = by_fingerprint(delivery.notices)
            for routed in deliveries.unpack(delivery):
                alert, decision, at = routed.alert, routed.decision, routed.received_at
                arrival = routing.Arrival(
                    routed,
                    alert.identity,
                    decision.incident_key,
                    alert.status == "firing",
                    at,
                    delivery.id,
                    trace,
                    noticed(alert.fingerprint),
                    entry=entry.id,
                )
                # A resolution is folded even if no rule matches it now, because earlier rules may have opened its
                # incident.
                if decision.response is not None or not arrival.fires:
                    arrivals.append(arrival)
                # An alert supports its inhibition keys even if no rule opens an incident for it.
                arrivals += [
                    msgspec.structs.replace(arrival, routed=support, key=support.decision.incident_key, notices=())
                    for support in (inhibition.supported_by(routed, at) if decision.inhibits else ())
                ]
        return arrivals, readable

    async def _mark_overtaking(
        self, arrivals: list[routing.Arrival], entries: list[inbox.InboxEntry]
    ) -> list[routing.Arrival]:
        """Mark the alerts of a batch that could end an incident while earlier deliveries wait with other workers."""
        # Only a resolution can end an incident, so other batches skip the query.
        if all(arrival.fires for arrival in arrivals):
            return arrivals
        if overtaken_at := await self._reader.overtaken_at(entries):
            return [msgspec.structs.replace(arrival, overtaken_at=overtaken_at) for arrival in arrivals]
        return arrivals

    async def _fold_all(self, arrivals: list[routing.Arrival]) -> dict[bytes, str]:
        """Fold and commit. Read and fold again if another worker has changed an incident meanwhile.

        Return the entries with alerts of incidents that can't be read, and why: they become dead letters. Their other
        alerts are folded.
        """
        waiting = arrivals
        stuck: dict[bytes, str] = {}
        for _ in range(MAX_TRIES):
            if not waiting:
                return stuck
            lost = await self._fold_once(waiting, stuck)
            waiting = [arrival for arrival in waiting if arrival.identity in lost] if lost else []
        # Nothing is acknowledged, so the entries stay pending, and a later turn folds them again.
        raise errors.Unavailable(f"other workers kept changing the same incidents for {MAX_TRIES} tries")

    async def _fold_once(self, arrivals: list[routing.Arrival], stuck: dict[bytes, str]) -> set[str]:
        """Try once. Return the identities of the alerts whose incidents another worker has changed."""
        routed = await self._router.route(arrivals)
        for arrival, key in routed.stuck:
            stuck[arrival.entry] = f"the incident that it belongs to can't be read: {key}: {routed.unreadable[key]}"
        muting = await self._build_muting(routed)
        lost_alerts = await self._ends.find(routed)
        commits = []
        try:
            for portion in _divide(routed.groups):
                changes_by_key = {}
                for position, key in enumerate(portion, start=1):
                    changes_by_key[key] = self._fold_group(key, routed, muting, lost_alerts)
                    if position % UNINTERRUPTED == 0:
                        # Commits under way get their responses, and this worker's heartbeat is sent.
                        await asyncio.sleep(0)
                changes = [change for change in changes_by_key.values() if change is not None]
                unchanged = [routed.held[key] for key, change in changes_by_key.items() if change is None]
                commits.append(asyncio.create_task(self._commit(changes, unchanged)))
                await asyncio.sleep(0)  # The store begins to write these while the next ones are folded.
        finally:
            # If folding fails, the commits under way end first, so that none of them runs beside the retry.
            results = await asyncio.gather(*commits, return_exceptions=True)
        refused_keys: set[str] = set()
        for result in results:
            # The batch is not acknowledged. Its retry folds the committed alerts again, which changes nothing.
            if isinstance(result, BaseException):
                raise result
            refused_keys |= result
        # A refused incident is folded again, and counts its late alerts then.
        for key, sources in routed.ignored.items():
            for source in sources if key not in refused_keys else ():
                metrics.late_alerts.labels(source).inc()
        if routed.moves:
            await self._router.move(routed)
        return routed.again | {arrival.identity for key in refused_keys for arrival in routed.groups[key]}

    def _fold_group(
        self, key: str, routed: routing.Routing, muting: silences.Muting | None, ends: lost_incidents.Found
    ) -> Change | None:
        """Return the change that the alerts of a group make to their incident; None if nothing changes."""
        stored, group = routed.held[key], routed.groups[key]
        # In a storm, nearly every alert is new, and its change needs no full fold. After a restore, the full fold also
        # records which alerts were received since.
        if not ends.restored_at and (change := self._change_by_new_alerts(stored, group, muting)):
            return change
        ignored: list[decisions.Routed] = []
        after = self._fold(stored, group, muting, ignored)
        overtaken_at = max(arrival.overtaken_at for arrival in group)
        after = ending.postpone(stored.incident, after, overtaken_at, stored.read_at)
        after = ends.record_received(stored.incident, after, group)
        found_over = key in ends.unknown and after.status == "closed" and after.episode == stored.incident.episode
        if found_over:
            after = self._ends.end_episode(after, group, stored.read_at)
        if ignored:
            routed.ignored[key] = [late.alert.source for late in ignored]
        events = timeline.events_for_change(
            stored.incident, after, [arrival.routed for arrival in group], stored.read_at
        )
        if found_over:
            events = [timeline.unknown_end_event(after, stored.read_at)]
        # A sender may repeat a late message for hours, so the timeline gets one entry per pause.
        if ignored and (after.ignored_at is None or stored.read_at - after.ignored_at >= IGNORED_PAUSE):
            after = msgspec.structs.replace(after, ignored_at=stored.read_at)
            events.append(timeline.ignored_event(ignored, _deliveries(group, ignored), stored.read_at))
        # A repeated message changes nothing, so it causes no write and no call.
        if after is stored.incident:
            return None
        events += timeline.notice_events((notice for arrival in group for notice in arrival.notices), stored.read_at)
        if inhibition.is_key(key):
            events = []  # No destination shows this incident.
        return Change(after, stored.version, is_visible_change(stored.incident, after), events)

    def _change_by_new_alerts(
        self, stored: StoredIncident, group: list[routing.Arrival], muting: silences.Muting | None
    ) -> Change | None:
        """Return the change that new firing alerts make to their incident, None if only ``fold`` can say.

        The result is that of the general case, which would call the same functions with the same effect.
        """
        before, now = stored.incident, stored.read_at
        arrived = [arrival.routed for arrival in group if not arrival.notices]
        # Notices need timeline entries, and no destination shows an inhibition key. The general case handles both.
        if len(arrived) < len(group) or inhibition.is_key(before.key):
            return None
        # A muted alert is held back instead of firing.
        if muting is not None and any(muting(routed, now) is not None for routed in arrived):
            return None
        if stored.version:
            after = new_alerts.joined_by(before, arrived, now=now)
            events = list(timeline.alert_events(before, after, arrived, now)) if after is not None else []
        # Several alerts of a new incident have to be merged, which only the general case does.
        elif len(group) == 1:
            first, episode = group[0], self._new_episode(before.key)
            after = new_alerts.opened_by(
                before.key, arrived[0], now=now, episode=episode, accepted_at=first.received_at, trace=first.trace
            )
            events = [timeline.opened_event(after, now)] if after is not None else []
        else:
            after = None
        return None if after is None else Change(after, stored.version, is_visible_change(before, after), events)

    async def _commit(self, changes: list[Change], unchanged: list[StoredIncident]) -> set[str]:
        """Write changes and wake the reconciler.

        Return the keys of incidents that another worker has changed meanwhile.
        """
        lost = set(await self._store.incidents.commit(changes, unchanged))
        written_shards = {keys.shard(change.incident.key) for change in changes if change.wake}
        # The reconciler polls every shard anyway. The signal only saves the time until the next poll.
        if written_shards:
            self._wake(written_shards)
        return lost

    async def _build_muting(self, routed: routing.Routing) -> silences.Muting | None:
        """Return a function that finds muted alerts. Alerts that inhibit them may be in the same batch."""
        if self._muting is None:
            return None
        named_keys: set[str] = set()
        windows = False
        for group in routed.groups.values():
            for arrival in group:
                decision = arrival.routed.decision
                named_keys.update(decision.while_open)
                windows = windows or bool(decision.mute_windows)
        # No alert of the batch names an inhibiting incident, so none has to be read.
        if not named_keys:
            return self._muting if windows or self._muting.has_any else None
        firing = await find_firing(self._store, named_keys)
        # The incidents of this batch aren't written yet, and already inhibit.
        arrived = {key for key in named_keys & routed.groups.keys() if _is_firing(routed.groups[key])}
        return self._muting.while_open(firing | arrived)

    def _fold(
        self,
        stored: StoredIncident,
        group: list[routing.Arrival],
        muting: silences.Muting | None,
        ignored: list[decisions.Routed],
    ) -> incidents.Incident:
        first = min(group, key=lambda arrival: arrival.received_at)
        begins = stored.incident.status == "closed"  # Generating an ID is expensive, so reuse the existing one.
        return fold.fold(
            stored.incident,
            [arrival.routed for arrival in group],
            now=stored.read_at,
            episode=self._new_episode(stored.incident.key) if begins else stored.incident.episode,
            accepted_at=first.received_at,
            # A muted alert still inhibits others, as in Alertmanager.
            muting=None if inhibition.is_key(stored.incident.key) else muting,
            trace=first.trace,
            ignored=ignored,
        )

    def _new_episode(self, incident_key: str) -> str:
        return identity.new_episode(self._installation, incident_key, self._randomness)


def _divide(groups: dict[str, list[routing.Arrival]]) -> list[list[str]]:
    """Divide the incident keys into portions of whole shards: the store writes one while the next one is folded."""
    if len(groups) < SMALL:
        return [list(groups)]
    portions: list[list[str]] = [[] for _ in range(PORTIONS)]
    for key in groups:
        portions[keys.shard(key) % PORTIONS].append(key)
    return portions


def _deliveries(group: list[routing.Arrival], ignored: list[decisions.Routed]) -> list[str]:
    """Return the IDs of the deliveries that contained these messages."""
    alerts_of = {id(routed.alert) for routed in ignored}
    return sorted({arrival.delivery for arrival in group if id(arrival.routed.alert) in alerts_of})


async def find_firing(store: Store, names: set[str]) -> set[str]:
    """Return the incidents that fire, whether they are open or held."""
    stored = await store.incidents.read(names, {})
    return {key for key, entry in stored.items() if entry.incident.status != "closed" and entry.incident.quiet is None}


def _is_firing(group: list[routing.Arrival]) -> bool:
    return any(arrival.fires for arrival in group)


def is_visible_change(before: incidents.Incident, after: incidents.Incident) -> bool:
    """Return whether any destination may have to show something else, now or at another time than before."""
    # No destination shows the incident in either state, and no timer will change that.
    if not (has_targets(before) or has_targets(after) or timing.due(after)):
        return False
    # Each episode has its own publications.
    if before.episode != after.episode:
        return True
    # A fold that changes neither the response nor the opening alert keeps the objects, so their texts need no
    # comparison.
    visible_states = [
        (incident.status, incident.episode, incident.severity, timing.due(incident)) for incident in (before, after)
    ]
    if (
        visible_states[0] != visible_states[1]
        or before.response is not after.response
        or before.opening_alert is not after.opening_alert
    ):
        return True
    # A page shows the components that firing alerts affect, which may change while the severity stays.
    return affected_components.current_severities(before) != affected_components.current_severities(after)


def has_targets(incident: incidents.Incident) -> bool:
    """Return whether the incident has destinations. An episode without any may follow one that had some."""
    return incident.response is not None and bool(incident.response.targets)
