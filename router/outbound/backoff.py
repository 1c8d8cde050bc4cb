"""Delays between retries: exponential back-off with full jitter, so that retries don't coincide."""

from router.domain import identity

CAP_SECONDS, ASKED_CAP_SECONDS = 300.0, 30.0
DENIED_CAP_SECONDS = 60.0  # A renewed key is noticed within a minute, even by a worker that makes no other calls.
_MAX_DOUBLINGS = 60  # Beyond this exponent every cap is reached, and the power would overflow a float.


def max_delay(requested: float | None, *, of_account: bool = False) -> float:
    """Return the maximum delay in seconds, on top of the delay that the vendor ``requested`` for.

    A condition of the account is retried about as often as the circuit breaker probes. A longer delay would outlast the
    recovery of the vendor.
    """
    return ASKED_CAP_SECONDS if of_account or requested is not None else CAP_SECONDS


def full_jitter(
    attempt: int,
    randomness: identity.Randomness,
    *,
    base_seconds: float = 0.5,
    cap_seconds: float = CAP_SECONDS,
    at_least: float = 0.0,
) -> float:
    """Draw the delay in seconds after the ``attempt``-th failure in a row (1, 2, …).

    The delay is uniform between 0 and ``base_seconds``, doubled with each further attempt and limited to
    ``cap_seconds``. ``at_least``, the delay that the vendor asked for, is added, so that no retry is early and retries
    are spread.
    """
    doublings = min(max(attempt - 1, 0), _MAX_DOUBLINGS)
    ceiling = min(cap_seconds, base_seconds * 2.0**doublings)
    # 53 bits are the precision of a float below 1.
    fraction = randomness.getrandbits(53) / (1 << 53)
    return at_least + fraction * ceiling
