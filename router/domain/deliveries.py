"""An accepted request as it is stored in the inbox: its alerts in the normal form, each with its decision."""

from collections.abc import Sequence

import msgspec

from router.domain import alerts, decisions, severities
from router.domain.notices import Notice
from router.domain.times import Duration, Timestamp

SCHEMA = 1


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One alert of a delivery. ``response`` is an index into the delivery's responses, -1 if the alert is ignored."""

    alert: alerts.Alert
    incident_key: str
    severity: severities.Severity
    response: int
    ignored: str = ""
    while_open: tuple[str, ...] = ()
    mute_windows: tuple[decisions.MuteWindow, ...] = ()
    inhibits: tuple[str, ...] = ()

    def decision(self, responses: Sequence[decisions.Response]) -> decisions.Decision:
        """Return the decision about the alert. ``responses`` are those of its delivery."""
        if self.response < 0:
            return decisions.Decision(ignored=self.ignored, inhibits=self.inhibits)
        return decisions.Decision(
            self.incident_key,
            self.severity,
            responses[self.response],
            while_open=self.while_open,
            mute_windows=self.mute_windows,
            inhibits=self.inhibits,
        )


class Delivery(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One accepted request. ``received_at`` is microseconds since the epoch; equal responses are stored once.

    ``trace`` is the ``traceparent`` of the request if tracing is enabled. ``notices`` say what was cut, replaced, or
    ignored in its alerts. ``retry_window`` is for how many microseconds its source may deliver a message late (None:
    unknown).
    """

    schema: int
    id: str
    source: str
    received_at: Timestamp
    responses: list[decisions.Response]
    rows: list[Row]
    trace: str = ""
    notices: tuple[Notice, ...] = ()
    retry_window: Duration | None = None


def pack(
    delivery_id: str,
    source: str,
    received_at: Timestamp,
    routed: list[tuple[alerts.Alert, decisions.Decision]],
    *,
    trace: str = "",
    notices: tuple[Notice, ...] = (),
    retry_window: Duration | None = None,
) -> Delivery:
    """Combine alerts and decisions into a delivery.

    Decisions share response objects, so each response is stored once.
    """
    places: dict[int, int] = {}
    responses: list[decisions.Response] = []
    rows = []
    for alert, decision in routed:
        response = decision.response
        place = -1
        if response is not None:
            place = places.setdefault(id(response), len(responses))
            if place == len(responses):
                responses.append(response)
        rows.append(
            Row(
                alert,
                decision.incident_key,
                decision.severity,
                place,
                decision.ignored,
                decision.while_open,
                decision.mute_windows,
                decision.inhibits,
            )
        )
    return Delivery(SCHEMA, delivery_id, source, received_at, responses, rows, trace, notices, retry_window)


def unpack_all(delivery: Delivery) -> list[decisions.Routed]:
    """Return every alert of a delivery with its decision, in order."""
    at, window = delivery.received_at, delivery.retry_window
    return [decisions.Routed(row.alert, row.decision(delivery.responses), at, window) for row in delivery.rows]


def unpack(delivery: Delivery) -> list[decisions.Routed]:
    """Return the alerts that need further processing, each with its decision.

    An ignored alert that fires doesn't, unless it inhibits others. An ignored alert that resolves may: the rules may
    have changed since it fired, and the incident that holds it has to end it.
    """
    return [
        decisions.Routed(row.alert, row.decision(delivery.responses), delivery.received_at, delivery.retry_window)
        for row in delivery.rows
        if row.response >= 0 or row.alert.status == "resolved" or row.inhibits
    ]
