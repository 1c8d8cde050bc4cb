"""The kind ``incident-io-status-page``: the last stage of an alert that customers may see, a post at incident.io."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from router.destinations import (
    base,
    components,
    half_done,
    list_rows,
    name_lookup,
    observations,
    reduced_calls,
    rule_fields,
)
from router.destinations.incident_io import account, names, posts, wire
from router.destinations.incident_io.config import PostConfig, PostOpening
from router.domain import operations, severities, texts, times
from router.domain.reasons import Edit
from router.domain.times import Timestamp
from router.outbound import client, errors

# The ladder's words are the same as incident.io's, except for the worst.
STATUS_WORDS = {"major_outage": "full_outage"}
"""The vendor's words for our statuses, where they differ."""
# How long before the episode's opening to search for its post: the vendor's clock may differ.
_SKEW = dt.timedelta(hours=1)

_RETROSPECTIVE = "/v2/status_page_retrospective_incidents"
_STATUS = ("incident_status",)  # Without it, an update would leave a resolved or monitored post unchanged.


class _Sent(NamedTuple):
    """The changes that an operation has sent: component statuses by ID, and the stored title and update."""

    asked: Mapping[str, str]
    title: str
    entry: observations.Entry | None = None


class StatusPages:
    """Posts on the status pages of one account. The vendor has no drafts: new posts are public."""

    # A repeated idempotency key gets the original response.
    repeatable_open = True

    def __init__(self, name: str, config: PostConfig, http: client.Client) -> None:
        self.name = name
        self._config = config
        self._http = http
        self._names = names.Names(http)

    async def adopt(self, operation: operations.Operation) -> None:
        """Do nothing: the vendor doesn't draft posts."""

    async def find(self, operation: operations.Operation) -> operations.VendorState | None:
        """Search the page for the post that an open may have created.

        A post has no reference, since customers read it. It is identified by its title, its first text, and its time.
        Posts of the router's other incidents may look the same; ``operation.taken`` has their IDs.
        """
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        page = await self._page(wanted)
        query: dict[str, str | int] = {"status_page_id": page.id, "page_size": names.PAGE_SIZE}
        since = times.to_datetime(operation.began_at or operation.opened_at) - _SKEW
        found: list[wire.Post] = []
        async for answer in account.list_pages(self._http, "/v2/status_page_incidents", wire.Posts, query):
            listed = list_rows.parse_rows(answer.status_page_incidents, wire.Post, "post")
            found += [post for post in listed if posts.is_opened_by(post, wanted, since)]
        ours = [post for post in found if post.id not in operation.taken]
        # The oldest one: for a repeated key, the vendor also returns the first post.
        first = min(ours, key=lambda post: post.published_at or since, default=None)
        if first is None:
            return None
        told = observations.marks(operation, posts.timeline(first))
        view = msgspec.structs.replace(posts.view(first, operation), is_unconfirmed=True)
        return operations.VendorState(first.id, posts.state(first), page.public_url, told=told, view=view)

    async def list_open(self, others: Collection[str] = ()) -> list[operations.OpenItem]:
        """Read the unresolved posts on every page that may be this destination's. Posts don't name it."""
        found = []
        pages = await self._listed_pages()
        for page in name_lookup.own_pages(pages, self._names.pages, base.page_of(self._config), others):
            query: dict[str, str | int | list[str]] = {"status_page_id": page.id, "page_size": names.PAGE_SIZE}
            async for answer in account.list_pages(self._http, "/v2/status_page_incidents", wire.Posts, query):
                listed = list_rows.parse_rows(answer.status_page_incidents, wire.Post, "post")
                found += [posts.item(post, page) for post in listed if posts.state(post) == "open"]
        return found

    def recognizes(self, item: operations.OpenItem, operation: operations.Operation) -> bool:
        """Return whether a post has the title and the first text with which the operation would open it."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        return texts.alike(item.title, wanted.title) and texts.alike(item.text, wanted.message)

    async def end_duplicates(self, operation: operations.Operation) -> tuple[str, ...]:  # noqa: ARG002 - a Destination
        """End nothing: the vendor creates one post for an idempotency key."""
        return ()

    async def open(self, operation: operations.Operation) -> operations.VendorState:
        """Create the post, which is public immediately."""
        wanted, omitted = rule_fields.parse_fitted(PostOpening, self._config, operation)
        calls = reduced_calls.ReducibleCall(self._http, operation.is_repeated, omitted=list(omitted))
        page = await self._page(wanted)
        if operation.ended_at:
            return await self._open_retrospective(operation, wanted, page, calls.omitted)
        body = wire.CreatePost(
            idempotency_key=operation.key,
            status_page_id=page.id,
            name=wanted.title,
            message=wanted.message,
            incident_status=wanted.status,
            notify_subscribers=wanted.notify,
            component_statuses=await self._components(page.id, operation, calls.omitted) or None,
        )
        answer = await calls.call("POST", "/v2/status_page_incidents", body)
        post = answer.read(wire.PostAnswer).status_page_incident
        # The response to a repeated key may be about a post that has been resolved since.
        if posts.state(post) == "resolved":
            return operations.VendorState(post.id, "resolved", page.public_url, omitted=tuple(calls.omitted))
        seen = await self._read_back(operation, post, _Sent(_asked(body.component_statuses, calls), post.name))
        return msgspec.structs.replace(seen, url=page.public_url, omitted=tuple(calls.omitted))

    async def _open_retrospective(
        self,
        operation: operations.Operation,
        wanted: PostOpening,
        page: wire.Page,
        omitted: list[operations.Omission],
    ) -> operations.VendorState:
        """Create a post of a resolved incident, with the first text and the resolution as its updates."""
        affected = await self._components(page.id, operation, omitted)
        text = wanted.resolve_message or self._config.resolve_message
        updates = [
            wire.RetrospectiveUpdate(wanted.status, wanted.message, _iso(operation.began_at), affected or None),
            wire.RetrospectiveUpdate("resolved", text, _iso(operation.ended_at)),
        ]
        body = wire.CreateRetrospective(operation.key, page.id, wanted.title, updates)
        try:
            answer = await self._http.call("POST", _RETROSPECTIVE, json=body)
        except errors.Permanent as problem:
            if operation.is_repeated or problem.status not in {400, 422} or not affected:
                raise
            detail = f"left out, the vendor refused it: {problem}"
            omitted.append(operations.Omission("component_statuses", "refused", detail))
            plain = [msgspec.structs.replace(update, component_statuses=None) for update in updates]
            less = reduced_calls.rekeyed(msgspec.structs.replace(body, updates=plain))
            answer = await self._http.call("POST", _RETROSPECTIVE, json=less)
        post = answer.read(wire.PostAnswer).status_page_incident
        if posts.state(post) != "resolved":
            raise errors.Unanswered(f"{self.name}: a retrospective incident was answered with the status it had before")
        return operations.VendorState(post.id, "resolved", page.public_url, omitted=tuple(omitted))

    async def update(self, operation: operations.Operation) -> operations.VendorState:
        """Rename the post and add an update, unless an earlier attempt has: updates have no idempotency key."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._show(operation.vendor_id)
        if posts.state(post) == "resolved":
            return posts.resolved(post, operation)
        observations.check_fresh(operation, posts.timeline(post))
        if edited := self._edited(post, operation, wanted):
            return posts.taken_over(post, operation, edited)
        calls = reduced_calls.ReducibleCall(self._http, needed=_STATUS)
        wanted_statuses = await self._components(post.status_page_id, operation, calls.omitted)
        known = await self._uncertain_components(post.status_page_id, operation)
        if observations.edited_components(operation, posts.affected(post), _asked(wanted_statuses, calls), *known):
            return posts.taken_over(post, operation, Edit.COMPONENT_CHANGED)
        title = await self._renamed(post, operation, wanted)
        update = self._update_body(post, operation, wanted, wanted_statuses)
        note, entry = "", None
        if update is not None:
            note = _of_room(len(post.updates or ()) + 1)
            if len(post.updates or ()) < wire.LAST_UPDATE:
                renamed = None if texts.alike(title, post.name) else posts.left(post, operation, title)
                with half_done.leaving(renamed):
                    entry = await _posted(calls, update)
        seen = await self._read_back(operation, post, _Sent(_asked(wanted_statuses, calls), title, entry))
        return msgspec.structs.replace(seen, note=note, omitted=tuple(calls.omitted))

    async def publish(self, operation: operations.Operation) -> operations.VendorState:
        """Update the post: the vendor has no drafts."""
        return await self.update(operation)

    async def resolve(self, operation: operations.Operation) -> operations.VendorState:
        """Post the resolution, unless the post is resolved already. The vendor resets the components to operational."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        return await self._end(operation, wanted, self._resolve_text(wanted))

    async def retract(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve the post with the text of a retraction: the vendor doesn't remove posts from a page."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        return await self._end(operation, wanted, operation.message or self._config.retract_message)

    async def _end(self, operation: operations.Operation, wanted: PostOpening, text: str) -> operations.VendorState:
        post = await self._show(operation.vendor_id)
        if posts.state(post) == "resolved":
            return posts.resolved(post, operation, "it was resolved already" if operation.kind == "retract" else "")
        observations.check_fresh(operation, posts.timeline(post))
        if edited := self._edited(post, operation, wanted):
            return posts.taken_over(post, operation, edited)
        calls = reduced_calls.ReducibleCall(self._http, needed=_STATUS)
        update = wire.CreateUpdate(
            status_page_incident_id=post.id,
            message=text,
            notify_subscribers=wanted.notify,
            incident_status="resolved",
        )
        entry = await _posted(calls, update)
        if entry is not None and entry.status not in {"", "resolved"}:
            raise errors.Unanswered(f"{self.name}: the resolution was answered with the status {entry.status}")
        known = [*posts.timeline(post), *([entry] if entry is not None else ())]
        told = (*observations.marks(operation, known), texts.mark(text))
        seen = operations.VendorState(post.id, "resolved", told=tuple(dict.fromkeys(told)))
        view = posts.view(post, operation, entries=known)
        return msgspec.structs.replace(seen, view=view, omitted=tuple(calls.omitted))

    async def dismiss(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve the post: the vendor has no drafts."""
        return await self.resolve(operation)

    async def probe(self) -> None:
        """Read the account's first status page."""
        await self._http.call("GET", "/v2/status_pages", query={"page_size": 1})

    async def correct(self, _operation: operations.Operation) -> operations.VendorState:
        """Raise ``Permanent``: the vendor can't change posted updates."""
        raise errors.Permanent(f"{self.name}: the vendor's API can't change an update that is posted")

    async def observe(self, operation: operations.Operation) -> operations.VendorState:
        """Read the post's state and people's changes."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._show(operation.vendor_id)
        if posts.state(post) == "open" and observations.is_stale(operation, posts.timeline(post)):
            return operations.VendorState(post.id, "open", is_stale=True)
        edited = self._edited(post, operation, wanted)
        if not edited and posts.state(post) == "open":
            known = await self._uncertain_components(post.status_page_id, operation)
            if observations.edited_components(operation, posts.affected(post), *known):
                edited = Edit.COMPONENT_CHANGED
        differs = ""
        if posts.state(post) == "open" and not edited:
            found = (posts.differs(post, operation.view.asked), self._left_by_uncertain(post, operation, wanted))
            differs = ", ".join(filter(None, found))
        seen = operations.VendorState(
            post.id, posts.state(post), edited=edited, view=posts.view(post, operation), differs=differs
        )
        return msgspec.structs.replace(seen, told=observations.marks(operation, posts.timeline(post)))

    def touches(self, operation: operations.Operation) -> Mapping[str, components.Status]:
        """Return the statuses that the rule sets, by the component names in the rule."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        return components.statuses(wanted.components, operation.content.severity, self._config.component_statuses)

    async def check(self, fields: Mapping[str, Any] = base.NOTHING) -> list[str]:
        """Look up the configured page, and the components that the defaults name on it."""
        defaults = {**self._config.defaults, **fields}
        page = defaults.get("page") or self._config.page
        if not page:
            return []
        problems = await name_lookup.list_problems(self._names.pages.find(page, field="page"))
        if not problems:
            page_id = (await self._names.page(page)).id
            for component in defaults.get("components") or ():
                problems += await name_lookup.list_problems(self._names.component_id(page_id, component))
        return problems

    async def channels(self) -> list[base.Channel]:
        """Return nothing: posts aren't forwarded from here."""
        return []

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _page(self, wanted: PostOpening) -> wire.Page:
        called = wanted.page or self._config.page
        if not called:
            raise errors.Permanent(f"{self.name}: neither the rule nor the configuration names a page", field="page")
        return await self._names.page(called)

    async def _listed_pages(self) -> Sequence[wire.Page]:
        """Return all pages of the account, or only the configured one if the key can't list pages."""
        try:
            return await self._names.pages.entries()
        except (errors.Permanent, errors.Denied):
            if not self._config.page:
                raise
            return [await self._names.page(self._config.page)]

    async def _components(
        self, page_id: str, operation: operations.Operation, omitted: list[operations.Omission]
    ) -> list[wire.ComponentStatus]:
        statuses = components.merge_statuses(self.touches(operation), operation.others)
        return await self._component_statuses(page_id, statuses, omitted)

    async def _uncertain_components(self, page_id: str, operation: operations.Operation) -> list[dict[str, str]]:
        """Return the component statuses that uncertain updates may have set, by ID."""
        found = []
        for one, severity in self._uncertain(operation):
            own = components.statuses(one.components, severity, self._config.component_statuses)
            for statuses in (own, components.merge_statuses(own, operation.others)):
                listed = await self._component_statuses(page_id, statuses, [])
                found.append({known.component_id: known.component_status for known in listed})
        return found

    async def _component_statuses(
        self, page_id: str, statuses: Mapping[str, components.Status], omitted: list[operations.Omission]
    ) -> list[wire.ComponentStatus]:
        found = []
        for called, status in statuses.items():
            identity_of = await reduced_calls.known_or_omitted(
                self._names.component_id(page_id, called), "components", omitted
            )
            if identity_of is not None:
                found.append(wire.ComponentStatus(identity_of, STATUS_WORDS.get(status, status)))
        return found

    def _edited(self, post: wire.Post, operation: operations.Operation, wanted: PostOpening) -> Edit | None:
        """Return what a person has changed in an open post: it is neither as the router left it nor as desired."""
        before = rule_fields.parse_previous(PostOpening, self._config, operation)
        if before is None or posts.state(post) == "resolved":
            return None
        known = [before, wanted, *(one for one, _ in self._uncertain(operation))]
        if observations.edited_title(operation, post.name, {one.title for one in known}):
            return Edit.TITLE_CHANGED
        ours = {one.message for one in known} | {self._update_text(one) for one in known}
        # An earlier attempt may have ended the post before a late update opened it again.
        ours |= self._ending_texts(operation, wanted)
        return observations.edited_timeline(operation, posts.timeline(post), ours)

    def _uncertain(self, operation: operations.Operation) -> list[tuple[PostOpening, severities.Severity]]:
        return rule_fields.parse_uncertain(PostOpening, self._config, operation)

    def _left_by_uncertain(self, post: wire.Post, operation: operations.Operation, wanted: PostOpening) -> str:
        """Return that the title is one of an uncertain update; empty if it isn't."""
        is_left = any(texts.alike(post.name, one.title) for one, _ in self._uncertain(operation))
        if not is_left or texts.alike(post.name, wanted.title):
            return ""
        return f'the title is "{post.name}", not "{wanted.title}"'

    def _ending_texts(self, operation: operations.Operation, wanted: PostOpening) -> set[str]:
        """Return the texts that an attempt of the operation may have ended the post with; empty for an update."""
        if operation.kind == "retract":
            return {operation.message or self._config.retract_message}
        return {self._resolve_text(wanted)} if operation.kind in {"resolve", "dismiss"} else set()

    def _resolve_text(self, wanted: PostOpening) -> str:
        return wanted.resolve_message or self._config.resolve_message

    def _update_text(self, wanted: PostOpening) -> str:
        return self._config.update_message if wanted.update_message is None else wanted.update_message

    async def _renamed(self, post: wire.Post, operation: operations.Operation, wanted: PostOpening) -> str:
        """Rename the post if its desired title differs. Return the title that the vendor has stored."""
        before = rule_fields.parse_previous(PostOpening, self._config, operation)
        is_as_left = before is not None and before.title == wanted.title and post.name in operation.view.titles[-1:]
        # What an uncertain update has left isn't the vendor's form of what was sent last.
        if (is_as_left and not operation.uncertain) or texts.alike(post.name, wanted.title):
            return post.name
        path = f"/v2/status_page_incidents/{client.segment(post.id)}"
        answer = await self._http.call("PUT", path, json=wire.Rename(wanted.title))
        return answer.read(wire.PostAnswer).status_page_incident.name

    def _update_body(
        self,
        post: wire.Post,
        operation: operations.Operation,
        wanted: PostOpening,
        asked: list[wire.ComponentStatus],
    ) -> wire.CreateUpdate | None:
        """Return the update to post; None if there is nothing to report, or an earlier attempt has posted it."""
        message = self._update_text(wanted)
        shown, last = posts.affected(post), operation.view.asked
        is_shown = all(shown.get(one.component_id, posts.WELL) == one.component_status for one in asked)
        # The read may be stale, so the statuses that were last sent must be the same, too.
        changes = not is_shown or any(
            last.get(one.component_id, one.component_status) != one.component_status for one in asked
        )
        text, status = message or wanted.message, wanted.update_status or ""
        # A monitored post that fires again changes its status, even without a text for it.
        changes = changes or status not in {"", post.incident_status}
        if not message and not changes:
            return None
        timeline = posts.timeline(post)
        if is_shown and observations.is_posted(operation, timeline, text, status):
            return None
        # If only the title of an unchanged content is set back, the first text says it as well.
        said = [text, wanted.message] if operation.is_repeat_of_last else [text]
        is_said = any(observations.is_newest_text(operation, timeline, one, status) for one in said)
        is_worse = operation.before is not None and operation.worsens
        if is_said and not changes and not is_worse:
            return None
        return wire.CreateUpdate(
            status_page_incident_id=post.id,
            # The vendor requires a text; the first message is still valid.
            message=text,
            notify_subscribers=wanted.notify and operation.worsens,
            incident_status=wanted.update_status,
            component_statuses=asked or None,
        )

    async def _read_back(
        self, operation: operations.Operation, post: wire.Post, sent: "_Sent"
    ) -> operations.VendorState:
        """Read the post again, for what customers see now. The result is the base for comparing later reads."""
        known = posts.timeline(post) + ([sent.entry] if sent.entry is not None else [])
        told = observations.marks(operation, known)
        after = posts.view(post, operation, asked=sent.asked, entries=known, title=sent.title)
        unconfirmed = msgspec.structs.replace(after, is_unconfirmed=True)
        operation = msgspec.structs.replace(operation, view=unconfirmed, told=told, lags=True)
        try:
            fresh = await self._show(post.id)
        except errors.Failure:  # The operation is done. A later observation reads the post.
            return operations.VendorState(post.id, "open", told=told, view=unconfirmed)
        is_old_title = not texts.alike(fresh.name, sent.title) and fresh.name in operation.view.titles[:-1]
        if is_old_title or observations.is_stale(operation, posts.timeline(fresh)):
            return operations.VendorState(post.id, "open", told=told, view=unconfirmed)
        return operations.VendorState(
            post.id,
            posts.state(fresh),
            told=observations.marks(operation, posts.timeline(fresh)),
            view=posts.view(fresh, operation),
            differs=posts.differs(fresh, sent.asked) if posts.state(fresh) == "open" else "",
        )

    async def _show(self, vendor_id: str) -> wire.Post:
        path = f"/v2/status_page_incidents/{client.segment(vendor_id)}"
        return (await self._http.read(path, wire.PostAnswer)).status_page_incident


def _of_room(number: int) -> str:
    """Return the note for the update with this number, near the vendor's limit on updates."""
    if number < wire.LAST_UPDATE:
        return ""
    last = "no update is posted any more" if number > wire.LAST_UPDATE else "it is the last update"
    return f"{last} before the resolution, for the vendor takes {wire.MOST_UPDATES}"


def _iso(micros: Timestamp) -> str:
    return times.to_datetime(micros).isoformat()


async def _posted(calls: reduced_calls.ReducibleCall, update: wire.CreateUpdate) -> observations.Entry | None:
    """Post an update. Return it as the vendor has stored it, None if the response doesn't contain it."""
    answer = await calls.call("POST", "/v2/status_page_incident_updates", update)
    stored = answer.read(wire.UpdateAnswer).status_page_incident_update
    return posts.entry(stored) if stored is not None else None


def _asked(statuses: list[wire.ComponentStatus] | None, calls: reduced_calls.ReducibleCall) -> dict[str, str]:
    """Return the statuses that were sent, by component; none if the vendor refused them."""
    if any(one.field == "component_statuses" for one in calls.omitted):
        return {}
    return {one.component_id: one.component_status for one in statuses or ()}
