"""What the rules say of one alert; made at the door, carried with the alert, never made again."""

from typing import Any, Literal

import msgspec

from router.domain import alert as alerts
from router.domain import severity as severities

Publish = Literal["shadow", "review", "auto"]


class Target(msgspec.Struct, frozen=True, array_like=True):
    """One destination that an incident appears at.

    ``fields`` are the destination's own settings for this incident, as the rule gives them: already validated,
    templates not yet rendered. ``publish`` matters at public destinations only.
    """

    destination: str
    fields: dict[str, Any] = {}
    publish: Publish = "review"


class Response(msgspec.Struct, frozen=True, array_like=True):
    """What follows once a rule has matched: shared by every alert that matched the same rules.

    ``rule`` is the deciding rule's name, ``place`` its ``file:line``, ``version`` the hash of the rule set.
    """

    rule: str
    place: str
    version: str
    targets: tuple[Target, ...] = ()


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """What was decided of one alert.

    Either ``response`` is there, with the ``incident_key`` and ``severity`` it leads to, or the alert is ignored
    and ``ignored`` says why.
    """

    incident_key: str = ""
    severity: severities.Severity = severities.Severity.INFO
    response: Response | None = None
    ignored: str = ""


class Routed(msgspec.Struct, frozen=True, array_like=True):
    """An alert together with what was decided of it."""

    alert: alerts.Alert
    decision: Decision
