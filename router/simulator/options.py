"""The settings of a simulator: its clock, its random seed, and the API keys that it accepts."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field


def _now() -> int:
    return time.time_ns() // 1000


@dataclass
class Options:
    """The settings with which a simulator starts.

    ``clock`` returns microseconds since the Unix epoch. With the same ``seed``, every run creates the same IDs.
    ``api_keys`` are the accepted keys; if empty, every non-empty key is accepted. ``calls_a_minute`` is the rate limit,
    0 for none.
    """

    seed: int = 1
    clock: Callable[[], int] = _now
    api_keys: frozenset[str] = frozenset()
    calls_a_minute: int = 0
    randomness: random.Random = field(init=False)

    def __post_init__(self) -> None:
        # There is one generator for all vendors, so the same calls in the same order give the same IDs.
        self.randomness = random.Random(self.seed)

    def allows(self, authorization: str) -> bool:
        """Return whether the value of an ``Authorization`` header is accepted."""
        scheme, _, key = authorization.partition(" ")
        return scheme.lower() == "bearer" and bool(key) and (not self.api_keys or key in self.api_keys)
