"""How far each notifier has got with the events of one subject."""

import msgspec


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """What one notifier has delivered of a subject's events; times in microseconds since the epoch.

    ``sequence`` is that of the last delivered, or dropped, event; -1 if none was looked at yet. After ``attempts``
    failures in a row, the last one with ``problem``, nothing is sent before ``retry_at``. ``state`` is what the
    notifier keeps itself, such as the ID of a message that it updates. ``rewound_at`` is when an operator last asked
    for events to be delivered again: since then no event is too old.
    """

    sequence: int = -1
    attempts: int = 0
    retry_at: int = 0
    problem: str = ""
    state: dict[str, str] = {}
    rewound_at: int = 0
