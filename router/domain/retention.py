"""Decides which publications of earlier episodes an incident keeps: those in use, and those that a search may find.

An incident that fires and resolves every few minutes gets publications for each episode. They are all in one document,
which each operation writes. So a publication of an earlier episode is dropped once nothing can be done for it. It is
kept

- while it isn't at rest: it is open or a draft, an operation is under way or unknown, or it waits for a reviewer or its
  turn;
- while the vendor has to be searched for what an unanswered open created late, or read for a late change;
- if the current episode reopens it (``Incident.follows``);
- for two hours, without its texts, at most 64 of them. If the outcome of an open isn't known, the router searches
  the page for a post by title, text, and time, up to an hour before the open. A post of an earlier episode looks the
  same, and is distinguished by its ID.
"""

import msgspec

from router.domain import corrections, incidents, publications, times
from router.domain.times import Duration, Timestamp

NAMED_FOR = Duration(2 * times.HOUR)  # Longer than any destination searches back.
MAX_NAMED_PUBLICATIONS = 64


def is_at_rest(publication: publications.Publication) -> bool:
    """Return whether a publication of an ended episode needs no further step."""
    if (
        publication.search_at
        or publication.verify_at
        or publication.intent is not None
        or publication.held_since is not None
    ):
        return False
    if publication.settled:
        return True
    return publication.state == "absent" and publication.review is None


def retain(
    incident: incidents.Incident, all_publications: list[publications.Publication], now: Timestamp
) -> list[publications.Publication]:
    """Return the publications to keep at ``now`` (microseconds), in their order; the same list if all are kept."""
    current = {incident.episode, incident.follows}
    # Without a document of the incident, the current episode is unknown.
    over = [
        publication
        for publication in all_publications
        if incident.episode and publication.episode not in current and is_at_rest(publication)
    ]
    over = [
        publication
        for publication in over
        if corrections.pending(incident.interventions.corrections, publication) is None
    ]
    if not over:
        return all_publications
    named_publications = {
        publication.name: _without_texts(publication) for publication in over if _is_needed(publication, now)
    }
    for name in list(named_publications)[:-MAX_NAMED_PUBLICATIONS]:
        del named_publications[name]
    dropped = {publication.name for publication in over} - named_publications.keys()
    kept_publications = [
        named_publications.get(publication.name, publication)
        for publication in all_publications
        if publication.name not in dropped
    ]
    return all_publications if kept_publications == all_publications else kept_publications


def _is_needed(publication: publications.Publication, now: Timestamp) -> bool:
    """Return whether a search may find a publication at rest, or its refusal is still to be shown."""
    rejection = publication.rejection
    moment = max(publication.acted_at, rejection.at if rejection is not None else 0, publication.opened_at)
    # A time in the future was recorded before the server's clock was set back.
    return bool(publication.vendor_id or rejection is not None) and now - moment < NAMED_FOR


def _without_texts(publication: publications.Publication) -> publications.Publication:
    """Return the publication without its texts."""
    texts = (publication.content, publication.told, publication.view.fields, publication.uncertain)
    if not any(texts):
        return publication
    return msgspec.structs.replace(publication, content=None, told=(), view=publications.View(), uncertain=())
