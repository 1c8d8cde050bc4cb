"""The kind ``incident-io-status-page``: the last stage of an alert that customers may see, a post at incident.io."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from router.destinations import base, components, directory, opening, reducing
from router.destinations.incident_io import account, names, wire
from router.destinations.incident_io import config as configs
from router.domain import identity
from router.domain import operation as operations
from router.domain import publication as publications
from router.outbound import client, errors

# The ladder's words are incident.io's, but for the worst.
_WORST = {"major_outage": "full_outage"}
# How long before the episode's opening its post is looked for: the vendor's clock is not ours.
_SKEW = dt.timedelta(hours=1)


class StatusPages:
    """Posts on the status pages of one account. The vendor knows no drafts: what is created is public."""

    # The same idempotency key brings the original answer.
    repeatable_open = True

    def __init__(self, name: str, config: configs.PostConfig, http: client.Client) -> None:
        self.name = name
        self._config = config
        self._http = http
        self._names = names.Names(http)

    async def adopt(self, operation: operations.Operation) -> None:
        """Nothing to adopt: the vendor drafts no posts."""

    async def find(self, operation: operations.Operation) -> operations.Seen | None:
        """Search the page for the post that an open may have created.

        A post carries no reference, since customers read it: it is known by its title, its first text, and the time.
        Posts of other incidents of ours may look the same; ``operation.taken`` names them.
        """
        wanted = opening.of(configs.PostOpening, self._config, operation)
        page = await self._page(wanted)
        query: dict[str, str | int] = {"status_page_id": page.id, "page_size": names.PAGE_SIZE}
        since = _moment(operation.opened_at) - _SKEW
        found: list[wire.Post] = []
        async for answer in account.listed(self._http, "/v2/status_page_incidents", wire.Posts, query):
            found += [post for post in answer.status_page_incidents if _is_opened_by(post, wanted, since)]
        ours = [post for post in found if post.id not in operation.taken]
        # The oldest one, as the vendor would have answered with the first that the key created.
        first = min(ours, key=lambda post: post.published_at or since, default=None)
        if first is None:
            return None
        told = tuple(identity.mark(update.message) for update in first.updates or ())
        return operations.Seen(first.id, _state(first), page.public_url, told=told)

    async def end_duplicates(self, operation: operations.Operation) -> tuple[str, ...]:  # noqa: ARG002 - a Destination
        """End nothing: the vendor creates one post for an idempotency key."""
        return ()

    async def open(self, operation: operations.Operation) -> operations.Seen:
        """Create the post; it is public at once."""
        wanted, omitted = opening.fitted(configs.PostOpening, self._config, operation)
        calls = reducing.Reducing(self._http, operation.is_repeated, omitted=list(omitted))
        page = await self._page(wanted)
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
        # An answer given again under the same key may be of a post that has been resolved since.
        told = (identity.mark(wanted.message),)
        return operations.Seen(post.id, _state(post), page.public_url, told=told, omitted=tuple(calls.omitted))

    async def update(self, operation: operations.Operation) -> operations.Seen:
        """Rename the post and add an update, each only where it is not there yet: updates have no idempotency key."""
        wanted = opening.of(configs.PostOpening, self._config, operation)
        post = await self._show(operation.vendor_id)
        if _state(post) == "resolved":
            return operations.Seen(post.id, "resolved")
        if edited := self._edited(post, operation, wanted):
            return operations.Seen(post.id, "open", edited=edited)
        if post.name != wanted.title:
            path = f"/v2/status_page_incidents/{client.segment(post.id)}"
            await self._http.call("PUT", path, json=wire.Rename(wanted.title))
        calls = reducing.Reducing(self._http)
        update = await self._update_body(post, operation, wanted, calls.omitted)
        note = ""
        if update is not None and not _is_there(post, update):
            note = _of_room(len(post.updates or ()) + 1)
            if len(post.updates or ()) < wire.LAST_UPDATE:
                await calls.call("POST", "/v2/status_page_incident_updates", update)
        told = [one.message for one in post.updates or ()] + ([update.message] if update is not None else [])
        marks = tuple(map(identity.mark, told))
        return operations.Seen(post.id, "open", told=marks, note=note, omitted=tuple(calls.omitted))

    async def publish(self, operation: operations.Operation) -> operations.Seen:
        """There are no drafts: this is the same as an update."""
        return await self.update(operation)

    async def resolve(self, operation: operations.Operation) -> operations.Seen:
        """Post the resolution, unless somebody has; the vendor sets the components back to operational."""
        wanted = opening.of(configs.PostOpening, self._config, operation)
        post = await self._show(operation.vendor_id)
        if edited := self._edited(post, operation, wanted):
            return operations.Seen(post.id, _state(post), edited=edited)
        calls = reducing.Reducing(self._http)
        if _state(post) != "resolved":
            update = wire.CreateUpdate(
                status_page_incident_id=post.id,
                message=wanted.resolve_message or self._config.resolve_message,
                notify_subscribers=wanted.notify,
                incident_status="resolved",
            )
            await calls.call("POST", "/v2/status_page_incident_updates", update)
        return operations.Seen(post.id, "resolved", omitted=tuple(calls.omitted))

    async def dismiss(self, operation: operations.Operation) -> operations.Seen:
        """There are no drafts: this is the same as a resolution."""
        return await self.resolve(operation)

    async def probe(self) -> None:
        """Read the account's first status page."""
        await self._http.call("GET", "/v2/status_pages", query={"page_size": 1})

    async def observe(self, operation: operations.Operation) -> operations.Seen:
        """Read the post's state, and what a person has changed."""
        wanted = opening.of(configs.PostOpening, self._config, operation)
        post = await self._show(operation.vendor_id)
        return operations.Seen(post.id, _state(post), edited=self._edited(post, operation, wanted))

    def touches(self, operation: operations.Operation) -> Mapping[str, components.Status]:
        """How the rule's words affect components, by the names that it gives them."""
        wanted = opening.of(configs.PostOpening, self._config, operation)
        return components.statuses(wanted.components, operation.content.severity, self._config.component_statuses)

    async def check(self, fields: Mapping[str, Any] = base.NOTHING) -> list[str]:
        """Look up the configured page, and the components that the defaults name on it."""
        defaults = {**self._config.defaults, **fields}
        page = defaults.get("page") or self._config.page
        if not page:
            return []
        problems = await directory.problems_of(self._names.pages.find(page, field="page"))
        if not problems:
            page_id = (await self._names.page(page)).id
            for component in defaults.get("components") or ():
                problems += await directory.problems_of(self._names.component_id(page_id, component))
        return problems

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _page(self, wanted: configs.PostOpening) -> wire.Page:
        called = wanted.page or self._config.page
        if not called:
            raise errors.Permanent(f"{self.name}: neither the rule nor the configuration names a page", field="page")
        return await self._names.page(called)

    async def _components(
        self, page_id: str, operation: operations.Operation, omitted: list[operations.Omission]
    ) -> list[wire.ComponentStatus]:
        statuses = components.with_others(self.touches(operation), operation.others)
        found = []
        for called, status in statuses.items():
            identity_of = await reducing.known(self._names.component_id(page_id, called), "components", omitted)
            if identity_of is not None:
                found.append(wire.ComponentStatus(identity_of, _WORST.get(status, status)))
        return found

    def _edited(self, post: wire.Post, operation: operations.Operation, wanted: configs.PostOpening) -> str:
        """What a person has changed of an open post: it is neither as we have left it nor as we want it now."""
        before = opening.before(configs.PostOpening, self._config, operation)
        if before is None or _state(post) == "resolved":
            return ""
        if post.name not in {before.title, wanted.title}:
            return "a person has changed the title"
        ours = {*operation.told, *map(identity.mark, (wanted.message, self._update_text(wanted)))}
        if any(one.message and identity.mark(one.message) not in ours for one in post.updates or ()):
            return "a person has posted an update"
        return ""

    def _update_text(self, wanted: configs.PostOpening) -> str:
        return self._config.update_message if wanted.update_message is None else wanted.update_message

    async def _update_body(
        self,
        post: wire.Post,
        operation: operations.Operation,
        wanted: configs.PostOpening,
        omitted: list[operations.Omission],
    ) -> wire.CreateUpdate | None:
        """The update to post; None where there is nothing to say."""
        changed = await self._components(post.status_page_id, operation, omitted)
        message = self._update_text(wanted)
        if not message and all(_current(post, one.component_id) == one.component_status for one in changed):
            return None
        return wire.CreateUpdate(
            status_page_incident_id=post.id,
            # The vendor takes no update without words; the first message still holds.
            message=message or wanted.message,
            notify_subscribers=wanted.notify and operation.worsens,
            incident_status=wanted.update_status,
            component_statuses=changed or None,
        )

    async def _show(self, vendor_id: str) -> wire.Post:
        path = f"/v2/status_page_incidents/{client.segment(vendor_id)}"
        return (await self._http.read(path, wire.PostAnswer)).status_page_incident


def _of_room(number: int) -> str:
    """What is to be told of the update with this number: how many there may be is the vendor's limit."""
    if number < wire.LAST_UPDATE:
        return ""
    last = "no update is posted any more" if number > wire.LAST_UPDATE else "it is the last update"
    return f"{last} before the resolution, for the vendor takes {wire.MOST_UPDATES}"


def _state(post: wire.Post) -> publications.State:
    return "resolved" if post.incident_status == "resolved" else "open"


def _current(post: wire.Post, component_id: str) -> str:
    """A component's status now, as far as this post has affected it."""
    ongoing = [one for one in post.component_impacts or () if one.component_id == component_id and not one.end_at]
    return ongoing[-1].component_status if ongoing else "operational"


def _is_there(post: wire.Post, wanted: wire.CreateUpdate) -> bool:
    """True where the timeline already has this update: the same words, status and components."""
    return any(
        there.message == wanted.message
        and wanted.incident_status in {None, there.incident_status}
        and _covers(post, there, wanted.component_statuses or [])
        for there in post.updates or ()
    )


def _covers(post: wire.Post, there: wire.Update, wanted: list[wire.ComponentStatus]) -> bool:
    said = {one.component_id: one.component_status for one in there.component_statuses or ()}
    # An answer may list only what an update changed: for the rest, what holds now counts.
    return all(said.get(one.component_id, _current(post, one.component_id)) == one.component_status for one in wanted)


def _is_opened_by(post: wire.Post, wanted: configs.PostOpening, since: dt.datetime) -> bool:
    """Whether a post reads as the one that the opening asks for, and is young enough."""
    if post.published_at is not None and post.published_at < since:
        return False
    says = any(identity.mark(update.message) == identity.mark(wanted.message) for update in post.updates or ())
    return says and post.name.strip() == wanted.title.strip()


def _moment(micros: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(micros / 1_000_000, dt.UTC)
