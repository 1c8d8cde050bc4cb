"""Tells the post that a DevHelm page drafts for an incident from one that a person has linked to it by hand.

The vendor says so of each post that belongs to an incident: its ``connectionMode`` is AUTO or MANUAL. The router's own
posts are MANUAL, too; they have the router's reference. A post of unknown mode is the page's own only if the vendor's
automation has written its first text: to leave a post alone can be mended, to replace a person's words can't.
"""

from collections.abc import Mapping
from typing import NamedTuple

from router.destinations import list_rows
from router.destinations.devhelm import wire
from router.outbound import client, errors

INCIDENTS = "/api/v1/incidents"
_SYSTEM = "SYSTEM"


class LinkedPost(NamedTuple):
    """A post that belongs to an incident, and whether a person has made it."""

    post: wire.Post
    is_linked_by_person: bool


async def modes(http: client.Client, incident_id: str) -> Mapping[str, str]:
    """Return the ``connectionMode`` of each post of an incident, by the post's ID; nothing if the key may not ask."""
    try:
        answer = await http.read(f"{INCIDENTS}/{client.segment(incident_id)}", wire.DetailAnswer)
    except (errors.Permanent, errors.Denied):
        return {}
    return {
        one.id: one.connection_mode for one in list_rows.parse_rows(answer.data.posts or (), wire.LinkedPost, "post")
    }


def is_by_hand(post: wire.Post, known: Mapping[str, str]) -> bool:
    """Whether the page's automation has not made a post."""
    mode = known.get(post.id, "")
    if mode in {"AUTO", "MANUAL"}:
        return mode == "MANUAL"
    return not any(update.created_by == _SYSTEM for update in (post.updates or ())[:1])
