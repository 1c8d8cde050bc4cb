"""Finds posts on a DevHelm page, and reads and ends them: what ``status_pages`` builds its operations from."""

import datetime as dt

import msgspec

from router.destinations.devhelm import account, lately, names, wire
from router.domain import identity
from router.domain import operation as operations
from router.domain import publication as publications
from router.outbound import client, errors

# How long before the episode's opening its post is looked for: the vendor's clock is not ours.
_SKEW = dt.timedelta(hours=1)


class Place(msgspec.Struct, frozen=True):
    """Where a post is. Both ids together are the publication's id: a rule may choose its page."""

    page_id: str
    post_id: str

    @classmethod
    def of(cls, vendor_id: str) -> "Place":
        """Read a publication's id."""
        page_id, _, post_id = vendor_id.partition("/")
        return cls(page_id, post_id)

    @property
    def vendor_id(self) -> str:
        """The publication's id."""
        return f"{self.page_id}/{self.post_id}"

    @property
    def path(self) -> str:
        """The post's path at the vendor."""
        return f"{names.PAGES}/{client.segment(self.page_id)}/incidents/{client.segment(self.post_id)}"


class Posts:
    """The posts on the pages of one account."""

    def __init__(self, http: client.Client) -> None:
        self._http = http
        self._lately = lately.Lately(self._since)

    async def show(self, place: Place) -> wire.Post:
        """Read a post with its timeline."""
        return (await self._http.read(place.path, wire.PostAnswer)).data

    async def probe(self) -> None:
        """Read the account's first status page."""
        await self._http.call("GET", names.PAGES, query={"page": 0, "size": 1})

    async def linked(self, page_id: str, incident_id: str, opened_at: int) -> wire.Post | None:
        """Find the post that belongs to an incident, with its timeline: an open one before a resolved one."""
        if not incident_id:
            return None
        found = [post for post in await self._recent(page_id, opened_at) if post.incident_id == incident_id]
        if not found:
            return None
        found.sort(key=lambda post: (post.status == "RESOLVED", post.created_at))
        return await self._listed(Place(page_id, found[0].id))

    async def signed(self, page_id: str, reference: str, opened_at: int, linked_id: str = "") -> list[wire.Post]:
        """Find the posts that carry our reference at the foot of an update: open ones first, then the oldest.

        Those that follow another incident than ``linked_id`` are none of ours, and are not read one by one.
        """
        found = []
        for post in await self._recent(page_id, opened_at):
            if linked_id and post.incident_id not in {None, linked_id}:
                continue
            # A list may leave the timelines out.
            full = post if post.updates else await self._listed(Place(page_id, post.id))
            if is_signed(full, reference):
                found.append(full)
        return sorted(found, key=lambda post: (post.status == "RESOLVED", post.created_at))

    async def _listed(self, place: Place) -> wire.Post:
        """Read a post that a list has named: if it can't be found, one of the two answers is old."""
        try:
            return await self.show(place)
        except errors.NotFound as problem:
            raise errors.Temporary(f"a post is in the page's list and can't be read: {problem}") from problem

    async def end(self, post: wire.Post, text: str) -> None:
        """Throw a draft away; resolve what is published, telling no subscriber."""
        place = Place(post.status_page_id, post.id)
        if post.published_at is None:
            await self._http.call("POST", f"{place.path}/dismiss")
        elif post.status != "RESOLVED":
            update = wire.PostUpdate("RESOLVED", text, notify_subscribers=False)
            await self._http.call("POST", f"{place.path}/updates", json=update)

    async def aclose(self) -> None:
        """End what is under way."""
        await self._lately.aclose()

    async def _recent(self, page_id: str, opened_at: int) -> list[wire.Post]:
        """The posts that were made since shortly before the episode opened."""
        return await self._lately.posts(page_id, dt.datetime.fromtimestamp(opened_at / 1_000_000, dt.UTC) - _SKEW)

    async def _since(self, page_id: str, since: dt.datetime) -> list[wire.Post]:
        found: list[wire.Post] = []
        path = f"{names.PAGES}/{client.segment(page_id)}/incidents"
        query = {"sort": "createdAt,desc"}
        async for page in account.listed(self._http, path, wire.Listed[wire.Post], query):
            found += (post for post in page if post.created_at >= since)
            if _newest_first(page) and page[-1].created_at < since:
                break
        return found


def foot(reference: str) -> str:
    """The line that a post's first text ends with."""
    return f"Reference: {reference}"


def is_signed(post: wire.Post, reference: str) -> bool:
    """Whether a text in the post's timeline ends with our reference."""
    return any(update.body.rstrip().endswith(foot(reference)) for update in post.updates or ())


def state(post: wire.Post) -> publications.State:
    """What a post is, in the words of a publication."""
    if post.published_at is None:
        return "draft"
    return "resolved" if post.status == "RESOLVED" else "open"


def seen(post: wire.Post, *, edited: str = "", further: str = "") -> operations.Seen:
    """What a post is, as operations answer: what a person has changed, and what was posted ``further``."""
    texts = [update.body for update in post.updates or ()] + ([further] if further else [])
    told = tuple(dict.fromkeys(identity.mark(text) for text in texts))
    return operations.Seen(Place(post.status_page_id, post.id).vendor_id, state(post), edited=edited, told=told)


def _newest_first(page: list[wire.Post]) -> bool:
    """Whether the vendor has sorted the list as asked; one entry tells nothing."""
    times = [post.created_at for post in page]
    return len(times) > 1 and times == sorted(times, reverse=True)
