"""An oracle, and messages for it. The oracle knows only what the documentation promises.

The newest accepted message of an alert, by the message's own times, sets the alert's state. An incident is open while
any of its alerts fires.
"""

import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """One message of one alert; times in milliseconds since the epoch, ``ends_at`` 0 while it fires."""

    key: str
    alert: str
    starts_at: int
    ends_at: int
    source = "json"

    @property
    def body(self) -> dict[str, Any]:
        """Return the body for the source `json`."""
        times = {"ends_at": self.ends_at} if self.ends_at else {}
        return {
            "title": f"{self.alert} fails",
            "status": "resolved" if self.ends_at else "firing",
            "dedup_key": self.alert,
            "starts_at": self.starts_at,
            "labels": {"env": "chaos", "key": self.key},
            **times,
        }


def messages(chance: random.Random, count: int, incident_keys: int) -> list[Message]:
    """Return ``count`` messages, firing and resolved at random, out of order within a window."""
    base = int(time.time() * 1000) - 3_600_000
    lives: dict[str, tuple[int, bool]] = {}
    made = []
    for step in range(count):
        number = chance.randrange(incident_keys * 3)
        alert, key = f"alert-{number}", f"k{number % incident_keys}"
        began, fires = lives.get(alert, (0, False))
        at = base + step * 10
        if fires and chance.random() < 0.5:
            made.append(Message(key, alert, began, at))
            lives[alert] = (began, False)
        else:
            began = began if fires else at
            made.append(Message(key, alert, began, 0))
            lives[alert] = (began, True)
    order = sorted(range(count), key=lambda step: step + chance.random() * 20)
    return [made[step] for step in order]


@dataclass
class Oracle:
    """The expected state, computed from all accepted messages."""

    newest: dict[str, tuple[tuple[int, int, int], Message]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    accepted: int = 0

    def accept(self, message: Message) -> None:
        order = (message.starts_at, int(message.ends_at > 0), message.ends_at)
        with self.lock:
            self.accepted += 1
            known = self.newest.get(message.alert)
            if known is None or order > known[0]:
                self.newest[message.alert] = (order, message)

    def firing(self) -> dict[str, set[str]]:
        """Return the firing alerts by incident key, including keys without any."""
        found: dict[str, set[str]] = defaultdict(set)
        for _, message in self.newest.values():
            found[message.key]
            if not message.ends_at:
                found[message.key].add(message.alert)
        return dict(found)
