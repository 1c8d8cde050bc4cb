"""Compares a vendor's state with its state after our last operation. Pure, and shared by all vendors.

Three cases look alike in one read of a post and must be distinguished:

- The vendor has normalized our text: the read equals the vendor's responses to our calls.
- The read is old: it lacks the newest update that the vendor has confirmed to us.
- A person has changed something: the read isn't old, and equals neither what the vendor returned nor what we want.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from router.domain import identity, operations, publications, texts, times
from router.domain.reasons import Edit
from router.domain.times import Timestamp
from router.outbound import errors

_MAX_TITLES = 5
_ROUNDING = 1_000  # Microseconds by which a response may be newer than what the vendor has stored.


class Entry(NamedTuple):
    """An update in a vendor's timeline. ``at`` is in microseconds, 0 if the vendor doesn't say."""

    id: str
    text: str
    status: str = ""
    at: Timestamp = Timestamp(0)


def moment(value: object) -> Timestamp:
    """Parse a vendor's time (RFC 3339) into microseconds since the epoch; 0 if it is missing or invalid."""
    if isinstance(value, dt.datetime):
        return times.from_datetime(value)
    if not isinstance(value, str):
        return Timestamp(0)
    try:
        read = msgspec.convert(value, dt.datetime)
    except msgspec.ValidationError:
        return Timestamp(0)
    # A time without a zone can't be compared with others, so it counts as missing.
    return times.from_datetime(read) if read.tzinfo is not None else Timestamp(0)


def sort_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Return a timeline with the oldest update first, whatever the vendor's order."""
    entry_list = list(entries)
    # If one time is missing, the vendor's order is the best known.
    return sorted(entry_list, key=lambda entry: entry.at) if all(entry.at for entry in entry_list) else entry_list


def check_fresh(
    operation: operations.Operation, entries: Sequence[Entry] | None, stamp: Timestamp = Timestamp(0)
) -> None:
    """Raise ``Stale`` if a read predates our last operation. Nothing is sent based on such a read."""
    if is_stale(operation, entries, stamp):
        raise errors.Stale(f"{operation.destination}: a read doesn't show the last change yet")


def is_stale(operation: operations.Operation, entries: Sequence[Entry] | None, stamp: Timestamp = Timestamp(0)) -> bool:
    """Return whether a read predates our last operation; ``entries`` is None if it has no timeline."""
    # Without a recent operation of ours, every read is current.
    if not operation.lags:
        return False
    # Vendors round their times, so a slightly older stamp may belong to the same change.
    if stamp and stamp + _ROUNDING < operation.view.stamp:
        return True
    seen_ids = operation.view.entries
    # The newest update that the vendor has shown before is missing, so this read is older.
    return entries is not None and bool(seen_ids) and seen_ids[-1] not in {entry.id for entry in entries}


def is_posted(operation: operations.Operation, entries: Sequence[Entry], text: str, status: str = "") -> bool:
    """Return whether an earlier attempt of this operation has posted its update and the response was lost.

    That update wasn't in the timeline after the previous operation. The same text further up is from an earlier
    operation and says nothing about the present. If the earlier timeline is unknown, only the newest update counts.
    """
    seen_ids = operation.view.entries
    return any(
        (texts.alike(entry.text, text) or texts.is_cut(entry.text, text)) and status in {"", entry.status}
        for entry in ([entry for entry in entries if entry.id not in seen_ids] if seen_ids else entries[-1:])
    )


def is_newest_text(operation: operations.Operation, entries: Sequence[Entry], text: str, status: str = "") -> bool:
    """Return whether the newest update has this text, possibly cut by the vendor."""
    if not entries or status not in {"", entries[-1].status}:
        return False
    newest = entries[-1].text
    # A person's short text may look like ours when cut, so a cut text also has to be one that the vendor has returned.
    return texts.alike(newest, text) or (texts.mark(newest) in operation.told and texts.is_cut(newest, text))


def has_edited_title(operation: operations.Operation, title: str, our_titles: Collection[str]) -> bool:
    """Return whether a person has changed a title: the vendor never returned it, and it isn't one of ``our_titles``."""
    # While reads lag, an older title of ours may still be shown.
    known_titles = operation.view.titles if operation.lags else operation.view.titles[-1:]
    # Titles that the vendor has returned are ours, however it has rewritten them.
    if title in known_titles or any(texts.alike(title, our_title) for our_title in (*known_titles, *our_titles)):
        return False
    # Until a read has confirmed our title, the vendor may have cut it.
    return not (operation.view.is_unconfirmed and any(texts.is_cut(title, our_title) for our_title in our_titles))


def find_timeline_edit(
    operation: operations.Operation, entries: Sequence[Entry], our_texts: Collection[str]
) -> Edit | None:
    """Return what a person has changed in a timeline, or None; ``our_texts`` are the texts that we may have posted."""
    posted_marks = set(operation.told)
    marks = {texts.mark(text) for text in our_texts}
    for entry in entries:
        # Texts that we have posted, and empty updates, are no edits.
        if not entry.text or not posted_marks.isdisjoint({texts.mark(entry.text), identity.mark(entry.text)}):
            continue
        is_known = bool(entry.id) and entry.id in operation.view.entries
        # The vendor may still rewrite the text between our call and the first read after it.
        if is_known and operation.view.is_unconfirmed:
            continue
        # The vendor returned this update with another text before, so a person has changed it.
        if is_known:
            return Edit.UPDATE_CHANGED
        # A new update whose text the router can't have posted is a person's.
        if texts.mark(entry.text) not in marks and not any(texts.is_cut(entry.text, text) for text in our_texts):
            return Edit.UPDATE_POSTED
    return None


def has_edited_components(
    operation: operations.Operation, current: Mapping[str, str], *desired: Mapping[str, str]
) -> bool:
    """Return whether a person has changed a component status that a read after our last operation has shown.

    An earlier attempt of this operation, or an uncertain one, may have changed it to a status of ``desired``.
    """
    view = operation.view
    # No read has shown yet what the vendor made of our statuses.
    if view.is_unconfirmed:
        return False
    # Only a status that was shown as we sent it can have been changed by a person.
    before = view.fields.get("components") or {}
    return any(
        before.get(component) == status
        and current.get(component, status) not in {status, *(statuses.get(component, status) for statuses in desired)}
        for component, status in view.asked.items()
    )


def describe_mismatches(requested: Mapping[str, str], current: Mapping[str, str], well: str) -> str:
    """Return the components whose status differs from what we sent; ``well`` is the status of unlisted components."""
    return ", ".join(
        f"component {component} is {current.get(component, well)}, not {status}"
        for component, status in requested.items()
        if current.get(component, well) != status
    )


def without_news(
    operation: operations.Operation, entries: Iterable[Entry], our_texts: Collection[str], read: Collection[str]
) -> list[Entry]:
    """Return a timeline without updates that a person posted during our operation. The next observation reports those.

    ``our_texts`` are the texts that we may have posted, and ``read`` the IDs of the updates that existed before.
    """
    posted_marks, seen_ids = set(operation.told), {*operation.view.entries, *read}
    entry_list = list(entries)
    news = [
        entry
        for entry in entry_list
        if entry.id not in seen_ids
        and texts.mark(entry.text) not in posted_marks
        and not any(texts.alike(entry.text, text) or texts.is_cut(entry.text, text) for text in our_texts)
    ]
    # A single new update is ours, however the vendor has changed its text.
    is_all_ours = len([entry for entry in entry_list if entry.id not in seen_ids]) == 1
    return entry_list if is_all_ours else [entry for entry in entry_list if entry not in news]


def marks(operation: operations.Operation, entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return the hashes of all texts that aren't news from a person: the known ones, and those in the timeline."""
    text_marks = [texts.mark(entry.text) for entry in entries if entry.text]
    return tuple(dict.fromkeys([*operation.told, *text_marks]))


def view(
    operation: operations.Operation,
    fields: Mapping[str, Any],
    entries: Iterable[Entry],
    *,
    requested: Mapping[str, str] | None = None,
    stamp: Timestamp = Timestamp(0),
    is_unconfirmed: bool = False,
) -> publications.View:
    """Combine the vendor's current state with its earlier response."""
    before = operation.view
    title = str(fields.get("title", ""))
    # The current title is last, even if the post had it before. Callers compare with the last one.
    titles = [earlier for earlier in before.titles if earlier != title] + ([title] if title else [])
    # IDs that this read doesn't show are kept: a later read that shows them must not take them for new updates.
    ids = [entry.id for entry in entries if entry.id]
    return publications.View(
        dict(fields),
        tuple(titles[-_MAX_TITLES:]),
        tuple(dict.fromkeys([*(entry_id for entry_id in before.entries if entry_id not in ids), *ids])),
        dict(before.asked if requested is None else requested),
        max(stamp, before.stamp),
        is_unconfirmed,
    )
