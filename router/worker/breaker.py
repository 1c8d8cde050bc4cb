"""A vendor that is ill is left alone for a while: a circuit breaker for each destination, in this worker."""

import weakref
from dataclasses import dataclass

from router.domain import identity
from router.outbound import errors
from router.telemetry import log, metrics

NOT_LET_IN = frozenset({401, 403})  # What a vendor answers to a key that is not accepted (any more).
FAILURES = 5  # In a row.
FIRST_SECONDS, MOST_SECONDS = 30.0, 300.0


@dataclass(frozen=True)
class Breaker:
    """How one destination fares; times in microseconds.

    After so many failures in a row nothing is begun before ``until``; then one operation goes first, and shows
    whether it was long enough. ``opened`` counts how often in a row it was not.
    """

    failures: int = 0
    opened: int = 0
    until: int = 0
    probed: bool = False

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
            return Breaker(failures, 0, 0)
        if self.rests_until(now) and not self.probed:  # Others were under way when it opened.
            return Breaker(failures, self.opened, self.until)
        ceiling = min(MOST_SECONDS, FIRST_SECONDS * 2.0**self.opened)
        share = randomness.getrandbits(53) / (1 << 53)
        return Breaker(failures, self.opened + 1, now + int((ceiling / 2 + share * ceiling / 2) * 1_000_000))

    def probing(self, now: int) -> "Breaker":
        """One operation goes first where it was open: the others wait for what becomes of it."""
        if not self.opened or self.rests_until(now):
            return self
        return Breaker(self.failures, self.opened, now + int(FIRST_SECONDS * 1_000_000), probed=True)


WELL = Breaker()


@dataclass(frozen=True)
class Condition:
    """Whether an account works: ``well`` once an operation has succeeded; failing since when (microseconds), and why.

    Neither is known before the first operation.
    """

    well: bool = False
    failing_since: int = 0
    reason: str = ""


class Breakers:
    """The breakers of all destinations, and how their accounts fare."""

    def __init__(self, randomness: identity.Randomness) -> None:
        self._randomness = randomness
        self._states: dict[str, Breaker] = {}
        self._counted: dict[str, weakref.ref[errors.Failure]] = {}
        self.conditions: dict[str, Condition] = {}
        self._log = log.get("worker")

    def rests_until(self, name: str, now: int) -> int:
        """Until when a destination is left alone; 0 where something may be begun, which then goes first."""
        state = self._states.get(name, WELL)
        until = state.rests_until(now)
        if not until:
            self._states[name] = state.probing(now)
        return until

    def fared(self, name: str, problem: errors.Failure | None, now: int) -> None:
        """Note how an operation ended. To be told to come back later is an answer, and no illness.

        A call that several operations have waited for fails once.
        """
        if problem is not None and self._is_counted(name, problem):
            return
        before = self._states.get(name, WELL)
        ill = isinstance(problem, errors.Unanswered | errors.Temporary) and problem.retry_after is None
        shut_out = isinstance(problem, errors.Permanent) and problem.status in NOT_LET_IN
        known = self.conditions.get(name)
        if ill or shut_out:
            since = known.failing_since if known is not None else 0
            self.conditions[name] = Condition(failing_since=since or now, reason=str(problem))
        elif known is None or not known.well:
            self.conditions[name] = Condition(well=True)
        after = before.failed(now, self._randomness) if ill else before.succeeded()
        self._states[name] = after
        if bool(after.opened) != bool(before.opened):
            metrics.circuit_open.labels(name).set(bool(after.opened))
            self._log.warning("circuit", destination=name, open=bool(after.opened), reason=str(problem or ""))

    def _is_counted(self, name: str, problem: errors.Failure) -> bool:
        """Whether the failure is that which was counted last, perhaps in other words."""
        while isinstance(problem.__cause__, errors.Failure):
            problem = problem.__cause__
        last = self._counted.get(name)
        self._counted[name] = weakref.ref(problem)
        return last is not None and last() is problem
