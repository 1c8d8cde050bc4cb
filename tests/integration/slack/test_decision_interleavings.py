"""No approval applies to a version that its reviewer did not see, wherever reviewers decide.

Reviewers decide with commands, the API, the console, and Slack's buttons and forms, on a real server. Each stops before
every call, and continues in random order. Concurrently, alerts change severity, resolve, and fire again. The number
of interleavings is ``INTERLEAVINGS`` in the environment; 300 if it is not set. ``FIRST_SEED`` selects other ones.
"""

import contextlib
import copy
import dataclasses
import os
import random
from typing import Any, NamedTuple

from redis import exceptions

from router.domain import access
from router.notifiers import slack_reviews
from router.services import actions, models, queries, request_bodies
from router.slack import forms
from router.slack.app import SlackApp
from router.store import errors
from router.store.connection import Connection
from router.store.store import Store
from tests.integration import consoles, interleaving, slack_apps

INTERLEAVINGS = int(os.environ.get("INTERLEAVINGS", "300"))
FIRST_SEED = int(os.environ.get("FIRST_SEED", "0"))
TOGETHER = 10  # The number of incidents per run. Each incident has its own interleaving.
PLACES = ("command line", "api", "console", "click", "form")
PATIENT_SECONDS = 600.0
RULES = """
rules:
  - name: down
    when: {source: json}
    group_by: [labels.service]
    severity: {from: labels.severity, map: {minor: minor, major: major, critical: critical}}
    open:
      - {at: page, publish: review, title: Checkout is unavailable, message: We are investigating.}
"""


class SeenVersion(NamedTuple):
    """The version that a reviewer saw, and the reviewer's replacement text, if any."""

    review: models.Review
    message: str = ""

    @property
    def content(self) -> tuple[str, str, str]:
        """Return the severity, the title, and the message that an approval publishes."""
        fields = self.review.fields
        return self.review.severity, fields["title"], self.message or fields["message"]


class Reviewer:
    """A reviewer at one place, whose connection stops before each call."""

    def __init__(self, at: slack_apps.SlackHarness, scheduler: interleaving.Scheduler, name: str, place: str) -> None:
        self.at, self.scheduler, self.name, self.place = at, scheduler, name, place
        self.who = f"slack:{name} ({name})" if place in {"click", "form"} else name
        self.seen: SeenVersion | None = None
        self.is_cut_off = False  # On a loaded machine, the server may not respond in time.
        redis = copy.copy(at.management.store.redis)
        call = redis.execute_command

        async def stopping(*arguments: Any, **more: Any) -> Any:
            await scheduler.stop(name)
            try:
                return await call(*arguments, **more)
            except exceptions.RedisError:
                self.is_cut_off = True
                raise

        redis.execute_command = stopping
        store = Store(Connection(redis))
        settings = at.management.settings
        self.queries = queries.Queries(settings, store, at.management.clock)
        self.actions = actions.Actions(self.queries, store, lambda _: "x")

    async def decide(self, service: str, choice: str, randomness: random.Random) -> None:
        """Read the review, wait, and decide on the version that was read."""
        with contextlib.suppress(errors.Unavailable):
            await self._decide(service, choice, randomness)

    async def _decide(self, service: str, choice: str, randomness: random.Random) -> None:
        review = await self.queries.review(consoles.key(service), "page")
        for _ in range(randomness.randrange(12)):
            await self.scheduler.stop(self.name)
        if review is None:
            return
        message = f"In the words of {self.name}." if choice == "edit" else ""
        self.seen = SeenVersion(review, message)
        if self.place in {"click", "form"}:
            await self._in_slack(review, "edit" if self.place == "form" else choice, message)
        else:
            await self._by_action(review, choice, message)

    async def _by_action(self, review: models.Review, choice: str, message: str) -> None:
        body = request_bodies.Decide(
            incident=review.incident,
            destination="page",
            seen=review.digest,
            decision="dismiss" if choice == "dismiss" else "approve",
            fields={"message": message} if message else {},
        )
        caller = actions.Caller(access.Person(self.name, access.Role.RESPONDER, self.place))
        with contextlib.suppress(actions.SubjectChanged):
            await self.actions.decide(actions.ActionContext(caller, review.incident), body)

    async def _in_slack(self, review: models.Review, choice: str, message: str) -> None:
        app = SlackApp(self.at.management.settings.slack_app, self.queries, self.actions, ack_seconds=PATIENT_SECONDS)
        subject = slack_reviews.ButtonSubject(review.reference, "page", review.digest)
        if choice == "edit":
            texts = {"message": message} if message else {}
            payload = self.at.submission(texts, self.name, forms.edit(review))
        else:
            action = slack_reviews.DISMISS if choice == "dismiss" else slack_reviews.APPROVE
            payload = self.at.click(action, subject, self.name)
        app._reply = lambda *_, **__: None  # Other tests cover the replies.
        await app.handle("interactive", payload)
        await app.aclose()


class Contest:
    """Some incidents with their reviewers, in one random order."""

    def __init__(self, at: slack_apps.SlackHarness, number: int) -> None:
        self.at = at
        self.randomness = random.Random(number)
        self.scheduler = interleaving.Scheduler(self.randomness)
        self.services = [f"s{number}-{each}" for each in range(TOGETHER)]
        self.reviewers: dict[str, list[Reviewer]] = {service: [] for service in self.services}

    async def run(self) -> None:
        """Run the reviewers' decisions while alerts change."""
        await self._deliver([consoles.firing(service, severity="major") for service in self.services])
        for service in self.services:
            for place in self.randomness.sample(PLACES, 3):
                self._begin(service, place)
        self.scheduler.begin("alerts", self._change)
        await self.scheduler.run()
        await self.at.management.on.turn()
        await self.at.management.on.turn()

    def _begin(self, service: str, place: str) -> None:
        name = f"U{len(self.reviewers[service])}{service.replace('-', 'X').upper()}"
        reviewer = Reviewer(self.at, self.scheduler, name, place)
        self.reviewers[service].append(reviewer)
        choice = self.randomness.choice(("approve", "approve", "edit", "dismiss"))
        self.scheduler.begin(name, lambda: reviewer.decide(service, choice, self.randomness))

    async def _change(self) -> None:
        for _ in range(3):
            for _ in range(self.randomness.randrange(60)):
                await self.scheduler.stop("alerts")
            some = self.randomness.sample(self.services, TOGETHER // 2)
            await self._deliver([self._alert(service) for service in some])

    def _alert(self, service: str) -> Any:
        severity = self.randomness.choice(("minor", "major", "critical", "resolved"))
        return consoles.resolved(service) if severity == "resolved" else consoles.firing(service, severity=severity)

    async def _deliver(self, alerts: list[Any]) -> None:
        await self.at.management.put(*alerts)
        await self.at.management.on.turn()

    async def check(self, totals: dict[str, int]) -> None:
        """Compare each published version with the version that its approver had seen."""
        approved: dict[str, set[tuple[str, str, str]]] = {}
        lines = await self.at.audit(10 * TOGETHER)
        for service, reviewers in self.reviewers.items():
            incident = await self.at.management.parts.queries.incident(consoles.key(service))
            verdicts = {event.who: event.text for event in incident.timeline if event.what == "verdict"}
            for reviewer in reviewers:
                if reviewer.seen is None:
                    continue
                has_decided = reviewer.who in verdicts
                totals["decided" if has_decided else "refused"] += 1
                outcomes = [said for who, what, said in lines if (who, what) == (reviewer.who, "review")]
                assert reviewer.is_cut_off or [said == "done" for said in outcomes] == [has_decided]
                if has_decided and verdicts[reviewer.who].startswith("Approved"):
                    approved.setdefault(reviewer.seen.review.reference, set()).add(reviewer.seen.content)
        for call in self.at.management.page.calls:
            if call.kind in {"open", "publish", "update"}:
                fields = call.content.fields
                shown = (call.content.severity.word, fields["title"], fields["message"])
                assert shown in approved.get(call.reference, set()), (call, approved.get(call.reference))
                totals["published"] += 1
        self.at.management.page.calls.clear()


def test_approval_never_applies_to_an_unseen_version(with_redis, tmp_path):
    loaded = dataclasses.replace(consoles.settings(tmp_path, rules=RULES))
    totals = {"decided": 0, "refused": 0, "published": 0}

    async def body(store):
        async with slack_apps.serve_app(loaded, store, responders=[slack_apps.ADA]) as at:
            roles = at.management.settings.slack_app
            for number in range(FIRST_SEED, FIRST_SEED + INTERLEAVINGS // TOGETHER):
                contest = Contest(at, number)
                names = [f"U{n}{s.replace('-', 'X').upper()}" for s in contest.services for n in range(3)]
                at.management.settings = dataclasses.replace(
                    at.management.settings, slack_app=roles.model_copy(update={"responders": tuple(names)})
                )
                await contest.run()
                await contest.check(totals)
                if number % 100 == 99:
                    await store.redis.flushall()

    with_redis(body)
    print(totals)
    assert min(totals.values()) >= INTERLEAVINGS // 10
