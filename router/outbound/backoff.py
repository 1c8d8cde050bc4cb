"""How long to wait before a failed operation is tried again: full jitter, so that those who failed together part."""

from router.domain import identity

CAP_SECONDS, ASKED_CAP_SECONDS = 300.0, 30.0
DENIED_CAP_SECONDS = 60.0  # A renewed key is noticed within a minute, even by a worker whose other operations rest.
_MOST_DOUBLINGS = 60  # Beyond this every cap is reached, and the power would outgrow a float.


def max_delay(asked: float | None, *, of_account: bool = False) -> float:
    """The most seconds to wait beyond what the vendor ``asked`` for.

    A condition of the account is retried about as often as the circuit breaker probes: what waits longer than that
    would still wait when the vendor works again.
    """
    return ASKED_CAP_SECONDS if of_account or asked is not None else CAP_SECONDS


def full_jitter(
    attempt: int,
    randomness: identity.Randomness,
    *,
    base_seconds: float = 0.5,
    cap_seconds: float = CAP_SECONDS,
    at_least: float = 0.0,
) -> float:
    """Draw the seconds to wait after the ``attempt``-th failure in a row (1, 2, …).

    It is drawn evenly from 0 to ``base_seconds`` doubled with each further attempt, never above ``cap_seconds``.
    ``at_least`` is what the vendor asked for; it comes on top, so nobody is early and not everybody comes at once.
    """
    doublings = min(max(attempt - 1, 0), _MOST_DOUBLINGS)
    ceiling = min(cap_seconds, base_seconds * 2.0**doublings)
    fraction = randomness.getrandbits(53) / (1 << 53)
    return at_least + fraction * ceiling
