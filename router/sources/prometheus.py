"""What Prometheus sends to Alertmanagers: the body of ``POST /api/v2/alerts``, so that none has to stand in between.

Grafana Loki's and Mimir's rulers and vmalert send the same. The format is ``postableAlerts`` of Alertmanager's API v2.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from router.domain import alert as alerts
from router.sources import alertmanager, base, body, objects, times

_MINUTE = 60_000_000  # Microseconds to which ends that are yet to come are rounded up: repeats say the same then.
PATH = "/api/v2/alerts"  # What rulers put behind an Alertmanager's address.

_Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class Config(base.Config):
    """Prometheus, or another ruler, that sends its alerts here as to an Alertmanager."""

    kind: Literal["prometheus"] = "prometheus"


class _Alert(msgspec.Struct, gc=False, rename={"starts_at": "startsAt", "ends_at": "endsAt", "link": "generatorURL"}):
    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    starts_at: _Moment | None = None
    ends_at: _Moment | None = None
    link: str = ""


_decode = msgspec.json.Decoder(list[_Alert]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_alert = msgspec.json.Decoder(_Alert).decode


class Prometheus:
    """Reads what one Prometheus sends."""

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, body: bytes, headers: Mapping[bytes, bytes], now: int) -> base.Parsed:  # noqa: ARG002
        """Turn a list of alerts into ours; ``base.Unparsable`` where it is none.

        An alert whose end is past is resolved; one whose end is yet to come fires until then, unless it is repeated.
        """
        try:
            return base.Parsed([self._alert(alert, "", now) for alert in _decode(body)])
        except (msgspec.MsgspecError, UnicodeDecodeError, base.Unparsable):
            return self._one_by_one(body, now)

    def _one_by_one(self, raw: bytes, now: int) -> base.Parsed:
        """Read a list that cannot be read as a whole, because of some of its alerts or because it is none."""
        items = body.decode(_decode_items, raw)
        read, rejected = objects.several(
            items,
            "",
            lambda item, where: self._alert(body.decode(_decode_alert, item), where, now),
            lambda bad: bad,
        )
        return base.Parsed(read, rejected=rejected)

    def _alert(self, alert: _Alert, where: str, now: int) -> alerts.Alert:
        labels = {name: value for name, value in alert.labels.items() if value}
        if not labels:
            raise base.Unparsable(f"{where}.labels", "empty: an alert is known by its labels")
        annotations = alert.annotations or {}
        ends_at = times.micros(alert.ends_at) if alert.ends_at else 0
        over = 0 < ends_at <= now
        return alerts.Alert(
            self.name,
            alertmanager.fingerprint(labels),
            "resolved" if over else "firing",
            (times.micros(alert.starts_at) if alert.starts_at else 0) or now,
            ends_at if over else -(-ends_at // _MINUTE) * _MINUTE,
            alertmanager.title(labels, annotations),
            labels,
            annotations,
            labels.get("severity", ""),
            alert.link,
        )


KIND = base.Kind(
    name="prometheus",
    config=Config,
    make=lambda name, _config: Prometheus(name),
    summary="Prometheus, vmalert, Loki's and Mimir's rulers: Alertmanager's API v2",
    # Prometheus drops what got a 4xx, and sends the alerts again a minute later.
    unparsable_status=202,
    typed=True,
    path=PATH,
)
