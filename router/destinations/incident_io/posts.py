"""Converts a post of an incident.io page to the router's state, timeline, and view. Makes no calls."""

import datetime as dt
from collections.abc import Mapping

import msgspec

from router.destinations import observations
from router.destinations.incident_io import wire
from router.destinations.incident_io.config import PostOpening
from router.domain import operations, publications, texts
from router.domain.reasons import Edit

WELL = "operational"


def state(post: wire.Post) -> publications.State:
    """Map the status of a post to a publication state."""
    return "resolved" if post.incident_status == "resolved" else "open"


def component_statuses(post: wire.Post) -> dict[str, str]:
    """Return the current status of each affected component, by ID. All other components are operational."""
    if post.component_impacts is not None:
        return {
            component_impact.component_id: component_impact.component_status
            for component_impact in post.component_impacts
            if not component_impact.end_at
        }
    # Without impacts, the updates contain the changes.
    statuses: dict[str, str] = {}
    for update in sorted(post.updates or (), key=lambda update: observations.moment(update.published_at)):
        statuses |= {
            component_status.component_id: component_status.component_status
            for component_status in update.component_statuses or ()
        }
    return statuses


def describe_differences(post: wire.Post, requested: Mapping[str, str]) -> str:
    """Describe the components whose status differs from ``requested``. Return an empty text if none differs."""
    return observations.describe_mismatches(requested, component_statuses(post), WELL)


def is_opened_by(post: wire.Post, opening: PostOpening, since: dt.datetime) -> bool:
    """Return whether a post has the title and text of the opening, and wasn't published before ``since``."""
    if post.published_at is not None and post.published_at < since:
        return False
    says = any(texts.alike(update.message, opening.message) for update in post.updates or ())
    return says and texts.alike(post.name, opening.title)


def item(post: wire.Post, page: wire.Page) -> operations.OpenItem:
    """Convert an unresolved post to an entry of the destination's list of open items."""
    entries = timeline(post)
    first = entries[0].text if entries else ""
    return operations.OpenItem(post.id, "", post.name, first, page.public_url, observations.moment(post.published_at))


def make_resolved_state(post: wire.Post, operation: operations.Operation, note: str = "") -> operations.VendorState:
    """Return the state of a post that an earlier attempt or a person has resolved, as the base of later comparisons."""
    posted_marks = observations.marks(operation, timeline(post))
    return operations.VendorState(post.id, "resolved", told=posted_marks, view=view(post, operation), note=note)


def make_edited_state(post: wire.Post, operation: operations.Operation, edited: Edit) -> operations.VendorState:
    """Return the state of a post that a person has changed, as the base of later comparisons. Nothing is sent."""
    posted_marks = observations.marks(operation, timeline(post))
    return operations.VendorState(post.id, state(post), edited=edited, told=posted_marks, view=view(post, operation))


def make_partial_state(post: wire.Post, operation: operations.Operation, title: str) -> operations.VendorState:
    """Return the state between the two calls of an update: the title is changed, and the text isn't posted yet."""
    partial_view = view(post, operation, entries=[], title=title)
    return operations.VendorState(post.id, state(post), view=msgspec.structs.replace(partial_view, is_unconfirmed=True))


def entry(update: wire.Update) -> observations.Entry:
    """Convert an update to a timeline entry."""
    return observations.Entry(
        update.id, update.message, update.incident_status, observations.moment(update.published_at)
    )


def timeline(post: wire.Post) -> list[observations.Entry]:
    """Convert the post's updates to timeline entries, oldest first."""
    return observations.sort_entries(entry(update) for update in post.updates or ())


def view(
    post: wire.Post,
    operation: operations.Operation,
    *,
    requested: Mapping[str, str] | None = None,
    entries: list[observations.Entry] | None = None,
    title: str | None = None,
) -> publications.View:
    """Return the view of a post, as the base of later comparisons. Arguments override the observed values."""
    own_entries = timeline(post)
    fields = {
        "title": post.name if title is None else title,
        "message": own_entries[0].text if own_entries else "",
        "status": post.incident_status,
        "components": component_statuses(post),
    }
    return observations.view(operation, fields, own_entries if entries is None else entries, requested=requested)
