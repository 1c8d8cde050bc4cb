"""Corrects an update that the router has posted on a DevHelm page: its text, and its status if one is given.

The update is read first. If its text isn't the one that the operator has seen, it stays, because a person has changed
it. A text with the router's reference keeps the reference, by which the post is found.
"""

import msgspec

from router.destinations import references
from router.destinations.devhelm import posts, wire
from router.domain import corrections, operations, texts
from router.outbound import client, errors


async def correct(http: client.Client, at: posts.Posts, operation: operations.Operation) -> operations.VendorState:
    """Replace the text of an update. Raises ``Permanent`` if it doesn't exist or isn't as the operator has seen it."""
    correction = corrections.from_content(operation.content)
    place = posts.PostLocation.parse(operation.vendor_id)
    post = await at.observe(place)
    update = next((candidate for candidate in post.updates or () if candidate.id == correction.update), None)
    if update is None:
        raise errors.Permanent("the update is no longer in the post's timeline")
    body = _sign(correction.body, update.body, operation.reference)
    if not corrections.is_status_allowed(update.status, correction.status):
        raise errors.Permanent(corrections.STATUS_REFUSED)
    status = correction.status if correction.status != update.status else ""
    if update.body != body or status:
        # An earlier attempt may have changed the text already.
        if texts.mark(update.body) not in {correction.seen, texts.mark(body)}:
            raise errors.Permanent("a person has changed the update at the vendor, so it stays")
        change = wire.PatchUpdate(body, status or None)
        await http.call("PATCH", f"{place.path}/updates/{client.segment(correction.update)}", json=change)
        post = await at.observe(place)
    return _make_state(post, operation, correction.update, body)


def _sign(body: str, before: str, reference: str) -> str:
    is_needed = references.has_footer(before, reference) and not references.has_footer(body, reference)
    return references.add_footer(body, reference) if is_needed else body


def _make_state(post: wire.Post, operation: operations.Operation, update: str, body: str) -> operations.VendorState:
    """Return the state after a correction. The text is ours; other changes are left to the next observation."""
    updates = {shown_update.id: shown_update for shown_update in post.updates or ()}
    stored = updates[update].body if update in updates else body
    fields = dict(operation.view.fields)
    fields["posted"] = posts.list_posted_updates(post, operation, {update})
    # The first update is the post's message, which later reads are compared with.
    if operation.view.entries[:1] == (update,):
        fields["message"] = stored
    view = msgspec.structs.replace(operation.view, fields=fields)
    posted_marks = tuple(dict.fromkeys([*operation.told, texts.mark(body), texts.mark(stored)]))
    return operations.VendorState(operation.vendor_id, posts.state(post), told=posted_marks, view=view)
