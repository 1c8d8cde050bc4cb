"""The state of one alert, derived from its messages in whatever order the worker reads them.

Every message carries two kinds of time. The sender's times say when the condition started and ended. The time of
receipt says when the router accepted the message. Sender times order messages within one episode of the alert; receipt
decides between episodes:

- Within the retry window of the source, a firing message with the start of a resolved alert is a late delivery. The
  router ignores it.
- A firing message received after that window counts as firing, whatever start it carries. Alertmanager sends the same
  start again after it lost its connection to Prometheus.

Example, with a retry window of 5 minutes:

| received | message | state afterwards |
| --- | --- | --- |
| 10:00 | firing, started 09:59 | firing |
| 10:20 | resolved, started 09:59, ended 10:19 | resolved |
| 10:21 | firing, started 09:59 | resolved: late delivery |
| 10:40 | firing, started 09:59 | firing: received 20 minutes after the resolution |
| 10:41 | resolved, started 09:59, ended 10:19 | firing: this end is known |
| 10:50 | resolved, started 09:59, ended 10:49 | resolved |

Several senders may share one fingerprint: an HA pair of Prometheus servers, or two clusters behind one source. Each
start is an *instance*. A newer start replaces an older one, unless the older one is known to come from another sender
(``origin``), or was still repeated after the retry window of the newer one had passed. The alert fires while any
instance fires.
"""

from typing import Literal

import msgspec

from router.domain import decisions, severities, times
from router.domain.times import Duration, Timestamp

DEFAULT_RETRY_WINDOW = Duration(5 * times.MINUTE)
"""Microseconds for which a message can be a late delivery, for sources that don't say."""

MAX_INSTANCES = 4

Outcome = Literal["changed", "unchanged", "ignored"]
"""The effect of a message. An ``ignored`` one contradicts the state and is older than it."""


class AlertState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The state of one alert of an incident; times in microseconds since the epoch.

    ``ends_at`` of a firing alert is when it expires unless it is repeated (0: never); of a resolved alert it is its
    end. An ``expired`` alert counts as resolved, although no sender reported that; a message with a later end fires it
    again. ``learned_at`` is the receipt of the message that this state stems from. ``affects`` are pairs of a
    destination and a component of its page.

    ``first_at`` is the receipt of the first message with this start. ``ended_at`` is the latest end that was reported
    for this start before the alert fired again (0: none). ``origin`` names the sender's instance, if the source knows
    it. ``ask`` is the ID of the incident's ask that the alert's newest decision belongs to. ``others`` are further
    instances: those that fire as well, and those of other senders that have resolved.
    """

    starts_at: Timestamp
    resolved: bool
    ends_at: Timestamp
    severity: severities.Severity
    learned_at: Timestamp = Timestamp(0)
    expired: bool = False
    affects: tuple[tuple[str, str], ...] = ()
    first_at: Timestamp = Timestamp(0)
    ended_at: Timestamp = Timestamp(0)
    origin: str = ""
    ask: int = 0
    others: tuple["AlertState", ...] = ()

    @property
    def start(self) -> tuple[int, int]:
        """Return the start for comparing instances.

        A start after the first receipt comes from a wrong clock, so the first receipt is returned instead.
        """
        return (min(self.starts_at, self.first_at or self.starts_at), self.starts_at)


def window_of(routed: decisions.Routed) -> Duration:
    """Return the retry window of a message's source, in microseconds."""
    return Duration(DEFAULT_RETRY_WINDOW if routed.retry_window is None else routed.retry_window)


def message_of(
    routed: decisions.Routed, received_at: Timestamp, *, ask: int = 0, affects: tuple[tuple[str, str], ...] = ()
) -> AlertState:
    """Return the state that a message would lead to if it were the only one."""
    alert = routed.alert
    resolved = alert.status == "resolved"
    ends_at = alert.ends_at
    if resolved and not 0 < ends_at <= received_at:
        ends_at = received_at  # An end in the future comes from a wrong clock; a missing end counts as now.
    return AlertState(
        alert.starts_at,
        resolved,
        ends_at,
        severities.Severity.INFO if resolved else routed.decision.severity,
        received_at,
        affects=affects,
        first_at=received_at,
        origin=alert.origin,
        ask=ask,
    )


def merge(state: AlertState | None, message: AlertState, window: Duration) -> tuple[AlertState, Outcome]:
    """Return the state after a message, and what the message did; the same object if nothing changed.

    ``window`` is the retry window of the source in microseconds.
    """
    if state is None:
        return message, "changed"
    if not state.others and message.starts_at == state.starts_at:  # The case of nearly every message.
        merged = _merge_instance(state, message, window)
    else:
        merged = _merge_instances(state, message, window)
    if merged is not state:
        return merged, "changed"
    # A message received before the state was reached isn't ignored: it was counted, or would have been in its turn.
    ignored = message.resolved != state.resolved and message.learned_at > state.learned_at
    return state, "ignored" if ignored else "unchanged"


def _merge_instance(state: AlertState, message: AlertState, window: Duration) -> AlertState:
    """Merge a message into the instance that has its start."""
    if message.resolved:
        return _resolve(state, message, window)
    if not state.resolved:
        return _repeat(state, message, window)
    if state.expired:
        # No sender reported the end of the alert, so a firing message takes effect immediately.
        if message.ends_at == 0 or message.ends_at > state.ends_at:
            return _fire_again(state, message)
        return state
    if message.learned_at > state.learned_at + window:
        return _fire_again(state, message)
    # The sender repeats a message for no longer than the retry window, so this is a late delivery.
    return state


def _fire_again(state: AlertState, message: AlertState) -> AlertState:
    ended_at = 0 if state.expired else state.ends_at
    return msgspec.structs.replace(message, ended_at=max(ended_at, state.ended_at))


def _resolve(state: AlertState, message: AlertState, window: Duration) -> AlertState:
    if message.ends_at <= state.ended_at:
        # This end was known before the alert fired again.
        return state
    if not state.resolved:
        if state.learned_at > message.learned_at + window:
            # The resolution waited longer than the retry window, and the alert has fired since.
            return msgspec.structs.replace(state, ended_at=message.ends_at)
        return _end(state, message)
    if state.expired or message.ends_at > state.ends_at:
        return _end(state, message)
    # The same end again. An earlier receipt makes the retry window end earlier.
    if message.ends_at == state.ends_at and message.learned_at < state.learned_at:
        return msgspec.structs.replace(state, learned_at=message.learned_at)
    return state


def _end(state: AlertState, message: AlertState) -> AlertState:
    return msgspec.structs.replace(
        message, first_at=min(state.first_at, message.first_at), ended_at=state.ended_at, others=state.others
    )


def _repeat(state: AlertState, message: AlertState, window: Duration) -> AlertState:
    """Merge a firing message into a firing instance. The newest message sets the severity and the expiry."""
    newer = (message.learned_at, message.severity, message.ends_at) > (state.learned_at, state.severity, state.ends_at)
    if not newer:
        return state
    same = (
        message.severity == state.severity
        and message.ends_at == state.ends_at
        and message.ask == state.ask
        and message.affects == state.affects
    )
    # Recording each repeat would cost a write per message. Once per window is exact enough to order resolutions.
    if same and message.learned_at <= state.learned_at + window:
        return state
    return msgspec.structs.replace(
        state,
        severity=message.severity,
        ends_at=message.ends_at,
        learned_at=message.learned_at,
        affects=message.affects,
        ask=message.ask,
        origin=message.origin or state.origin,
    )


def _merge_instances(state: AlertState, message: AlertState, window: Duration) -> AlertState:
    """Merge a message if there is more than one start."""
    instances = [msgspec.structs.replace(state, others=()) if state.others else state, *state.others]
    for position, instance in enumerate(instances):
        if instance.starts_at == message.starts_at:
            merged = _merge_instance(instance, message, window)
            if merged is instance:
                return state
            instances[position] = merged
            return _arrange(instances, window)
    newest = max(instances, key=_start)
    if message.start < newest.start and not _is_concurrent(message, newest, window):
        # The newer start has replaced this one.
        return state
    return _arrange([*instances, message], window)


def _arrange(instances: list[AlertState], window: Duration) -> AlertState:
    """Return the state of an alert with these instances, without the instances that no longer matter."""
    newest = max(instances, key=_start)
    states = [instance for instance in instances if instance is not newest and _is_concurrent(instance, newest, window)]
    firing = [instance for instance in (newest, *states) if not instance.resolved]
    main = max(firing, key=_start, default=newest)
    # Firing instances matter most, then those that ended last: late deliveries are recognized by them.
    others = sorted(
        (state for state in (newest, *states) if state is not main),
        key=lambda state: (not state.resolved, state.learned_at),
        reverse=True,
    )
    return msgspec.structs.replace(main, others=tuple(others[: MAX_INSTANCES - 1]))


def _is_concurrent(older: AlertState, newer: AlertState, window: Duration) -> bool:
    """Return whether an older start still counts beside a newer one instead of being replaced."""
    if older.origin and newer.origin and older.origin != newer.origin:
        # The starts come from two senders, and a message of one says nothing about the other.
        return True
    # One sender replaces its own start. If the older start is still repeated after the retry window of the newer one,
    # then there are two senders.
    return older.learned_at > newer.first_at + window


def _start(state: AlertState) -> tuple[int, int]:
    return state.start


def expire(state: AlertState, now: Timestamp) -> AlertState:
    """Return the state at ``now``.

    A firing alert whose ``ends_at`` has passed has ended. Otherwise return the same object.
    """
    if state.others:
        instances = [msgspec.structs.replace(state, others=()), *state.others]
        ended = [_expire_instance(instance, now) for instance in instances]
        if all(after is before for after, before in zip(ended, instances, strict=True)):
            return state
        return _arrange(ended, Duration(0))
    return _expire_instance(state, now)


def _expire_instance(state: AlertState, now: Timestamp) -> AlertState:
    if state.resolved or not 0 < state.ends_at <= now:
        return state
    return msgspec.structs.replace(state, resolved=True, expired=True, learned_at=now)
