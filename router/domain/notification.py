"""The progress of each notifier through the events of one subject."""

import msgspec

from router.domain.times import Timestamp


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """One notifier's progress through the events of a subject; times in microseconds since the epoch.

    ``sequence`` is that of the last delivered, or dropped, event; -1 if none was processed yet. After ``attempts``
    failures in a row, the last one with ``problem``, nothing is sent before ``retry_at``. ``state`` is what the
    notifier stores itself, such as the ID of a message that it updates. ``rewound_at`` is when an operator last asked
    for events to be delivered again: since then no event is too old.
    """

    sequence: int = -1
    attempts: int = 0
    retry_at: Timestamp = Timestamp(0)
    problem: str = ""
    state: dict[str, str] = {}
    rewound_at: Timestamp = Timestamp(0)
