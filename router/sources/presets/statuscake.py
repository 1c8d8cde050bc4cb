"""StatusCake's webhook of a contact group: one test that is down, or up again, as a form or as JSON.

The capitalization of its field names varies, so they are read in lower case.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset, tags


def _normalize_names(body: objects.Members) -> objects.Members:
    lowered = {name.casefold(): value for name, value in body.items()}
    name, address = objects.scalar(lowered.get("name")), objects.scalar(lowered.get("url"))
    # The test's ID may be missing; the name and the address never are.
    key = objects.scalar(lowered.get("testid")) or " ".join(filter(None, (name, address)))
    return {**lowered, "key": key, "tags": tags.labels(lowered.get("tags"))}


PRESET = preset.Preset(
    mapping={
        "title": "name || url",
        "status": {"path": "status", "firing": ["down"], "resolved": ["up"]},
        "fingerprint": "key",
        "labels": {"*": "tags", "test": "name", "url": "url"},
        "annotations": {
            "status_code": "statuscode",
            "address": "ip",
            "check_rate": "checkrate",
            "contact_group": "contactgroup",
        },
        "link": "url",
    },
    placeholder=r"\|[A-Z]+\|",
    shape=_normalize_names,
)


class Config(preset.Config):
    """A StatusCake contact group that posts to us."""

    kind: Literal["statuscake"] = "statuscake"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "StatusCake, webhook of a contact group")
