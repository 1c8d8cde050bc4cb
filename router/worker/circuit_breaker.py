"""Circuit breakers, one for each destination, in this worker.

A circuit breaker is ``closed`` while the vendor is healthy. After five failed operations in a row it is ``open``: no
operation begins. After 15 to 30 seconds it is ``half_open``: one operation, the probe, goes first. Its result closes
the circuit breaker, or opens it again.
"""

import typing
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from router.domain import identity, times
from router.domain.times import Duration, Timestamp
from router.outbound import errors
from router.telemetry import log, metrics

State = Literal["closed", "open", "half_open"]
STATES: tuple[State, ...] = typing.get_args(State)

FAILURES = 5  # In a row.
OPEN_SECONDS = 30.0
"""The longest time for which a circuit breaker stays open, and the longest time of a probe.

It doesn't grow with the outage: one operation per worker every 15 to 30 seconds is little load for a vendor, and
recovery starts with the next operation.
"""
IDLE_SECONDS = 300.0
"""Seconds for which a circuit breaker stays open that no operation probes."""


@dataclass(frozen=True)
class CircuitBreaker:
    """The circuit breaker of one destination; times in microseconds.

    ``opened`` counts how often in a row it has opened, the last time at ``opened_at``. Nothing begins before ``until``.
    """

    failures: int = 0
    opened: int = 0
    until: Timestamp = Timestamp(0)
    probed: bool = False
    opened_at: Timestamp = Timestamp(0)

    @property
    def state(self) -> State:
        """Return the state by its usual name."""
        if not self.opened:
            return "closed"
        return "half_open" if self.probed else "open"

    def open_until(self, now: Timestamp) -> Timestamp:
        """Return when an operation may begin; 0 if it may begin now."""
        return Timestamp(self.until if self.until > now else 0)

    def with_success(self) -> "CircuitBreaker":
        """Return the closed circuit breaker: the vendor has responded, whatever the response."""
        return self if self == CLOSED else CLOSED

    def with_failure(self, now: Timestamp, randomness: identity.Randomness) -> "CircuitBreaker":
        """Return the circuit breaker after an operation without a response, or with a response that shows an outage."""
        failures = self.failures + 1
        # A few failures may concern single operations, which retry on their own.
        if failures < FAILURES and not self.opened:
            return CircuitBreaker(failures)
        # Other operations were under way when it opened. Their failures add no information.
        if self.open_until(now) and not self.probed:
            return replace(self, failures=failures)
        # Random, so that the workers' probes don't reach a recovering vendor together.
        share = randomness.getrandbits(53) / (1 << 53)
        until = Timestamp(now + times.from_seconds((1 + share) * OPEN_SECONDS / 2))
        return CircuitBreaker(failures, self.opened + 1, until, opened_at=now)

    def with_probe(self, now: Timestamp) -> "CircuitBreaker":
        """Return the circuit breaker with one operation as the probe, if its time has come; the others wait."""
        if not self.opened or self.open_until(now):
            return self
        # If the probe never reports a result, another operation may probe at ``until``.
        return replace(self, until=Timestamp(now + times.from_seconds(OPEN_SECONDS)), probed=True)

    def with_recovery(self, at: Timestamp, now: Timestamp) -> "CircuitBreaker":
        """Let a probe go now if another worker has seen the destination work since the circuit breaker opened."""
        # A recovery from before the circuit breaker opened says nothing about the failures since.
        if not self.opened or self.probed or at <= self.opened_at:
            return self
        return replace(self, until=min(self.until, now))

    def is_outdated(self, now: Timestamp, recovered_at: Timestamp) -> bool:
        """Return whether it is open for no current reason, so that it can be closed without a probe.

        Another worker has seen the destination work since it opened, or no operation here was ready to be the probe:
        the incidents that waited for the destination have closed, or other workers have handled them.
        """
        if not self.opened or self.probed or self.open_until(now):
            return False
        return recovered_at > self.opened_at or now - self.until > times.from_seconds(IDLE_SECONDS)

    def without_probe(self, now: Timestamp) -> "CircuitBreaker":
        """Let another operation be the probe, because the last one has shown nothing about the vendor."""
        return replace(self, until=now, probed=False) if self.probed else self


CLOSED = CircuitBreaker()


@dataclass(frozen=True)
class AccountHealth:
    """The health of an account: ``works`` once an operation has succeeded, since when it fails (microseconds), and why.

    Before the first operation the health is unknown.
    """

    works: bool = False
    failing_since: Timestamp = Timestamp(0)
    reason: str = ""


@dataclass(frozen=True)
class _Trouble:
    """Failing operations of one kind: the first and the latest failure (microseconds), and the reason."""

    since: Timestamp
    last: int
    reason: str
    is_throttled: bool = False

    def is_outdated(self, now: Timestamp) -> bool:
        """Return whether the kind would have failed again by now, judged by how long it had been failing."""
        return now - self.last > 2 * (self.last - self.since) + _OUTDATED_AFTER


_OUTDATED_AFTER = _RETRY_INTERVAL = Duration(30 * times.SECOND)


class CircuitBreakers:
    """The circuit breakers of all destinations, and the health of their accounts."""

    def __init__(self, randomness: identity.Randomness) -> None:
        self._randomness = randomness
        self._breakers: dict[str, CircuitBreaker] = {}
        self._last_failures: dict[str, weakref.ref[errors.Failure]] = {}
        self._troubles: dict[str, dict[str, _Trouble]] = {}
        self._new_recoveries: set[str] = set()
        self._recovered_at: dict[str, Timestamp] = {}
        self.health: dict[str, AccountHealth] = {}
        self._log = log.get("worker")

    def open_until(self, name: str, now: Timestamp) -> Timestamp:
        """Return until when nothing begins at a destination; 0 if an operation may begin, which may be the probe."""
        breaker = self._breakers.get(name, CLOSED)
        # Redis' clock may have been set back since: no circuit breaker stays open longer than the longest time.
        if breaker.until > now + times.from_seconds(OPEN_SECONDS):
            breaker = replace(breaker, until=now)
        until = breaker.open_until(now)
        # The caller becomes the probe without an ``await`` in between, so that two callers can't both begin.
        self._set(name, breaker if until else breaker.with_probe(now))
        return until

    def is_open(self, name: str, now: Timestamp, recovered_at: Timestamp) -> bool:
        """Return whether operations still have to wait, given when any worker last saw the destination work again."""
        breaker = self._breakers.get(name, CLOSED).with_recovery(recovered_at, now)
        self._set(name, breaker)
        return bool(breaker.open_until(now))

    @property
    def has_open(self) -> bool:
        """Return whether any circuit breaker is not closed."""
        return any(breaker.opened for breaker in self._breakers.values())

    def close_outdated(self, now: Timestamp, recovered_at: Mapping[str, Timestamp]) -> None:
        """Close the circuit breakers that are open for no current reason.

        ``recovered_at`` is when any worker last saw a destination work again (microseconds).
        """
        for name, breaker in list(self._breakers.items()):
            if breaker.is_outdated(now, recovered_at.get(name, Timestamp(0))):
                self._set(name, CLOSED)
                reason = "no operation has used it since, or another worker has seen the destination work"
                self._log.warning("circuit_breaker_state_changed", destination=name, state="closed", reason=reason)

    def is_half_open(self, name: str) -> bool:
        """Return whether a probe is under way."""
        return self._breakers.get(name, CLOSED).state == "half_open"

    def release_probe(self, name: str, now: Timestamp) -> None:
        """Let another operation be the probe."""
        self._set(name, self._breakers.get(name, CLOSED).without_probe(now))

    def take_recovery(self, name: str) -> bool:
        """Return once whether the destination has succeeded for the first time, or again after a failure."""
        if name not in self._new_recoveries:
            return False
        self._new_recoveries.discard(name)
        return True

    def record(self, name: str, problem: errors.Failure | None, now: Timestamp, kind: str = "") -> None:
        """Record how an operation of a ``kind`` ended.

        A call that several operations wait for counts as one failure. An operation without a call shows nothing about
        the vendor. A limit of one endpoint pauses that endpoint and leaves the circuit breaker closed: other operations
        go on.
        """
        root = _root(problem)
        if isinstance(root, errors.Queued | errors.Pending | errors.Stale) or (
            problem is not None and self._is_counted(name, problem)
        ):
            return
        before = self._breakers.get(name, CLOSED)
        recovers = self._update_health(name, root, now, kind)
        if isinstance(root, errors.Throttled) and not root.is_account_wide:
            return
        after = before.with_failure(now, self._randomness) if _is_outage(root) else before.with_success()
        self._set(name, after)
        # Any response closes the circuit breaker, so the operations that waited for the probe go on.
        if recovers or (before.opened and not after.opened):
            self._new_recoveries.add(name)
            self._recovered_at[name] = now
        if bool(after.opened) != bool(before.opened):
            self._log.warning(
                "circuit_breaker_state_changed", destination=name, state=after.state, reason=str(problem or "")
            )

    def _set(self, name: str, breaker: CircuitBreaker) -> None:
        """Store a circuit breaker, and export its state."""
        before = self._breakers.get(name, CLOSED)
        self._breakers[name] = breaker
        if breaker.state != before.state:
            for state in STATES:
                metrics.circuit_breaker_state.labels(name, state).set(state == breaker.state)

    def _update_health(self, name: str, problem: errors.Failure | None, now: Timestamp, kind: str) -> bool:
        """Update since when the account fails. Return True if the operation shows that it works again.

        One kind of operation may fail while others succeed.
        """
        troubles = self._troubles.setdefault(name, {})
        had_failed = kind in troubles
        account_health = self.health.get(name, AccountHealth())
        if _is_outage(problem):
            since = troubles[kind].since if kind in troubles else now
            troubles[kind] = _Trouble(since, now, str(problem), isinstance(problem, errors.Throttled))
        else:
            troubles.pop(kind, None)
            # A success of one kind of operation doesn't prove that another kind works. But a kind that would have
            # failed again by now, and didn't, is forgotten.
            for other in [other for other, trouble in troubles.items() if trouble.is_outdated(now)]:
                del troubles[other]
        first = min(troubles.values(), key=lambda trouble: trouble.since, default=None)
        if first is not None:
            self.health[name] = AccountHealth(failing_since=first.since, reason=first.reason)
        elif not account_health.works:
            self.health[name] = AccountHealth(works=True)
        return problem is None and (had_failed or self._is_recovery(name, account_health, now))

    def _is_recovery(self, name: str, account_health: AccountHealth, now: Timestamp) -> bool:
        """Return whether a success ends a failure that other operations may be waiting out.

        While another kind of operation still fails, the waiting operations may retry every 30 seconds, because their
        failure may have another cause. Operations that the vendor limits wait as long as it asked.
        """
        others = [trouble for trouble in self._troubles[name].values() if not trouble.is_throttled]
        if others:
            return now - self._recovered_at.get(name, Timestamp(0)) > _RETRY_INTERVAL
        return not (account_health.works and self._breakers.get(name, CLOSED) == CLOSED) and not self._troubles[name]

    def _is_counted(self, name: str, problem: errors.Failure) -> bool:
        """Return whether the failure is the one that was counted last, perhaps with another text."""
        problem = _root(problem) or problem
        last = self._last_failures.get(name)
        # A strong reference would keep the failure's traceback alive, and an ``id`` may be reused by another failure.
        self._last_failures[name] = weakref.ref(problem)
        return last is not None and last() is problem


def is_of_account(problem: errors.Failure) -> bool:
    """Return whether a failure is a condition of the vendor or the account, which ends for all operations at the same
    time."""
    return _is_outage(_root(problem))


def _root(problem: errors.Failure | None) -> errors.Failure | None:
    """Return the failure of the call itself: an unknown outcome may be caused by a refusal of the repeated call."""
    while problem is not None and isinstance(problem.__cause__, errors.Failure):
        problem = problem.__cause__
    return problem


def _is_outage(problem: errors.Failure | None) -> bool:
    """Return whether a failure shows that the vendor or the account doesn't work. The refusal of one call doesn't."""
    # A conflict is a response about one object, so the vendor works.
    return isinstance(problem, errors.Unanswered | errors.Temporary) and not isinstance(problem, errors.Conflict)
