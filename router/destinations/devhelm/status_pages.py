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
from router.destinations.devhelm import corrections, linked_posts, names, post_contents, posts, wire
from router.destinations.devhelm.config import PostConfig, PostOpening
from router.domain import operations, texts
from router.domain.reasons import Edit
from router.outbound import client, errors

_WELL = "OPERATIONAL"
_MAINTENANCE = "UNDER_MAINTENANCE"
# Fields that may cause a 404 of a create without a named field.
_SUSPECTS = ("monitoring_incident_id", "affected_components")


class StatusPages:
    """Posts on the status pages of one account."""

    repeatable_open = False

    def __init__(self, name: str, config: PostConfig, http: client.Client) -> None:
        self.name = name
        self._config = config
        self._http = http
        self._names = names.Names(http)
        self._posts = posts.Posts(http)
        self._contents = post_contents.PostContents(config)

    async def adopt(self, operation: operations.Operation) -> operations.VendorState | None:
        """Find what the page, or a person on it, created for the incident that it follows.

        Return None if there is nothing.

        Nothing is changed yet: an update or the publication sets the rule's texts.
        """
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        page_id = await self._page_id(wanted)
        found = await self._posts.linked(page_id, operation)
        return _linked(found, operation) if found else None

    async def find(self, operation: operations.Operation) -> operations.VendorState | None:
        """Search for our reference, then for the link. Keep the oldest post with the reference and end the others."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        page_id = await self._page_id(wanted)
        ours = await self._posts.find_signed(page_id, operation.reference, operation.opened_at, operation.linked_id)
        for further in ours[1:]:
            await self._posts.end(further, _duplicate(operation))
        if ours:
            return self._found(ours[0], operation, wanted)
        found = await self._posts.linked(page_id, operation)
        if found is None or found.is_linked_by_person:
            return _linked(found, operation) if found else None
        return self._found(found.post, operation, wanted)

    async def end_duplicates(self, operation: operations.Operation) -> tuple[str, ...]:
        """Delete or resolve every other post with our reference on the page that the rule names."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        page_id = await self._page_id(wanted)
        mine = posts.PostLocation.parse(operation.vendor_id).post_id
        ours = await self._posts.find_signed(page_id, operation.reference, operation.opened_at)
        further = [post for post in ours if post.id != mine and posts.state(post) != "resolved"]
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
        """Create the post, which is public immediately. If the page has created one meanwhile, use that."""
        wanted, omitted = rule_fields.parse_fitted(PostOpening, self._config, operation)
        calls = reduced_calls.ReducibleCall(self._http, suspects=_SUSPECTS, omitted=list(omitted))
        page_id = await self._page_id(wanted)
        found = await self._posts.linked(page_id, operation)
        if found is not None and found.is_linked_by_person:
            return _linked(found, operation)
        if found is not None and wanted.keep_draft and posts.state(found.post) == "draft":
            return posts.observed(found.post, operation)  # The approved text isn't the text that it would have.
        if found is not None:
            return await self._publish(found.post, operation, wanted)
        body = wire.CreatePost(
            title=wanted.title,
            impact=self._contents.impact(wanted, operation.content.severity),
            body=post_contents.sign(wanted, operation),
            notify_subscribers=wanted.notify,
            status=wanted.status,
            affected_components=await self._components(page_id, operation, calls.omitted) or None,
            monitoring_incident_id=operation.linked_id or None,
        )
        answer = await calls.call("POST", f"{names.PAGES}/{client.segment(page_id)}/incidents", body)
        sent = self._sent(operation, wanted, _kept(body.affected_components, calls))._replace(read=())
        seen = await self._posts.read_back(answer.read(wire.PostAnswer).data, operation, sent)
        return msgspec.structs.replace(seen, omitted=tuple(calls.omitted))

    async def update(self, operation: operations.Operation) -> operations.VendorState:
        """Update title, impact, status, and components. A published post also gets the update text once."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        if (edited := await self._refusal(post, operation, wanted)) is not None:
            return edited
        if posts.state(post) == "draft":
            answer, sent = await self._put(post, operation, wanted, wanted.status)
            return await self._posts.read_back(answer, operation, sent)
        if posts.state(post) == "open":
            return await self._change(post, operation, wanted, self._contents.update_text(wanted))
        return posts.observed(post, operation)

    async def publish(self, operation: operations.Operation) -> operations.VendorState:
        """Publish the draft with the rule's texts, unless it is published already."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        if (edited := await self._refusal(post, operation, wanted)) is not None:
            return edited
        return await self._publish(post, operation, wanted)

    async def resolve(self, operation: operations.Operation) -> operations.VendorState:
        """Post the resolution, unless the post is resolved already, and then the postmortem if the rule has one."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        if posts.state(post) == "draft":
            return posts.observed(post, operation)
        if (edited := await self._refusal(post, operation, wanted)) is not None:
            return edited
        text = self._contents.resolve_text(wanted)
        note, read = "", [entry.id for entry in posts.timeline(post)]
        if posts.state(post) == "open":
            post, note = await self._post_resolution(post, operation, wanted, text)
            post_is_ours = True
        else:
            # After a crash the postmortem of our resolution may be missing. A person's resolution stays as it is.
            post_is_ours = any(
                entry.status == "RESOLVED" and texts.alike(entry.text, text) for entry in posts.timeline(post)
            )
        omitted = await self._put_postmortem(post, wanted) if post_is_ours else ()
        sent = posts.Sent({}, {text} if post_is_ours else (), read)
        seen = posts.observed(post, operation, sent, is_answer=True)
        return msgspec.structs.replace(seen, state="resolved", note=note, omitted=omitted, differs="")

    async def dismiss(self, operation: operations.Operation) -> operations.VendorState:
        """Delete the draft, unless a person created it. If it is published by now, return it as open."""
        place = posts.PostLocation.parse(operation.vendor_id)
        post = await self._posts.observe(place)
        if posts.state(post) != "draft":
            return posts.observed(post, operation)
        if await self._posts.is_linked_by_person(post, operation):
            return operations.VendorState(
                operation.vendor_id, "dismissed", note="a person has made this draft, so it stays"
            )
        await self._http.call("POST", f"{place.path}/dismiss")
        return operations.VendorState(operation.vendor_id, "dismissed")

    async def retract(self, operation: operations.Operation) -> operations.VendorState:
        """Unpublish the post, reset its components, and delete the resulting draft."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        place = posts.PostLocation.parse(operation.vendor_id)
        post = await self._posts.observe(place)
        if posts.state(post) == "resolved":
            return msgspec.structs.replace(posts.observed(post, operation), note="it was resolved already")
        note = ""
        if posts.state(post) == "open":
            if (edited := await self._refusal(post, operation, wanted)) is not None:
                return edited
            affected, note = await self._set_back(post, operation)
            change = wire.PutPost(affected_components=affected or None, published=False)
            answer = await self._http.call("PUT", place.path, json=change)
            if answer.read(wire.PostAnswer).data.published_at is not None:
                raise errors.Unanswered(f"{self.name}: unpublishing was answered with a published post")
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
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        if posts.state(post) != "resolved" and posts.is_stale(post, operation):
            return msgspec.structs.replace(posts.observed(post, operation), view=None, is_stale=True)
        edited = self._contents.edited(post, operation, wanted)
        if not edited and posts.state(post) == "open" and await self._has_edited_components(post, operation):
            edited = Edit.COMPONENT_CHANGED
        seen = posts.observed(post, operation, edited=edited)
        if edited or posts.state(post) != "open":
            return seen
        differs = filter(None, (seen.differs, *self._contents.left_by_uncertain(post, operation, wanted)))
        return msgspec.structs.replace(seen, differs=", ".join(differs))

    def touches(self, operation: operations.Operation) -> Mapping[str, components.Status]:
        """Return the component statuses that the rule sets, by the names that it uses."""
        wanted = rule_fields.parse_current(PostOpening, self._config, operation)
        return self._contents.statuses(wanted, operation.content.severity)

    async def check(self, fields: Mapping[str, Any] = base.NOTHING) -> list[str]:
        """Look up the page and the default components, and check the page's mode."""
        defaults = {**self._config.defaults, **fields}
        called = defaults.get("page") or self._config.page
        if not called:
            return []
        try:
            page = await self._names.pages.find(called, field="page")
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

    async def _page_id(self, wanted: PostOpening) -> str:
        called = wanted.page or self._config.page
        if not called:
            raise errors.Permanent(f"{self.name}: neither the rule nor the configuration names a page", field="page")
        return await self._names.pages.id_of(called, field="page")

    async def _components(
        self, page_id: str, operation: operations.Operation, omitted: list[operations.Omission]
    ) -> list[wire.AffectedComponent]:
        statuses = components.merge_statuses(self.touches(operation), operation.others)
        return await self._affected(page_id, statuses, omitted)

    async def _affected(
        self, page_id: str, statuses: Mapping[str, components.Status], omitted: list[operations.Omission]
    ) -> list[wire.AffectedComponent]:
        found = []
        for called, status in statuses.items():
            component_id = await reduced_calls.known_or_omitted(
                self._names.component_id(page_id, called), "components", omitted
            )
            if component_id is not None:
                found.append(wire.AffectedComponent(component_id, status.upper()))
        return found

    async def _publish(
        self, post: wire.Post, operation: operations.Operation, wanted: PostOpening
    ) -> operations.VendorState:
        if posts.state(post) == "resolved":
            return posts.observed(post, operation)
        if posts.state(post) == "open":
            return await self._change(post, operation, wanted, "")
        calls = reduced_calls.ReducibleCall(self._http, suspects=_SUSPECTS)
        body = wire.PublishPost(
            title=wanted.title,
            impact=self._contents.impact(wanted, operation.content.severity),
            status=wanted.status,
            body=post_contents.sign(wanted, operation),
            notify_subscribers=wanted.notify,
            affected_components=await self._components(post.status_page_id, operation, calls.omitted) or None,
        )
        place = posts.PostLocation(post.status_page_id, post.id)
        published = (await calls.call("POST", f"{place.path}/publish", body)).read(wire.PostAnswer).data
        if published.published_at is None:
            raise errors.Unanswered(f"{self.name}: publishing was answered with a draft")
        sent = self._sent(operation, wanted, _kept(body.affected_components, calls))
        sent = sent._replace(read=[entry.id for entry in posts.timeline(post)])
        seen = await self._posts.read_back(published, operation, sent)
        return msgspec.structs.replace(seen, omitted=tuple(calls.omitted))

    async def _put(
        self, post: wire.Post, operation: operations.Operation, wanted: PostOpening, status: str | None
    ) -> tuple[wire.Post, posts.Sent]:
        """Change what differs and return the vendor's response; make no call if nothing differs."""
        affected = await self._components(post.status_page_id, operation, [])
        change = self._contents.difference(post, operation, wanted, status)
        change.affected_components = post_contents.changed_components(post, affected)
        sent = self._sent(operation, wanted, affected)
        if change == wire.PutPost():
            return post, sent
        answer = await self._http.call("PUT", posts.PostLocation(post.status_page_id, post.id).path, json=change)
        return answer.read(wire.PostAnswer).data, sent

    def _sent(
        self,
        operation: operations.Operation,
        wanted: PostOpening,
        affected: list[wire.AffectedComponent] | None,
    ) -> posts.Sent:
        asked = {one.component_id: one.status for one in affected or ()}
        return posts.Sent(asked, self._contents.ours(operation, wanted))

    def _found(self, post: wire.Post, operation: operations.Operation, wanted: PostOpening) -> operations.VendorState:
        """Return the state after an unanswered open. It is unknown whether the post shows what was sent."""
        return posts.observed(post, operation, posts.Sent({}, self._contents.ours(operation, wanted)), is_answer=True)

    async def _refusal(
        self, post: wire.Post, operation: operations.Operation, wanted: PostOpening
    ) -> operations.VendorState | None:
        """Return what a person has changed, which is kept. Raises ``Stale`` if the read predates our last change."""
        if posts.state(post) != "resolved" and posts.is_stale(post, operation):
            raise errors.Stale(f"{self.name}: a read doesn't show the last change yet")
        edited = self._contents.edited(post, operation, wanted)
        if not edited and operation.kind not in {"resolve", "retract"}:
            affected = await self._components(post.status_page_id, operation, [])
            if await self._has_edited_components(post, operation, affected):
                edited = Edit.COMPONENT_CHANGED
        return posts.observed(post, operation, edited=edited) if edited else None

    async def _has_edited_components(
        self, post: wire.Post, operation: operations.Operation, wanted: Collection[wire.AffectedComponent] = ()
    ) -> bool:
        """Return whether a person has changed a component: neither we nor uncertain updates set its status."""
        uncertain = self._contents.uncertain_statuses(operation)
        known = [wanted, *[await self._affected(post.status_page_id, statuses, []) for statuses in uncertain]]
        ours = [{one.component_id: one.status for one in affected} for affected in known]
        return observations.edited_components(operation, posts.affected_components(post), *ours)

    async def _change(
        self, post: wire.Post, operation: operations.Operation, wanted: PostOpening, text: str
    ) -> operations.VendorState:
        """Change a published post and post the update, unless an earlier attempt of this operation has posted it."""
        is_worse = operation.before is not None and operation.worsens
        answer, sent = await self._put(post, operation, wanted, wanted.update_status)
        # A post that the page published automatically doesn't have the rule's message yet.
        if not self._contents.has_message(post, operation, wanted):
            text = post_contents.sign(wanted, operation)
        timeline = posts.timeline(post)
        status = wanted.update_status or post.status
        is_said = self._contents.is_said(post, operation, wanted, text, status)
        if text and not (is_said and not is_worse) and not observations.is_posted(operation, timeline, text, status):
            update = wire.PostUpdate(status, text, wanted.notify and operation.worsens)
            path = f"{posts.PostLocation(post.status_page_id, post.id).path}/updates"
            left = None if answer is post else posts.left(answer, operation, sent)
            with half_done.leaving(left):
                said = await reduced_calls.ReducibleCall(self._http).call("POST", path, update)
                answer = said.read(wire.PostAnswer).data
            sent = sent._replace(read=[entry.id for entry in timeline])
        return await self._posts.read_back(answer, operation, sent)

    async def _post_resolution(
        self, post: wire.Post, operation: operations.Operation, wanted: PostOpening, text: str
    ) -> tuple[wire.Post, str]:
        affected, note = await self._set_back(post, operation)
        update = wire.PostUpdate("RESOLVED", text, wanted.notify, affected or None)
        path = f"{posts.PostLocation(post.status_page_id, post.id).path}/updates"
        answer = (await reduced_calls.ReducibleCall(self._http).call("POST", path, update)).read(wire.PostAnswer).data
        return answer, note

    async def _set_back(
        self, post: wire.Post, operation: operations.Operation
    ) -> tuple[list[wire.AffectedComponent], str]:
        """Return the component statuses after the resolution, and the components left under maintenance."""
        # The vendor doesn't document that a resolution resets components, so reset them explicitly. Keep statuses that
        # our other incidents set, and components that a person has put under maintenance.
        named = [name for name in operation.others if name in self.touches(operation)]
        others = {
            await self._names.component_id(post.status_page_id, name): operation.others[name].upper() for name in named
        }
        shown = [one.status_page_component_id for one in post.affected_components or ()]
        maintained = await self._maintained(post, operation) if shown else {}
        statuses = {one: others.get(one, _WELL) for one in shown}
        kept = [one for one, status in statuses.items() if status == _WELL and one in maintained]
        statuses |= dict.fromkeys(kept, _MAINTENANCE)
        affected = [wire.AffectedComponent(one, status) for one, status in statuses.items()]
        return affected, f"left under maintenance: {', '.join(maintained[one] for one in kept)}" if kept else ""

    async def _maintained(self, post: wire.Post, operation: operations.Operation) -> dict[str, str]:
        """Return the components that a person has put under maintenance, with their names by ID.

        The vendor may show this in this post, if the router didn't set it, in another post, or in the component.
        """
        shown, asked = posts.affected_components(post), operation.view.asked
        ours = {one for one, status in asked.items() if status == _MAINTENANCE}
        found = {one for one, status in shown.items() if status == _MAINTENANCE and one not in ours}
        try:
            known = await self._names.components(post.status_page_id)
            others = [one for one in await self._posts.find_ongoing(post.status_page_id) if one.id != post.id]
        except (errors.Permanent, errors.Denied):  # The key can't read them. The resolution doesn't wait for that.
            return dict.fromkeys(found, "a component")
        for other in others:
            found |= {one for one, status in posts.affected_components(other).items() if status == _MAINTENANCE}
        found |= {one.id for one in known if one.current_status == _MAINTENANCE and one.id not in ours}
        called = {one.id: one.name for one in known}
        return {one: called.get(one, one) for one in found}

    async def _put_postmortem(self, post: wire.Post, wanted: PostOpening) -> tuple[operations.Omission, ...]:
        """Set the postmortem. The post is resolved already, so a refusal doesn't undo the resolution."""
        body = wanted.postmortem_body if wanted.postmortem_body != (post.postmortem_body or None) else None
        url = wanted.postmortem_url if wanted.postmortem_url != (post.postmortem_url or None) else None
        change = wire.PutPost(postmortem_body=body, postmortem_url=url)
        if change == wire.PutPost():
            return ()
        try:
            await self._http.call("PUT", posts.PostLocation(post.status_page_id, post.id).path, json=change)
        except errors.Permanent as problem:
            return (operations.Omission("postmortem", "refused", f"left out, the vendor refused it: {problem}"),)
        return ()


def _linked(found: linked_posts.LinkedPost, operation: operations.Operation) -> operations.VendorState:
    """Return the state of a linked post before any call. The router changes nothing in a person's post."""
    return posts.observed(found.post, operation, edited=Edit.POST_LINKED if found.is_linked_by_person else None)


def _duplicate(operation: operations.Operation) -> str:
    return references.add_footer("A duplicate of another post.", operation.reference)


def _kept(
    affected: list[wire.AffectedComponent] | None, calls: reduced_calls.ReducibleCall
) -> list[wire.AffectedComponent] | None:
    """Return the components that were sent; none if the vendor refused them."""
    return None if any(one.field == "affected_components" for one in calls.omitted) else affected
