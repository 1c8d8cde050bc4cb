"""Replays recorded deliveries under a rule set, and compares the results of two rule sets.

Posts that await approval are approved immediately, so that the comparison shows which posts appear, and when.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from router.domain.recordings import Recording
from router.domain.times import Timestamp
from router.dry_run import simulation

_SECOND = 1_000_000


class ReplayedOperation(msgspec.Struct, frozen=True):
    """One operation: ``after`` is microseconds since the incident's first alert; ``publish`` is the rule's setting.

    ``review`` describes what happens at the deadline of the operation's review, if it has a deadline.
    """

    after: int
    kind: str
    destination: str
    publish: str
    severity: str
    fields: dict[str, Any]
    review: str = ""


class Life(msgspec.Struct, frozen=True):
    """One incident. ``began_at`` is the time of its first alert. ``closed_at`` is 0 while the incident is open."""

    key: str
    alert: str
    title: str
    rule: str
    severity: str
    began_at: Timestamp
    opened_at: Timestamp
    closed_at: Timestamp
    calls: tuple[ReplayedOperation, ...]


class Played(msgspec.Struct, frozen=True):
    """The results of the recordings under one rule set, with incidents in the order of their opening."""

    version: str
    deliveries: int
    alerts: int
    ignored: int
    lives: tuple[Life, ...]


class IncidentChange(msgspec.Struct, frozen=True):
    """An incident that both rule sets open, with different results."""

    before: Life
    after: Life


class ReplayDifference(msgspec.Struct, frozen=True):
    """The differences between two rule sets for the same recordings."""

    before: Played
    after: Played
    appear: tuple[Life, ...]
    vanish: tuple[Life, ...]
    change: tuple[IncidentChange, ...]
    same: int

    @property
    def any(self) -> bool:
        """Return whether there is any difference."""
        return bool(self.appear or self.vanish or self.change)


def play(recordings: Iterable[Recording], playing: simulation.Simulation, version: str, *, tail: int) -> Played:
    """Deliver all recordings in the order of their times, then advance the clock by ``tail`` microseconds."""
    deliveries = alerts = ignored = 0
    for recording in recordings:
        playing.move_to(recording.received_at)
        decided = playing.arrive(recording.alerts)
        deliveries += 1
        alerts += len(decided)
        ignored += sum(decision.response is None for decision in decided)
    # Holds, quiet periods, and deadlines that the last deliveries began end within the tail.
    playing.move_to(Timestamp(playing.now + tail))
    return Played(version, deliveries, alerts, ignored, tuple(_lives(playing)))


def _lives(played: simulation.Simulation) -> Iterator[Life]:
    calls: dict[str, list[simulation.Called]] = {}
    for call in played.calls:
        calls.setdefault(call.episode, []).append(call)
    for episode in played.episodes.values():
        yield Life(
            episode.key,
            episode.alert,
            episode.title,
            episode.rule,
            episode.severity.word,
            episode.began_at,
            episode.opened_at,
            episode.closed_at,
            tuple(_call(call, episode.began_at) for call in calls.get(episode.episode, ())),
        )


def _call(call: simulation.Called, began_at: Timestamp) -> ReplayedOperation:
    content = call.content
    return ReplayedOperation(
        call.at - began_at,
        call.kind,
        call.destination,
        call.publish,
        content.severity.word,
        dict(content.fields),
        call.review,
    )


def compare(before: Played, after: Played) -> ReplayDifference:
    """Pair the incidents of both results: first by key and time, then by their first alert and time."""
    left = list(after.lives)
    pairs, unpaired = _pair(list(before.lives), left, lambda life: (life.key, life.began_at))
    # A rule with another name or grouping gives the incident another key, but the first alert is the same.
    more, vanish = _pair(unpaired, left, lambda life: (life.alert, life.began_at))
    pairs += more
    changes = tuple(IncidentChange(life, other) for life, other in pairs if _essence(life) != _essence(other))
    return ReplayDifference(before, after, tuple(left), tuple(vanish), changes, len(pairs) - len(changes))


def _pair(ones: Sequence[Life], others: list[Life], key_of: Any) -> tuple[list[tuple[Life, Life]], list[Life]]:
    """Pair incidents for which ``key_of`` returns equal values.

    Remove the paired ones from ``others``, and return the pairs and the unpaired ones.
    """
    by_name: dict[Any, list[Life]] = {}
    # ``pop`` takes the last one, so in reverse order, equal incidents are paired from the first one on.
    for other in reversed(others):
        by_name.setdefault(key_of(other), []).append(other)
    pairs: list[tuple[Life, Life]] = []
    unpaired = []
    for life in ones:
        candidates = by_name.get(key_of(life))
        if candidates:
            pairs.append((life, candidates.pop()))
        else:
            unpaired.append(life)
    # By identity, because two incidents of one key may have equal fields.
    paired_ids = {id(other) for _, other in pairs}
    others[:] = [other for other in others if id(other) not in paired_ids]
    return pairs, unpaired


def _essence(life: Life) -> tuple[Any, ...]:
    """Return the parts of an incident that readers see. The order of its calls is not among them."""
    calls = sorted(
        # Dictionaries can't be sorted, and their text serves a comparison as well.
        (call.after, call.destination, call.kind, call.publish, call.review, call.severity, repr(call.fields))
        for call in life.calls
    )
    return (life.key, life.rule, life.severity, life.opened_at, life.closed_at, calls)


def differences(change: IncidentChange) -> Iterator[tuple[str, str, str]]:
    """Yield the differences of one incident as (name, before, after)."""
    before, after = change.before, change.after
    for name in ("key", "rule", "severity"):
        first, other = getattr(before, name), getattr(after, name)
        if first != other:
            yield name, first, other
    for name, first, other in (
        ("opened", before.opened_at, after.opened_at),
        ("closed", before.closed_at, after.closed_at),
    ):
        if first != other:
            yield name, _after(first, before), _after(other, after)
    yield from _call_differences(before, after)


def _call_differences(before: Life, after: Life) -> Iterator[tuple[str, str, str]]:
    ones, others = _by_place(before), _by_place(after)
    # In the order of the calls, with those of the earlier rules first.
    for place in dict.fromkeys([*ones, *others]):
        call, other = ones.get(place), others.get(place)
        if call is None or other is None:
            yield place, describe_call(call) if call else "", describe_call(other) if other else ""
            continue
        if call.publish != other.publish:
            yield f"{place}: publish", call.publish, other.publish
        if call.review != other.review:
            yield f"{place}: review", call.review or "no deadline", other.review or "no deadline"
        if call.severity != other.severity:
            yield f"{place}: severity", call.severity, other.severity
        for field in dict.fromkeys([*call.fields, *other.fields]):
            before_text, says = (_text(call.fields.get(field)) for call in (call, other))
            if before_text != says:
                yield f"{place}: {field}", before_text, says


def _by_place(life: Life) -> dict[str, ReplayedOperation]:
    """Return the calls by kind and destination. Repeated calls have a number."""
    by_place: dict[str, ReplayedOperation] = {}
    for call in life.calls:
        name = f"{call.kind} at {call.destination}"
        number = sum(place == name or place.startswith(f"{name} (") for place in by_place)
        by_place[f"{name} ({number + 1})" if number else name] = call
    return by_place


def describe_call(call: ReplayedOperation) -> str:
    """Return the title or name of a call, and its text."""
    texts = [
        _text(call.fields[name]) for name in ("title", "name", "message", "summary", "body") if name in call.fields
    ]
    return " / ".join(texts) or call.kind


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _after(moment: Timestamp, life: Life) -> str:
    if not moment:
        return "still open"
    return f"after {(moment - life.began_at) // _SECOND} s"
