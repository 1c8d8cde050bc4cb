"""Runs a worker with a DevHelm page, whose drafts and posts a test edits like a user, and a reviewer."""

import asyncio
import dataclasses

from router.bootstrap import factories, public_pages
from router.destinations import registry
from router.domain import decisions
from router.simulator.devhelm import requests
from router.store import publishing_state
from router.worker import configured_destinations, publishing_guard, reviews
from tests.integration import workers

LIMITS = publishing_guard.GuardLimits(
    publishing_state.Limit(100, workers.HOUR), publishing_state.Limit(100, workers.HOUR), observe_interval=300_000
)


def rule(publish="review", **more):
    """Return the response of a rule; ``more`` are further fields of the page."""
    return workers.rule(
        decisions.Target("devhelm", {"title": "The shop"}),
        decisions.Target("page", {"title": "The shop is down", "message": "Sorry.", **more}, publish),
    )


class DraftHarness:
    """The worker, the posts of the page, and the pending reviews."""

    def __init__(self, on, simulator, places, page):
        self.on = on
        self.state = simulator.app.state.vendors["devhelm"]._state
        self.page = next(one for one in self.state.pages.values() if one.name == page)
        by_name = {place.name: place for place in places}
        shown = {
            place.name: public_pages.ConfiguredPage(place.kind, place.follows, place.destination._config)
            for place in places
        }
        preview = public_pages.make_preview(shown)
        self.reviews = reviews.Reviews(on.store, on.pages, by_name, factories.clock, preview=preview)

    @property
    def post(self):
        (post,) = self.page.posts.values()
        return post

    def create_linked_post(self, *, draft):
        """Create a post for the open incident, like a user at DevHelm."""
        (incident,) = self.state.incidents.values()
        wanted = requests.CreatePost(
            title="A colleague's title", impact="MINOR", body="By hand.", monitoringIncidentId=incident.id
        )
        post = self.state.create_post(self.page, wanted)
        if draft:
            self.state.put_post(self.page, post, requests.PutPost(published=False))

    async def published(self):
        """Return every published post."""
        return [post for post in self.page.posts.values() if post.published_at]

    async def publication(self):
        """Return the router's record of its publication on the page."""
        publications = await self.on.publications.look("down")
        return next(publication for publication in publications if publication.destination == "page")

    async def waiting(self):
        found = await self.reviews.waiting()
        return found[0] if found else None

    async def wait_for_review(self, met=lambda _: True):
        async def right():
            one = await self.waiting()
            return one is not None and met(one)

        await self.on.wait_until_async(right)
        return await self.waiting()

    async def approve(self, seen, **fields):
        await self.reviews.decide(seen, reviews.ReviewDecision("approved", "ada", fields=fields))
        await self.on.turn()

    async def dismiss(self, seen):
        await self.reviews.decide(seen, reviews.ReviewDecision("dismissed", "ada"))
        await self.on.turn()


def run(with_redis, simulator, play, *, page="Acme EU", response=None, looks=LIMITS):
    """Run ``play`` after an alert has fired under a rule whose page follows the incident at DevHelm."""

    async def body(store):
        places = []
        for name, kind, more in (
            ("devhelm", "devhelm", {}),
            ("page", "devhelm-status-page", {"page": page, "follows": "devhelm"}),
        ):
            given = {"kind": kind, "api_key": "any", "base_url": f"{simulator.url}/devhelm", **more}
            destination = registry.build(name, registry.KINDS[kind].config(**given), factories.clock)
            places.append(
                configured_destinations.ConfiguredDestination(
                    name, registry.KINDS[kind], destination, more.get("follows", "")
                )
            )
        on = workers.WorkerHarness(store, *places, limits=looks, render=lambda fields, _: dict(fields))
        on.pages._desires = dataclasses.replace(on.pages._desires, examine=public_pages.make_examiner(()))
        try:
            await on.deliver(workers.firing(), response=response or rule())
            await on.turn()
            await play(DraftHarness(on, simulator, places, page))
        finally:
            await asyncio.gather(*(place.destination.aclose() for place in places))

    with_redis(body)
