"""Finds, reads, and ends posts on a DevHelm page, for the operations of ``status_pages``."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from router.destinations import observations, references
from router.destinations.devhelm import account, linked_posts, names, recent_posts, wire
from router.domain import operations, publications, texts
from router.domain.reasons import Edit
from router.domain.times import Timestamp
from router.outbound import client, errors

# Search from this long before the episode opened, because the vendor's clock differs from ours.
_SKEW = dt.timedelta(hours=1)
_MAX_POSTED_UPDATES = 10
_OF_TEXTS = ("message", "posted", "draft")  # Fields of a view that changes of a post's own fields leave as they are.


class PostLocation(msgspec.Struct, frozen=True):
    """Page and ID of a post. Both together are the publication's ID, because a rule can choose the page."""

    page_id: str
    post_id: str

    @classmethod
    def parse(cls, vendor_id: str) -> "PostLocation":
        """Parse a publication's ID."""
        page_id, _, post_id = vendor_id.partition("/")
        return cls(page_id, post_id)

    @property
    def vendor_id(self) -> str:
        """Return the publication's ID."""
        return f"{self.page_id}/{self.post_id}"

    @property
    def path(self) -> str:
        """Return the post's path at the vendor."""
        return f"{names.PAGES}/{client.segment(self.page_id)}/incidents/{client.segment(self.post_id)}"


class Sent(NamedTuple):
    """What an operation has sent: component statuses by ID, and every text that may be ours.

    ``read`` holds the IDs of the updates that the post had before; None if nothing was posted.
    """

    requested: Mapping[str, str]
    our_texts: Collection[str]
    read: Collection[str] | None = None


class Posts:
    """Posts on the pages of one account."""

    def __init__(self, http: client.Client, recent: recent_posts.RecentPosts) -> None:
        self._http = http
        self._recent_posts = recent

    async def observe(self, place: PostLocation) -> wire.Post:
        """Read a post with its timeline."""
        return (await self._http.read(place.path, wire.PostAnswer)).data

    async def probe(self) -> None:
        """Read the account's first status page."""
        await self._http.call("GET", names.PAGES, query={"page": 0, "size": 1})

    async def find_linked(self, page_id: str, operation: operations.Operation) -> linked_posts.LinkedPost | None:
        """Find the post linked to the incident ``operation.linked_id``, with its timeline.

        Of several, prefer an unresolved published post, then a draft of the page, then one of a person.
        """
        incident_id = operation.linked_id
        if not incident_id:
            return None
        recent = await self._list_recent(page_id, operation.opened_at)
        linked_to_incident = [post for post in recent if post.incident_id == incident_id]
        # Without a linked post, the modes aren't needed, which saves a call.
        if not linked_to_incident:
            return None
        modes = await linked_posts.read_modes(self._http, incident_id)
        linked_to_incident.sort(key=lambda post: (*_rank(post), linked_posts.is_by_hand(post, modes), post.created_at))
        # A list may leave out the timeline, in which our reference is.
        post = await self._read_listed(PostLocation(page_id, linked_to_incident[0].id))
        return linked_posts.LinkedPost(post, self._is_linked_by_person(post, operation, modes))

    async def is_linked_by_person(self, post: wire.Post, operation: operations.Operation) -> bool:
        """Return whether a person created a post, not the page or the router."""
        modes = await linked_posts.read_modes(self._http, post.incident_id) if post.incident_id else {}
        return self._is_linked_by_person(post, operation, modes)

    def _is_linked_by_person(self, post: wire.Post, operation: operations.Operation, modes: Mapping[str, str]) -> bool:
        return linked_posts.is_by_hand(post, modes) and not is_signed(post, operation.reference)

    async def find_signed(
        self, page_id: str, reference: str, opened_at: Timestamp, linked_id: str = ""
    ) -> list[wire.Post]:
        """Find the posts that carry our reference: open ones first, then the oldest.

        Posts linked to another incident than ``linked_id`` aren't ours and aren't read one by one.
        """
        signed_posts = []
        for post in await self._list_recent(page_id, opened_at):
            # A post that is linked to another incident was opened for that one.
            if linked_id and post.incident_id not in {None, linked_id}:
                continue
            # A list may leave the timelines out.
            full = post if post.updates else await self._read_listed(PostLocation(page_id, post.id))
            if is_signed(full, reference):
                signed_posts.append(full)
        return sorted(signed_posts, key=lambda post: (post.status == "RESOLVED", post.created_at))

    async def _read_listed(self, place: PostLocation) -> wire.Post:
        """Read a post that a list contained. If it isn't found, one of the two responses is old."""
        try:
            return await self.observe(place)
        except errors.NotFound as problem:
            raise errors.Temporary(f"a post is in the page's list and can't be read: {problem}") from problem

    async def find_unresolved(self, page_id: str) -> list[operations.OpenItem]:
        """Return the page's unresolved posts that carry a reference."""
        items = []
        for post in await self._list_unresolved(page_id):
            # A list may leave the timelines out, in which the references are.
            full = post if post.updates else await self._read_listed(PostLocation(page_id, post.id))
            reference = next(filter(None, (references.find_in_text(update.body) for update in full.updates or ())), "")
            # The post may have been resolved between the list and this read.
            if reference and full.status != "RESOLVED":
                place, opened_at = PostLocation(page_id, post.id), observations.moment(post.created_at)
                items.append(operations.OpenItem(place.vendor_id, reference, post.title, opened_at=opened_at))
        return items

    async def find_ongoing(self, page_id: str) -> list[wire.Post]:
        """Return the page's unresolved published posts, including scheduled ones."""
        return [post for post in await self._list_unresolved(page_id) if state(post) == "open"]

    async def _list_unresolved(self, page_id: str) -> list[wire.Post]:
        path = f"{names.PAGES}/{client.segment(page_id)}/incidents"
        query = {"status": ["INVESTIGATING", "IDENTIFIED", "MONITORING"]}
        pages = account.read_pages(self._http, path, wire.Post, query, noun="post")
        return [post async for page in pages for post in page]

    async def end(self, post: wire.Post, text: str) -> None:
        """Delete a draft, or resolve a published post without notifying subscribers."""
        place = PostLocation(post.status_page_id, post.id)
        # Customers never saw a draft, so it is deleted and not resolved.
        if post.published_at is None:
            await self._http.call("POST", f"{place.path}/dismiss")
        elif post.status != "RESOLVED":
            update = wire.PostUpdate("RESOLVED", text, notify_subscribers=False)
            await self._http.call("POST", f"{place.path}/updates", json=update)

    async def read_back(self, answer: wire.Post, operation: operations.Operation, sent: Sent) -> operations.VendorState:
        """Read a post after a change. Later reads are compared with the result.

        If the read fails or is old, use the response to the change instead.
        """
        answered = make_state(answer, operation, sent, is_answer=True)
        assert answered.view is not None  # noqa: S101 - ``make_state`` always gives one
        after = msgspec.structs.replace(operation, view=answered.view, told=answered.told, lags=True)
        try:
            fresh = await self.observe(PostLocation(answer.status_page_id, answer.id))
        except errors.Failure:  # The operation is done; a later observation reads the post.
            return answered
        # Reads may lag behind the change. The response to the change is newer then.
        is_older = is_stale(fresh, after) or (state(fresh) == "draft" and state(answer) != "draft")
        return answered if is_older else make_state(fresh, after, sent)

    async def aclose(self) -> None:
        """Cancel pending reads."""
        await self._recent_posts.aclose()

    async def _list_recent(self, page_id: str, opened_at: Timestamp) -> list[wire.Post]:
        """Return the posts created since shortly before the episode opened."""
        return await self._recent_posts.read(
            page_id, dt.datetime.fromtimestamp(opened_at / 1_000_000, dt.UTC) - _SKEW, self._list_since
        )

    async def _list_since(self, page_id: str, since: dt.datetime) -> list[wire.Post]:
        collected: list[wire.Post] = []
        path = f"{names.PAGES}/{client.segment(page_id)}/incidents"
        query = {"sort": "createdAt,desc"}
        async for page in account.read_pages(self._http, path, wire.Post, query, noun="post"):
            collected += (post for post in page if post.created_at >= since)
            # Only a sorted list proves that all further posts are older.
            if _is_newest_first(page) and page[-1].created_at < since:
                break
        return collected


def _rank(post: wire.Post) -> tuple[bool, bool]:
    """Return a sort key: visible posts first, then drafts, then resolved posts."""
    return post.status == "RESOLVED", post.published_at is None


def is_signed(post: wire.Post, reference: str) -> bool:
    """Return whether a text in the post's timeline begins or ends with our reference."""
    return any(references.has_footer(update.body, reference) for update in post.updates or ())


def state(post: wire.Post) -> publications.State:
    """Return the state of a post as a publication state."""
    if post.published_at is None:
        return "draft"
    return "resolved" if post.status == "RESOLVED" else "open"


def timeline(post: wire.Post) -> list[observations.Entry]:
    """Return the post's updates, oldest first."""
    entries = [
        observations.Entry(update.id, update.body, update.status, observations.moment(update.created_at))
        for update in post.updates or ()
    ]
    return observations.sort_entries(entries)


def list_automatic_texts(post: wire.Post) -> set[str]:
    """Return the texts that the page posted automatically."""
    return {update.body for update in post.updates or () if update.created_by == "SYSTEM" and update.body}


def affected_components(post: wire.Post) -> dict[str, str]:
    """Return the component statuses of the post, by ID."""
    return {
        affected_component.status_page_component_id: affected_component.component_status
        for affected_component in post.affected_components or ()
    }


def is_stale(post: wire.Post, operation: operations.Operation) -> bool:
    """Return whether a read shows the post as it was before our last operation."""
    entries = timeline(post) if post.updates is not None else None
    return observations.is_stale(operation, entries, observations.moment(post.updated_at))


def make_state(
    post: wire.Post,
    operation: operations.Operation,
    sent: Sent | None = None,
    *,
    edited: Edit | None = None,
    is_answer: bool = False,
) -> operations.VendorState:
    """Return a post's state. ``is_answer``: it comes from a change, and no read has confirmed it."""
    entries = timeline(post)
    fields: dict[str, Any] = {
        "title": post.title,
        "message": entries[0].text if entries else "",
        "impact": post.impact,
        "status": post.status,
        "components": affected_components(post),
    }
    if draft := _draft(post, operation):
        fields["draft"] = draft
    updates: Collection[str] = ()
    # The next observation reports updates that a person has posted since.
    if sent is not None:
        read = [entry.id for entry in entries] if sent.read is None else sent.read
        entries = observations.without_news(operation, entries, sent.our_texts, read)
        updates = _find_new_updates(operation, entries, sent.our_texts, read)
    if own_updates := list_posted_updates(post, operation, updates):
        fields["posted"] = own_updates
    requested = operation.view.asked if sent is None else sent.requested
    stamp = observations.moment(post.updated_at)
    # After an edit, differences are the person's decision.
    is_open = state(post) == "open" and not edited
    return operations.VendorState(
        PostLocation(post.status_page_id, post.id).vendor_id,
        state(post),
        edited=edited,
        told=observations.marks(operation, entries),
        view=observations.view(operation, fields, entries, requested=requested, stamp=stamp, is_unconfirmed=is_answer),
        differs=observations.describe_mismatches(requested, affected_components(post), "OPERATIONAL")
        if is_open
        else "",
    )


def make_partial_state(post: wire.Post, operation: operations.Operation, sent: Sent) -> operations.VendorState:
    """Return a post's state between the two calls of an update: its fields are changed, its text isn't posted yet."""
    seen = make_state(post, operation, sent, is_answer=True)
    assert seen.view is not None  # noqa: S101 - ``make_state`` always gives one
    before = operation.view
    # The text isn't posted yet, so the texts and updates are those of the earlier view.
    fields = {**seen.view.fields, **{name: before.fields[name] for name in _OF_TEXTS if name in before.fields}}
    return msgspec.structs.replace(seen, view=msgspec.structs.replace(seen.view, fields=fields, entries=before.entries))


def list_posted_updates(
    post: wire.Post, operation: operations.Operation, new_ids: Collection[str] = ()
) -> list[list[str]]:
    """Return the newest updates that the router has posted, oldest first: ID, status, and text as the vendor shows it.

    ``new_ids`` are the IDs of updates that this operation has posted.
    """
    posted_ids = {*(row[0] for row in operation.view.fields.get("posted") or ()), *new_ids}
    posted_rows = [[row.id, row.status, row.text] for row in timeline(post) if row.id in posted_ids]
    return posted_rows[-_MAX_POSTED_UPDATES:]


def _find_new_updates(
    operation: operations.Operation,
    entries: list[observations.Entry],
    our_texts: Collection[str],
    read: Collection[str],
) -> set[str]:
    """Return the IDs of our updates: those with a text that we sent, or the only new one."""
    new_ids = {
        entry.id
        for entry in entries
        if entry.id and any(texts.alike(entry.text, text) or texts.is_cut(entry.text, text) for text in our_texts)
    }
    new = [entry.id for entry in entries if entry.id and entry.id not in {*operation.view.entries, *read}]
    # The vendor may rewrite our text, but a single new update can only be ours.
    return new_ids | set(new if len(new) == 1 else ())


def _draft(post: wire.Post, operation: operations.Operation) -> Mapping[str, Any]:
    """Return the fields of the page's draft by the names of a rule's fields.

    For a published post, return those of its last draft.
    """
    # From here on the texts are the rule's, so the page's own draft is remembered from before.
    if state(post) != "draft" or is_signed(post, operation.reference):
        draft: Mapping[str, Any] = operation.view.fields.get("draft") or {}
        return draft
    entries = timeline(post)
    post_components = post.affected_components or []
    names = [str(post_component.component_name) for post_component in post_components if post_component.component_name]
    return {
        "title": references.remove_tag(post.title, operation.reference),
        "impact": post.impact,
        "message": references.remove_tag(entries[0].text, operation.reference) if entries else "",
        "components": {
            # A component is named by its ID if others on the page have the same name.
            post_component.component_name
            if post_component.component_name and names.count(post_component.component_name) == 1
            else post_component.status_page_component_id: post_component.component_status.lower()
            for post_component in post_components
        },
    }


def _is_newest_first(page: list[wire.Post]) -> bool:
    """Return whether the vendor has sorted the list as requested; one entry proves nothing."""
    times = [post.created_at for post in page]
    return len(times) > 1 and times == sorted(times, reverse=True)
