"""Honeycomb's webhook recipient: one trigger, or one burn alert, that is triggered or resolved."""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset


def _test(body: objects.Members) -> str:
    return "a test of the recipient" if body.get("is_test") is True else ""


PRESET = preset.Preset(
    mapping={
        "title": "name",
        "status": {"path": "status", "firing": ["triggered"], "resolved": ["ok"]},
        # Groups of a result aren't resolved separately: the trigger as a whole is.
        "fingerprint": "id",
        "labels": {
            "trigger": "name",
            "dataset": "dataset_name || dataset",
            "environment": "environment",
            "alert_type": "alert_type",
        },
        "annotations": {
            "description": "summary",
            "details": "description",
            "about": "trigger_description",
            "operator": "operator",
            "threshold": "threshold",
            "groups": "result_groups_triggered",
            "trigger_url": "trigger_url",
        },
        "link": "result_url || trigger_url || slo_url",
    },
    no_alert=_test,
)


class Config(preset.Config):
    """A Honeycomb webhook recipient that posts to us."""

    kind: Literal["honeycomb"] = "honeycomb"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Honeycomb, webhook recipient")
