"""The checks between the worker and all public pages: freeze, publishing guard, leak check, and limits."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from router.domain import incidents, plan, publications, steps, times
from router.domain.reasons import Cause, Reason
from router.domain.times import Duration, Timestamp
from router.store import publishing_state, review_outcomes
from router.store.store import Store
from router.telemetry import log, metrics
from router.worker import desired_state

_AN_HOUR = publishing_state.Limit(30, times.HOUR)


@dataclass(frozen=True)
class GuardLimits:
    """The limits for all pages; times in microseconds. ``updates`` is the limit of updates for one page."""

    posts: publishing_state.Limit
    components: publishing_state.Limit
    min_update_interval: Duration = Duration(0)
    observe_interval: Duration = Duration(0)
    updates: publishing_state.Limit = _AN_HOUR


class PublishingGuard:
    """Checks each step that would show something to customers."""

    def __init__(
        self,
        store: Store,
        limits: GuardLimits,
        desires: desired_state.DesiredStateBuilder,
    ) -> None:
        """Set up with the publishing controls, counts, shared components, limits, and the builder of desired states."""
        self._store = store
        self._limits = limits
        self._desires = desires
        self._log = log.get("worker")

    async def desires(self, *, public: bool) -> desired_state.DesiredStateBuilder:
        """Return a builder of desired states with the current publishing controls, read only if ``public``."""
        # Incidents that customers never see work without the controls, so they are spared the read.
        state = await self._store.publishing_controls.read() if public else publishing_state.ACTIVE
        policy = desired_state.Policy(
            frozen=Cause(Reason.FROZEN, detail=str(state.frozen)) if state.frozen is not None else None,
            tripped=_trip_cause(state.tripped) if state.tripped is not None else None,
            tripped_at={page: _trip_cause(stop) for page, stop in state.tripped_pages.items()},
            min_update_interval=self._limits.min_update_interval,
            observe_interval=self._limits.observe_interval,
        )
        return dataclasses.replace(self._desires, policy=policy)

    async def reserve_auto_post(self, publication: publications.Publication, desired: publications.Desired) -> bool:
        """Count a post that no reviewer has approved before it is made. Return False if it exceeds the limit."""
        component_names = desired.content.fields.get("components") or ()
        touched = [f"{publication.destination}/{name}" for name in component_names]
        post = f"{publication.destination}/{publication.episode}"
        if await self._store.publishing_controls.count_auto_post(
            post, touched, self._limits.posts, self._limits.components
        ):
            return True
        self._log.error("publishing_guard_tripped", destination=publication.destination, episode=publication.episode)
        return False

    async def update_allowed_at(
        self, publication: publications.Publication, desired: publications.Desired, step: steps.Step
    ) -> Timestamp:
        """Count an update that customers would see. Return 0, or until when its page permits no further update.

        Approved content and resolutions are never delayed, and neither is an update that takes the monitoring back: a
        post must not say that no alert fires when one does.
        """
        # Only updates of public posts count towards the page's limit.
        if not isinstance(step, steps.Execute) or step.kind not in {"update", "monitor"} or not desired.public:
            return Timestamp(0)
        verdict = desired.verdict
        # Customers don't see a draft, and must not see a false "monitoring" until the next hour.
        if publication.state != "open" or plan.is_monitoring_outdated(desired, publication):
            return Timestamp(0)
        # A reviewer has approved exactly this content.
        if verdict is not None and verdict.covers(plan.review_digest(desired, publication)):
            return Timestamp(0)
        page = "/".join(filter(None, (publication.destination, desired.content.fields.get("page"))))
        # The number identifies the update, so that a repeated check doesn't count it twice.
        return Timestamp(
            await self._store.publishing_controls.reserve_update(
                page, f"{publication.episode}/{publication.number + 1}", self._limits.updates
            )
        )

    async def export_state(self) -> None:
        """Export the states of the guard and of the freeze, whichever process changed them."""
        state = await self._store.publishing_controls.read()
        metrics.publishing_guard_tripped.set(state.guard == "tripped")
        metrics.publishing_frozen.set(state.freeze == "frozen")

    async def sync_components(self, page: str, episode: str, statuses: Mapping[str, str]) -> list[tuple[str, str]]:
        """Record how an episode affects a page's components, and return the statuses of all other episodes."""
        return await self._store.components.set_statuses(page, episode, statuses)

    async def record_outcome(self, incident: incidents.Incident, outcome: review_outcomes.Outcome) -> None:
        """Count how a review of the incident's rule ended."""
        if incident.response is not None:
            await self._store.review_outcomes.record(incident.response.rule, outcome)


def _trip_cause(stop: publishing_state.Stop) -> Cause:
    return Cause(Reason.GUARD_TRIPPED, detail=stop.why)
