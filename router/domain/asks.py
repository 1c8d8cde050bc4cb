"""Asks: the responses that rules request for an incident's alerts, and how the incident combines them.

Each alert carries the response of its newest decision. Alerts with equal responses share an *ask*. The incident follows
all of its asks:

- An ask *joins* once an alert has fired for the hold of its response. From then on its destinations belong to the
  incident until the episode ends. Destinations accumulate: what was opened is resolved at the end, with the incident.
- A pending incident opens as soon as the first ask joins.
- The *lead* is the ask with the worst severity of the episode. It gives the owner, the runbook, the timing, and the
  texts at its destinations. If the rule follows the severity down, only the alerts that fire now count.
- Texts at the other destinations are those of the ask that requests them. A destination that no firing alert asks for
  any longer is left as it is.

None of this depends on the order in which alerts arrive.

Example: rule "tickets" opens a ticket for warnings, rule "pages" pages for critical alerts with ``open_after: 2m``.

| time | alert | asks | incident |
| --- | --- | --- | --- |
| 0:00 | disk full, warning | tickets (joined) | open at tickets |
| 5:00 | disk full, critical | tickets (joined), pages (since 5:00) | open at tickets |
| 7:00 | | tickets (joined), pages (joined) | open at tickets and pager |
"""

from collections.abc import Container, Iterable, Mapping

import msgspec

from router.domain import alert_states, alerts, decisions, severities
from router.domain.times import Timestamp


class Ask(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One response that the rules gave to alerts of the incident; times in microseconds since the epoch.

    ``id`` is unique within the episode. ``alert`` is the alert that texts are rendered with. ``began_at`` is when the
    first of its alerts fired. ``since`` is the time since which at least one has fired without a break (0: none fires).
    ``fires`` counts the firing alerts. ``severity`` is the worst in this episode. ``is_joined``: its destinations
    belong to the incident.
    """

    id: int
    response: decisions.Response
    alert: alerts.Alert
    began_at: Timestamp = Timestamp(0)
    since: Timestamp = Timestamp(0)
    fires: int = 0
    severity: severities.Severity = severities.Severity.INFO
    is_joined: bool = False

    @property
    def joins_at(self) -> Timestamp:
        """Return when its destinations join the incident if an alert fires until then; 0 if they won't join."""
        return Timestamp(self.since + self.response.timing.open_after if self.since and not self.is_joined else 0)

    def wants(self, destination: str) -> bool:
        """Return whether the ask includes a destination."""
        return any(target.destination == destination for target in self.response.targets)


class StoredAsk(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An ask without its response and its alert, for a document that holds both already."""

    id: int
    began_at: Timestamp
    since: Timestamp
    fires: int
    severity: severities.Severity
    is_joined: bool


class _Entry:
    """An ask while alerts are folded in."""

    __slots__ = ("alert", "before", "fires", "severity", "since")

    def __init__(self, ask: Ask) -> None:
        self.before = ask
        self.alert = ask.alert
        self.fires = ask.fires
        self.severity = ask.severity
        self.since = ask.since

    @property
    def ask(self) -> Ask:
        before = self.before
        since = self.since if self.fires else 0
        if (self.alert, self.fires, self.severity, since) == (
            before.alert,
            before.fires,
            before.severity,
            before.since,
        ):
            return before
        return msgspec.structs.replace(before, alert=self.alert, fires=self.fires, severity=self.severity, since=since)


class Book:
    """The asks of an incident while alerts are folded into it."""

    def __init__(self, asks: Iterable[Ask]) -> None:
        self._before = tuple(asks)
        self._entries = {ask.id: _Entry(ask) for ask in self._before}
        self._response: decisions.Response | None = None
        self._is_test = False
        self._id = 0
        self.affects = False  # Whether alerts of the ask that was last requested may affect components.

    def id_of(self, routed: decisions.Routed) -> int:
        """Return the ID of the ask that a firing alert belongs to; create the ask if there is none yet."""
        response = routed.decision.response
        is_test = routed.alert.is_test
        # The alerts of one delivery share their responses.
        if response is self._response and is_test == self._is_test:
            return self._id
        assert response is not None  # noqa: S101 - only routed alerts are folded
        ask_id = self._find(response, is_test=is_test)
        if ask_id is None:
            ask_id = max(self._entries, default=-1) + 1
            severity = routed.decision.severity
            began_at = routed.received_at
            self._entries[ask_id] = _Entry(Ask(ask_id, response, routed.alert, began_at=began_at, severity=severity))
        self._response, self._is_test, self._id = response, is_test, ask_id
        self.affects = any(target.parts for target in response.targets)
        return ask_id

    def _find(self, response: decisions.Response, *, is_test: bool) -> int | None:
        for number, entry in self._entries.items():
            if entry.alert.is_test == is_test and is_equal(entry.before.response, response):
                return number
        return None

    def count(
        self, before: alert_states.AlertState | None, after: alert_states.AlertState, routed: decisions.Routed
    ) -> None:
        """Record that a message has changed the state of an alert."""
        if before is not None and not before.resolved and (entry := self._entries.get(before.ask)):
            entry.fires -= 1
        if after.resolved or (entry := self._entries.get(after.ask)) is None:
            return
        entry.fires += 1
        if not entry.since or after.learned_at < entry.since:
            entry.since = after.learned_at
        if after.severity > entry.severity:
            entry.severity = after.severity
        escalated = before is not None and before.severity != after.severity
        if (escalated or not entry.before.is_joined) and routed.alert.status == "firing":
            self._take_texts(entry, routed.alert, escalated=escalated)

    @staticmethod
    def _take_texts(entry: _Entry, alert: alerts.Alert, *, escalated: bool) -> None:
        """Choose the alert for texts: the oldest alert of the ask, with its newest message if its severity changes."""
        if alert.identity == entry.alert.identity if escalated else _age(alert) < _age(entry.alert):
            entry.alert = alert

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Return the asks as they are now; the same tuple if nothing has changed."""
        now = settle(entry.ask for entry in self._entries.values())
        return self._before if now == self._before else now


def _age(alert: alerts.Alert) -> tuple[int, str]:
    return (alert.starts_at, alert.identity)


def is_equal(response: decisions.Response, other: decisions.Response) -> bool:
    """Return whether two responses are equal, including the fields of their targets."""
    return response is other or (
        response.place == other.place and response.version == other.version and response == other
    )


def settle(asks: Iterable[Ask]) -> tuple[Ask, ...]:
    """Return the asks without those that neither fire nor have joined; ``since`` of one that doesn't fire is 0."""
    return tuple(
        msgspec.structs.replace(ask, since=0) if ask.since and not ask.fires else ask
        for ask in asks
        if ask.fires or ask.is_joined
    )


def recount(asks: Iterable[Ask], states: Mapping[str, alert_states.AlertState]) -> tuple[Ask, ...]:
    """Recount the alerts that fire after time alone has ended some."""
    fires: dict[int, int] = {}
    for state in states.values():
        if not state.resolved:
            fires[state.ask] = fires.get(state.ask, 0) + 1
    return settle(msgspec.structs.replace(ask, fires=fires.get(ask.id, 0)) for ask in asks)


def with_texts_of(
    asks: Iterable[Ask],
    states: Mapping[str, alert_states.AlertState],
    held_alerts: Mapping[str, decisions.Routed],
) -> tuple[Ask, ...]:
    """Return the asks after some alerts were removed. Texts are those of the oldest alert that remains."""
    updated = []
    for ask in asks:
        left = [routed.alert for name, routed in held_alerts.items() if name in states and states[name].ask == ask.id]
        is_gone = ask.alert.identity not in states and not ask.is_joined
        updated.append(msgspec.structs.replace(ask, alert=min(left, key=_age)) if is_gone and left else ask)
    return tuple(updated)


def join(asks: Iterable[Ask], ids: Container[int]) -> tuple[Ask, ...]:
    """Return the asks after those with these IDs have joined."""
    return tuple(msgspec.structs.replace(ask, is_joined=True) if ask.id in ids else ask for ask in asks)


def next_join(asks: Iterable[Ask]) -> Timestamp:
    """Return when the next ask joins, in microseconds; 0 if none will."""
    moments = [joins_at for ask in asks if not ask.is_joined and (joins_at := ask.joins_at)]
    return min(moments) if moments else Timestamp(0)


def lead(asks: Iterable[Ask], severities_now: Mapping[int, severities.Severity] | None = None) -> Ask | None:
    """Return the ask that gives the incident its texts and timing.

    ``severities_now`` are the worst severities of the alerts that fire, by ask; None if that of the episode counts.
    A test never leads an incident that has real alerts.
    """
    candidates = list(asks)
    if len(candidates) < 2:  # The usual case.
        return candidates[0] if candidates else None

    def rank(ask: Ask) -> tuple[bool, bool, int, int, str, int]:
        severity = ask.severity
        fires = True
        if severities_now is not None:
            fires = ask.id in severities_now
            severity = severities_now.get(ask.id, severity)
        return (not ask.alert.is_test, fires, severity, -ask.began_at, _descending(ask.response.place), -ask.id)

    return max(candidates, key=rank)


def _descending(text: str) -> str:
    """Return a key that orders texts in reverse, for ``max``."""
    return "".join(chr(0x10FFFF - ord(character)) for character in text)


def by_precedence(first: Ask, asks: Iterable[Ask]) -> list[Ask]:
    """Return the asks whose destinations count beside those of the lead: the lead first, then those that fire.

    A test adds nothing to an incident that has real alerts.
    """

    def rank(ask: Ask) -> tuple[bool, bool, int, int, str, int]:
        return (ask.id != first.id, not ask.fires, -ask.severity, ask.began_at, ask.response.place, ask.id)

    return sorted((ask for ask in asks if ask.alert.is_test == first.alert.is_test), key=rank)


def combine(first: Ask, asks: Iterable[Ask]) -> decisions.Response:
    """Return the lead's response with the destinations of all asks. The first target for a destination counts."""
    asks = list(asks)
    if len(asks) == 1:
        return first.response
    _, *further = by_precedence(first, asks)
    if not further:
        return first.response
    targets = {target.destination: target for target in first.response.targets}
    labels, copied, because = first.response.labels, first.response.copied, list(first.response.because)
    for response in (ask.response for ask in further):
        for target in response.targets:
            targets.setdefault(target.destination, target)
        labels = {**response.labels, **labels}
        copied = {**response.copied, **copied}
        because += [reason for reason in response.because if reason not in because]
    notify = dict.fromkeys(name for ask in (first, *further) for name in ask.response.notify)
    return msgspec.structs.replace(
        first.response,
        targets=tuple(targets.values()),
        labels=labels,
        copied=copied,
        because=tuple(because),
        notify=tuple(notify),
    )
