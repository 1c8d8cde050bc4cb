"""Metrics of one source. Label sets are looked up once, so that a delivery only increments the counters."""

import functools

from router.domain import deliveries
from router.telemetry import instruments, label_sets, metrics

_CODES = label_sets.CODES


@functools.cache
def _of_rule(rule: str) -> instruments.Count:
    """Return the counter of one rule. Every rule that was loaded since the start has one."""
    return metrics.decisions.labels(rule)


class SourceMetrics:
    """The metrics of one source."""

    __slots__ = ("_accepted", "_durations", "_firing", "_ignored", "_quarantined", "_resolved", "_source", "_truncated")

    def __init__(self, source: str) -> None:
        self._source = source
        self._accepted = metrics.deliveries.labels(source, "accepted")
        self._firing = metrics.alerts.labels(source, "firing")
        self._resolved = metrics.alerts.labels(source, "resolved")
        self._ignored = metrics.alerts.labels(source, "ignored")
        self._truncated = metrics.truncated_alerts.labels(source)
        self._quarantined = metrics.quarantined.labels(source)
        self._durations = {int(code[0]): metrics.webhook_duration_seconds.labels(source, code) for code in _CODES}

    def count_accepted(self, delivery: deliveries.Delivery, truncated: int) -> None:
        """Count a delivery that got 202, and its alerts."""
        if truncated:
            self._truncated.inc(truncated)
        for notice in delivery.notices:
            metrics.notices.labels(self._source, notice.code).inc(notice.count)
        # A delivery without alerts is normal for some senders, so it must not hide that no alert arrives.
        if not delivery.rows:
            self.count_outcome("empty")
            return
        self._accepted.inc()
        self._count_rows(delivery)

    def _count_rows(self, delivery: deliveries.Delivery) -> None:
        firing = resolved = ignored = 0
        rules: dict[int, int] = {}
        for row in delivery.rows:
            rules[row.response] = rules.get(row.response, 0) + 1
            if row.response < 0:
                ignored += 1
            elif row.alert.status == "firing":
                firing += 1
            else:
                resolved += 1
        for response, number in rules.items():
            _of_rule(delivery.responses[response].rule if response >= 0 else "").inc(number)
        if firing:
            self._firing.inc(firing)
        if resolved:
            self._resolved.inc(resolved)
        if ignored:
            self._ignored.inc(ignored)

    def count_quarantined(self) -> None:
        """Count a quarantined body: a whole delivery, or its unreadable alerts."""
        self._quarantined.inc()

    def count_outcome(self, name: str) -> None:
        """Count a delivery with another outcome."""
        metrics.deliveries.labels(self._source, name).inc()

    def observe_duration(self, status: int, began: float) -> None:
        """Measure the response to a request that started at ``began``. ``status`` is 0 if nothing was sent."""
        series = self._durations.get(status // 100)
        if series is not None:
            series.observe_since(began)


def unknown_source(name: str, status: int, began: float) -> None:
    """Count a request to a source that isn't configured, and measure its response."""
    metrics.deliveries.labels("", name).inc()
    metrics.webhook_duration_seconds.labels("", f"{status // 100}xx").observe_since(began)
