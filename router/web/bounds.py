"""How much one request may be: what is asked of a body before it is read, and of alerts before they are decided.

What is beyond a bound and authentic is not refused and forgotten: it is ``Unparsable``, and so kept in the quarantine,
where it can be run again once the bound is raised.
"""

import re
import zlib
from dataclasses import dataclass
from typing import Any

import msgspec

from router.domain import alert as alerts
from router.sources import base
from router.web import problems

_ALIKE = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(set(range(256)) - set(b'{}[]"'))
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_TEXT = re.compile(rb'"[^"]*"')
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # The decoder tells the two apart by their first bytes.
_ENCODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})


@dataclass(frozen=True)
class Bounds:
    """All bounds of the door; sizes in bytes."""

    body_bytes: int = 1024 * 1024
    depth: int = 32
    alerts: int = 1000
    labels: int = 64
    value_bytes: int = 4096
    in_flight: int = 1000


def inflated(body: bytes, encoding: bytes, limit: int) -> bytes:
    """The body as it was before ``Content-Encoding``; ``problems.Problem`` (400, 413, 415) where it cannot be had.

    Not one byte more than ``limit`` is ever inflated.
    """
    if encoding not in _ENCODINGS:
        raise problems.Problem(415, "encoding", "this content encoding is not read here: send gzip, deflate or none")
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        whole = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise problems.Problem(400, "encoding", f"the body is not what its content encoding says: {error}") from error
    if len(whole) > limit:
        raise too_large(limit)
    if not inflater.eof:
        raise problems.Problem(400, "encoding", "the compressed body ends too early")
    return whole


def too_large(limit: int) -> problems.Problem:
    """The 413 for a body of more than so many bytes."""
    return problems.Problem(
        413,
        "too-large",
        f"the body is longer than the {limit} bytes that are read here: send fewer alerts at a time",
        limit_bytes=limit,
    )


def not_too_deep(body: bytes, depth: int) -> None:
    """``Unparsable`` where JSON is nested more deeply than ``depth``; what is not JSON is left to its parser."""
    if body.count(b"{") + body.count(b"[") <= depth:
        return
    if b"\\" in body:
        body = _ESCAPED.sub(b"", body)
    brackets = _TEXT.sub(b"", body.translate(_ALIKE, _OTHERS))
    for _ in range(depth):
        # Each round takes the innermost pairs away, so what is left is nested one less deeply.
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            return
        brackets = shorter
    if brackets:
        raise base.Unparsable("", f"the JSON is nested more than {depth} deep (web.max_depth)")


def within(parsed: base.Parsed, body: bytes, bounds: Bounds) -> base.Parsed:
    """What was read, within bounds: long annotations are cut, alerts with too many or too long labels set aside.

    A rule can't decide on half a label, so such an alert is not decided at all; ``Unparsable`` where no other is
    beside it, or where there are too many alerts.
    """
    found = parsed.alerts
    if len(found) > bounds.alerts:
        raise base.Unparsable("", f"{len(found)} alerts in one delivery, and {bounds.alerts} are read (web.max_alerts)")
    # No text of a short body can be long: decoding never makes it longer.
    if len(body) <= bounds.value_bytes and all(len(alert.labels) <= bounds.labels for alert in found):
        return parsed
    good = []
    first = ""
    for alert in found:
        problem = _beyond(alert, bounds)
        first = first or problem
        if not problem:
            good.append(_cut(alert, bounds.value_bytes))
    if not first:
        return msgspec.structs.replace(parsed, alerts=good)
    if not good:
        raise base.Unparsable("labels", first)
    # The whole body is kept: running it again folds the good ones in a second time, which changes nothing.
    return msgspec.structs.replace(parsed, alerts=good, rejected=base.Rejected("labels", first, body))


def _beyond(alert: alerts.Alert, bounds: Bounds) -> str:
    """What of an alert is beyond the bounds, in words; empty where nothing is."""
    named = f"the alert {alert.fingerprint[:64]!r}"
    if len(alert.labels) > bounds.labels:
        return f"{named} has {len(alert.labels)} labels, and {bounds.labels} are read (web.max_labels)"
    if _size(alert.fingerprint) > bounds.value_bytes:
        return f"{named} has a fingerprint of more than {bounds.value_bytes} bytes (web.max_value_bytes)"
    for name, value in alert.labels.items():
        if _size(value) > bounds.value_bytes or _size(name) > bounds.value_bytes:
            return f"the label {name[:64]!r} of {named} is longer than {bounds.value_bytes} bytes (web.max_value_bytes)"
    return ""


def _cut(alert: alerts.Alert, most: int) -> alerts.Alert:
    """The alert with texts that only people read, cut to so many bytes; a link that would be cut is left out."""
    changed: dict[str, Any] = {}
    if any(_size(value) > most for value in alert.annotations.values()):
        changed["annotations"] = {name: _shortened(value, most) for name, value in alert.annotations.items()}
    if _size(alert.title) > most:
        changed["title"] = _shortened(alert.title, most)
    if _size(alert.link) > most:
        changed["link"] = ""
    return msgspec.structs.replace(alert, **changed) if changed else alert


def _shortened(text: str, most: int) -> str:
    if _size(text) <= most:
        return text
    return text.encode()[: most - len("…".encode())].decode(errors="ignore") + "…"


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
