"""Prometheus Alertmanager's webhook, version 4: conversion of its body to normalized alerts.

The format is Alertmanager's ``template.Data`` with the webhook's ``version``, ``groupKey`` and ``truncatedAlerts``.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, body, links, objects, polled, reading, times

# These are the parameters of FNV-1a with 64 bits, which Prometheus and Alertmanager use for fingerprints.
_FNV_OFFSET = 14695981039346656037
_FNV_PRIME = 1099511628211
_STATUSES: dict[str, alerts.Status] = {"firing": "firing", "resolved": "resolved"}
_64_BITS = 0xFFFFFFFFFFFFFFFF
_WEBHOOK = "4"
_NO_END = Timestamp(0)

_Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class Config(base.Config):
    """An Alertmanager that sends webhooks. The router can poll it for alerts whose webhooks were lost."""

    kind: Literal["alertmanager"] = "alertmanager"
    poll: polled.Config | None = None


class _Alert(msgspec.Struct, gc=False, rename={"starts_at": "startsAt", "ends_at": "endsAt", "link": "generatorURL"}):
    status: alerts.Status
    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    starts_at: _Moment | None = None
    ends_at: _Moment | None = None
    link: str = ""
    fingerprint: str = ""


class _Body(msgspec.Struct, gc=False, rename="camel"):
    """The fields of the webhook that are read. The common labels and the group's status are repeated in each alert."""

    alerts: list[_Alert]
    version: str = ""
    group_key: str = ""
    truncated_alerts: _Count = 0
    receiver: str = ""
    route_labels: dict[str, str] | None = None
    external_url: str = msgspec.field(name="externalURL", default="")
    notification_reason: str = msgspec.field(name="notification_reason", default="")


class _SentAlert(msgspec.Struct, gc=False):
    """One alert as it was sent. Times are in microseconds, 0 if absent."""

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: Timestamp
    ends_at: Timestamp
    link: str


class _Version(msgspec.Struct):
    version: str | int | float | None = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_version = msgspec.json.Decoder(_Version).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Alertmanager:
    """Reads Alertmanager's deliveries.

    ``version`` is the expected version of the receiver's body: "4" for webhooks.
    """

    def __init__(self, name: str, version: str = _WEBHOOK) -> None:
        self.name = name
        self._version = version

    def parse(
        self,
        body: bytes,
        headers: Mapping[bytes, bytes],  # noqa: ARG002
        now: Timestamp,
        max_alerts: int = base.MAX_ALERTS,
    ) -> base.Parsed:
        """Turn a delivery into alerts. Raises ``base.Unparsable`` if it isn't webhook version 4.

        A group may contain firing and resolved alerts, whatever its own status. ``now`` replaces a missing start, and
        the missing end of a resolved alert.
        """
        delivery = reading.Reading(self.name, now, max_alerts)
        try:
            group = _read(body, self._version)
        except base.Unparsable as error:
            return self._one_by_one(body, error, delivery)
        wire_alerts = delivery.limit(group.alerts, "alerts")
        read = [self._alert(alert, alert.status, group, delivery) for alert in wire_alerts]
        return delivery.close(base.Parsed(read, group.truncated_alerts, _about(group), is_verbatim=True))

    def _alert(
        self, wire_alert: "_Alert | _SentAlert", status: alerts.Status, group: _Body, delivery: reading.Reading
    ) -> alerts.Alert:
        # An alert's own label is more specific than the label of its route.
        labels = {**group.route_labels, **wire_alert.labels} if group.route_labels else wire_alert.labels
        annotations, link = wire_alert.annotations or {}, wire_alert.link
        # Ruler and Alertmanager may be configured with a path as their external URL.
        if link and not link.startswith(links.SCHEMES):
            link = links.absolute(link, group.external_url)
        return alerts.Alert(
            self.name,
            # The labels of the route aren't part of Alertmanager's fingerprint.
            wire_alert.fingerprint or fingerprint(wire_alert.labels),
            status,
            _micros(wire_alert.starts_at) or delivery.now,
            # Senders of this format may set an end for a firing alert. The router waits for the resolution instead.
            _NO_END if status == "firing" else _micros(wire_alert.ends_at) or delivery.now,
            title(labels, annotations),
            labels,
            annotations,
            labels.get("severity", ""),
            link or group.external_url,
            group.external_url,
        )

    def _one_by_one(self, raw: bytes, error: base.Unparsable, delivery: reading.Reading) -> base.Parsed:
        """Read the alerts of a group one by one, after reading the whole group failed with ``error``.

        Raises ``error`` if the group has no list of alerts.
        """
        fields = body.decode(_decode_fields, raw)
        # A wrong version explains all other problems, so it is reported alone.
        if wrong := _find_version_error(raw, self._version):
            raise wrong
        try:
            items = body.decode(_decode_items, fields.pop("alerts"))
        except (KeyError, base.Unparsable):
            raise error from None
        # Encoding again turns the undecoded members into plain values, without the list of alerts.
        group = _read_group(objects.decode(msgspec.json.encode(fields)), delivery)
        read_alerts, rejected = objects.several(
            delivery,
            items,
            "alerts",
            lambda item, where: self._alert(*_read_alert(item, where, delivery), group, delivery),
            # The quarantined delivery keeps the group's fields, so that a replay reads the alerts as before.
            lambda bad: {**fields, "alerts": bad},
        )
        return delivery.close(base.Parsed(read_alerts, group.truncated_alerts, _about(group), rejected))


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return Alertmanager's fingerprint of a label set: FNV-1a over the sorted names and values, 16 hex digits.

    It is for senders of the same format that omit the fingerprint. A fingerprint that the sender provides is trusted.
    """
    digest = _FNV_OFFSET
    for name, value in sorted((name.encode(), value.encode()) for name, value in labels.items()):
        # 0xFF occurs in no UTF-8 text, so different label sets can't have the same bytes.
        for byte in (*name, 0xFF, *value, 0xFF):
            digest = (digest ^ byte) * _FNV_PRIME & _64_BITS
    return f"{digest:016x}"


def _read(raw: bytes, version: str) -> _Body:
    try:
        read = body.decode(_decode, raw)
    except base.Unparsable as error:
        raise _find_version_error(raw, version) or error from error
    if read.version != version:
        raise _make_version_error(read.version, version)
    return read


def _micros(moment: dt.datetime | int | None) -> Timestamp:
    """Return a time in microseconds; an int already is one. 0 if there is no time."""
    if isinstance(moment, dt.datetime):
        return times.micros(moment)
    return Timestamp(moment or 0)


def _read_group(group: objects.Members, delivery: reading.Reading) -> _Body:
    """Read the fields of a group. Only the version and the alerts have to be valid."""
    left_out = group.get("truncatedAlerts", 0)
    # In Python, True is an int.
    if isinstance(left_out, bool) or not isinstance(left_out, int) or left_out < 0:
        delivery.ignore("truncatedAlerts", "expected a number of alerts")
        left_out = 0
    text = {
        name: objects.optional_text(delivery, group.get(name), name)
        for name in ("receiver", "groupKey", "externalURL", "notification_reason")
    }
    return _Body(
        [],
        group_key=text["groupKey"],
        truncated_alerts=left_out,
        receiver=text["receiver"],
        route_labels=objects.optional_texts(delivery, group.get("routeLabels"), "routeLabels"),
        external_url=text["externalURL"],
        notification_reason=text["notification_reason"],
    )


def _read_alert(raw: bytes, where: str, delivery: reading.Reading) -> tuple[_SentAlert, alerts.Status]:
    """Read one alert. Only the status, and the labels or the fingerprint, have to be valid."""
    try:
        alert = objects.decode(raw)
    except base.Unparsable as error:
        raise base.Unparsable(f"{where}.{error.where}".rstrip("."), error.problem) from error
    status = _STATUSES.get(objects.scalar(alert.get("status")))
    # Guessing could resolve an alert that still fires.
    if status is None:
        raise base.Unparsable(f"{where}.status", "expected firing or resolved")
    alert_fingerprint = objects.optional_text(delivery, alert.get("fingerprint"), f"{where}.fingerprint")
    # The fingerprint identifies the alert, so bad labels are omitted with a notice.
    if alert_fingerprint and alert.get("labels") is not None:
        labels = objects.optional_texts(delivery, alert.get("labels"), f"{where}.labels")
    else:
        labels = objects.texts(objects.members(alert.get("labels"), f"{where}.labels"))
    wire_alert = _SentAlert(
        alert_fingerprint,
        labels,
        objects.optional_texts(delivery, alert.get("annotations"), f"{where}.annotations"),
        delivery.moment(alert.get("startsAt"), f"{where}.startsAt"),
        Timestamp(delivery.moment(alert.get("endsAt"), f"{where}.endsAt") if status == "resolved" else 0),
        objects.optional_text(delivery, alert.get("generatorURL"), f"{where}.generatorURL"),
    )
    return wire_alert, status


def _find_version_error(raw: bytes, expected: str) -> base.Unparsable | None:
    """Return the error for another version, if there is one. It explains all other errors, so it replaces them."""
    try:
        version = body.decode(_decode_version, raw).version
    # The first error already says why the body can't be read.
    except base.Unparsable:
        return None
    return None if version == expected else _make_version_error(version, expected)


def _make_version_error(version: str | float | None, expected: str) -> base.Unparsable:
    if version is None or version == "":
        return base.Unparsable(
            "version",
            "missing: this is not Alertmanager's webhook; for your own payload, use a source of kind json",
        )
    return base.Unparsable(
        "version",
        f"{repr(version)[:40]} is not Alertmanager's version '{expected}'; for another sender, use "
        "a source of its kind",
    )


def title(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Return a title for an alert: the first label or annotation with a text, of those that rules usually set."""
    return (
        annotations.get("summary")
        or annotations.get("title")
        # The name is less readable than a summary, but a description is often too long for a title.
        or labels.get("alertname")
        or annotations.get("description")
        or ""
    )


def _about(read: _Body) -> dict[str, str]:
    values = {"receiver": read.receiver, "group_key": read.group_key}
    if read.notification_reason:
        values["notification_reason"] = read.notification_reason
    return values


KIND = base.Kind(
    retry_window=base.ALERTMANAGER_RETRY_WINDOW,
    name="alertmanager",
    config=Config,
    make=lambda name, _config: Alertmanager(name),
    summary="Prometheus Alertmanager, webhook version 4",
    # After a 4xx, Alertmanager sends the group again at every group_interval, forever.
    unparsable_status=202,
    typed=True,
)
