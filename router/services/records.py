"""Reads what the router stores besides incidents: silences, dead letters, the quarantine, tokens, the audit log."""

import operator
from collections.abc import Callable, Collection

from router import configuration
from router.domain import timing
from router.domain.silences import Silence
from router.domain.times import Timestamp
from router.services import dead_letters, models, orphans, presenters, resources, silence_matches, source_views
from router.services.pauses import Pauses
from router.store import incident_snapshot
from router.store.store import Store


class Records:
    """The queries of these records. ``looking`` reads every incident; ``labels_named`` returns the labels of rules."""

    def __init__(
        self,
        settings: configuration.Settings,
        store: Store,
        clock: Callable[[], Timestamp],
        looking: incident_snapshot.SnapshotCache,
        labels_named: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self._sight = looking
        self._matching = silence_matches.SilenceMatches(store, labels_named, clock)
        self._letters = dead_letters.DeadLetters(store)

    async def silences(self, *, over: bool = False) -> list[resources.Silence]:
        """Return active and pending silences, and expired silences if the caller asks for them."""
        now = self.clock()
        rows = await self.store.silences.read()
        selected = [silence for silence in rows if over or silence.state(now) != "expired"]
        # Counting matches reads up to 1,000 deliveries, which an installation without silences doesn't need.
        if not selected:
            return []
        firing = await self._matching.firing(await self._sight.get())
        return [await self._silence(silence, now, firing) for silence in selected]

    def invalidate(self) -> None:
        """Clear the cache of what silences match."""
        self._matching.invalidate()

    async def _silence(
        self, silence: Silence, now: Timestamp, firing: silence_matches.FiringAlerts
    ) -> resources.Silence:
        starts_at, ends_at = silence.window(now) or (Timestamp(0), Timestamp(0))
        state = silence.state(now)
        return resources.Silence(
            id=silence.id,
            state=state,
            matchers=[str(matcher) for matcher in silence.matchers],
            starts_at=models.at(silence.starts_at),
            ends_at=models.at(silence.ends_at),
            author=silence.author,
            comment=silence.comment,
            during=[str(window) for window in silence.during],
            window_starts_at=models.at(starts_at),
            window_ends_at=models.at(ends_at),
            # An expired silence mutes nothing, so a count of its matches would mislead.
            matching=None if state == "expired" else await self._matching.count(silence, firing),
            unchecked=0 if state == "expired" else firing.unknown,
            unknown_labels=silence_matches.unknown_labels(silence, firing.labels),
        )

    async def muted_alerts(self) -> list[resources.Muted]:
        """Return all muted alerts, the worst severity first, then the oldest."""
        muted_alerts = [
            (incident.incident.key, muted)
            for incident in (await self._sight.get()).incidents.values()
            for muted in incident.incident.muted.values()
        ]
        muted_alerts.sort(key=lambda pair: (-pair[1].routed.decision.severity, pair[1].routed.alert.starts_at, pair[0]))
        return [presenters.muted_alert(key, muted) for key, muted in muted_alerts]

    async def heartbeats(self) -> list[resources.Heartbeat]:
        """Return all heartbeats, the least recently received first."""
        incidents = [stored.incident for stored in (await self._sight.get()).incidents.values()]
        received = [
            (incident.last_heartbeat_at, incident) for incident in incidents if incident.last_heartbeat_at is not None
        ]
        return [
            resources.Heartbeat(
                incident=incident.key,
                every_seconds=timing.timing_of(incident).heartbeat / 1_000_000,
                last_heard_at=models.at(last_heartbeat_at),
                # The incident of a heartbeat is open exactly while the signal is missing.
                silent=incident.status == "open",
            )
            for last_heartbeat_at, incident in sorted(received, key=operator.itemgetter(0))
        ]

    async def publishing(self) -> models.Publishing:
        """Return the states of the publishing freeze and the publishing guard."""
        state = await self.store.publishing_controls.read()
        return models.Publishing(
            freeze=state.freeze,
            freeze_reason=str(state.frozen) if state.frozen is not None else "",
            guard=state.guard,
            guard_reason=state.tripped.why if state.tripped is not None else "",
            tripped_pages={page: stop.why for page, stop in sorted(state.tripped_pages.items())},
        )

    async def storm(self) -> models.Storm | None:
        """Return the current alert storm; None if there is none."""
        since, waiting = await self.store.storm_queue.read_state()
        return models.Storm(since=models.at(since), waiting=waiting) if since else None

    async def dead_letters(self, *, cursor: str = "", limit: int = 50) -> models.Page[resources.DeadLetter]:
        """Return a page of dead letters, the oldest first. Raises ``ValueError`` if the cursor is invalid."""
        after = presenters.read_dead_letter_cursor(cursor) if cursor else dead_letters.FIRST
        # One entry beyond the page tells whether there is a next page.
        letters = await self._letters.page(await self._sight.get(), after, limit + 1)
        more = presenters.dead_letter_cursor(letters[limit - 1]) if len(letters) > limit else ""
        return models.Page(items=[presenters.dead_letter(letter) for letter in letters[:limit]], next=more)

    async def pauses(self) -> list[resources.Pause]:
        """Return the active pauses by destination. Destinations of one account share its pauses and its quota."""
        return [
            resources.Pause(
                destination=pause.destination,
                endpoint=pause.endpoint,
                ends_at=models.at(pause.ends_at),
                kind=pause.kind,
                waiting=pause.waiting,
            )
            for pause in await Pauses(self.settings, self.store).read(self.clock())
        ]

    async def orphans(self) -> list[resources.Orphan]:
        """Return the open items at vendors that belong to no known incident, the oldest first."""
        return [presenters.orphan(orphan) for orphan in await orphans.read_all(self.store)]

    async def dead_letter_count(self) -> int:
        """Return the number of dead letters that no operator has discarded."""
        return await self._letters.count(await self._sight.get())

    async def quarantine(self, *, cursor: str = "", limit: int = 50) -> models.Page[resources.Quarantined]:
        """Return the quarantined bodies, the newest first."""
        entries, more = await self.store.quarantine.page(limit, cursor)
        return models.Page(items=[presenters.quarantined_body(entry) for entry in entries], next=more)

    async def quarantined_body(self, identity: str) -> resources.Quarantined | None:
        """Return a quarantined body; None if it is not stored."""
        entry = await self.store.quarantine.find(identity)
        return presenters.quarantined_body(entry) if entry is not None else None

    def sources(self) -> list[resources.Source]:
        """Return the configured sources."""
        return [source_views.row(name, config) for name, config in self.settings.sources.items()]

    async def tokens(self) -> list[resources.TokenRow]:
        """Return all tokens, the oldest first, without their secrets."""
        return [presenters.token(token) for token in await self.store.tokens.read()]

    async def audit(self, *, cursor: str = "", limit: int = 50) -> models.Page[resources.Action]:
        """Return a page of the audit log, the newest line first."""
        actions, more = await self.store.audit.page(cursor, limit)
        items = [
            resources.Action(
                at=models.at(action.at),
                who=action.who,
                by=action.by,
                address=action.address,
                what=action.what,
                subject=action.subject,
                outcome=action.outcome,
                reason=action.reason,
                detail=action.detail,
            )
            for action in actions
        ]
        return models.Page(items=items, next=more)
