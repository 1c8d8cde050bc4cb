"""Finds incidents by key, by reference, or by an unambiguous prefix of either."""

from collections.abc import Sequence

from router.domain import identity
from router.services import models
from router.store.store import Store

MAX_CANDIDATES = 10


class Ambiguous(Exception):
    """Several incidents have a name with this prefix.

    ``candidates`` are the first incidents, ``more`` if there are others.

    The router doesn't guess: an approval of the wrong incident could reach customers.
    """

    def __init__(self, message: str, candidates: Sequence[models.IncidentRow], *, more: bool) -> None:
        super().__init__(message)
        self.candidates = list(candidates)
        self.more = more


def ambiguity(text: str, candidates: Sequence[models.IncidentRow], *, more: bool) -> Ambiguous:
    """Return the error for a text that is a prefix of the names of several incidents."""
    count = f"more than {len(candidates)}" if more else str(len(candidates))
    message = f'"{text}" is ambiguous: {count} incidents match it; add more of the name'
    return Ambiguous(message, candidates, more=more)


async def find_keys(store: Store, text: str, *, earlier: bool = False) -> list[str]:
    """Return the keys of the incidents that a text may name, at most one more than ``MAX_CANDIDATES``.

    A whole key or a whole reference names one incident, even if it is a prefix of other names. An incident has the
    reference of its current episode, or of the latest one if it is closed. With ``earlier``, a reference also names the
    incident of an earlier episode. Use ``earlier`` only to read: a decision must not affect a later episode.
    """
    try:
        text.encode()
    except UnicodeEncodeError:  # The text is from a command line that isn't UTF-8. No incident has such a name.
        return []
    if not text:
        return []
    # A whole key comes first: it names its incident even if other keys begin with it.
    if (await store.incidents.read([text]))[text].version:
        return [text]
    # One more than is shown tells the caller whether there are others.
    references = await store.incidents.find(text, MAX_CANDIDATES + 1)
    reference = identity.read_reference(text)
    # A closed incident without an episode has no reference, and an empty one must not equal an unreadable text.
    exact = [key for key, key_reference in references.items() if key_reference and key_reference == reference]
    # All episodes share the beginning of the reference, so the part without the episode finds the incident.
    if not references and earlier and identity.owner_of(reference):
        references = await store.incidents.find(identity.owner_part(reference), MAX_CANDIDATES + 1)
    return exact or list(references)[: MAX_CANDIDATES + 1]
