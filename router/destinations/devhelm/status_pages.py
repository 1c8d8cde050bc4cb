"""The kind ``devhelm-status-page``: posts on DevHelm status pages.

A page can draft posts from our incidents. The router adopts a draft instead of opening a second post. The vendor has no
idempotency keys, so the router searches before it repeats a call.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from router.destinations import (
    base,
    components,
    half_done,
    name_lookup,
    observations,
    reduced_calls,
    references,
    rule_fields,
)
from router.destinations.devhelm import corrections, linked_posts, names, post_contents, posts, shared_state, wire
from router.destinations.devhelm.config import PostConfig, PostOpening
from router.domain import operations, texts
from router.domain.reasons import Edit
from router.outbound import call_policy, client, errors

_WELL = "OPERATIONAL"
_MAINTENANCE = "UNDER_MAINTENANCE"
# Fields that may cause a 404 of a create without a named field.
_SUSPECTS = ("monitoring_incident_id", "affected_components")


class StatusPages:
    """Posts on the status pages of one account."""

    repeatable_open = False

    def __init__(
        self, name: str, config: PostConfig, http: client.Client, shared: shared_state.SharedState | None = None
    ) -> None:
        self.name = name
        self._config = config
        self._http = http
        self._shared = shared or shared_state.SharedState.create()
        self._names = names.Names(http, self._shared.caches)
        self._posts = posts.Posts(http, self._shared.recent)
        self._contents = post_contents.PostContents(config)

    def within(self, budget: call_policy.CallBudget) -> "StatusPages":
        """Return this destination with a budget for its calls. Both share connections and caches."""
        return StatusPages(self.name, self._config, self._http.within(budget), self._shared)

    async def adopt(self, operation: operations.Operation) -> operations.VendorState | None:
        """Find what the page, or a person on it, created for the incident that it follows; None if there is none.

        Nothing is changed yet: an update or the publication sets the rule's texts.
        """
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        page_id = await self._page_id(opening)
        linked = await self._posts.find_linked(page_id, operation)
        return _make_linked_state(linked, operation) if linked else None

    async def find(self, operation: operations.Operation) -> operations.VendorState | None:
        """Search for our reference, then for the link. Keep the oldest post with the reference and end the others."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        page_id = await self._page_id(opening)
        signed_posts = await self._posts.find_signed(
            page_id, operation.reference, operation.opened_at, operation.linked_id
        )
        # Two posts with our reference are the result of a repeated call. Customers must see only one.
        for further in signed_posts[1:]:
            await self._posts.end(further, _duplicate(operation))
        if signed_posts:
            return self._make_found_state(signed_posts[0], operation, opening)
        linked = await self._posts.find_linked(page_id, operation)
        # The reviewer decides about a person's post, so it isn't changed here.
        if linked is None or linked.is_linked_by_person:
            return _make_linked_state(linked, operation) if linked else None
        return self._make_found_state(linked.post, operation, opening)

    async def end_duplicates(self, operation: operations.Operation) -> tuple[str, ...]:
        """Delete or resolve every other post with our reference on the page that the rule names."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        page_id = await self._page_id(opening)
        own_post_id = posts.PostLocation.parse(operation.vendor_id).post_id
        signed_posts = await self._posts.find_signed(page_id, operation.reference, operation.opened_at)
        further = [post for post in signed_posts if post.id != own_post_id and posts.state(post) != "resolved"]
        for post in further:
            await self._posts.end(post, _duplicate(operation))
        return tuple(post.id for post in further)

    async def list_open(self, others: Collection[str] = ()) -> list[operations.OpenItem]:
        """List the unresolved posts with a reference on every page that may be this destination's."""
        pages = name_lookup.own_pages(
            await self._names.pages.entries(), self._names.pages, base.page_of(self._config), others
        )
        return [item for page in pages for item in await self._posts.find_unresolved(page.id)]

    def recognizes(self, item: operations.OpenItem, operation: operations.Operation) -> bool:  # noqa: ARG002 - a Destination
        """Return False: every post carries its reference."""
        return False

    async def open(self, operation: operations.Operation) -> operations.VendorState:
        """Create the post, which is public immediately. If the page has created one in the meantime, use it."""
        opening, omitted = rule_fields.parse_fitted(PostOpening, self._config, operation)
        calls = reduced_calls.ReducibleCall(self._http, suspects=_SUSPECTS, omitted=list(omitted))
        page_id = await self._page_id(opening)
        linked = await self._posts.find_linked(page_id, operation)
        # A person has posted about this incident already, so a second post would be a duplicate.
        if linked is not None and linked.is_linked_by_person:
            return _make_linked_state(linked, operation)
        if linked is not None and opening.keep_draft and posts.state(linked.post) == "draft":
            return posts.make_state(linked.post, operation)  # The approved text isn't the text that it would have.
        # The page has drafted or published a post automatically. Publishing that post keeps the page at one post.
        if linked is not None:
            return await self._publish(linked.post, operation, opening)
        body = wire.CreatePost(
            title=opening.title,
            impact=self._contents.impact(opening, operation.content.severity),
            body=post_contents.sign(opening, operation),
            notify_subscribers=opening.notify,
            status=opening.status,
            affected_components=await self._components(page_id, operation, calls.omitted) or None,
            monitoring_incident_id=operation.linked_id or None,
        )
        answer = await calls.call("POST", f"{names.PAGES}/{client.segment(page_id)}/incidents", body)
        sent = self._make_sent(operation, opening, _list_sent(body.affected_components, calls))._replace(read=())
        seen = await self._posts.read_back(answer.read(wire.PostAnswer).data, operation, sent)
        return msgspec.structs.replace(seen, omitted=tuple(calls.omitted))

    async def update(self, operation: operations.Operation) -> operations.VendorState:
        """Update title, impact, status, and components. A published post also gets the update text once."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        # A person's edit wins: nothing is sent before a reviewer has decided.
        if (edited := await self._refusal(post, operation, opening)) is not None:
            return edited
        if posts.state(post) == "draft":
            answer, sent = await self._put(post, operation, opening, opening.status)
            return await self._posts.read_back(answer, operation, sent)
        if posts.state(post) == "open":
            return await self._change(post, operation, opening, self._contents.update_text(opening))
        return posts.make_state(post, operation)

    async def publish(self, operation: operations.Operation) -> operations.VendorState:
        """Publish the draft with the rule's texts, unless it is published already."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        if (edited := await self._refusal(post, operation, opening)) is not None:
            return edited
        return await self._publish(post, operation, opening)

    async def resolve(self, operation: operations.Operation) -> operations.VendorState:
        """Post the resolution, unless the post is resolved already, and then the postmortem if the rule has one."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        if posts.state(post) == "draft":
            return posts.make_state(post, operation)
        if (edited := await self._refusal(post, operation, opening)) is not None:
            return edited
        text = self._contents.resolve_text(opening)
        note, read = "", [entry.id for entry in posts.timeline(post)]
        if posts.state(post) == "open":
            post, note = await self._post_resolution(post, operation, opening, text)
            post_is_ours = True
        else:
            # After a crash the postmortem of our resolution may be missing. A person's resolution stays as it is.
            post_is_ours = any(
                entry.status == "RESOLVED" and texts.alike(entry.text, text) for entry in posts.timeline(post)
            )
        omitted = await self._put_postmortem(post, opening) if post_is_ours else ()
        sent = posts.Sent({}, {text} if post_is_ours else (), read)
        seen = posts.make_state(post, operation, sent, is_answer=True)
        return msgspec.structs.replace(seen, state="resolved", note=note, omitted=omitted, differs="")

    async def dismiss(self, operation: operations.Operation) -> operations.VendorState:
        """Delete the draft, unless a person created it. If it has been published, return it as open."""
        place = posts.PostLocation.parse(operation.vendor_id)
        post = await self._posts.observe(place)
        # A published post can't be dismissed. The caller decides what to do with it.
        if posts.state(post) != "draft":
            return posts.make_state(post, operation)
        # A person's draft isn't ours to delete.
        if await self._posts.is_linked_by_person(post, operation):
            return operations.VendorState(
                operation.vendor_id, "dismissed", note="a person has created this draft, so it stays"
            )
        await self._http.call("POST", f"{place.path}/dismiss")
        return operations.VendorState(operation.vendor_id, "dismissed")

    async def retract(self, operation: operations.Operation) -> operations.VendorState:
        """Unpublish the post, reset its components, and delete the resulting draft."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        place = posts.PostLocation.parse(operation.vendor_id)
        post = await self._posts.observe(place)
        if posts.state(post) == "resolved":
            return msgspec.structs.replace(posts.make_state(post, operation), note="it was resolved already")
        note = ""
        if posts.state(post) == "open":
            if (edited := await self._refusal(post, operation, opening)) is not None:
                return edited
            # In the same call, so that no component stays down without a post that explains it.
            affected, note = await self._set_back(post, operation)
            change = wire.PutPost(affected_components=affected or None, published=False)
            answer = await self._http.call("PUT", place.path, json=change)
            if answer.read(wire.PostAnswer).data.published_at is not None:
                raise errors.Unanswered(f"{self.name}: the vendor answered the removal with a published post")
        # A person who doesn't know its history could publish the draft. And the vendor deletes only what it doesn't
        # show, so the response proves that the post is down.
        await self._http.call("POST", f"{place.path}/dismiss")
        return operations.VendorState(operation.vendor_id, "dismissed", note=note)

    async def correct(self, operation: operations.Operation) -> operations.VendorState:
        """Replace the text of one of our updates, unless it differs from what the operator has seen."""
        return await corrections.correct(self._http, self._posts, operation)

    async def probe(self) -> None:
        """Read the account's first status page."""
        await self._posts.probe()

    async def observe(self, operation: operations.Operation) -> operations.VendorState:
        """Read the post's state, and what a person has changed."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        # A stale read would report our own change as a person's edit.
        if posts.state(post) != "resolved" and posts.is_stale(post, operation):
            return msgspec.structs.replace(posts.make_state(post, operation), view=None, is_stale=True)
        edited = self._contents.find_edit(post, operation, opening)
        if not edited and posts.state(post) == "open" and await self._has_edited_components(post, operation):
            edited = Edit.COMPONENT_CHANGED
        seen = posts.make_state(post, operation, edited=edited)
        if edited or posts.state(post) != "open":
            return seen
        differs = filter(None, (seen.differs, *self._contents.describe_leftovers(post, operation, opening)))
        return msgspec.structs.replace(seen, differs=", ".join(differs))

    def touches(self, operation: operations.Operation) -> Mapping[str, components.Status]:
        """Return the component statuses that the rule sets, by the names that it uses."""
        opening = rule_fields.parse_current(PostOpening, self._config, operation)
        return self._contents.statuses(opening, operation.content.severity)

    async def check(self, fields: Mapping[str, Any] = base.NOTHING) -> list[str]:
        """Look up the page and the default components, and check the page's mode."""
        defaults = {**self._config.defaults, **fields}
        name = defaults.get("page") or self._config.page
        if not name:
            return []
        try:
            page = await self._names.pages.find(name, field="page")
        except errors.Failure as problem:
            return [problem.message]
        problems = linked_posts.mode_problems(page, self._config.follows)
        for component in defaults.get("components") or ():
            problems += await name_lookup.list_problems(self._names.component_id(page.id, component))
        return problems

    async def channels(self) -> list[base.Channel]:
        """Return no channels: a page doesn't report incidents."""
        return []

    async def aclose(self) -> None:
        """Close the connections."""
        await self._posts.aclose()
        await self._http.aclose()

    async def _page_id(self, opening: PostOpening) -> str:
        name = opening.page or self._config.page
        if not name:
            raise errors.Permanent(f"{self.name}: neither the rule nor the configuration names a page", field="page")
        return await self._names.pages.id_of(name, field="page")

    async def _components(
        self, page_id: str, operation: operations.Operation, omitted: list[operations.Omission]
    ) -> list[wire.AffectedComponent]:
        statuses = components.merge_statuses(self.touches(operation), operation.others)
        return await self._look_up_components(page_id, statuses, omitted)

    async def _look_up_components(
        self, page_id: str, statuses: Mapping[str, components.Status], omitted: list[operations.Omission]
    ) -> list[wire.AffectedComponent]:
        affected = []
        for name, status in statuses.items():
            component_id = await reduced_calls.find_or_omit(
                self._names.component_id(page_id, name), "components", omitted
            )
            if component_id is not None:
                affected.append(wire.AffectedComponent(component_id, status.upper()))
        return affected

    async def _publish(
        self, post: wire.Post, operation: operations.Operation, opening: PostOpening
    ) -> operations.VendorState:
        if posts.state(post) == "resolved":
            return posts.make_state(post, operation)
        if posts.state(post) == "open":
            return await self._change(post, operation, opening, "")
        calls = reduced_calls.ReducibleCall(self._http, suspects=_SUSPECTS)
        body = wire.PublishPost(
            title=opening.title,
            impact=self._contents.impact(opening, operation.content.severity),
            status=opening.status,
            body=post_contents.sign(opening, operation),
            notify_subscribers=opening.notify,
            affected_components=await self._components(post.status_page_id, operation, calls.omitted) or None,
        )
        place = posts.PostLocation(post.status_page_id, post.id)
        published = (await calls.call("POST", f"{place.path}/publish", body)).read(wire.PostAnswer).data
        # The outcome is unknown. The next observation shows whether the post is public.
        if published.published_at is None:
            raise errors.Unanswered(f"{self.name}: the vendor answered the publication with a draft")
        sent = self._make_sent(operation, opening, _list_sent(body.affected_components, calls))
        sent = sent._replace(read=[entry.id for entry in posts.timeline(post)])
        seen = await self._posts.read_back(published, operation, sent)
        return msgspec.structs.replace(seen, omitted=tuple(calls.omitted))

    async def _put(
        self, post: wire.Post, operation: operations.Operation, opening: PostOpening, status: str | None
    ) -> tuple[wire.Post, posts.Sent]:
        """Change what differs and return the vendor's response; make no call if nothing differs."""
        affected = await self._components(post.status_page_id, operation, [])
        change = self._contents.difference(post, operation, opening, status)
        change.affected_components = post_contents.changed_components(post, affected)
        sent = self._make_sent(operation, opening, affected)
        if change == wire.PutPost():
            return post, sent
        answer = await self._http.call("PUT", posts.PostLocation(post.status_page_id, post.id).path, json=change)
        return answer.read(wire.PostAnswer).data, sent

    def _make_sent(
        self,
        operation: operations.Operation,
        opening: PostOpening,
        affected: list[wire.AffectedComponent] | None,
    ) -> posts.Sent:
        requested = {
            affected_component.component_id: affected_component.status for affected_component in affected or ()
        }
        return posts.Sent(requested, self._contents.list_our_texts(operation, opening))

    def _make_found_state(
        self, post: wire.Post, operation: operations.Operation, opening: PostOpening
    ) -> operations.VendorState:
        """Return the state after an unanswered open. It is unknown whether the post shows what was sent."""
        return posts.make_state(
            post, operation, posts.Sent({}, self._contents.list_our_texts(operation, opening)), is_answer=True
        )

    async def _refusal(
        self, post: wire.Post, operation: operations.Operation, opening: PostOpening
    ) -> operations.VendorState | None:
        """Return what a person has changed, which is kept. Raises ``Stale`` if the read predates our last change."""
        if posts.state(post) != "resolved" and posts.is_stale(post, operation):
            raise errors.Stale(f"{self.name}: a read doesn't show the last change yet")
        edited = self._contents.find_edit(post, operation, opening)
        # A component that a person has changed must not keep the post open.
        if not edited and operation.kind not in {"resolve", "retract"}:
            affected = await self._components(post.status_page_id, operation, [])
            if await self._has_edited_components(post, operation, affected):
                edited = Edit.COMPONENT_CHANGED
        return posts.make_state(post, operation, edited=edited) if edited else None

    async def _has_edited_components(
        self,
        post: wire.Post,
        operation: operations.Operation,
        affected_components: Collection[wire.AffectedComponent] = (),
    ) -> bool:
        """Return whether a person has changed a component: neither we nor uncertain updates set its status."""
        uncertain = self._contents.uncertain_statuses(operation)
        candidates = [
            affected_components,
            *[await self._look_up_components(post.status_page_id, statuses, []) for statuses in uncertain],
        ]
        our_statuses = [
            {affected_component.component_id: affected_component.status for affected_component in affected}
            for affected in candidates
        ]
        return observations.has_edited_components(operation, posts.affected_components(post), *our_statuses)

    async def _change(
        self, post: wire.Post, operation: operations.Operation, opening: PostOpening, text: str
    ) -> operations.VendorState:
        """Change a published post and post the update, unless an earlier attempt of this operation has posted it."""
        is_worse = operation.before is not None and operation.worsens
        answer, sent = await self._put(post, operation, opening, opening.update_status)
        # A post that the page published automatically doesn't have the rule's message yet.
        if not self._contents.has_message(post, operation, opening):
            text = post_contents.sign(opening, operation)
        timeline = posts.timeline(post)
        status = opening.update_status or post.status
        is_said = self._contents.has_newest_text(post, operation, opening, text, status)
        if text and not (is_said and not is_worse) and not observations.is_posted(operation, timeline, text, status):
            # Subscribers are notified of an update only if the incident got worse.
            update = wire.PostUpdate(status, text, opening.notify and operation.worsens)
            path = f"{posts.PostLocation(post.status_page_id, post.id).path}/updates"
            left = None if answer is post else posts.make_partial_state(answer, operation, sent)
            with half_done.record_on_failure(left):
                said = await reduced_calls.ReducibleCall(self._http).call("POST", path, update)
                answer = said.read(wire.PostAnswer).data
            sent = sent._replace(read=[entry.id for entry in timeline])
        return await self._posts.read_back(answer, operation, sent)

    async def _post_resolution(
        self, post: wire.Post, operation: operations.Operation, opening: PostOpening, text: str
    ) -> tuple[wire.Post, str]:
        affected, note = await self._set_back(post, operation)
        update = wire.PostUpdate("RESOLVED", text, opening.notify, affected or None)
        path = f"{posts.PostLocation(post.status_page_id, post.id).path}/updates"
        answer = (await reduced_calls.ReducibleCall(self._http).call("POST", path, update)).read(wire.PostAnswer).data
        return answer, note

    async def _set_back(
        self, post: wire.Post, operation: operations.Operation
    ) -> tuple[list[wire.AffectedComponent], str]:
        """Return the component statuses after the resolution, and the components left under maintenance."""
        # The vendor doesn't document that a resolution resets components, so reset them explicitly. Keep statuses that
        # our other incidents set, and components that a person has put under maintenance.
        followed = [name for name in operation.others if name in self.touches(operation)]
        others = {
            await self._names.component_id(post.status_page_id, name): operation.others[name].upper()
            for name in followed
        }
        component_ids = [component.status_page_component_id for component in post.affected_components or ()]
        maintained = await self._find_maintained(post, operation) if component_ids else {}
        statuses = {component_id: others.get(component_id, _WELL) for component_id in component_ids}
        maintained_ids = [
            component_id for component_id, status in statuses.items() if status == _WELL and component_id in maintained
        ]
        statuses |= dict.fromkeys(maintained_ids, _MAINTENANCE)
        affected = [wire.AffectedComponent(component_id, status) for component_id, status in statuses.items()]
        return (
            affected,
            f"left under maintenance: {', '.join(maintained[component_id] for component_id in maintained_ids)}"
            if maintained_ids
            else "",
        )

    async def _find_maintained(self, post: wire.Post, operation: operations.Operation) -> dict[str, str]:
        """Return the components that a person has put under maintenance, with their names by ID.

        The vendor may show this in this post, if the router didn't set it, in another post, or in the component.
        """
        current, requested = posts.affected_components(post), operation.view.asked
        our_ids = {component_id for component_id, status in requested.items() if status == _MAINTENANCE}
        maintained_ids = {
            component_id
            for component_id, status in current.items()
            if status == _MAINTENANCE and component_id not in our_ids
        }
        try:
            listed_components = await self._names.components(post.status_page_id)
            others = [
                ongoing for ongoing in await self._posts.find_ongoing(post.status_page_id) if ongoing.id != post.id
            ]
        except (errors.Permanent, errors.Denied):  # The key can't read them. The resolution doesn't wait for that.
            return dict.fromkeys(maintained_ids, "a component")
        for other in others:
            maintained_ids |= {
                component_id
                for component_id, status in posts.affected_components(other).items()
                if status == _MAINTENANCE
            }
        maintained_ids |= {
            component.id
            for component in listed_components
            if component.current_status == _MAINTENANCE and component.id not in our_ids
        }
        name_by_id = {component.id: component.name for component in listed_components}
        return {component_id: name_by_id.get(component_id, component_id) for component_id in maintained_ids}

    async def _put_postmortem(self, post: wire.Post, opening: PostOpening) -> tuple[operations.Omission, ...]:
        """Set the postmortem. The post is resolved already, so a refusal doesn't undo the resolution."""
        body = opening.postmortem_body if opening.postmortem_body != (post.postmortem_body or None) else None
        url = opening.postmortem_url if opening.postmortem_url != (post.postmortem_url or None) else None
        change = wire.PutPost(postmortem_body=body, postmortem_url=url)
        if change == wire.PutPost():
            return ()
        try:
            await self._http.call("PUT", posts.PostLocation(post.status_page_id, post.id).path, json=change)
        except errors.Permanent as problem:
            return (operations.Omission("postmortem", "refused", f"omitted, because the vendor refused it: {problem}"),)
        return ()


def _make_linked_state(linked: linked_posts.LinkedPost, operation: operations.Operation) -> operations.VendorState:
    """Return the state of a linked post before any call. The router changes nothing in a person's post."""
    return posts.make_state(linked.post, operation, edited=Edit.POST_LINKED if linked.is_linked_by_person else None)


def _duplicate(operation: operations.Operation) -> str:
    return references.add_footer("A duplicate of another post.", operation.reference)


def _list_sent(
    affected: list[wire.AffectedComponent] | None, calls: reduced_calls.ReducibleCall
) -> list[wire.AffectedComponent] | None:
    """Return the components that were sent; none if the vendor refused them."""
    return None if any(omission.field == "affected_components" for omission in calls.omitted) else affected
