"""Silences: matching alerts open nothing while a silence is active. Matchers and times are as in Alertmanager."""

from collections.abc import Callable, Iterable
from typing import Literal, Protocol, cast

import msgspec

from router.domain import alerts, decisions, patterns, recurrence, times, weekly
from router.domain.times import Duration, Timestamp
from router.domain.undecodable import Undecodable

Operator = Literal["=", "!=", "=~", "!~"]
State = Literal["pending", "active", "expired"]

# As in Alertmanager 0.27, a name with spaces or operators is quoted.
_WRITTEN = patterns.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s{}!=~,"\'`\\]+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^"]*?)\s*')
_PLAIN_NAME = patterns.compile(r"[^\s{}!=~,\"'`\\]+")
RECHECK = Duration(15 * times.SECOND)  # After this time, a mute is checked again, in case the silence was ended early.
MAX_MUTED_ALERTS = 1_000  # Alerts that an incident holds until their silence ends. Further alerts need to be repeated.


class InvalidMatcher(ValueError):
    """The matcher is invalid; the message says what is wrong with it."""


class Matcher(msgspec.Struct, frozen=True, array_like=True):
    """A label, an operator, and a value to compare it with. An absent label counts as empty."""

    name: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        """Return the matcher as it is written."""
        plain = _PLAIN_NAME.fullmatch(patterns.encode(self.name)) is not None and self.name.isprintable()
        name = self.name if plain else msgspec.json.encode(self.name).decode()
        return f"{name}{self.operator}{msgspec.json.encode(self.value).decode()}"


class Silence(msgspec.Struct, frozen=True, array_like=True):
    """One silence; times in microseconds since the epoch. ``source`` is where it was imported from, if it was.

    A recurring silence mutes only within the weekly windows ``during``, from ``starts_at`` to ``ends_at``.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: Timestamp
    ends_at: Timestamp
    author: str
    comment: str = ""
    source: str = ""
    during: tuple[weekly.WeeklyWindow, ...] = ()

    def state(self, now: Timestamp) -> State:
        """Return whether the silence is pending, active, or expired. Between two windows it is pending."""
        if now >= self.ends_at:
            return "expired"
        if now < self.starts_at or (self.during and not any(window.interval().holds(now) for window in self.during)):
            return "pending"
        return "active"

    def window(self, now: Timestamp) -> recurrence.Span | None:
        """Return the current or next time in which it mutes; None if it has expired, or has none within two weeks."""
        if now >= self.ends_at:
            return None
        if not self.during:
            return self.starts_at, self.ends_at
        begins = max(now, self.starts_at)
        for start, end in recurrence.occurrences([window.interval() for window in self.during], begins):
            if start < self.ends_at:
                return max(start, self.starts_at), min(end, self.ends_at)
        return None


MuteKind = Literal["silence", "inhibition", "window"]


class Imported(msgspec.Struct, frozen=True):
    """The silences of another system. ``skipped`` has the reason for each that can't be read, by its ID."""

    silences: list[Silence]
    skipped: dict[str, str] = {}


class Mute(msgspec.Struct, frozen=True, array_like=True):
    """The reason why an alert is muted, and until when that is known (microseconds)."""

    until: Timestamp
    by: str
    kind: MuteKind = "silence"


def by_window(decision: decisions.Decision, now: Timestamp) -> Mute | None:
    """Return the time window of the decision's rules that mutes its alert now; None if there is none."""
    for start, end, name in decision.mute_windows:
        if start <= now < end:
            return Mute(end, f"time window {name}", "window")
    return None


class Muting(Protocol):
    """A function that finds out whether an alert is muted now."""

    def __call__(self, routed: decisions.Routed, now: Timestamp, /) -> Mute | None:
        """Return why the alert is muted; None if it isn't."""
        ...


def matcher(text: str) -> Matcher:
    """Parse a matcher in Alertmanager's syntax: ``name="value"``, ``name=~"pattern"``. Raises ``InvalidMatcher``."""
    match = _WRITTEN.fullmatch(patterns.encode(text))
    if match is None:
        raise InvalidMatcher(f'"{text}" is not a matcher; write one as service="checkout" or service=~"check.*"')
    name = _unquote(match[1].decode(), "the name of the label")
    if not name:
        raise InvalidMatcher(f'"{text}" names no label')
    value = _unquote(match[3].decode(), f"the value of {name}")
    parsed = Matcher(name, cast("Operator", match[2].decode()), value)
    test(parsed)
    return parsed


def _unquote(text: str, noun: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return msgspec.json.decode(text, type=str)
    except Undecodable as error:
        raise InvalidMatcher(f"{noun} is not written as a text: {error}") from error


def test(match: Matcher) -> Callable[[alerts.Alert], bool]:
    """Return a function that checks whether an alert matches, by its whole value.

    Raises ``InvalidMatcher`` for a bad pattern.
    """
    if match.operator in {"=", "!="}:
        is_equal, value = match.operator == "=", match.value
        return lambda alert: (_label(alert, match.name) == value) == is_equal
    try:
        # Compile the pattern alone first, so that an error message refers to the text as written.
        patterns.compile(match.value)
        pattern = patterns.compile(f"^(?:{match.value})$")
    except patterns.InvalidPattern as error:
        raise InvalidMatcher(f"{match.name}{match.operator}{match.value}: not an RE2 pattern: {error}") from error
    is_equal = match.operator == "=~"
    return lambda alert: (pattern.search(patterns.encode(_label(alert, match.name))) is not None) == is_equal


def _label(alert: alerts.Alert, name: str) -> str:
    value = alert.labels.get(name)
    if value is not None:
        return value
    if name in {"source", "title", "severity"}:  # Every alert has these fields, whichever source sent it.
        return str(getattr(alert, name))
    return ""


class Silencer:
    """Finds the silence of an alert among many."""

    def __init__(self, silences: Iterable[Silence]) -> None:
        """Compile the silences, except those with an invalid pattern. ``unreadable`` has the reasons by ID."""
        self.unreadable: dict[str, str] = {}
        self._silences = []
        for silence in silences:
            try:
                self._silences.append((silence, [test(matcher) for matcher in silence.matchers]))
            except InvalidMatcher as error:
                self.unreadable[silence.id] = str(error)

    def __bool__(self) -> bool:
        """Return whether there is any silence."""
        return bool(self._silences)

    def mute(self, alert: alerts.Alert, now: Timestamp) -> Mute | None:
        """Return the mute by the matching silence that ends last; None if no silence matches."""
        last: Silence | None = None
        for silence, tests in self._silences:
            longer = last is None or silence.ends_at > last.ends_at
            if longer and silence.state(now) == "active" and all(matches(alert) for matches in tests):
                last = silence
        if last is None:
            return None
        comment = f": {last.comment}" if last.comment else ""
        return Mute(Timestamp(min(last.ends_at, now + RECHECK)), f"silence {last.id} of {last.author}{comment}")
