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
from router.outbound import call_policy, client, errors

# The ladder's words are the same as incident.io's, except for the worst.
STATUS_WORDS = {"major_outage": "full_outage"}
"""The vendor's words for our statuses, where they differ."""
# How long before the episode's opening to search for its post: the vendor's clock may differ.
_SKEW = dt.timedelta(hours=1)

_RETROSPECTIVE = "/v2/status_page_retrospective_incidents"
_STATUS = ("incident_status",)  # Without it, an update would leave a resolved or monitored post unchanged.


class _Sent(NamedTuple):
    """The changes that an operation has sent: component statuses by ID, and the stored title and update."""

    requested: Mapping[str, str]
    title: str
    entry: observations.Entry | None = None


class StatusPages:
    """Posts on the status pages of one account. The vendor has no drafts: new posts are public."""

    # A repeated idempotency key gets the original response.
    repeatable_open = True

    def __init__(
        self, name: str, config: PostConfig, http: client.Client, caches: name_lookup.Caches | None = None
    ) -> None:
        self.name = name
        self._config = config
        self._http = http
        self._caches = caches or name_lookup.Caches()
        self._names = names.Names(http, self._caches)

    def within(self, budget: call_policy.CallBudget) -> "StatusPages":
        """Return this destination with a budget for its calls. Both share connections and caches."""
        return StatusPages(self.name, self._config, self._http.within(budget), self._caches)

    async def adopt(self, operation: operations.Operation) -> None:
        """Do nothing: the vendor doesn't draft posts."""

    async def find(self, operation: operations.Operation) -> operations.VendorState | None:
        """Search the page for the post that an open may have created.

        A post has no reference, since customers read it. It is identified by its title, its first text, and its time.
        Posts of the router's other incidents may look the same; ``operation.taken`` has their IDs.
        """
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        page = await self._page(opening)
        query: dict[str, str | int] = {"status_page_id": page.id, "page_size": names.PAGE_SIZE}
        # Clocks differ, so a post that seems slightly older than the incident counts, too.
        since = times.to_datetime(operation.began_at or operation.opened_at) - _SKEW
        candidates: list[wire.Post] = []
        async for answer in account.list_pages(self._http, "/v2/status_page_incidents", wire.Posts, query):
            rows = list_rows.parse_rows(answer.status_page_incidents, wire.Post, "post")
            candidates += [post for post in rows if posts.is_opened_by(post, opening, since)]
        own_posts = [post for post in candidates if post.id not in operation.taken]
        # The oldest one: for a repeated key, the vendor also returns the first post.
        first = min(own_posts, key=lambda post: post.published_at or since, default=None)
        if first is None:
            return None
        posted_marks = observations.marks(operation, posts.timeline(first))
        # The vendor may have rewritten texts since, so they are not compared with ours yet.
        view = msgspec.structs.replace(posts.view(first, operation), is_unconfirmed=True)
        return operations.VendorState(first.id, posts.state(first), page.public_url, told=posted_marks, view=view)

    async def list_open(self, others: Collection[str] = ()) -> list[operations.OpenItem]:
        """Read the unresolved posts on every page that may be this destination's. Posts don't name it."""
        items = []
        pages = await self._list_pages()
        for page in name_lookup.own_pages(pages, self._names.pages, base.page_of(self._config), others):
            query: dict[str, str | int | list[str]] = {"status_page_id": page.id, "page_size": names.PAGE_SIZE}
            async for answer in account.list_pages(self._http, "/v2/status_page_incidents", wire.Posts, query):
                rows = list_rows.parse_rows(answer.status_page_incidents, wire.Post, "post")
                items += [posts.item(post, page) for post in rows if posts.state(post) == "open"]
        return items

    def recognizes(self, item: operations.OpenItem, operation: operations.Operation) -> bool:
        """Return whether a post has the title and the first text with which the operation would open it."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        return texts.alike(item.title, opening.title) and texts.alike(item.text, opening.message)

    async def end_duplicates(self, operation: operations.Operation) -> tuple[str, ...]:  # noqa: ARG002 - a Destination
        """End nothing: the vendor creates one post for an idempotency key."""
        return ()

    async def open(self, operation: operations.Operation) -> operations.VendorState:
        """Create the post, which is public immediately."""
        opening, omitted = rule_fields.parse_fitted(PostOpening, self._config, operation)
        calls = reduced_calls.ReducibleCall(self._http, operation.is_repeated, omitted=list(omitted))
        page = await self._page(opening)
        # The incident has ended, so customers must never see it as ongoing.
        if operation.ended_at:
            return await self._open_retrospective(operation, opening, page, calls.omitted)
        body = wire.CreatePost(
            idempotency_key=operation.key,
            status_page_id=page.id,
            name=opening.title,
            message=opening.message,
            incident_status=opening.status,
            notify_subscribers=opening.notify,
            component_statuses=await self._components(page.id, operation, calls.omitted) or None,
        )
        answer = await calls.call("POST", "/v2/status_page_incidents", body)
        post = answer.read(wire.PostAnswer).status_page_incident
        # The response to a repeated key may be about a post that has been resolved since.
        if posts.state(post) == "resolved":
            return operations.VendorState(post.id, "resolved", page.public_url, omitted=tuple(calls.omitted))
        seen = await self._read_back(operation, post, _Sent(_map_sent(body.component_statuses, calls), post.name))
        return msgspec.structs.replace(seen, url=page.public_url, omitted=tuple(calls.omitted))

    async def _open_retrospective(
        self,
        operation: operations.Operation,
        opening: PostOpening,
        page: wire.Page,
        omitted: list[operations.Omission],
    ) -> operations.VendorState:
        """Create a post of a resolved incident, with the first text and the resolution as its updates."""
        affected = await self._components(page.id, operation, omitted)
        text = opening.resolve_message or self._config.resolve_message
        updates = [
            wire.RetrospectiveUpdate(opening.status, opening.message, _iso(operation.began_at), affected or None),
            wire.RetrospectiveUpdate("resolved", text, _iso(operation.ended_at)),
        ]
        body = wire.CreateRetrospective(operation.key, page.id, opening.title, updates)
        try:
            answer = await self._http.call("POST", _RETROSPECTIVE, json=body)
        except errors.Permanent as problem:
            # Only the components can be omitted, and never under a repeated idempotency key.
            if operation.is_repeated or problem.status not in {400, 422} or not affected:
                raise
            detail = f"omitted, because the vendor refused it: {problem}"
            omitted.append(operations.Omission("component_statuses", "refused", detail))
            plain = [msgspec.structs.replace(update, component_statuses=None) for update in updates]
            less = reduced_calls.rekey(msgspec.structs.replace(body, updates=plain))
            answer = await self._http.call("POST", _RETROSPECTIVE, json=less)
        post = answer.read(wire.PostAnswer).status_page_incident
        # The vendor may still process it. The operation is unanswered until the post is resolved.
        if posts.state(post) != "resolved":
            raise errors.Unanswered(
                f"{self.name}: the vendor answered a retrospective incident with its previous status"
            )
        return operations.VendorState(post.id, "resolved", page.public_url, omitted=tuple(omitted))

    async def update(self, operation: operations.Operation) -> operations.VendorState:
        """Rename the post and add an update, unless an earlier attempt has: updates have no idempotency key."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._show(operation.vendor_id)
        if posts.state(post) == "resolved":
            return posts.make_resolved_state(post, operation)
        # A read without our last update would make the next comparison find an edit.
        observations.check_fresh(operation, posts.timeline(post))
        # A person's edit wins: nothing is sent before a reviewer has decided.
        if edited := self._find_edit(post, operation, opening):
            return posts.make_edited_state(post, operation, edited)
        calls = reduced_calls.ReducibleCall(self._http, needed=_STATUS)
        wanted_statuses = await self._components(post.status_page_id, operation, calls.omitted)
        uncertain_components = await self._uncertain_components(post.status_page_id, operation)
        if observations.has_edited_components(
            operation, posts.component_statuses(post), _map_sent(wanted_statuses, calls), *uncertain_components
        ):
            return posts.make_edited_state(post, operation, Edit.COMPONENT_CHANGED)
        # Set the title first: if the response is lost, this call can be repeated, and an update can't.
        title = await self._rename(post, operation, opening)
        update = self._update_body(post, operation, opening, wanted_statuses)
        note, entry = "", None
        if update is not None:
            note = _describe_room(len(post.updates or ()) + 1)
            # The vendor limits the updates of a post, and the resolution must not fail for want of room.
            if len(post.updates or ()) < wire.LAST_UPDATE:
                renamed = None if texts.alike(title, post.name) else posts.make_partial_state(post, operation, title)
                # If posting fails, the view must have the new title, or it would look like a person's edit.
                with half_done.record_on_failure(renamed):
                    entry = await _post_update(calls, update)
        seen = await self._read_back(operation, post, _Sent(_map_sent(wanted_statuses, calls), title, entry))
        return msgspec.structs.replace(seen, note=note, omitted=tuple(calls.omitted))

    async def publish(self, operation: operations.Operation) -> operations.VendorState:
        """Update the post: the vendor has no drafts."""
        return await self.update(operation)

    async def resolve(self, operation: operations.Operation) -> operations.VendorState:
        """Post the resolution, unless the post is resolved already. The vendor resets the components to operational."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        return await self._end(operation, opening, self._resolve_text(opening))

    async def retract(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve the post with the text of a retraction: the vendor doesn't remove posts from a page."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        return await self._end(operation, opening, operation.message or self._config.retract_message)

    async def _end(self, operation: operations.Operation, opening: PostOpening, text: str) -> operations.VendorState:
        post = await self._show(operation.vendor_id)
        if posts.state(post) == "resolved":
            return posts.make_resolved_state(
                post, operation, "it was resolved already" if operation.kind == "retract" else ""
            )
        observations.check_fresh(operation, posts.timeline(post))
        if edited := self._find_edit(post, operation, opening):
            return posts.make_edited_state(post, operation, edited)
        calls = reduced_calls.ReducibleCall(self._http, needed=_STATUS)
        update = wire.CreateUpdate(
            status_page_incident_id=post.id,
            message=text,
            notify_subscribers=opening.notify,
            incident_status="resolved",
        )
        entry = await _post_update(calls, update)
        # Customers would still see the incident as ongoing.
        if entry is not None and entry.status not in {"", "resolved"}:
            raise errors.Unanswered(f"{self.name}: the vendor answered the resolution with the status {entry.status}")
        entries = [*posts.timeline(post), *([entry] if entry is not None else ())]
        # The vendor may store the text in another form. Both forms are ours.
        posted_marks = (*observations.marks(operation, entries), texts.mark(text))
        seen = operations.VendorState(post.id, "resolved", told=tuple(dict.fromkeys(posted_marks)))
        view = posts.view(post, operation, entries=entries)
        return msgspec.structs.replace(seen, view=view, omitted=tuple(calls.omitted))

    async def dismiss(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve the post: the vendor has no drafts."""
        return await self.resolve(operation)

    async def probe(self) -> None:
        """Read the account's first status page."""
        await self._http.call("GET", "/v2/status_pages", query={"page_size": 1})

    async def correct(self, _operation: operations.Operation) -> operations.VendorState:
        """Raise ``Permanent``: the vendor can't change posted updates."""
        raise errors.Permanent(f"{self.name}: the vendor's API can't change a posted update")

    async def observe(self, operation: operations.Operation) -> operations.VendorState:
        """Read the post's state and people's changes."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._show(operation.vendor_id)
        # A stale read would report our own change as a person's edit.
        if posts.state(post) == "open" and observations.is_stale(operation, posts.timeline(post)):
            return operations.VendorState(post.id, "open", is_stale=True)
        edited = self._find_edit(post, operation, opening)
        if not edited and posts.state(post) == "open":
            uncertain_components = await self._uncertain_components(post.status_page_id, operation)
            if observations.has_edited_components(operation, posts.component_statuses(post), *uncertain_components):
                edited = Edit.COMPONENT_CHANGED
        differs = ""
        if posts.state(post) == "open" and not edited:
            differences = (
                posts.describe_differences(post, operation.view.asked),
                self._describe_leftovers(post, operation, opening),
            )
            differs = ", ".join(filter(None, differences))
        seen = operations.VendorState(
            post.id, posts.state(post), edited=edited, view=posts.view(post, operation), differs=differs
        )
        return msgspec.structs.replace(seen, told=observations.marks(operation, posts.timeline(post)))

    def touches(self, operation: operations.Operation) -> Mapping[str, components.Status]:
        """Return the statuses that the rule sets, by the component names in the rule."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        return components.statuses(opening.components, operation.content.severity, self._config.component_statuses)

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

    async def _page(self, opening: PostOpening) -> wire.Page:
        name = opening.page or self._config.page
        if not name:
            raise errors.Permanent(f"{self.name}: neither the rule nor the configuration names a page", field="page")
        return await self._names.page(name)

    async def _list_pages(self) -> Sequence[wire.Page]:
        """Return all pages of the account, or only the configured one if the key can't list pages."""
        try:
            return await self._names.pages.entries()
        except (errors.Permanent, errors.Denied):
            # Without a configured page, the router can't know where posts are.
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
        candidates = []
        for opening, severity in self._uncertain(operation):
            own_statuses = components.statuses(opening.components, severity, self._config.component_statuses)
            for statuses in (own_statuses, components.merge_statuses(own_statuses, operation.others)):
                component_statuses = await self._component_statuses(page_id, statuses, [])
                candidates.append({status.component_id: status.component_status for status in component_statuses})
        return candidates

    async def _component_statuses(
        self, page_id: str, statuses: Mapping[str, components.Status], omitted: list[operations.Omission]
    ) -> list[wire.ComponentStatus]:
        statuses_of_components = []
        for name, status in statuses.items():
            component_id = await reduced_calls.find_or_omit(
                self._names.component_id(page_id, name), "components", omitted
            )
            if component_id is not None:
                statuses_of_components.append(wire.ComponentStatus(component_id, STATUS_WORDS.get(status, status)))
        return statuses_of_components

    def _find_edit(self, post: wire.Post, operation: operations.Operation, opening: PostOpening) -> Edit | None:
        """Return what a person has changed in an open post: it is neither the last nor the desired content."""
        before = rule_fields.parse_previous(PostOpening, self._config, operation)
        if before is None or posts.state(post) == "resolved":
            return None
        openings = [before, opening, *(uncertain_opening for uncertain_opening, _ in self._uncertain(operation))]
        if observations.has_edited_title(
            operation, post.name, {uncertain_opening.title for uncertain_opening in openings}
        ):
            return Edit.TITLE_CHANGED
        our_texts = {uncertain_opening.message for uncertain_opening in openings} | {
            self._update_text(uncertain_opening) for uncertain_opening in openings
        }
        # An earlier attempt may have ended the post before a late update opened it again.
        our_texts |= self._ending_texts(operation, opening)
        return observations.find_timeline_edit(operation, posts.timeline(post), our_texts)

    def _uncertain(self, operation: operations.Operation) -> list[tuple[PostOpening, severities.Severity]]:
        return rule_fields.parse_uncertain(PostOpening, self._config, operation)

    def _describe_leftovers(self, post: wire.Post, operation: operations.Operation, opening: PostOpening) -> str:
        """Return that the title is one of an uncertain update; empty if it isn't."""
        is_left = any(
            texts.alike(post.name, uncertain_opening.title) for uncertain_opening, _ in self._uncertain(operation)
        )
        if not is_left or texts.alike(post.name, opening.title):
            return ""
        return f'the title is "{post.name}", not "{opening.title}"'

    def _ending_texts(self, operation: operations.Operation, opening: PostOpening) -> set[str]:
        """Return the texts that an attempt of the operation may have ended the post with; empty for an update."""
        if operation.kind == "retract":
            return {operation.message or self._config.retract_message}
        return {self._resolve_text(opening)} if operation.kind in {"resolve", "dismiss"} else set()

    def _resolve_text(self, opening: PostOpening) -> str:
        return opening.resolve_message or self._config.resolve_message

    def _update_text(self, opening: PostOpening) -> str:
        return self._config.update_message if opening.update_message is None else opening.update_message

    async def _rename(self, post: wire.Post, operation: operations.Operation, opening: PostOpening) -> str:
        """Rename the post if its desired title differs. Return the title that the vendor has stored."""
        before = rule_fields.parse_previous(PostOpening, self._config, operation)
        is_as_left = before is not None and before.title == opening.title and post.name in operation.view.titles[-1:]
        # What an uncertain update has left isn't the vendor's form of what was sent last.
        if (is_as_left and not operation.uncertain) or texts.alike(post.name, opening.title):
            return post.name
        path = f"/v2/status_page_incidents/{client.segment(post.id)}"
        answer = await self._http.call("PUT", path, json=wire.Rename(opening.title))
        return answer.read(wire.PostAnswer).status_page_incident.name

    def _update_body(
        self,
        post: wire.Post,
        operation: operations.Operation,
        opening: PostOpening,
        requested: list[wire.ComponentStatus],
    ) -> wire.CreateUpdate | None:
        """Return the update to post; None if there is nothing to report, or an earlier attempt has posted it."""
        message = self._update_text(opening)
        current, last = posts.component_statuses(post), operation.view.asked
        is_shown = all(
            current.get(requested_status.component_id, posts.WELL) == requested_status.component_status
            for requested_status in requested
        )
        # The read may be stale, so the statuses that were last sent must be the same, too.
        changes = not is_shown or any(
            last.get(requested_status.component_id, requested_status.component_status)
            != requested_status.component_status
            for requested_status in requested
        )
        text, status = message or opening.message, opening.update_status or ""
        # A monitored post that fires again changes its status, even without a text for it.
        changes = changes or status not in {"", post.incident_status}
        if not message and not changes:
            return None
        timeline = posts.timeline(post)
        if is_shown and observations.is_posted(operation, timeline, text, status):
            return None
        # If only the title of an unchanged content is set back, the first text says it as well.
        messages = [text, opening.message] if operation.is_repeat_of_last else [text]
        is_said = any(observations.is_newest_text(operation, timeline, candidate, status) for candidate in messages)
        is_worse = operation.before is not None and operation.worsens
        if is_said and not changes and not is_worse:
            return None
        return wire.CreateUpdate(
            status_page_incident_id=post.id,
            # The vendor requires a text; the first message is still valid.
            message=text,
            notify_subscribers=opening.notify and operation.worsens,
            incident_status=opening.update_status,
            component_statuses=requested or None,
        )

    async def _read_back(
        self, operation: operations.Operation, post: wire.Post, sent: "_Sent"
    ) -> operations.VendorState:
        """Read the post again, for what customers see now. The result is the base for comparing later reads."""
        entries = posts.timeline(post) + ([sent.entry] if sent.entry is not None else [])
        posted_marks = observations.marks(operation, entries)
        after = posts.view(post, operation, requested=sent.requested, entries=entries, title=sent.title)
        unconfirmed = msgspec.structs.replace(after, is_unconfirmed=True)
        operation = msgspec.structs.replace(operation, view=unconfirmed, told=posted_marks, lags=True)
        try:
            fresh = await self._show(post.id)
        except errors.Failure:  # The operation is done. A later observation reads the post.
            return operations.VendorState(post.id, "open", told=posted_marks, view=unconfirmed)
        # Reads may lag behind writes. The response to the write is newer then.
        is_old_title = not texts.alike(fresh.name, sent.title) and fresh.name in operation.view.titles[:-1]
        if is_old_title or observations.is_stale(operation, posts.timeline(fresh)):
            return operations.VendorState(post.id, "open", told=posted_marks, view=unconfirmed)
        return operations.VendorState(
            post.id,
            posts.state(fresh),
            told=observations.marks(operation, posts.timeline(fresh)),
            view=posts.view(fresh, operation),
            differs=posts.describe_differences(fresh, sent.requested) if posts.state(fresh) == "open" else "",
        )

    async def _show(self, vendor_id: str) -> wire.Post:
        path = f"/v2/status_page_incidents/{client.segment(vendor_id)}"
        return (await self._http.read(path, wire.PostAnswer)).status_page_incident


def _describe_room(number: int) -> str:
    """Return the note for the update with this number, near the vendor's limit on updates."""
    if number < wire.LAST_UPDATE:
        return ""
    last = "no further update is posted" if number > wire.LAST_UPDATE else "it is the last update"
    return f"{last} before the resolution, because the vendor accepts {wire.MAX_UPDATES}"


def _iso(micros: Timestamp) -> str:
    return times.to_datetime(micros).isoformat()


async def _post_update(calls: reduced_calls.ReducibleCall, update: wire.CreateUpdate) -> observations.Entry | None:
    """Post an update. Return it as the vendor has stored it, None if the response doesn't contain it."""
    answer = await calls.call("POST", "/v2/status_page_incident_updates", update)
    stored = answer.read(wire.UpdateAnswer).status_page_incident_update
    return posts.entry(stored) if stored is not None else None


def _map_sent(statuses: list[wire.ComponentStatus] | None, calls: reduced_calls.ReducibleCall) -> dict[str, str]:
    """Return the statuses that were sent, by component; none if the vendor refused them."""
    if any(omission.field == "component_statuses" for omission in calls.omitted):
        return {}
    return {status.component_id: status.component_status for status in statuses or ()}
