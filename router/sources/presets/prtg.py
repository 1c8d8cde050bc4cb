"""PRTG's notification "Execute HTTP action": one sensor whose state changed.

The user defines the form in its postdata. The names are those of PRTG's placeholders. The state is a phrase: "Down",
"Down ended (now: Up)", "Up".
"""

import re
from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_ENDED = re.compile(r"\bended\b.*\(now: *(?P<now>[^)]*)\)", re.IGNORECASE)
_LEVELS = {"down": "critical", "warning": "warning", "unusual": "warning"}
_WELL = ("up", "paused", "ok")
_MAX_LENGTH = 200  # Characters of a state; PRTG's phrases are shorter.


def _add_state(body: objects.Members) -> objects.Members:
    """Add the current state, by its first word. The state after one that ended may be worse."""
    phrase = objects.scalar(body.get("status")).strip()[:_MAX_LENGTH]
    ended = _ENDED.search(phrase)
    now = (ended["now"] if ended else phrase).strip().casefold()
    word = next(iter(now.split()), "")
    over = word in _WELL or (word not in _LEVELS and " ended" in f" {phrase.casefold()}")
    return {**body, "state": "up" if over else word, "level": "" if over else _LEVELS.get(word, "")}


PRESET = preset.Preset(
    mapping={
        "title": "join(': ', [device || '', sensor || ''])",
        "status": {"path": "state", "firing": ["down", "warning", "unusual", "threshold", "unknown"]},
        "fingerprint": "sensorid",
        "severity": "level",
        "labels": {
            "*": "tags",
            "device": "device",
            "sensor": "sensor",
            "sensor_id": "sensorid",
            "group": "group",
            "probe": "probe",
            "priority": "priority",
        },
        # The time is in the server's language and time zone, so it can't order messages.
        "annotations": {
            "description": "message",
            "status": "status",
            "last_value": "lastvalue",
            "datetime": "datetime",
            "down": "down",
        },
        "link": "link",
    },
    placeholder=r"%[a-z]+",
    tags="tags",
    shape=_add_state,
)


class Config(preset.Config):
    """A PRTG that posts to us."""

    kind: Literal["prtg"] = "prtg"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "PRTG, notification by HTTP action")
