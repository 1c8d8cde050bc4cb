"""Simulates the router: alerts arrive, time passes, reviewers approve, and every operation is recorded.

Rules, folding, timing, and planning are the router's own code. Only the store is a dictionary, and vendors always
succeed. The caller advances the clock.
"""

import dataclasses
import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from router.domain import (
    alerts,
    announcements,
    decisions,
    events,
    fold,
    incidents,
    operations,
    plan,
    publications,
    severities,
    silences,
    steps,
    subscriptions,
    times,
    timing,
)
from router.domain.reasons import Cause, Reason
from router.domain.reviews import Verdict
from router.domain.times import Timestamp
from router.dry_run import muting, simulated_events
from router.worker import (
    aggregator,
    announcer,
    desired_state,
    operation_outcome,
    retractions,
    reviews,
    routing,
    vendor_calls,
)
from router.yaml_source import quantities

Decide = Callable[[alerts.Alert, Timestamp], decisions.Decision]

_STATES: Mapping[publications.Kind, publications.State] = {
    "open": "open",
    "publish": "open",
    "update": "open",
    "monitor": "open",
    "resolve": "resolved",
    "dismiss": "dismissed",
    "retract": "dismissed",
}
_MAX_STEPS = 12  # As many as a worker performs in a row.


class Called(msgspec.Struct, frozen=True):
    """One operation at a destination, with its time (microseconds), incident, rule, and content.

    ``review`` describes what happens at the deadline of its review; empty if there is no deadline.
    """

    at: Timestamp
    kind: publications.Kind | Literal["retrospective"]
    destination: str
    incident: str
    episode: str
    rule: str
    content: publications.Content
    publish: str = ""
    shown: Mapping[str, Any] = {}
    review: str = ""


class SimulatedEpisode(msgspec.Struct):
    """One episode: its first alert and when that began, and when the episode opened and closed (0: not yet)."""

    key: str
    episode: str
    alert: str
    title: str
    rule: str
    severity: severities.Severity
    began_at: Timestamp
    opened_at: Timestamp
    closed_at: Timestamp = Timestamp(0)


class Simulation:
    """The state of a simulated router. ``now`` is microseconds since the epoch, and never decreases.

    ``drafts`` are, by destination, the drafts that its page makes for each incident that the page follows.
    ``drafted_destinations`` are the destinations whose pages have made a draft.
    """

    def __init__(
        self,
        decide: Decide,
        places: Mapping[str, desired_state.DestinationTraits],
        render: desired_state.Render,
        *,
        render_public: desired_state.RenderPublic | None = None,
        examine: desired_state.Examine | None = None,
        preview: reviews.Preview = reviews.plain,
        now: Timestamp = Timestamp(0),
        approves: bool = False,
        subscribed: subscriptions.Subscriptions | None = None,
    ) -> None:
        """Store the rules, the destinations, and the functions that render and examine texts for customers.

        ``preview`` returns content as a destination shows it. ``approves``: everything that would await approval is
        approved immediately. ``subscribed`` are the notifiers that receive events beside those that rules name.
        """
        self._preview = preview
        self.now = now
        self.drafts: Mapping[str, Mapping[str, Any]] = {}
        self.drafted_destinations: set[str] = set()
        self.episodes: dict[str, SimulatedEpisode] = {}
        self._approves = approves
        self.incidents: dict[str, incidents.Incident] = {}
        self.calls: list[Called] = []
        self._decide = decide
        self._places = places
        self._desires = desired_state.DesiredStateBuilder(render, render_public, examine=examine)
        self._publications: dict[str, list[publications.Publication]] = {}
        self._homes: dict[str, str] = {}
        self._muting = muting.MutingTracker(self.incidents)
        self._timers: list[tuple[int, str]] = []
        self._reviews: list[tuple[int, str]] = []
        self._numbers = itertools.count(1)
        self._subscriptions = subscribed or subscriptions.Subscriptions()
        self._announcing: simulated_events.Announcing | None = None
        self._announcements: list[tuple[int, str]] = []

    def announce(self) -> None:
        """Announce events to notifiers from now on."""
        self._announcing = simulated_events.Announcing(self._subscriptions)

    @property
    def notifications(self) -> Sequence[simulated_events.Notified]:
        """Return the events that notifiers have received, in order."""
        return self._announcing.notifications if self._announcing is not None else ()

    def arrive(self, arrived: Iterable[alerts.Alert]) -> list[decisions.Decision]:
        """Accept one delivery. Return the decision about each of its alerts."""
        routeds = [decisions.Routed(alert, self._decide(alert, self.now), self.now) for alert in arrived]
        # Recorded before the fold, because an alert inhibits others in the same delivery.
        self._muting.record_support(routeds)
        groups: dict[str, list[decisions.Routed]] = {}
        for routed_alert in routeds:
            if key := self._find_home(routed_alert):
                groups.setdefault(key, []).append(routed_alert)
        for key, group in groups.items():
            before = self.incidents.get(key) or incidents.Incident(key=key)
            folded = fold.fold(
                before,
                group,
                now=self.now,
                episode=self._episode(),
                accepted_at=self.now,
                reuse=True,
                muting=self._muting.among(groups),
            )
            self._apply_change(before, folded)
        return [routed.decision for routed in routeds]

    def move_to(self, moment: Timestamp) -> None:
        """Advance the clock to a time. Timers and reviews that are due before then are handled at their due times."""
        never = (moment + 1, "")
        # The earliest entry of all three heaps comes next, so that events keep their order.
        while (due := min(self._timers[:1] + self._reviews[:1] + self._announcements[:1], default=never))[0] <= moment:
            if self._timers and self._timers[0] == due:
                heapq.heappop(self._timers)
                self._apply_timer(*due)
            elif self._announcements and self._announcements[0] == due:
                heapq.heappop(self._announcements)
                self.now = Timestamp(max(self.now, due[0]))
                self._announce(self.incidents[due[1]], self._publications.get(due[1], []))
            else:
                heapq.heappop(self._reviews)
                self.now = Timestamp(max(self.now, due[0]))
                self._reconcile(self.incidents[due[1]])
        self.now = max(self.now, moment)

    def _apply_timer(self, due: int, key: str) -> None:
        before = self.incidents[key]
        if timing.due(before) != due:
            return  # The timer was postponed or is obsolete. If the incident still has one, it has its own entry.
        self.now = Timestamp(max(self.now, due))
        incident = fold.apply_muting(before, self._muting.among({}), now=self.now, episode=self._episode())
        self._apply_change(before, timing.apply_timers(incident, now=self.now, episode=self._episode()))

    def decide(self, destination: str, word: reviews.ReviewDecision) -> int:
        """Decide all publications that await approval at a destination. Return the number of publications."""
        awaiting = [review for review in self.awaiting() if review.destination == destination]
        # Posting a retracted post again needs an approval, but isn't due, so it isn't among the waiting reviews.
        if word.kind == "approved":
            awaiting += [review for review in self._republishable() if review.destination == destination]
        for seen in awaiting:
            incident = self.incidents[seen.incident]
            earlier = incident.interventions.verdicts.get(destination)
            verdict = reviews.verdict(seen, word, self.now, earlier)
            self._apply_change(incident, reviews.apply_verdict(incident, seen, verdict, earlier) or incident)
        return len(awaiting)

    def retract(self, destination: str, request: retractions.RetractionRequest) -> int:
        """Retract every post at a destination. Return the number of publications."""
        retracted = 0
        for incident in list(self.incidents.values()):
            publications_of_incident = self._publications.get(incident.key, [])
            results = retractions.outcomes(incident, publications_of_incident, self._places, destination)
            retracted += sum(result.outcome in retractions.DONE for result in results)
            self._apply_change(
                incident, retractions.add_retractions(incident, publications_of_incident, results, request, self.now)
            )
        return retracted

    def awaiting(self) -> list[reviews.Review]:
        """Return all reviews that await approval now."""
        saying = (self._desires, self._preview)
        return [
            review
            for incident in list(self.incidents.values())
            for review in reviews.waiting(
                incident, self._publications.get(incident.key, []), self._places, saying, self.now
            )
        ]

    def _republishable(self) -> list[reviews.Review]:
        """Return the retracted publications that a reviewer could approve again."""
        saying = (self._desires, self._preview)
        return [
            review
            for incident in list(self.incidents.values())
            if incident.status == "open"
            for review in reviews.republishable(
                incident,
                desired_state.ensure_publications(incident, self._publications.get(incident.key, [])),
                self._places,
                saying,
            )
        ]

    def silence(self, matchers: Iterable[silences.Matcher], ends_at: Timestamp) -> None:
        """Add a silence that ends at a time (microseconds)."""
        self._muting.silence(tuple(matchers), self.now, ends_at)

    def end_silence(self, matchers: Iterable[silences.Matcher]) -> int:
        """End the silences with these matchers. Return the number of active ones."""
        return self._muting.end_silence(tuple(matchers), self.now)

    def freeze(self, reason: str) -> None:
        """Freeze all public posts. An empty reason unfreezes them."""
        self._desires = dataclasses.replace(
            self._desires, policy=desired_state.Policy(frozen=Cause(Reason.FROZEN, detail=reason) if reason else None)
        )
        if self._announcing is not None:
            since = times.to_datetime(self.now)
            frozen = events.FreezeStarted(since, "somebody", reason) if reason else events.FreezeEnded("somebody")
            self._announcing.announce_router(frozen, self.now)
        # The end of a freeze lets every held operation go on, as it wakes the worker's incidents.
        for incident in list(self.incidents.values()):
            self._reconcile(incident)

    def _find_home(self, routed_alert: decisions.Routed) -> str:
        """Return the key of the incident that already holds the alert, or else of the incident in the decision."""
        identity, key = routed_alert.alert.identity, routed_alert.decision.incident_key
        home = self._homes.get(identity)
        if home is not None and home != key and routing.should_stay(self.incidents[home], routed_alert):
            return home
        if routed_alert.alert.status == "firing" and key:
            self._homes[identity] = key
        return key

    def _approval(self) -> Verdict:
        """Return a reviewer's approval of the whole episode."""
        return Verdict("approved", "somebody", self.now)

    def _episode(self) -> str:
        # Numbered instead of random, so that a replay gives the same result each time.
        return f"{next(self._numbers):032x}"

    def _apply_change(self, before: incidents.Incident, after: incidents.Incident) -> None:
        if after is before:
            return
        if (after.episode, after.status, after.severity) != (before.episode, before.status, before.severity):
            after = self._record_episode(after)
        self.incidents[after.key] = after
        due = timing.due(after)
        # The obsolete entry stays in the heap, and ``_apply_timer`` skips it.
        if due and due != timing.due(before):
            heapq.heappush(self._timers, (due, after.key))
        decided = (after.interventions.verdicts, after.interventions.retractions) != (
            before.interventions.verdicts,
            before.interventions.retractions,
        )
        # A decision changes what may be posted, but not the alerts that ``visible`` compares.
        if aggregator.is_visible_change(before, after) or decided:
            self._reconcile(after)

    def _record_episode(self, incident: incidents.Incident) -> incidents.Incident:
        """Record the state of an episode. Approve it if the simulation approves everything."""
        alert, response = incident.opening_alert, incident.response
        if not incident.episode or alert is None or response is None:
            return incident
        episode = self.episodes.get(incident.episode)
        if episode is None:
            began_at = incident.accepted_at or incident.opened_at
            episode = self.episodes[incident.episode] = SimulatedEpisode(
                incident.key,
                incident.episode,
                alert.identity,
                alert.title,
                response.rule,
                incident.severity,
                began_at,
                incident.opened_at,
            )
            if self._approves:
                reviewed_targets = (
                    target for target in response.targets if target.publish == "review" or target.ending.review
                )
                verdicts = {target.destination: self._approval() for target in reviewed_targets}
                incident = incidents.with_interventions(incident, verdicts=verdicts)
        episode.severity = max(episode.severity, incident.severity)
        if incident.status == "closed":
            episode.closed_at = incident.closed_at or self.now
        return incident

    def _reconcile(self, incident: incidents.Incident) -> None:
        publications_of_incident = desired_state.ensure_publications(incident, self._publications.get(incident.key, []))
        # A worker announces an incident before and after it calls the vendors.
        self._announce(incident, publications_of_incident)
        waits: list[steps.Wait] = []
        for _ in range(len(publications_of_incident) + 1):
            before = list(publications_of_incident)
            waits = [
                self._advance(incident, publications_of_incident, position)
                for position in range(len(publications_of_incident))
            ]
            is_blocked = any(wait.waiting_on is steps.WaitingOn.OTHER_PUBLICATION for wait in waits)
            if publications_of_incident == before or not is_blocked:
                break
        self._announce(incident, publications_of_incident)
        self._publications[incident.key] = [
            publication for publication in publications_of_incident if not publication.settled
        ]
        reviews_due = (wait.until for wait in waits if wait.waiting_on is steps.WaitingOn.REVIEWER)
        for moment in {deadline for deadline in reviews_due if deadline is not None and deadline > self.now}:
            heapq.heappush(self._reviews, (moment, incident.key))

    def _announce(self, incident: incidents.Incident, publications_of_incident: list[publications.Publication]) -> None:
        """Announce the changes of an incident, and note when to announce again."""
        if self._announcing is None:
            return
        saying = (self._desires, self._preview)
        waiting = reviews.waiting(incident, publications_of_incident, self._places, saying, self.now)
        events_of_reviews = {review.destination: announcer.event_review(review) for review in waiting}
        public = [name for name, place in self._places.items() if place.kind.public]
        observed = announcements.ObservedIncident(incident, publications_of_incident, events_of_reviews, public)
        if due := self._announcing.announce(observed, self.now):
            heapq.heappush(self._announcements, (due, incident.key))

    def _advance(
        self, incident: incidents.Incident, publications_of_incident: list[publications.Publication], position: int
    ) -> steps.Wait:
        """Perform every step that the plan requires of one publication, and update the publication in the list."""
        for _ in range(_MAX_STEPS):
            publication = publications_of_incident[position]
            place = self._places[publication.destination]
            desired = self._desires.build(incident, publication, publications_of_incident, place)
            if (noted := plan.note_ending(desired, publication)) is not publication:
                publications_of_incident[position] = noted
                continue
            step = plan.plan(desired, publication, now=self.now)
            if (
                isinstance(step, steps.Wait)
                and (waits := self._record_review(publication, desired, step)) is not publication
            ):
                publications_of_incident[position] = waits
                continue
            # Vendors always succeed here, so no call has to be resumed, read back, or searched for.
            if not isinstance(step, steps.Execute):
                break
            publications_of_incident[position] = self._perform(incident, publication, step.kind, desired)
        return step if isinstance(step, steps.Wait) else steps.Wait(Cause(Reason.PLAN_NOT_CONVERGING))

    def _record_review(
        self, publication: publications.Publication, desired: publications.Desired, step: steps.Wait
    ) -> publications.Publication:
        """Record the start of a review, which its deadline counts from. Return the same object if nothing changes."""
        digest = plan.pending_review_digest(desired, publication, step)
        if digest and not publications.is_awaiting(publication, digest):
            return msgspec.structs.replace(publication, review=publications.PendingReview(digest, self.now))
        return publication

    def _shown_fields(
        self, destination: str, kind: publications.Kind, desired: publications.Desired
    ) -> Mapping[str, Any]:
        """Return the fields of an operation. At public destinations, include the published statuses of components."""
        content = desired.content
        if kind == "retract":
            return {"message": desired.retracted.message} if desired.retracted and desired.retracted.message else {}
        components = self._preview(destination, content, "opening").fields.get("components") if desired.public else None
        return {**content.fields, "components": components} if components else content.fields

    def _perform(
        self,
        incident: incidents.Incident,
        publication: publications.Publication,
        kind: publications.Kind,
        desired: publications.Desired,
    ) -> publications.Publication:
        number = publication.number + 1
        started = msgspec.structs.replace(publication, number=number)
        intent = publications.Intent(kind, number, self.now, desired.content)
        is_over = kind == "open" and plan.is_retrospective(desired, publication)
        if is_over:
            intent = msgspec.structs.replace(intent, began_at=desired.began_at, ended_at=desired.ended_at)
        operation = vendor_calls.operation_of(started, intent, desired, self.now)
        # An adoption changes nothing at the vendor, so tests don't list it.
        if kind == "adopt":
            return operation_outcome.after_call(started, operation, self._make_draft(publication.destination), self.now)
        response = incident.response
        self.calls.append(
            Called(
                self.now,
                "retrospective" if is_over else kind,
                publication.destination,
                incident.key,
                publication.episode,
                response.rule if response is not None else "",
                desired.content,
                desired.publish if desired.public else "",
                self._shown_fields(publication.destination, kind, desired),
                _review(desired),
            )
        )
        identity = publication.vendor_id or f"{publication.destination}-{next(self._numbers)}"
        # A changed draft stays a draft until it is published.
        state = "draft" if (publication.state, kind) == ("draft", "update") else _STATES[kind]
        # A retrospective post is resolved from the start.
        state = "resolved" if is_over else state
        return operation_outcome.after_call(started, operation, operations.VendorState(identity, state), self.now)

    def _make_draft(self, destination: str) -> operations.VendorState | None:
        """Return the page's draft for the incident that it follows; None if the test has no draft for the page."""
        draft = self.drafts.get(destination)
        if draft is None:
            return None
        self.drafted_destinations.add(destination)
        draft_fields = {name: draft[name] for name in ("title", "message", "impact") if draft.get(name)}
        view = publications.View({**draft_fields, "draft": draft})
        return operations.VendorState(f"{destination}-{next(self._numbers)}", "draft", view=view)


def _review(desired: publications.Desired) -> str:
    """Describe the deadline of a review: ``publish after 15m``."""
    if not (desired.public and desired.publish == "review" and desired.deadline):
        return ""
    return f"{desired.at_deadline} after {quantities.format_duration(desired.deadline)}"
