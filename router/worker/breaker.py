"""A vendor that is ill is left alone for a while: a circuit breaker for each destination, in this worker."""

import weakref
from dataclasses import dataclass, replace

from router.domain import identity
from router.outbound import errors
from router.telemetry import log, metrics

FAILURES = 5  # In a row.
REST_SECONDS = 30.0
"""How long a circuit stays open at the most, and how long its probe may take. A longer outage makes it no longer.

One operation of each worker in 15 to 30 seconds burdens no vendor, and recovery starts with the next of them.
"""


@dataclass(frozen=True)
class Breaker:
    """The circuit of one destination; times in microseconds.

    After five failures in a row nothing is begun before ``until``; then one operation, the probe, goes first.
    ``opened`` counts how often in a row the circuit has opened, the last time at ``opened_at``.
    """

    failures: int = 0
    opened: int = 0
    until: int = 0
    probed: bool = False
    opened_at: int = 0

    def rests_until(self, now: int) -> int:
        """When something may be begun; 0 where it may be now."""
        return self.until if self.until > now else 0

    def succeeded(self) -> "Breaker":
        """An answer came, whatever it said: the vendor is well."""
        return self if self == WELL else WELL

    def failed(self, now: int, randomness: identity.Randomness) -> "Breaker":
        """No answer, or one that says that the vendor is ill."""
        failures = self.failures + 1
        if failures < FAILURES and not self.opened:
            return Breaker(failures)
        if self.rests_until(now) and not self.probed:  # Others were under way when it opened.
            return replace(self, failures=failures)
        share = randomness.getrandbits(53) / (1 << 53)
        until = now + int((1 + share) * REST_SECONDS / 2 * 1_000_000)
        return Breaker(failures, self.opened + 1, until, opened_at=now)

    def probing(self, now: int) -> "Breaker":
        """One operation goes first where it was open: the others wait for what becomes of it."""
        if not self.opened or self.rests_until(now):
            return self
        return replace(self, until=now + int(REST_SECONDS * 1_000_000), probed=True)

    def recovered(self, at: int, now: int) -> "Breaker":
        """Let a probe go now if another worker has seen the destination work since the circuit opened."""
        if not self.opened or self.probed or at <= self.opened_at:
            return self
        return replace(self, until=min(self.until, now))

    def given_back(self, now: int) -> "Breaker":
        """Let another operation be the probe: the one that was has shown nothing of the vendor."""
        return replace(self, until=now, probed=False) if self.probed else self


WELL = Breaker()


@dataclass(frozen=True)
class Condition:
    """Whether an account works: ``well`` once an operation has succeeded; failing since when (microseconds), and why.

    Neither is known before the first operation.
    """

    well: bool = False
    failing_since: int = 0
    reason: str = ""


@dataclass(frozen=True)
class _Trouble:
    """Operations of one kind that fail: since when, when last (microseconds), and why."""

    since: int
    last: int
    reason: str
    is_throttled: bool = False

    def is_outdated(self, now: int) -> bool:
        """Whether the kind would have failed again by now, judged by how long it had been failing."""
        return now - self.last > 2 * (self.last - self.since) + _FORGOTTEN_AFTER


_FORGOTTEN_AFTER, _RETRIED_EVERY = 30_000_000, 30_000_000


class Breakers:
    """The breakers of all destinations, and how their accounts fare."""

    def __init__(self, randomness: identity.Randomness) -> None:
        self._randomness = randomness
        self._states: dict[str, Breaker] = {}
        self._counted: dict[str, weakref.ref[errors.Failure]] = {}
        self._troubles: dict[str, dict[str, _Trouble]] = {}
        self._recovered: set[str] = set()
        self._recovered_at: dict[str, int] = {}
        self.conditions: dict[str, Condition] = {}
        self._log = log.get("worker")

    def rests_until(self, name: str, now: int) -> int:
        """Until when a destination is left alone; 0 where something may be begun, which then goes first."""
        state = self._states.get(name, WELL)
        # Redis' clock may have stepped back since: nothing rests longer than the longest rest.
        if state.until > now + int(REST_SECONDS * 1_000_000):
            state = self._states[name] = replace(state, until=now)
        until = state.rests_until(now)
        if not until:
            self._states[name] = state.probing(now)
        return until

    def is_open(self, name: str, now: int, recovered_at: int) -> bool:
        """Whether operations still have to wait, given when any worker last saw the destination work again."""
        state = self._states[name] = self._states.get(name, WELL).recovered(recovered_at, now)
        return bool(state.rests_until(now))

    def is_probing(self, name: str) -> bool:
        """Whether an operation is under way that decides whether the circuit closes."""
        return self._states.get(name, WELL).probed

    def give_back_probe(self, name: str, now: int) -> None:
        """Let another operation be the probe."""
        self._states[name] = self._states.get(name, WELL).given_back(now)

    def take_recovery(self, name: str) -> bool:
        """Say once whether the destination has answered well for the first time, or again after a failure."""
        if name not in self._recovered:
            return False
        self._recovered.discard(name)
        return True

    def fared(self, name: str, problem: errors.Failure | None, now: int, kind: str = "") -> None:
        """Note how an operation of a ``kind`` ended.

        A call that several operations have waited for fails once. What was not called says nothing of the vendor.
        A limit of one endpoint pauses that endpoint and leaves the circuit closed: other operations get through.
        """
        root = _root(problem)
        if isinstance(root, errors.Queued | errors.Pending | errors.Stale) or (
            problem is not None and self._is_counted(name, problem)
        ):
            return
        before = self._states.get(name, WELL)
        recovers = self._note(name, root, now, kind)
        if isinstance(root, errors.Throttled) and not root.is_account_wide:
            return
        after = before.failed(now, self._randomness) if _is_ill(root) else before.succeeded()
        self._states[name] = after
        # Whatever answer closes the circuit: what has waited for the probe goes on.
        if recovers or (before.opened and not after.opened):
            self._recovered.add(name)
            self._recovered_at[name] = now
        if bool(after.opened) != bool(before.opened):
            metrics.circuit_open.labels(name).set(bool(after.opened))
            self._log.warning("circuit", destination=name, open=bool(after.opened), reason=str(problem or ""))

    def _note(self, name: str, problem: errors.Failure | None, now: int, kind: str) -> bool:
        """Bring up to date since when the account fails; True if the operation shows that it works again.

        One kind of operation may fail while others succeed.
        """
        troubles = self._troubles.setdefault(name, {})
        had_failed = kind in troubles
        known = self.conditions.get(name, Condition())
        if _is_ill(problem):
            since = troubles[kind].since if kind in troubles else now
            troubles[kind] = _Trouble(since, now, str(problem), isinstance(problem, errors.Throttled))
        else:
            troubles.pop(kind, None)
            for other in [other for other, trouble in troubles.items() if trouble.is_outdated(now)]:
                del troubles[other]
        first = min(troubles.values(), key=lambda trouble: trouble.since, default=None)
        if first is not None:
            self.conditions[name] = Condition(failing_since=first.since, reason=first.reason)
        elif not known.well:
            self.conditions[name] = Condition(well=True)
        return problem is None and (had_failed or self._is_recovery(name, known, now))

    def _is_recovery(self, name: str, known: Condition, now: int) -> bool:
        """Whether a success ends a failure that other operations may be waiting out.

        While another kind of operation still fails, the waiting ones are let try again every 30 seconds: what fails
        for them may be another thing. What the vendor limits waits as long as it was asked to.
        """
        others = [trouble for trouble in self._troubles[name].values() if not trouble.is_throttled]
        if others:
            return now - self._recovered_at.get(name, 0) > _RETRIED_EVERY
        return not (known.well and self._states.get(name, WELL) == WELL) and not self._troubles[name]

    def _is_counted(self, name: str, problem: errors.Failure) -> bool:
        """Whether the failure is that which was counted last, perhaps in other words."""
        problem = _root(problem) or problem
        last = self._counted.get(name)
        self._counted[name] = weakref.ref(problem)
        return last is not None and last() is problem


def is_of_account(problem: errors.Failure) -> bool:
    """Whether a failure is a condition of the vendor or the account, which ends for all operations at once."""
    return _is_ill(_root(problem))


def _root(problem: errors.Failure | None) -> errors.Failure | None:
    """The failure of the call itself: "nobody knows whether it was done" may be a refusal of the repeated call."""
    while problem is not None and isinstance(problem.__cause__, errors.Failure):
        problem = problem.__cause__
    return problem


def _is_ill(problem: errors.Failure | None) -> bool:
    """Whether a failure says that the vendor or the account doesn't work; a refusal of one call doesn't."""
    return isinstance(problem, errors.Unanswered | errors.Temporary) and not isinstance(problem, errors.Conflict)
