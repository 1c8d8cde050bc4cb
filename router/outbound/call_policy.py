"""Waits until the quota admits a call, and retries reads that fail momentarily.

An operation often begins with several reads. If each failed read ended it, an operation at a vendor that fails one call
in four would rarely succeed. Reads can be repeated safely.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import tenacity

from router.outbound import errors

TRIES = 3
MAX_SECONDS = 2.0  # Longest delay that a read waits for. An operation can wait longer, because it releases its lease.
_JITTER_SECONDS = 0.3

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class CallBudget:
    """The limits of the calls of one operation.

    ``floor`` is the share of the quota that the calls leave to more urgent operations. At ``ends_at``, a time of the
    event loop's clock, the operation is cut off, so no call waits until then. ``operation`` is its name in metrics.
    """

    floor: float = 0.0
    ends_at: float = math.inf
    operation: str = "other"


UNLIMITED = CallBudget()
"""The budget of calls that belong to no operation."""


class Turn(NamedTuple):
    """A call that asks for a token: the share of the quota that it leaves (0: most urgent), and its endpoint class."""

    floor: float
    endpoint: str = ""


class Admission(NamedTuple):
    """Seconds until the call is admitted, 0 if it is now. ``is_paused``: the vendor asked for the pause."""

    wait: float
    is_paused: bool = False


class Quota(Protocol):
    """The call quota of an account, shared by all processes."""

    async def admit(self, turn: Turn, /) -> Admission:
        """Take a token, or return the time until one is available."""
        ...

    async def pause(self, seconds: float, endpoint: str, /) -> None:
        """Pause an endpoint class, or the whole account if ``endpoint`` is empty."""
        ...


async def wait_for_quota(quota: Quota, turn: Turn, description: str, ends_at: float = math.inf) -> None:
    """Return when a token has been taken.

    Raises ``Queued`` if none is available within two seconds or before ``ends_at``.

    ``ends_at`` is a time of the event loop's clock, at which the caller is cancelled.
    """
    # For a longer wait, the operation releases its lease and is retried.
    left = min(MAX_SECONDS, ends_at - asyncio.get_running_loop().time())
    while (admission := await quota.admit(turn)).wait:
        left -= admission.wait
        # Waiting longer than the operation may take would only hold its lease.
        if left < 0:
            why = "the vendor asked for a pause" if admission.is_paused else "the account's quota is used up for now"
            raise errors.Queued(f"{description}: {why}", admission.wait)
        await asyncio.sleep(admission.wait)


async def retry_read(read: Callable[[], Awaitable[Read]], ends_at: float = math.inf) -> Read:
    """Call ``read`` up to three times, with the delays that the vendor asks for. Raises the last failure.

    Timeouts aren't retried, and no call is retried after ``ends_at``.
    """

    def should_stop(state: tenacity.RetryCallState) -> bool:
        too_late = asyncio.get_running_loop().time() + state.upcoming_sleep > ends_at
        return too_late or state.attempt_number >= TRIES

    tries = tenacity.AsyncRetrying(
        stop=should_stop,
        wait=_wait,
        retry=tenacity.retry_if_exception(_is_momentary),
        reraise=True,
    )
    return await tries(read)


def _wait(state: tenacity.RetryCallState) -> float:
    assert state.outcome is not None  # noqa: S101 - tenacity asks only after a try
    jitter: float = tenacity.wait_random(0, _JITTER_SECONDS)(state)
    return (getattr(state.outcome.exception(), "retry_after", None) or 0.0) + jitter


def _is_momentary(problem: BaseException) -> bool:
    # Only these failures prove that the call can be repeated. After a timeout, no time is left.
    if not isinstance(problem, errors.Temporary) or isinstance(problem.__cause__, TimeoutError):
        return False
    # A refused account gets the same response again.
    if isinstance(problem, errors.Denied):
        return False
    return (problem.retry_after or 0.0) <= MAX_SECONDS
