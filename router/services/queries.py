"""Queries of the console, the API, and the commands."""

import asyncio
import bisect
import collections
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

import msgspec

from router import configuration
from router.bootstrap import factories, public_pages
from router.domain import alerts, publications, severities, timing
from router.domain.times import Timestamp
from router.rules import load, reload, ruleset
from router.rules.explain import explain_alert
from router.services import (
    current_alerts,
    incident_names,
    incident_records,
    models,
    presenters,
    publication_views,
    rate_meter,
    records,
    request_bodies,
    resources,
    sandbox,
)
from router.store import archive, incident_snapshot
from router.store.store import Store
from router.web import request_limits
from router.worker import rule_matches
from router.worker.reviews import Reviews


class Queries:
    """The queries of one router. ``in_force`` returns the rules; without it, each query reads them from the disk."""

    def __init__(
        self,
        settings: configuration.Settings,
        store: Store,
        clock: Callable[[], Timestamp],
        in_force: reload.Rules | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self._in_force = in_force
        self._places = public_pages.configured_pages(settings)
        self._rates = rate_meter.Rates()
        self._sight = store.make_snapshot_cache(clock)
        self.sandbox = sandbox.Sandbox()
        self._waiting: tuple[incident_snapshot.Snapshot | None, list[models.Review]] = (None, [])
        self.records = records.Records(settings, store, clock, self._sight, self._labels_named)

    def rule_set(self) -> ruleset.RuleSet:
        """Return the active rules. Raises ``load.RulesRefused`` if they have to be read first and are invalid."""
        # Commands run briefly and don't watch the rule files, so they load the rules for each query.
        return self._in_force.in_force if self._in_force is not None else factories.load_rules(self.settings)

    def _labels_named(self) -> Collection[str]:
        """Return the labels that the rules name; none if the rules are invalid."""
        try:
            return self.rule_set().labels_named()
        # Silences must be listed even if the rules are invalid. Then only the labels of alerts count as known.
        except load.RulesRefused:
            return frozenset()

    async def incidents(
        self, *, status: str = "open", severity: str = "", text: str = "", cursor: str = "", limit: int = 50
    ) -> models.Page[models.IncidentRow]:
        """Return a page of incidents, open incidents first, by descending severity.

        ``status`` is ``open`` (every incident that isn't closed), ``pending``, ``closed``, or ``all``. ``text`` is
        searched for in key, title, rule, and labels. ``cursor`` is where the previous page ended. Raises ``ValueError``
        if the cursor is invalid.
        """
        seen = await self._sight.get()
        awaited = {review.incident for review in await self.reviews()}
        incidents = [
            incident.incident
            for incident in seen.incidents.values()
            if presenters.is_selected(incident.incident, status, severity, text.lower())
        ]
        incidents.sort(key=presenters.sort_key)
        # The cursor is a sort key instead of an offset, so a page neither repeats nor skips incidents if others open or
        # close.
        start = bisect.bisect_right(incidents, presenters.read_cursor(cursor), key=presenters.sort_key) if cursor else 0
        # One incident beyond the page tells whether there is a next page.
        selected = incidents[start : start + limit]
        more = presenters.cursor(selected[-1]) if start + limit < len(incidents) else ""
        rows = [
            presenters.incident_row(
                incident,
                seen.publications.get(incident.key, ()),
                is_awaited=incident.key in awaited,
                is_unreadable=incident.key in seen.unreadable,
            )
            for incident in selected
        ]
        return models.Page(items=rows, next=more, unreadable=sorted(seen.unreadable.values()))

    async def find_key(self, text: str, *, earlier: bool = False) -> str | None:
        """Return the key of the incident that a text names; None if there is none.

        Raises ``incident_names.Ambiguous`` if the text names several incidents.
        """
        keys = await incident_names.find_keys(self.store, text, earlier=earlier)
        # A whole name or an unambiguous prefix.
        if len(keys) <= 1:
            return keys[0] if keys else None
        rows = await self._rows(keys[: incident_names.MAX_CANDIDATES])
        raise incident_names.ambiguity(text, rows, more=len(keys) > incident_names.MAX_CANDIDATES)

    async def _rows(self, names: list[str]) -> list[models.IncidentRow]:
        # The second argument collects unreadable incidents, so that the readable candidates are still listed.
        incidents_by_key = await self.store.incidents.read(names, {})
        publications_of_incidents = await self.store.publications.look_at_all(names)
        both = [
            (incidents_by_key[name].incident, publications_of_incident)
            for name, publications_of_incident in zip(names, publications_of_incidents, strict=True)
            if name in incidents_by_key
        ]
        awaited = {review.incident for review in await self.pending_reviews().among(both)}
        return [
            presenters.incident_row(review, publications_of_incident, is_awaited=review.key in awaited)
            for review, publications_of_incident in both
        ]

    async def incident(self, name: str) -> models.Incident | None:
        """Return the details of one incident; None if there is none. Raises ``incident_names.Ambiguous``."""
        # Reading may follow a reference of an earlier episode. Actions must not, because they would affect the current
        # one.
        key = await self.find_key(name, earlier=True)
        story = await incident_records.read(self.store, key) if key is not None else None
        if key is None or story is None:
            return None
        incident = story.incident
        (row,) = await self._rows([key])
        # The desired state is the one that the worker would compute, so the page shows the next step as it will happen.
        desires = await public_pages.pages(self.settings, self.store).desires(public=True)
        publications_by_incident = []
        for publication in story.publications:
            place = self._places.get(publication.destination)
            publications_by_incident.append(
                publication_views.publication(story, publication, place, desires, self.clock())
            )
        alert, response = incident.opening_alert, incident.response
        waits = timing.timing_of(incident)
        return models.Incident(
            **row.model_dump(),
            labels=alert.labels if alert is not None else {},
            owner=response.owner if response is not None else "",
            runbook=response.runbook if response is not None else "",
            link=alert.link if alert is not None else "",
            place=response.place if response is not None else "",
            rules_version=response.version if response is not None else "",
            because=list(rule_matches.because(incident)),
            decided=publication_views.decided_rules(incident),
            due_at=models.at(timing.due(incident)),
            coming=publication_views.upcoming(incident, publications_by_incident),
            timing={
                name: presenters.timing_text(name, value)
                for name, value in msgspec.structs.asdict(waits).items()
                if value
            },
            alerts=presenters.alert_rows(incident),
            publications=publications_by_incident,
            timeline=[
                models.Event(
                    at=models.at(event.at),
                    what=event.what,
                    text=event.text,
                    destination=event.destination,
                    who=event.who,
                    detail=msgspec.to_builtins(event.detail),
                )
                for event in story.timeline
            ],
        )

    async def story(self, name: str) -> models.Story | None:
        """Return an incident as it is stored; None if there is none. Raises ``incident_names.Ambiguous``."""
        key = await self.find_key(name, earlier=True)
        record = await incident_records.read(self.store, key) if key is not None else None
        if record is None:
            return None
        story = msgspec.to_builtins(record)
        # Two fields have other names in stored documents, so that earlier versions refuse these.
        story["incident"]["key"] = story["incident"].pop("incident")
        for publication in story["publications"]:
            publication["episode"] = publication.pop("of_episode")
        return models.Story.model_validate(story)

    def pending_reviews(self) -> Reviews:
        """Return the object that reads pending reviews and records decisions."""
        return public_pages.reviews(self.settings, self.store, self.clock)

    async def reviews(self) -> list[models.Review]:
        """Return the pending reviews, the oldest first. They are at most one second old, as incidents are."""
        seen = await self._sight.get()
        # Computing reviews renders texts. The same snapshot gives the same reviews, so viewers of one second share the
        # result.
        if self._waiting[0] is not seen:
            incidents_with_publications = (
                (seen.incidents[key].incident, publication)
                for key, publication in seen.publications.items()
                if key in seen.incidents
            )
            self._waiting = (
                seen,
                [
                    presenters.review(review)
                    for review in await self.pending_reviews().among(incidents_with_publications)
                ],
            )
        return self._waiting[1]

    async def review(self, incident: str, destination: str, seen: str = "") -> models.Review | None:
        """Return the pending review of an incident at a destination; None if there is none.

        The review is current, not cached. If posts of two episodes are pending, prefer the one with the digest
        ``seen``. Raises ``incident_names.Ambiguous``.
        """
        key = await self.find_key(incident)
        reviews_of_incident = await self.pending_reviews().of_incident(key) if key is not None else []
        matching = sorted(
            (candidate for candidate in reviews_of_incident if candidate.destination == destination),
            key=lambda candidate: candidate.digest != seen,
        )
        return presenters.review(matching[0]) if matching else None

    def invalidate(self) -> None:
        """Drop cached data after an action, so that its result is visible."""
        # A person who has just acted must not see data from before the action.
        self._sight.invalidate()
        self.records.invalidate()

    async def deliveries(self, *, cursor: str = "", limit: int = 50) -> models.Page[models.DeliveryRow]:
        """Return a page of the recently processed deliveries, the newest first."""
        archived, more = await self._archive().page(cursor, limit)
        return models.Page(items=[presenters.delivery_row(entry.delivery) for entry in archived], next=more)

    async def delivery(self, identity_: str) -> models.Delivery | None:
        """Return one delivery with its body; None if it is no longer stored."""
        archived = await self._archive().find(identity_)
        if archived is None:
            return None
        delivery, text = archived.delivery, models.text(archived.body)
        # A stored decision is that of the time of receipt. Rules and silences may have moved the alert since.
        places = await current_alerts.find(self.settings, self.store, delivery, self.clock())
        return models.Delivery(
            **presenters.delivery_row(delivery).model_dump(),
            decisions=[
                presenters.decision(delivery, decided, at) for decided, at in zip(delivery.rows, places, strict=True)
            ],
            notices=[models.Notice(**msgspec.structs.asdict(notice)) for notice in delivery.notices],
            body=text.body,
            body_base64=text.body_base64,
        )

    async def recordings(
        self, *, since: Timestamp = Timestamp(0), cursor: str = "", limit: int = 50
    ) -> models.Page[resources.Recording]:
        """Return deliveries since a time (microseconds) for a replay elsewhere, the oldest first."""
        archived, more = await self._archive().page_since(since, cursor, limit)
        return models.Page(items=[presenters.recording(entry.delivery) for entry in archived], next=more)

    def _archive(self) -> archive.Archive:
        return self.store.archive

    def _rules_problems(self) -> list[str]:
        """Return the problems of the rules on the disk; none if they are valid."""
        return [f"{problem.place}: {problem.message}" for problem in self._in_force.problems] if self._in_force else []

    def _rules_kept_at(self) -> datetime | None:
        """Return when the active rules were stored in Redis, if the process started with invalid rules on the disk."""
        kept_files = self._in_force.fallback if self._in_force else None
        return models.at(kept_files.kept_at) if kept_files else None

    async def rules(self) -> resources.Rules:
        """Return the active rules."""
        rules = self.rule_set()
        outcomes = await self.store.review_outcomes.read()
        incidents = [incident.incident for incident in (await self._sight.get()).incidents.values()]
        lately = collections.Counter(
            incident.response.rule for incident in incidents if incident.response is not None and incident.opened_at
        )
        opened = collections.Counter(
            incident.response.rule
            for incident in incidents
            if incident.response is not None and incident.status == "open"
        )
        items = [
            resources.Rule(
                name=rule.name,
                place=rule.place,
                owner=rule.common.owner,
                runbook=rule.common.runbook,
                ignores=rule.ignore_reason,
                continues=rule.should_continue,
                destinations=[target.destination for target in rule.targets],
                outcomes=dict(outcomes.get(rule.name, {})),
                open=opened[rule.name],
                lately=lately[rule.name],
                precision=presenters.precision(outcomes.get(rule.name, {})),
            )
            for rule in rules.rules
        ]
        problems = self._rules_problems()
        return resources.Rules(version=rules.version, kept_at=self._rules_kept_at(), items=items, problems=problems)

    async def outcomes(self) -> resources.Outcomes:
        """Return the outcomes of each rule's reviews."""
        outcomes_of_rules = await self.store.review_outcomes.read()
        return resources.Outcomes(rules={rule: dict(counted) for rule, counted in outcomes_of_rules.items()})

    async def alerts(self, explain: request_bodies.Explain) -> tuple[list[alerts.Alert], Timestamp]:
        """Return the alerts of a payload or a stored delivery, and when they were received (microseconds).

        Raises ``KeyError`` if there is no such source or delivery, or ``sources.Unparsable`` for an invalid payload.
        """
        if explain.delivery:
            archived = await self._archive().find(explain.delivery)
            if archived is None:
                raise KeyError(explain.delivery)
            # The alerts keep their time of receipt, so rules with schedules decide as they would have then.
            return [decided.alert for decided in archived.delivery.rows], archived.delivery.received_at
        now = self.clock()
        endpoint = factories.endpoints(self.settings)[explain.source]
        limits, labels_named = factories.limits(self.settings), self.rule_set().labels_named
        return request_limits.read(
            endpoint, explain.payload.encode(), {}, now, bounds=limits, labels_named=labels_named
        ).alerts, now

    async def explain(self, explain: request_bodies.Explain) -> models.Explained:
        """Return the rules' decision for each alert of a payload. Raises ``KeyError`` and ``sources.Unparsable``."""
        read_alerts, now = await self.alerts(explain)
        rules = self.rule_set()
        public = {name for name, place in self._places.items() if place.kind.public}
        explanations = [presenters.explanation(explain_alert(rules, alert, now, public)) for alert in read_alerts]
        # Only the alerts of a stored delivery may be in an incident. A payload was never accepted.
        if explain.delivery and (archived := await self._archive().find(explain.delivery)) is not None:
            places = await current_alerts.find(self.settings, self.store, archived.delivery, self.clock())
            explanations = [
                explanation | presenters.whereabouts_of(place)
                for explanation, place in zip(explanations, places, strict=True)
            ]
        return models.Explained(alerts=explanations)

    async def destinations(self) -> list[models.Destination]:
        """Return the configured destinations and the state of their open incidents."""
        publications_of_destinations = await self._appearances()
        counts: dict[str, Timestamp] = {}
        for each in (await self._sight.get()).publications.values():
            for publication in each:
                counts[publication.destination] = max(
                    counts.get(publication.destination, Timestamp(0)), publication.acted_at
                )
        return [
            models.Destination(
                name=name,
                kind=place.kind.name,
                public=place.kind.public,
                follows=place.follows,
                open=sum(appearance.state == "open" for appearance in publications_of_destinations.get(name, ())),
                failing=sum(
                    bool(appearance.problem or appearance.refusal)
                    for appearance in publications_of_destinations.get(name, ())
                ),
                problem=next(
                    (
                        appearance.refusal or appearance.problem
                        for appearance in publications_of_destinations.get(name, ())
                        if appearance.refusal or appearance.problem
                    ),
                    "",
                ),
                called_at=models.at(counts.get(name, Timestamp(0))),
            )
            for name, place in self._places.items()
        ]

    async def posts(self, destination: str) -> list[models.Post]:
        """Return what customers see of open incidents on a page now."""
        publications_of_destinations = await self._appearances()
        return [
            models.Post(
                title=str(publication.content.fields.get("title", "")),
                message=str(publication.content.fields.get("message", "")),
                severity=publication.content.severity.word,
                url=publication.url,
                since=models.at(publication.opened_at),
            )
            for publication in publications_of_destinations.get(destination, ())
            if publication.state == "open" and publication.content is not None
        ]

    async def _appearances(self) -> Mapping[str, list[publications.Publication]]:
        """Return the publications of open incidents at each destination."""
        seen = await self._sight.get()
        appearances: dict[str, list[publications.Publication]] = {}
        # Publications of closed incidents would count resolved items as problems of the destination.
        for key, incident in seen.incidents.items():
            if incident.incident.status == "open":
                for publication in seen.publications.get(key, ()):
                    appearances.setdefault(publication.destination, []).append(publication)
        return appearances

    async def overview(self) -> models.Overview:
        """Return the current state."""
        (waiting, oldest), (last, accepted), letters, quarantined = await asyncio.gather(
            self.store.inbox.depth(),
            self.store.inbox.last_accepted(),
            self.records.dead_letter_count(),
            self.store.quarantine.size(),
        )
        kept_at, beat, publishing, storm, data_set = await asyncio.gather(
            self._archive().size(),
            self.store.health.latest_heartbeat(),
            self.records.publishing(),
            self.records.storm(),
            self.store.data_set.read_state(self.clock()),
        )
        seen = await self._sight.get()
        incidents = [incident.incident for incident in seen.incidents.values()]
        opened = [incident for incident in incidents if incident.status == "open"]
        now = self.clock()
        return models.Overview(
            now=models.at(now),
            incidents={
                level.word: sum(incident.severity == level for incident in opened)
                for level in sorted(severities.Severity, reverse=True)
            },
            held=sum(incident.status == "pending" for incident in incidents),
            reviews=len(await self.reviews()),
            dead_letters=letters,
            quarantined=quarantined,
            received_at=models.at(last),
            received_a_minute=self._rates.a_minute(now, accepted),
            waiting_deliveries=waiting,
            # The time is Redis' own, whose clock may be ahead of this process.
            lag_seconds=max(0, now - oldest) / 1_000_000 if oldest else 0.0,
            kept_deliveries=kept_at,
            worker_seen_at=models.at(beat),
            rules_version=self._in_force.in_force.version if self._in_force else "",
            rules_kept_at=self._rules_kept_at(),
            rules_problem=next(iter(self._rules_problems()), ""),
            publishing=publishing,
            storm=storm,
            data_set=data_set.describe() if data_set.since or data_set.orphans else "",
            unreadable=sorted(seen.unreadable.values()),
        )
