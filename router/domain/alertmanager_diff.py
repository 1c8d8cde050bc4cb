"""Beside the way of an alert: what a source's monitoring holds, compared with what is known of its alerts here.

Two answers are never enough to know why they differ, so what differs is remembered from one answer to the next: what
stays unheard of is found, and what is absent from two whole answers in a row has ended.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from router.domain import alert_states, heartbeat, incidents, timing

_MILLISECOND = 1000
_DOUBT = 5  # Times as long is waited before what has resolved here counts as back.


class Known(NamedTuple):
    """What is known here of an alert: by which incident, since when it fires (microseconds), when that was learned.

    ``fires`` also holds for one that is silenced. ``news`` says that hearing of it again would change something.
    """

    incident: str
    starts_at: int
    learned_at: int
    fires: bool
    news: bool


class Held(NamedTuple):
    """What the monitoring holds of an alert: since when it fires (microseconds, whole milliseconds may do).

    ``active`` is False where it is held back there, by a silence for example: then it is neither news nor absent.
    """

    starts_at: int
    active: bool


class Memory(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered from one answer to the next, by fingerprint; times in microseconds.

    ``unheard``: what is active there and not heard of here, with its beginning, and since which answer that is so.
    ``absent``: what fires here and not there, with its beginning, when that was learned, and since which answer.
    """

    unheard: dict[str, tuple[int, int]] = {}
    absent: dict[str, tuple[int, int, int]] = {}


class Difference(NamedTuple):
    """What to do: hear of those ``found``, each since a time; end those ``ended``, each at a time; what to remember."""

    found: dict[str, int]
    ended: dict[str, int]
    memory: Memory


def learn(known: dict[str, Known], held: Iterable[tuple[incidents.Incident, int]], source: str, within: int) -> None:
    """Add to what is known of the alerts of a source, by fingerprint, what these incidents know, each as of a time.

    An alert that would end by itself ``within`` so many microseconds is worth hearing of again.
    """
    for incident, now in held:
        for identity, state in incident.alerts.items():
            owner, _, fingerprint = identity.rpartition("/")
            if owner == source:
                news = state.expired or _wants_repeating(incident, state, now, within)
                one = Known(incident.key, state.starts_at, state.learned_at, not state.resolved, news)
                known[fingerprint] = max(one, known.get(fingerprint, one), key=_weight)
        for identity, muted in incident.muted.items():
            owner, _, fingerprint = identity.rpartition("/")
            if owner == source and not heartbeat.beats([muted.routed]):
                known[fingerprint] = Known(incident.key, muted.routed.alert.starts_at, 0, True, False)


def _weight(one: Known) -> tuple[bool, int]:
    """An alert that has moved from one incident to another is where it fires, or else fired last."""
    return one.fires, one.starts_at


def _wants_repeating(incident: incidents.Incident, state: alert_states.AlertState, now: int, within: int) -> bool:
    """Whether an alert that fires would soon be over only because nobody repeats it."""
    stale_after = timing.timing_of(incident).stale_after
    ends_soon = 0 < state.ends_at <= now + within
    # Webhooks that come now and then are heard of long before.
    stale_soon = stale_after > 0 and now - state.learned_at > stale_after * 3 // 4
    return not state.resolved and (ends_soon or stale_soon)


def last(starts_at: int) -> int:
    """The latest time that a webhook may tell of a beginning that is told as this millisecond.

    A webhook's nanoseconds may have been rounded up to the next one.
    """
    return starts_at // _MILLISECOND * _MILLISECOND + _MILLISECOND


def starts_of_end(starts_at: int) -> tuple[int, ...]:
    """Return the starts that the end of an alert is told of: the one known here, and the latest of its millisecond.

    A late webhook may tell of either. What has ended has ended whichever start is told.
    """
    return tuple(sorted({starts_at, last(starts_at)}))


def compare(
    memory: Memory,
    here: Mapping[str, Known],
    there: Mapping[str, Held],
    *,
    asked_at: int,
    patience: int,
    whole: bool,
) -> Difference:
    """Compare what was known here before an answer was asked for, at ``asked_at``, with that answer.

    What was active there and not heard of here for ``patience`` microseconds is found, and found again only after as
    long. What has resolved here and is active there all the same for five times as long has come back, with the
    beginning that it had: it is found as one that began when it was first seen to be back, since a beginning that has
    resolved stays so. What is absent from two answers in a row has ended at the first of them. Only an answer that is
    ``whole`` counts for absence, and one that is not breaks the row.
    """
    unheard, found = _unheard(memory.unheard, here, there, asked_at, patience)
    absent, ended = _absent(memory.absent, here, there, asked_at) if whole else ({}, {})
    return Difference(found, ended, Memory(unheard, absent))


def _unheard(
    before: Mapping[str, tuple[int, int]],
    here: Mapping[str, Known],
    there: Mapping[str, Held],
    asked_at: int,
    patience: int,
) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    unheard: dict[str, tuple[int, int]] = {}
    found: dict[str, int] = {}
    for fingerprint, one in there.items():
        known = here.get(fingerprint)
        if not one.active or (known is not None and known.fires and not known.news):
            continue
        starts_at, since = before.get(fingerprint, (one.starts_at, asked_at))
        if starts_at != one.starts_at:
            since = asked_at
        back = known is not None and _is_over(one, known)
        if asked_at - since >= patience * (_DOUBT if back else 1):
            found[fingerprint] = since if back else _beginning(one.starts_at, known)
            since = asked_at
        unheard[fingerprint] = (one.starts_at, since)
    return unheard, found


def _is_over(one: Held, known: Known) -> bool:
    """Whether what is active there has resolved here, as far as its beginning tells."""
    # The monitoring may tell whole milliseconds where a webhook told microseconds.
    began_anew = one.starts_at // _MILLISECOND > known.starts_at // _MILLISECOND
    return not known.fires and not known.news and not began_anew


def _beginning(told: int, known: Known | None) -> int:
    """Since when an alert fires that is told of in whole milliseconds: to the microsecond where that is known."""
    return known.starts_at if known is not None and told <= known.starts_at <= last(told) else told


def _absent(
    before: Mapping[str, tuple[int, int, int]],
    here: Mapping[str, Known],
    there: Collection[str],
    asked_at: int,
) -> tuple[dict[str, tuple[int, int, int]], dict[str, int]]:
    absent: dict[str, tuple[int, int, int]] = {}
    ended: dict[str, int] = {}
    for fingerprint, one in here.items():
        if not one.fires or fingerprint in there:
            continue
        was = before.get(fingerprint)
        # What was heard of since the last answer is absent for the first time now.
        if was is not None and was[:2] == (one.starts_at, one.learned_at):
            ended[fingerprint] = was[2]
        else:
            absent[fingerprint] = (one.starts_at, one.learned_at, asked_at)
    return absent, ended
