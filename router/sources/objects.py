"""Bodies that are one JSON object of a vendor's: decoded here, then read by one pure function a kind.

Vendors add, empty and retype fields without notice. What an alert can do without is read leniently; what it cannot do
without is asked for by name, so that the sender is told which field is missing.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from router.domain import alerts
from router.sources import base, body, paths, reading

Members = dict[str, Any]
Read = Callable[[reading.Reading, Members], base.Parsed]
Unwrap = Callable[[bytes, Mapping[bytes, bytes]], Members]

_MOST_BAD = 1000  # If so many alerts in front can't be read, the body is taken for something else.

_decode = msgspec.json.Decoder(Members).decode
_pack = msgspec.msgpack.Encoder().encode


class Source:
    """A source whose bodies are one JSON object; ``read`` gets that, and where to report what it can't use.

    ``unwrap`` takes the object out of the body where that is more than JSON.
    """

    def __init__(self, name: str, read: Read, unwrap: Unwrap | None = None) -> None:
        self.name = name
        self._read = read
        self._unwrap = unwrap

    def parse(
        self, body: bytes, headers: Mapping[bytes, bytes], now: int, max_alerts: int = base.MAX_ALERTS
    ) -> base.Parsed:
        """Turn a delivery into alerts; ``base.Unparsable`` names the field that is missing or wrong."""
        whole = self._unwrap(body, headers) if self._unwrap else decode(body)
        try:
            delivery = reading.Reading(self.name, now, max_alerts)
            return delivery.close(self._read(delivery, whole))
        except RecursionError as error:
            raise base.Unparsable("", "the JSON is nested too deeply") from error


def decode(raw: bytes) -> Members:
    """Decode a body that has to be one JSON object; ``base.Unparsable`` where it is not."""
    return body.decode(_decode, raw)


def several(
    delivery: reading.Reading,
    items: Sequence[Any],
    where: str,
    read: Callable[[Any, str], alerts.Alert],
    alone: Callable[[list[Any]], Any],
) -> tuple[list[alerts.Alert], base.Rejected | None]:
    """Read each alert of a delivery by itself, so that a bad one does not hold up the good ones beside it.

    ``read`` gets an item and its place, ``alone`` makes a delivery of the bad ones. ``base.Unparsable`` where there is
    not one good alert, but a bad one; the first ``_MOST_BAD`` are enough for that. At most ``delivery.max_alerts`` are
    read.
    """
    found: list[alerts.Alert] = []
    bad: list[Any] = []
    first = ("", "")
    received_at = delivery.now
    for position, item in enumerate(delivery.limited(items, where)):
        mark = delivery.mark()
        # Items without a time of their own happened in their order: the last one of an alert says how it is.
        delivery.now = received_at + position
        try:
            alert = read(item, f"{where}[{position}]")
            found.append(alert)
            delivery.settle(mark, alert.fingerprint)
        except base.Unparsable as error:
            delivery.forget(mark)
            # The exception isn't kept: its trace-back holds on to every frame, about 2 KiB for each bad item.
            first = first if bad else (error.where, error.problem)
            bad.append(item)
            if not found and len(bad) >= _MOST_BAD:
                break
    delivery.now = received_at
    if not bad:
        return found, None
    if not found:
        raise base.Unparsable(*first)
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return found, base.Rejected(first[0], f"{first[1]}{more}", msgspec.json.encode(alone(bad)))


def no_alert(reason: str, **about: str) -> base.Parsed:
    """What is read from an authentic delivery that speaks of no alert (a test, a note): nothing, and why."""
    return base.Parsed([], about={**about, "no_alert": reason})


def members(value: Any, where: str, remedy: str = "") -> Members:
    """The object that has to be here; ``base.Unparsable`` with what to do about it where there is none."""
    if isinstance(value, dict):
        return value
    problem = "missing" if value is None else "an object is expected here"
    raise base.Unparsable(where, f"{problem}: {remedy}" if remedy else problem)


def optional(value: Any) -> Members:
    """The object that may be here; an empty one where there is none, or something else."""
    return value if isinstance(value, dict) else {}


def required(value: Any, where: str, remedy: str = "") -> str:
    """The text or number that has to be here, as text; ``base.Unparsable`` where there is none."""
    found = scalar(value)
    if found:
        return found
    raise base.Unparsable(where, f"missing or empty: {remedy}" if remedy else "missing or empty")


def scalar(value: Any) -> str:
    """Text or a number as text; empty where there is nothing, or an object or a list in its place."""
    if isinstance(value, str):  # Nearly everything is, and the longer question takes its time.
        return value
    return "" if isinstance(value, dict | list) else paths.text(value)


def texts(found: Mapping[str, Any]) -> dict[str, str]:
    """All members that say something, as text; objects and lists as JSON."""
    return {name: text for name, value in found.items() if (text := paths.text(value))}


def optional_texts(delivery: reading.Reading, value: Any, where: str) -> dict[str, str]:
    """The object of texts that may be here; an empty one, which is reported, if it is something else."""
    if value is None or isinstance(value, dict):
        return texts(optional(value))
    delivery.ignore(where, f"an object is expected here, not {paths.kind_of(value)}")
    return {}


def optional_text(delivery: reading.Reading, value: Any, where: str) -> str:
    """The text or number that may be here; empty, which is reported, if it is something else."""
    if isinstance(value, dict | list):
        delivery.ignore(where, f"a text is expected here, not {paths.kind_of(value)}")
    return scalar(value)


def digest(*parts: Any) -> str:
    """A fingerprint for an alert whose sender names none: the same for the same parts, 16 hex digits."""
    return hashlib.blake2b(_pack(parts), digest_size=8).hexdigest()
