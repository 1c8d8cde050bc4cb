"""Waits for a call's turn, and asks a vendor again at once where a question failed for a moment.

An operation often begins with several reads. Were each failure of one to end it, a vendor that fails one call in four
would hardly ever see one through, though nearly all of its answers are good. What only reads may be repeated without a
thought.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, TypeVar

import tenacity

from router.outbound import errors

TRIES = 3
MOST_SECONDS = 2.0  # What a vendor may ask to wait; the operation waits longer where it holds no lease.
_JITTER_SECONDS = 0.3

Read = TypeVar("Read")


class Turn(NamedTuple):
    """A call that wants to be made: the share of the quota that it leaves (0: most urgent), and its endpoint class."""

    floor: float
    endpoint: str = ""


class Admission(NamedTuple):
    """Whether a call may be made: 0, or the seconds until it may. ``is_paused``: the vendor asked for that pause."""

    wait: float
    is_paused: bool = False


class Quota(Protocol):
    """How often the account may be called, by everybody together."""

    async def admit(self, turn: Turn, /) -> Admission:
        """Take one call, or say when there may be one."""
        ...

    async def pause(self, seconds: float, endpoint: str, /) -> None:
        """Make no call of this endpoint class for so long; of none at all if ``endpoint`` is empty."""
        ...


async def wait_for_quota(quota: Quota, turn: Turn, about: str, ends_at: float) -> None:
    """Return when one call has been taken; ``Queued`` where there is none within two seconds, or before ``ends_at``.

    That is by the event loop's clock: whoever calls is cut off then, and would have waited in vain.
    """
    left = min(MOST_SECONDS, ends_at - asyncio.get_running_loop().time())
    while (admission := await quota.admit(turn)).wait:
        left -= admission.wait
        if left < 0:
            why = "the vendor asked for a pause" if admission.is_paused else "the account's quota is used up for now"
            raise errors.Queued(f"{about}: {why}", admission.wait)
        await asyncio.sleep(admission.wait)


async def retry_read(read: Callable[[], Awaitable[Read]], ends_at: float = math.inf) -> Read:
    """Call ``read`` up to three times, never before what its vendor asked for; the last failure is raised.

    What took its whole time is not asked again, nor is anything after ``ends_at``: there is no time left for it.
    """

    def enough(state: tenacity.RetryCallState) -> bool:
        too_late = asyncio.get_running_loop().time() + state.upcoming_sleep > ends_at
        return too_late or state.attempt_number >= TRIES

    tries = tenacity.AsyncRetrying(
        stop=enough,
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
    if not isinstance(problem, errors.Temporary) or isinstance(problem.__cause__, TimeoutError):
        return False
    # The same question to an account that is not let in would be answered in the same way.
    if isinstance(problem, errors.Denied):
        return False
    return (problem.retry_after or 0.0) <= MOST_SECONDS
