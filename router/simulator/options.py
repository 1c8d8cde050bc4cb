"""How a simulator is set up: its clock, its randomness, whom it lets in."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field


def _now() -> int:
    return time.time_ns() // 1000


@dataclass
class Options:
    """What a simulator is started with.

    ``clock`` gives microseconds since the Unix epoch. ``seed`` makes ids the same in every run. ``api_keys`` are the
    keys let in; empty lets in every key that is not empty. ``calls_a_minute`` is the rate limit, 0 for none.
    """

    seed: int = 1
    clock: Callable[[], int] = _now
    api_keys: frozenset[str] = frozenset()
    calls_a_minute: int = 0
    randomness: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.randomness = random.Random(self.seed)

    def allows(self, authorization: str) -> bool:
        """Whether the value of an ``Authorization`` header lets its sender in."""
        scheme, _, key = authorization.partition(" ")
        return scheme.lower() == "bearer" and bool(key) and (not self.api_keys or key in self.api_keys)
