"""Expiry for senders that never report a resolution: each of their firing alerts gets an end."""

from collections.abc import Mapping

import msgspec

from router.domain import alerts
from router.domain.times import Duration, Timestamp
from router.sources import base

_PARTS = 16


class Expiring:
    """A source whose firing alerts expire unless they are repeated.

    ``resolve_after`` is in microseconds from the receipt of a delivery. Ends are rounded up by at most a sixteenth of
    ``resolve_after``, so that most repeats in a storm have the same end and cost no write. An end that the sender has
    set is kept.
    """

    def __init__(self, source: base.Source, resolve_after: Duration) -> None:
        self.name = source.name
        self._parse = source.parse
        self._resolve_after = resolve_after
        self._step = max(resolve_after // _PARTS, 1)

    def parse(
        self, body: bytes, headers: Mapping[bytes, bytes], now: Timestamp, max_alerts: int = base.MAX_ALERTS
    ) -> base.Parsed:
        """Parse with the wrapped source, then set the ends. Raises ``base.Unparsable`` if the wrapped source does."""
        parsed = self._parse(body, headers, now, max_alerts)
        # The double negation rounds up: an alert must never end before the configured time.
        ends_at = Timestamp(-(-(now + self._resolve_after) // self._step) * self._step)
        return msgspec.structs.replace(parsed, alerts=[_ending(alert, ends_at) for alert in parsed.alerts])


def _ending(alert: alerts.Alert, ends_at: Timestamp) -> alerts.Alert:
    if alert.status != "firing" or alert.ends_at:
        return alert
    return msgspec.structs.replace(alert, ends_at=ends_at)
