"""Distinguishes a post that a DevHelm page drafted for an incident from one that a person linked by hand.

Each linked post has a ``connectionMode``, AUTO or MANUAL. The router's own posts are MANUAL, too, and have the router's
reference. A post of unknown mode is the page's own only if the vendor's automation wrote its first text: leaving a post
alone can be corrected, replacing a person's text can't.
"""

from collections.abc import Mapping
from typing import NamedTuple

from router.destinations import list_rows
from router.destinations.devhelm import wire
from router.outbound import client, errors

INCIDENTS = "/api/v1/incidents"
_SYSTEM = "SYSTEM"


class LinkedPost(NamedTuple):
    """A post linked to an incident, and whether a person created it."""

    post: wire.Post
    is_linked_by_person: bool


async def read_modes(http: client.Client, incident_id: str) -> Mapping[str, str]:
    """Return the ``connectionMode`` of each post of an incident by post ID; empty if the key lacks the permission."""
    try:
        answer = await http.read(f"{INCIDENTS}/{client.segment(incident_id)}", wire.DetailAnswer)
    except (errors.Permanent, errors.Denied):
        return {}
    return {
        row.id: row.connection_mode for row in list_rows.parse_rows(answer.data.posts or (), wire.LinkedPost, "post")
    }


def is_by_hand(post: wire.Post, connection_modes: Mapping[str, str]) -> bool:
    """Return whether a post wasn't created by the page's automation."""
    mode = connection_modes.get(post.id, "")
    if mode in {"AUTO", "MANUAL"}:
        return mode == "MANUAL"
    return not any(update.created_by == _SYSTEM for update in (post.updates or ())[:1])


def mode_problems(page: wire.Page, follows: str) -> list[str]:
    """Return a problem if the page publishes or drafts posts automatically and the configuration doesn't expect it."""
    if page.incident_mode == "AUTOMATIC":
        return [
            f'page "{page.name}" publishes automatically (incidentMode AUTOMATIC): posts may appear before a reviewer'
            " has approved them, and twice; set it to REVIEW or MANUAL"
        ]
    if page.incident_mode == "REVIEW" and not follows:
        return [
            f'page "{page.name}" creates drafts automatically (incidentMode REVIEW): set `follows` so that the router'
            " adopts them"
        ]
    return []
