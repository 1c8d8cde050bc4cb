"""Bodies that are one JSON object in a vendor's format: decoded here, then read by one pure function per kind.

Vendors add, empty, and retype fields without notice. Optional fields are read leniently. Fields that an alert needs are
required by name, so that the sender learns which field is missing.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, body, paths, reading

Members = dict[str, Any]
Read = Callable[[reading.Reading, Members], base.Parsed]
Unwrap = Callable[[bytes, Mapping[bytes, bytes]], Members]

_MAX_REJECTED = 1000  # After this number of unreadable alerts at the start, the whole body is rejected.

_decode = msgspec.json.Decoder(Members).decode
_pack = msgspec.msgpack.Encoder().encode


class Source:
    """A source whose bodies are one JSON object. ``read`` gets the object, and the delivery for reports.

    ``unwrap`` extracts the object from a body that isn't only JSON.
    """

    def __init__(self, name: str, read: Read, unwrap: Unwrap | None = None) -> None:
        self.name = name
        self._read = read
        self._unwrap = unwrap

    def parse(
        self, body: bytes, headers: Mapping[bytes, bytes], now: Timestamp, max_alerts: int = base.MAX_ALERTS
    ) -> base.Parsed:
        """Turn a delivery into alerts. Raises ``base.Unparsable`` with the field that is missing or invalid."""
        document = self._unwrap(body, headers) if self._unwrap else decode(body)
        try:
            delivery = reading.Reading(self.name, now, max_alerts)
            return delivery.close(self._read(delivery, document))
        except RecursionError as error:
            raise base.Unparsable("", "the JSON is nested too deeply") from error


def decode(raw: bytes) -> Members:
    """Decode a body that must be one JSON object. Raises ``base.Unparsable`` if it isn't."""
    return body.decode(_decode, raw)


def several(
    delivery: reading.Reading,
    items: Sequence[Any],
    where: str,
    read: Callable[[Any, str], alerts.Alert],
    alone: Callable[[list[Any]], Any],
) -> tuple[list[alerts.Alert], base.Rejected | None]:
    """Read each alert of a delivery separately, so that an unreadable one doesn't block the readable ones.

    ``read`` gets an item and its place, and ``alone`` makes a delivery of the unreadable items. At most
    ``delivery.max_alerts`` items are read. Raises ``base.Unparsable`` if there are unreadable items and no readable
    one, or if the first ``_MAX_REJECTED`` items are unreadable.
    """
    read_alerts: list[alerts.Alert] = []
    bad: list[Any] = []
    first = ("", "")
    received_at = delivery.now
    for position, item in enumerate(delivery.limit(items, where)):
        mark = delivery.mark()
        # Items without a time are in order of occurrence: the last item of an alert has its current state.
        delivery.now = Timestamp(received_at + position)
        try:
            alert = read(item, f"{where}[{position}]")
            read_alerts.append(alert)
            delivery.settle(mark, alert.fingerprint)
        except base.Unparsable as error:
            # The item is reported as a whole, so notices about its fields would be misleading.
            delivery.forget(mark)
            # Don't keep the exception: its traceback references every frame, about 2 KiB for each unreadable item.
            first = first if bad else (error.where, error.problem)
            bad.append(item)
            # The body isn't in this format at all, and reading 20,000 bad items would only hold the server.
            if not read_alerts and len(bad) >= _MAX_REJECTED:
                break
    delivery.now = received_at
    if not bad:
        return read_alerts, None
    # Nothing can be accepted, so the whole body is quarantined as it arrived.
    if not read_alerts:
        raise base.Unparsable(*first)
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return read_alerts, base.Rejected(first[0], f"{first[1]}{more}", msgspec.json.encode(alone(bad)))


def no_alert(reason: str, **details: str) -> base.Parsed:
    """Return the result for an authentic delivery without an alert (a test, a note), with the reason."""
    return base.Parsed([], about={**details, "no_alert": reason})


def members(value: Any, where: str, remedy: str = "") -> Members:
    """Return a required object. Raises ``base.Unparsable`` with the remedy if there is none."""
    if isinstance(value, dict):
        return value
    problem = "missing" if value is None else "expected an object"
    raise base.Unparsable(where, f"{problem}: {remedy}" if remedy else problem)


def optional(value: Any) -> Members:
    """Return an optional object; an empty one if the value is anything else."""
    return value if isinstance(value, dict) else {}


def require_text(value: Any, where: str, remedy: str = "") -> str:
    """Return a required text or number as text. Raises ``base.Unparsable`` if there is none."""
    text = scalar(value)
    if text:
        return text
    raise base.Unparsable(where, f"missing or empty: {remedy}" if remedy else "missing or empty")


def scalar(value: Any) -> str:
    """Return a text or a number as text; empty if the value is absent, an object, or a list."""
    if isinstance(value, str):  # The most frequent case, and the cheapest check.
        return value
    return "" if isinstance(value, dict | list) else paths.text(value)


def texts(source: Mapping[str, Any]) -> dict[str, str]:
    """Return all members with a value as text, objects and lists as JSON."""
    return {name: text for name, value in source.items() if (text := paths.text(value))}


def optional_texts(delivery: reading.Reading, value: Any, where: str) -> dict[str, str]:
    """Return an optional object of texts. Any other value is reported, and the result is empty."""
    if value is None or isinstance(value, dict):
        return texts(optional(value))
    delivery.ignore(where, f"expected an object, not {paths.kind_of(value)}")
    return {}


def optional_text(delivery: reading.Reading, value: Any, where: str) -> str:
    """Return an optional text or number as text. Any other value is reported, and the result is empty."""
    if isinstance(value, dict | list):
        delivery.ignore(where, f"expected a text, not {paths.kind_of(value)}")
    return scalar(value)


def digest(*parts: Any) -> str:
    """Return a fingerprint for an alert without one: 16 hex digits that depend only on the parts."""
    return hashlib.blake2b(_pack(parts), digest_size=8).hexdigest()
