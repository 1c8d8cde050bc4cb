"""Which publications of earlier episodes an incident keeps: what still needs handling, and what a search may meet.

An incident that fires and resolves every few minutes gets publications for each episode. All of them are in one
document, which each operation writes. So a publication of an earlier episode is dropped once nothing can be done for
it. It is kept

- while it isn't at rest: it is open or a draft, an operation is under way or unknown, or it waits for a reviewer or its
  turn;
- while the vendor has to be searched for what an unanswered open created late, or looked at for a late change;
- if the current episode takes it up again (``Incident.follows``);
- for two hours, and only what names it, at most 64 of them. If the outcome of an open isn't known, the router searches
  the page for a post by title, text, and time, up to an hour before the open. A post of an earlier episode looks the
  same, and is told apart by its ID.
"""

import msgspec

from router.domain import corrections, incidents, publications

NAMED_FOR = 2 * 60 * 60 * 1_000_000  # Microseconds; longer than any destination searches back.
MOST_NAMED = 64


def is_at_rest(publication: publications.Publication) -> bool:
    """Return whether nothing is left to do for a publication whose episode is over."""
    if publication.search_at or publication.verify_at or publication.intent is not None or publication.held_since:
        return False
    if publication.settled:
        return True
    return publication.state == "absent" and not publication.waits_of


def retained(
    incident: incidents.Incident, known: list[publications.Publication], now: int
) -> list[publications.Publication]:
    """Return the publications to keep at ``now`` (microseconds), in their order; the same list if all are kept."""
    current = {incident.episode, incident.follows}
    # Without a document of the incident, nobody knows which episode is the current one.
    over = [one for one in known if incident.episode and one.episode not in current and is_at_rest(one)]
    over = [one for one in over if corrections.pending(incident.corrections, one) is None]
    if not over:
        return known
    named = {one.name: _named(one) for one in over if _is_needed(one, now)}
    for name in list(named)[:-MOST_NAMED]:
        del named[name]
    dropped = {one.name for one in over} - named.keys()
    kept = [named.get(one.name, one) for one in known if one.name not in dropped]
    return known if kept == known else kept


def _is_needed(publication: publications.Publication, now: int) -> bool:
    """Whether a publication at rest may be met by a search, or its refusal is to be shown still."""
    moment = max(publication.acted_at, publication.dead_at, publication.opened_at)
    # What lies in the future was written before the server's clock was set back.
    return bool(publication.vendor_id or publication.dead) and now - moment < NAMED_FOR


def _named(publication: publications.Publication) -> publications.Publication:
    """The publication without its texts."""
    if publication.content is None and not publication.told and not publication.view.fields:
        return publication
    return msgspec.structs.replace(publication, content=None, told=(), view=publications.View())
