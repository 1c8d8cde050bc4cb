"""Prometheus' notifications to Alertmanagers, the body of ``POST /api/v2/alerts``, without an Alertmanager. Grafana
Loki's and Mimir's rulers and vmalert send the same format. The format is ``postableAlerts`` of Alertmanager's API v2.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from router.domain import alerts
from router.domain.times import Duration, Timestamp
from router.sources import alertmanager, base, body, objects, reading, times
from router.yaml_source import quantities

_MINUTE = 60_000_000  # Microseconds. Future ends are rounded up to a multiple of it, so that repeats have the same end.
_SHORTEST = 5 * _MINUTE  # The least time that an alert of a sender with a slow clock fires, unless it is repeated,
_MAX_LENGTH = 60 * _MINUTE  # and the most.
_YOUNG = 30_000_000  # Microseconds.
_MAX_CACHED_ALERTS = 10_000
_BEHIND = "the end has passed, but the sender keeps extending it, so its clock is behind; the alert counts as firing"
PATH = "/api/v2/alerts"  # Rulers append it to an Alertmanager's address.

_Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class Config(base.Config):
    """Prometheus, or another ruler, that sends its alerts here as to an Alertmanager.

    ``clock_skew``: how far the sender's clock may be behind (microseconds). The router trusts an end only after it.
    """

    kind: Literal["prometheus"] = "prometheus"
    clock_skew: quantities.Duration = Duration(0)


class _Alert(msgspec.Struct, gc=False, rename={"starts_at": "startsAt", "ends_at": "endsAt", "link": "generatorURL"}):
    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    starts_at: _Moment | None = None
    ends_at: _Moment | None = None
    link: str = ""


_decode = msgspec.json.Decoder(list[_Alert]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _SentAlert(msgspec.Struct, gc=False):
    """One alert as it was sent. Times are in microseconds, 0 if absent."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: Timestamp
    ends_at: Timestamp
    link: str


class Prometheus:
    """Reads one Prometheus server's deliveries."""

    def __init__(self, name: str, clock_skew: int = 0) -> None:
        self.name = name
        self._clock_skew = clock_skew
        self._ends = _Ends()

    def parse(
        self,
        body: bytes,
        headers: Mapping[bytes, bytes],  # noqa: ARG002
        now: Timestamp,
        max_alerts: int = base.MAX_ALERTS,
    ) -> base.Parsed:
        """Turn a list of alerts into normalized alerts. Raises ``base.Unparsable`` if the body isn't a list of alerts.

        An alert whose end is past is resolved. One whose end is in the future fires until then, unless it is repeated.
        """
        delivery = reading.Reading(self.name, now, max_alerts)
        try:
            wire_alerts = delivery.limit(_decode(body), "")
            read = [self._alert(_convert_alert(alert), "", delivery) for alert in wire_alerts]
        # The second reading starts over with new notices and finds each unreadable alert.
        except (msgspec.MsgspecError, UnicodeDecodeError, base.Unparsable):
            return self._one_by_one(body, reading.Reading(self.name, now, max_alerts))
        return delivery.close(base.Parsed(read, is_verbatim=True))

    def _one_by_one(self, raw: bytes, delivery: reading.Reading) -> base.Parsed:
        """Read the alerts one by one, after reading the whole list failed."""
        items = body.decode(_decode_items, raw)
        read, rejected = objects.several(
            delivery,
            items,
            "",
            lambda item, where: self._alert(_read_alert(item, where, delivery), where, delivery),
            lambda bad: bad,
        )
        return delivery.close(base.Parsed(read, rejected=rejected))

    def _alert(self, wire_alert: _SentAlert, where: str, delivery: reading.Reading) -> alerts.Alert:
        # Prometheus treats an empty label as absent, so it must not change the fingerprint.
        labels = {name: value for name, value in wire_alert.labels.items() if value}
        if not labels:
            raise base.Unparsable(f"{where}.labels", "empty: labels identify an alert")
        fingerprint, now = alertmanager.fingerprint(labels), delivery.now
        starts_at, ends_at = wire_alert.starts_at or now, wire_alert.ends_at
        # Without a usable end, the alert fires. A wrong resolution would hide an outage.
        if 0 < ends_at < wire_alert.starts_at:
            delivery.ignore(f"{where}.endsAt".lstrip("."), "the end is before the start")
            ends_at = Timestamp(0)
        over = 0 < ends_at + self._clock_skew <= now if ends_at else False
        # An end that has moved belongs to a firing alert, whatever the time on the sender's clock.
        if over and (extended := self._ends.find_extended_end(fingerprint, starts_at, ends_at, now)):
            # The notice is assigned to this alert, because others in the delivery may be on time.
            mark = delivery.mark()
            delivery.note("clock_behind", f"{where}.endsAt".lstrip("."), _BEHIND)
            delivery.settle(mark, fingerprint)
            over, ends_at = False, extended
        elif ends_at and not over:
            # The end is by the sender's clock. By the router's clock, it is later by the skew.
            ends_at = Timestamp(ends_at + self._clock_skew)
        starts_at = Timestamp(starts_at + self._ends.shift(fingerprint, wire_alert.starts_at or now))
        return alerts.Alert(
            self.name,
            fingerprint,
            "resolved" if over else "firing",
            starts_at,
            Timestamp(ends_at if over else min(-(-ends_at // _MINUTE) * _MINUTE, times.LATEST)),
            alertmanager.title(labels, wire_alert.annotations),
            labels,
            wire_alert.annotations,
            labels.get("severity", ""),
            wire_alert.link,
            wire_alert.link.partition("/graph")[0],
        )


class _Ends:
    """Distinguishes an alert that a sender with a slow clock still extends from a resolved alert.

    Prometheus sends a firing alert with an end of four times its interval ahead of its own clock, and moves that end
    with each repetition. The end of a resolved alert stays the same. So an end that is past on arrival, but later than
    the previous one, belongs to a firing alert on a machine whose clock is behind by more than the four intervals:

        received 10:00:00  startsAt 09:54:00  endsAt 09:58:00   read as resolved: nothing indicates that it fires
        received 10:01:00  startsAt 09:54:00  endsAt 09:59:00   the end has moved: it fires
        received 10:02:00  startsAt 09:54:00  endsAt 09:56:00   the end has moved back: it is resolved

    The first message was read as a resolution of this start. Within the retry window, a firing message with the same
    start would be a late delivery, so the alert continues under a start that is one microsecond later. If the process
    forgets that, the alert expires five minutes after its last repetition.

    If the end has moved but is younger than ``_YOUNG``, the sender is repeating that the alert ends now. The last ends
    of at most ``_MAX_CACHED_ALERTS`` alerts are kept, in this process only.
    """

    def __init__(self) -> None:
        self._last_ends: dict[tuple[str, int], tuple[int, int]] = {}
        self._extended_keys: set[tuple[str, int]] = set()

    def find_extended_end(
        self, fingerprint: str, starts_at: Timestamp, ends_at: Timestamp, now: Timestamp
    ) -> Timestamp:
        """Return until when the alert fires by the router's clock; 0 if it is resolved, as far as can be determined."""
        key = (fingerprint, starts_at)
        # Removing and adding the entry moves it to the end, so the first entry is the oldest.
        before, step = self._last_ends.pop(key, (ends_at, 0))
        if ends_at > before:
            step = ends_at - before if now - ends_at >= _YOUNG else 0
        # An end that moves back is the resolution.
        elif ends_at < before:
            step = 0
        self._last_ends[key] = (ends_at, step)
        # The sender chooses the labels, so the number of entries must be limited.
        if len(self._last_ends) > _MAX_CACHED_ALERTS:
            oldest = next(iter(self._last_ends))
            del self._last_ends[oldest]
            self._extended_keys.discard(oldest)
        if not step:
            return Timestamp(0)
        self._extended_keys.add(key)
        # Four steps, as Prometheus sets the end four intervals ahead. A lost repetition must not end the alert.
        return Timestamp(now + min(max(4 * step, _SHORTEST), _MAX_LENGTH))

    def shift(self, fingerprint: str, starts_at: Timestamp) -> int:
        """Return by how many microseconds to move the alert's start."""
        return 1 if self._extended_keys and (fingerprint, starts_at) in self._extended_keys else 0


def _convert_alert(alert: _Alert) -> _SentAlert:
    return _SentAlert(
        alert.labels,
        alert.annotations or {},
        Timestamp(times.micros(alert.starts_at) if alert.starts_at else 0),
        Timestamp(times.micros(alert.ends_at) if alert.ends_at else 0),
        alert.link,
    )


def _read_alert(raw: bytes, where: str, delivery: reading.Reading) -> _SentAlert:
    """Read one alert. Only the labels have to be valid."""
    try:
        alert = objects.decode(raw)
    except base.Unparsable as error:
        raise base.Unparsable(f"{where}.{error.where}".rstrip("."), error.problem) from error
    return _SentAlert(
        objects.texts(objects.members(alert.get("labels"), f"{where}.labels")),
        objects.optional_texts(delivery, alert.get("annotations"), f"{where}.annotations"),
        delivery.moment(alert.get("startsAt"), f"{where}.startsAt"),
        delivery.moment(alert.get("endsAt"), f"{where}.endsAt"),
        objects.optional_text(delivery, alert.get("generatorURL"), f"{where}.generatorURL"),
    )


KIND = base.Kind(
    retry_window=base.ALERTMANAGER_RETRY_WINDOW,
    name="prometheus",
    config=Config,
    make=lambda name, config: Prometheus(name, config.clock_skew),
    summary="Prometheus, vmalert, Loki's and Mimir's rulers: Alertmanager's API v2",
    # Prometheus drops the alerts after a 4xx, and sends them again a minute later.
    unparsable_status=202,
    typed=True,
    path=PATH,
)
