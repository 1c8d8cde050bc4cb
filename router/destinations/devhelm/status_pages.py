"""The kind ``devhelm-status-page``: the last stage of an alert that customers may see, a post at DevHelm.

A page may draft posts by itself, from an incident of ours: such a draft is adopted, brought to the rule's words and
published, instead of a second post being opened. The vendor takes no idempotency keys, so everything is looked up
before it is repeated.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from router.destinations import (
    base,
    components,
    name_lookup,
    observations,
    reduced_calls,
    references,
    rule_fields,
    severity_mapping,
)
from router.destinations.devhelm import config as configs
from router.destinations.devhelm import corrections, linked_posts, names, posts, wire
from router.domain import operations, severities, texts
from router.domain.reasons import Edit
from router.outbound import client, errors

_WELL = "OPERATIONAL"
_MAINTENANCE = "UNDER_MAINTENANCE"
# What a create may be refused for with a 404 that names no field.
_SUSPECTS = ("monitoring_incident_id", "affected_components")


class StatusPages:
    """Posts on the status pages of one account."""

    repeatable_open = False

    def __init__(self, name: str, config: configs.PostConfig, http: client.Client) -> None:
        self.name = name
        self._config = config
        self._http = http
        self._names = names.Names(http)
        self._posts = posts.Posts(http)

    async def adopt(self, operation: operations.Operation) -> operations.VendorState | None:
        """Look for what the page, or a person on it, made of the incident that it follows; None if nothing.

        Nothing is changed yet: a draft is brought to the rule's words by an update or when it is published.
        """
        wanted = rule_fields.parse_current(configs.PostOpening, self._config, operation)
        page_id = await self._page_id(wanted)
        found = await self._posts.linked(page_id, operation)
        return _linked(found, operation) if found else None

    async def find(self, operation: operations.Operation) -> operations.VendorState | None:
        """Look for our reference, then for the link. Further posts with the reference are ended, the oldest stays."""
        wanted = rule_fields.parse_current(configs.PostOpening, self._config, operation)
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
        """Throw away or resolve every other post that carries our reference, on the page that the rule names."""
        wanted = rule_fields.parse_current(configs.PostOpening, self._config, operation)
        page_id = await self._page_id(wanted)
        mine = posts.PostLocation.parse(operation.vendor_id).post_id
        ours = await self._posts.find_signed(page_id, operation.reference, operation.opened_at)
        further = [post for post in ours if post.id != mine and posts.state(post) != "resolved"]
        for post in further:
            await self._posts.end(post, _duplicate(operation))
        return tuple(post.id for post in further)

    async def list_open(self, others: Collection[str] = ()) -> list[operations.OpenItem]:
        """Read the posts that carry a reference and aren't resolved, on every page that may be this destination's."""
        pages = name_lookup.own_pages(
            await self._names.pages.entries(), self._names.pages, base.page_of(self._config), others
        )
        return [item for page in pages for item in await self._posts.find_unresolved(page.id)]

    def recognizes(self, item: operations.OpenItem, operation: operations.Operation) -> bool:  # noqa: ARG002 - a Destination
        """Recognize nothing: every post carries its reference."""
        return False

    async def open(self, operation: operations.Operation) -> operations.VendorState:
        """Create the post, public at once; what the page has made of the incident meanwhile is used instead."""
        wanted, omitted = rule_fields.parse_fitted(configs.PostOpening, self._config, operation)
        calls = reduced_calls.ReducibleCall(self._http, suspects=_SUSPECTS, omitted=list(omitted))
        page_id = await self._page_id(wanted)
        found = await self._posts.linked(page_id, operation)
        if found is not None and found.is_linked_by_person:
            return _linked(found, operation)
        if found is not None and wanted.keep_draft and posts.state(found.post) == "draft":
            return posts.observed(found.post, operation)  # What is approved so far is not what it would say.
        if found is not None:
            return await self._publish(found.post, operation, wanted)
        body = wire.CreatePost(
            title=wanted.title,
            impact=self._impact(wanted, operation.content.severity),
            body=_signed(wanted, operation),
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
        """Bring title, impact, status and components to the content; what is published also gets its text, once."""
        wanted = rule_fields.parse_current(configs.PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        if (edited := await self._refusal(post, operation, wanted)) is not None:
            return edited
        if posts.state(post) == "draft":
            answer, sent = await self._put(post, operation, wanted, wanted.status)
            return await self._posts.read_back(answer, operation, sent)
        if posts.state(post) == "open":
            return await self._change(post, operation, wanted, self._update_text(wanted))
        return posts.observed(post, operation)

    async def publish(self, operation: operations.Operation) -> operations.VendorState:
        """Publish the draft with the rule's words, unless somebody has."""
        wanted = rule_fields.parse_current(configs.PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        if (edited := await self._refusal(post, operation, wanted)) is not None:
            return edited
        return await self._publish(post, operation, wanted)

    async def resolve(self, operation: operations.Operation) -> operations.VendorState:
        """Post the resolution, unless somebody has, and then the postmortem where the rule has one."""
        wanted = rule_fields.parse_current(configs.PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        if posts.state(post) == "draft":
            return posts.observed(post, operation)
        if (edited := await self._refusal(post, operation, wanted)) is not None:
            return edited
        text = wanted.resolve_message or self._config.resolve_message
        note, read = "", [entry.id for entry in posts.timeline(post)]
        if posts.state(post) == "open":
            post, note = await self._post_resolution(post, operation, wanted, text)
            post_is_ours = True
        else:
            # After a crash the resolution may stand without its postmortem; a person's resolution stays as it is.
            post_is_ours = any(
                entry.status == "RESOLVED" and texts.alike(entry.text, text) for entry in posts.timeline(post)
            )
        omitted = await self._put_postmortem(post, wanted) if post_is_ours else ()
        sent = posts.Sent({}, {text} if post_is_ours else (), read)
        seen = posts.observed(post, operation, sent, is_answer=True)
        return msgspec.structs.replace(seen, state="resolved", note=note, omitted=omitted, differs="")

    async def dismiss(self, operation: operations.Operation) -> operations.VendorState:
        """Throw the draft away, unless a person has made it; what is published by now is answered as open."""
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
        """Unpublish the post, set its components back, and throw the draft away that it has become."""
        wanted = rule_fields.parse_current(configs.PostOpening, self._config, operation)
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
        # A draft could still be published by somebody who doesn't know why it is one. And the vendor throws nothing
        # away that it still shows, so the answer proves that the post is down.
        await self._http.call("POST", f"{place.path}/dismiss")
        return operations.VendorState(operation.vendor_id, "dismissed", note=note)

    async def correct(self, operation: operations.Operation) -> operations.VendorState:
        """Replace the text of an update of ours, unless it says something else than the operator has seen."""
        return await corrections.correct(self._http, self._posts, operation)

    async def probe(self) -> None:
        """Read the account's first status page."""
        await self._posts.probe()

    async def observe(self, operation: operations.Operation) -> operations.VendorState:
        """Read the post's state, and what a person has changed."""
        wanted = rule_fields.parse_current(configs.PostOpening, self._config, operation)
        post = await self._posts.observe(posts.PostLocation.parse(operation.vendor_id))
        if posts.state(post) != "resolved" and posts.is_stale(post, operation):
            return msgspec.structs.replace(posts.observed(post, operation), view=None, is_stale=True)
        edited = self._edited(post, operation, wanted)
        if (
            not edited
            and posts.state(post) == "open"
            and observations.edited_components(operation, posts.affected_components(post))
        ):
            edited = Edit.COMPONENT_CHANGED
        return posts.observed(post, operation, edited=edited)

    def touches(self, operation: operations.Operation) -> Mapping[str, components.Status]:
        """How the rule's words affect components, by the names that it gives them."""
        wanted = rule_fields.parse_current(configs.PostOpening, self._config, operation)
        return components.statuses(wanted.components, operation.content.severity, self._config.component_statuses)

    async def check(self, fields: Mapping[str, Any] = base.NOTHING) -> list[str]:
        """Look up the page and the defaults' components, and see whether the page's mode fits."""
        defaults = {**self._config.defaults, **fields}
        called = defaults.get("page") or self._config.page
        if not called:
            return []
        try:
            page = await self._names.pages.find(called, field="page")
        except errors.Failure as problem:
            return [problem.message]
        problems = _mode_problems(page, self._config.follows)
        for component in defaults.get("components") or ():
            problems += await name_lookup.list_problems(self._names.component_id(page.id, component))
        return problems

    async def channels(self) -> list[base.Channel]:
        """Nothing is passed on from here."""
        return []

    async def aclose(self) -> None:
        """Close the connections."""
        await self._posts.aclose()
        await self._http.aclose()

    async def _page_id(self, wanted: configs.PostOpening) -> str:
        called = wanted.page or self._config.page
        if not called:
            raise errors.Permanent(f"{self.name}: neither the rule nor the configuration names a page", field="page")
        return await self._names.pages.id_of(called, field="page")

    async def _components(
        self, page_id: str, operation: operations.Operation, omitted: list[operations.Omission]
    ) -> list[wire.AffectedComponent]:
        statuses = components.merge_statuses(self.touches(operation), operation.others)
        found = []
        for called, status in statuses.items():
            component_id = await reduced_calls.known_or_omitted(
                self._names.component_id(page_id, called), "components", omitted
            )
            if component_id is not None:
                found.append(wire.AffectedComponent(component_id, status.upper()))
        return found

    def _impact(self, wanted: configs.PostOpening, severity: severities.Severity) -> configs.Impact:
        return severity_mapping.map_severity(self._config.impacts, severity) if wanted.impact is None else wanted.impact

    async def _publish(
        self, post: wire.Post, operation: operations.Operation, wanted: configs.PostOpening
    ) -> operations.VendorState:
        if posts.state(post) == "resolved":
            return posts.observed(post, operation)
        if posts.state(post) == "open":
            return await self._change(post, operation, wanted, "")
        calls = reduced_calls.ReducibleCall(self._http, suspects=_SUSPECTS)
        body = wire.PublishPost(
            title=wanted.title,
            impact=self._impact(wanted, operation.content.severity),
            status=wanted.status,
            body=_signed(wanted, operation),
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
        self, post: wire.Post, operation: operations.Operation, wanted: configs.PostOpening, status: str | None
    ) -> tuple[wire.Post, posts.Sent]:
        """Change what differs, and return the vendor's answer; nothing is called if nothing differs."""
        affected = await self._components(post.status_page_id, operation, [])
        change = self._difference(post, operation, wanted, status)
        change.affected_components = _changed(post, affected)
        sent = self._sent(operation, wanted, affected)
        if change == wire.PutPost():
            return post, sent
        answer = await self._http.call("PUT", posts.PostLocation(post.status_page_id, post.id).path, json=change)
        return answer.read(wire.PostAnswer).data, sent

    def _difference(
        self, post: wire.Post, operation: operations.Operation, wanted: configs.PostOpening, status: str | None
    ) -> wire.PutPost:
        """What to change of title, status and impact; what the vendor made of them when we last sent it stays."""
        last, view = operation.before, operation.view
        before = rule_fields.parse_previous(configs.PostOpening, self._config, operation)
        impact = self._impact(wanted, operation.content.severity)
        change = wire.PutPost(status=status if status != post.status else None)
        if not texts.alike(wanted.title, post.title):
            is_as_left = before is not None and before.title == wanted.title and post.title in view.titles[-1:]
            change.title = None if is_as_left else wanted.title
        if impact != post.impact:
            sent = self._impact(before, last.severity) if before is not None and last is not None else None
            change.impact = None if sent == impact and view.fields.get("impact") == post.impact else impact
        return change

    def _sent(
        self,
        operation: operations.Operation,
        wanted: configs.PostOpening,
        affected: list[wire.AffectedComponent] | None,
    ) -> posts.Sent:
        asked = {one.component_id: one.status for one in affected or ()}
        return posts.Sent(asked, self._ours(operation, wanted))

    def _ours(self, operation: operations.Operation, wanted: configs.PostOpening) -> set[str]:
        """Every text that the router may have posted by this operation or the one before."""
        before = rule_fields.parse_previous(configs.PostOpening, self._config, operation)
        known = [wanted] if before is None else [before, wanted]
        found = {_signed(one, operation) for one in known} | {self._update_text(one) for one in known}
        return {text for text in found if text}

    def _found(
        self, post: wire.Post, operation: operations.Operation, wanted: configs.PostOpening
    ) -> operations.VendorState:
        """What an open that was not answered has left: nobody knows yet whether it shows what was sent."""
        return posts.observed(post, operation, posts.Sent({}, self._ours(operation, wanted)), is_answer=True)

    async def _refusal(
        self, post: wire.Post, operation: operations.Operation, wanted: configs.PostOpening
    ) -> operations.VendorState | None:
        """What a person has changed, which stays; ``Stale`` if the post was read as it was before our last change."""
        if posts.state(post) != "resolved" and posts.is_stale(post, operation):
            raise errors.Stale(f"{self.name}: a read doesn't show the last change yet")
        edited = self._edited(post, operation, wanted)
        if not edited and operation.kind not in {"resolve", "retract"}:
            affected = await self._components(post.status_page_id, operation, [])
            ours = {one.component_id: one.status for one in affected}
            if observations.edited_components(operation, posts.affected_components(post), ours):
                edited = Edit.COMPONENT_CHANGED
        return posts.observed(post, operation, edited=edited) if edited else None

    def _edited(self, post: wire.Post, operation: operations.Operation, wanted: configs.PostOpening) -> Edit | None:
        """What a person has changed: it is neither as the vendor has returned it nor as we want it now."""
        last, view = operation.before, operation.view
        before = rule_fields.parse_previous(configs.PostOpening, self._config, operation)
        is_ended = posts.state(post) == "resolved"
        # A draft that the page has made itself has nothing of ours yet: it is compared with how it was found.
        if is_ended or (before is None and not view.fields):
            return None
        known = [wanted] if before is None else [before, wanted]
        if observations.edited_title(operation, post.title, {one.title for one in known}):
            return Edit.TITLE_CHANGED
        impacts = {self._impact(wanted, operation.content.severity), view.fields.get("impact")}
        if before is not None and last is not None:
            impacts.add(self._impact(before, last.severity))
        if post.impact not in impacts:
            return Edit.IMPACT_CHANGED
        ours = self._ours(operation, wanted) | posts.is_published_automatically(post)
        return observations.edited_timeline(operation, posts.timeline(post), ours)

    def _update_text(self, wanted: configs.PostOpening) -> str:
        return self._config.update_message if wanted.update_message is None else wanted.update_message

    async def _change(
        self, post: wire.Post, operation: operations.Operation, wanted: configs.PostOpening, text: str
    ) -> operations.VendorState:
        """Change a published post, and say so, unless an earlier attempt of this operation has said it."""
        is_worse = operation.before is not None and operation.worsens
        answer, sent = await self._put(post, operation, wanted, wanted.update_status)
        # What the page has published by itself does not have the rule's message yet.
        if not self._has_message(post, operation, wanted):
            text = _signed(wanted, operation)
        timeline = posts.timeline(post)
        status = wanted.update_status or post.status
        is_said = observations.is_newest_text(operation, timeline, text, status)
        if text and not (is_said and not is_worse) and not observations.is_posted(operation, timeline, text, status):
            update = wire.PostUpdate(status, text, wanted.notify and operation.worsens)
            path = f"{posts.PostLocation(post.status_page_id, post.id).path}/updates"
            answer = (
                (await reduced_calls.ReducibleCall(self._http).call("POST", path, update)).read(wire.PostAnswer).data
            )
            sent = sent._replace(read=[entry.id for entry in timeline])
        return await self._posts.read_back(answer, operation, sent)

    def _has_message(self, post: wire.Post, operation: operations.Operation, wanted: configs.PostOpening) -> bool:
        """Whether the timeline has the rule's message, whatever the vendor has made of it."""
        if posts.is_signed(post, operation.reference):
            return True
        ours = self._ours(operation, wanted)
        return any(
            texts.is_cut(entry.text, text) for entry in posts.timeline(post) for text in ours if "Reference" in text
        )

    async def _post_resolution(
        self, post: wire.Post, operation: operations.Operation, wanted: configs.PostOpening, text: str
    ) -> tuple[wire.Post, str]:
        affected, note = await self._set_back(post, operation)
        update = wire.PostUpdate("RESOLVED", text, wanted.notify, affected or None)
        path = f"{posts.PostLocation(post.status_page_id, post.id).path}/updates"
        answer = (await reduced_calls.ReducibleCall(self._http).call("POST", path, update)).read(wire.PostAnswer).data
        return answer, note

    async def _set_back(
        self, post: wire.Post, operation: operations.Operation
    ) -> tuple[list[wire.AffectedComponent], str]:
        """The statuses that the post's components have once it is over, and which are left under maintenance."""
        # The vendor does not say that a resolution sets components back, so it is said; but none is set back further
        # than to what another incident of ours says of it, and what a person has put under maintenance stays there.
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
        """The components that a person has put under maintenance, with their names by ID.

        The vendor may say so in this post, if not the router has asked for it, in another post, or of the component.
        """
        shown, asked = posts.affected_components(post), operation.view.asked
        ours = {one for one, status in asked.items() if status == _MAINTENANCE}
        found = {one for one, status in shown.items() if status == _MAINTENANCE and one not in ours}
        try:
            known = await self._names.components(post.status_page_id)
            others = [one for one in await self._posts.find_ongoing(post.status_page_id) if one.id != post.id]
        except (errors.Permanent, errors.Denied):  # The key may not read them. The resolution can't wait for that.
            return dict.fromkeys(found, "a component")
        for other in others:
            found |= {one for one, status in posts.affected_components(other).items() if status == _MAINTENANCE}
        found |= {one.id for one in known if one.current_status == _MAINTENANCE and one.id not in ours}
        called = {one.id: one.name for one in known}
        return {one: called.get(one, one) for one in found}

    async def _put_postmortem(self, post: wire.Post, wanted: configs.PostOpening) -> tuple[operations.Omission, ...]:
        """Set the postmortem. The post is resolved by now, whatever the vendor says of its postmortem."""
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
    """What is known of a linked post that nothing was sent to; of a person's the router changes nothing."""
    return posts.observed(found.post, operation, edited=Edit.POST_LINKED if found.is_linked_by_person else None)


def _duplicate(operation: operations.Operation) -> str:
    return references.add_footer("A duplicate of another post.", operation.reference)


def _signed(wanted: configs.PostOpening, operation: operations.Operation) -> str:
    return references.add_footer(wanted.message, operation.reference)


def _kept(
    affected: list[wire.AffectedComponent] | None, calls: reduced_calls.ReducibleCall
) -> list[wire.AffectedComponent] | None:
    """The components that were sent; none if the vendor refused them."""
    return None if any(one.field == "affected_components" for one in calls.omitted) else affected


def _changed(post: wire.Post, affected: list[wire.AffectedComponent]) -> list[wire.AffectedComponent] | None:
    """The whole list to send; None where nothing in it is new. What somebody else has added to it stays in it."""
    shown = {one.status_page_component_id: one.component_status for one in post.affected_components or ()}
    changed = {**shown, **{one.component_id: one.status for one in affected}}
    if changed == shown:
        return None
    return [wire.AffectedComponent(component_id, status) for component_id, status in changed.items()]


def _mode_problems(page: wire.Page, follows: str) -> list[str]:
    if page.incident_mode == "AUTOMATIC":
        return [
            f'page "{page.name}" publishes by itself (incidentMode AUTOMATIC): posts may appear before anybody has'
            " approved them, and twice; set it to REVIEW or MANUAL"
        ]
    if page.incident_mode == "REVIEW" and not follows:
        return [f'page "{page.name}" drafts by itself (incidentMode REVIEW): set `follows` so that drafts are adopted']
    return []
