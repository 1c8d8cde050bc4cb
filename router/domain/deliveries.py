"""One accepted request as it stands in the inbox: its alerts in the normal form, with what was decided of each."""

from collections.abc import Sequence

import msgspec

from router.domain import alerts, decisions, severities
from router.domain import notices as noticing

SCHEMA = 1


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One alert of a delivery; ``response`` is an index into the delivery's responses, -1 where it is ignored."""

    alert: alerts.Alert
    incident_key: str
    severity: severities.Severity
    response: int
    ignored: str = ""
    while_open: tuple[str, ...] = ()
    mute_windows: tuple[decisions.MuteWindow, ...] = ()
    inhibits: tuple[str, ...] = ()

    def decision(self, responses: Sequence[decisions.Response]) -> decisions.Decision:
        """The decision that was made of the alert; ``responses`` are those of its delivery."""
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
    """One accepted request. ``received_at`` is microseconds since the epoch; equal responses are kept once.

    ``trace`` is the ``traceparent`` of the request, where traces are made. ``notices`` say what was cut, replaced, or
    ignored in its alerts. ``retry_window`` is for how many microseconds its source may deliver a message late (None:
    unknown).
    """

    schema: int
    id: str
    source: str
    received_at: int
    responses: list[decisions.Response]
    rows: list[Row]
    trace: str = ""
    notices: tuple[noticing.Notice, ...] = ()
    retry_window: int | None = None


def pack(
    delivery_id: str,
    source: str,
    received_at: int,
    routed: list[tuple[alerts.Alert, decisions.Decision]],
    *,
    trace: str = "",
    notices: tuple[noticing.Notice, ...] = (),
    retry_window: int | None = None,
) -> Delivery:
    """Put alerts and decisions together; rules share one response object, so it is stored once."""
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


def routed(delivery: Delivery) -> list[decisions.Routed]:
    """Every alert of a delivery with its decision, in order."""
    at, window = delivery.received_at, delivery.retry_window
    return [decisions.Routed(row.alert, row.decision(delivery.responses), at, window) for row in delivery.rows]


def unpack(delivery: Delivery) -> list[decisions.Routed]:
    """The alerts that matter further on, each with its decision.

    An ignored alert that fires does not, unless it inhibits others. One that resolves may: rules may have changed
    since it fired, and whatever incident holds it has to hear of its end.
    """
    return [
        decisions.Routed(row.alert, row.decision(delivery.responses), delivery.received_at, delivery.retry_window)
        for row in delivery.rows
        if row.response >= 0 or row.alert.status == "resolved" or row.inhibits
    ]
