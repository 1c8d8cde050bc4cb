"""Whether all texts of a body are short is found out without looking at each text."""

import json
import random

import pytest

from router.sources import alertmanager
from router.web import request_limits

LIMIT = 16


@pytest.mark.parametrize(
    ("body", "is_close"),
    [
        (b"", True),
        (b"[1, 2, 3]", True),
        (b'{"a": "b"}' * 10, True),
        (b'{"a": "' + b"x" * (LIMIT - 1) + b'"}', True),
        (b'{"a": "' + b"x" * LIMIT + b'"}', False),
        (b'{"a": "' + b'\\"' * LIMIT + b'"}', False),
        (b'{"a": "b"}' + b" " * LIMIT, False),
    ],
)
def test_long_gap_between_quotes_is_detected(body, is_close):
    assert request_limits.has_close_quotes(body, LIMIT) is is_close


def test_every_long_text_is_detected():
    chance = random.Random(20261201)
    seen = set()
    for _ in range(3000):
        texts = ["".join(chance.choices('ab"\\{,:é', k=chance.randrange(24))) for _ in range(6)]
        body = json.dumps(dict(zip(texts[::2], texts[1::2], strict=True)), ensure_ascii=chance.random() < 0.5).encode()
        is_close = request_limits.has_close_quotes(body, LIMIT)
        seen.add(is_close)
        assert not is_close or max(len(text.encode()) for text in texts) < LIMIT
    assert seen == {True, False}


def delivery(**labels: str) -> bytes:
    alerts = [{"status": "firing", "labels": {"alertname": "Down", **labels}, "fingerprint": "a"}]
    return json.dumps({"version": "4", "groupKey": '{}:{alertname="Down"}', "alerts": alerts * 20}).encode()


@pytest.mark.parametrize("size", [4096, 4097, 9000])
def test_long_alertmanager_labels_are_truncated(size):
    body, limits = delivery(host="x" * size), request_limits.RequestLimits()
    found = request_limits.cut_to_limits(alertmanager.Alertmanager("am").parse(body, {}, 1), body, limits)
    assert {len(alert.labels["host"].encode()) for alert in found.alerts} == {min(size, limits.value_bytes)}
    assert bool(found.notices) is (size > limits.value_bytes)


def test_long_non_text_labels_are_truncated():
    """A nested label becomes one long text, although all texts of the body are short."""
    nested = [{"status": "firing", "labels": {"tags": ["short"] * 2000}, "fingerprint": "a"}]
    body, limits = json.dumps({"version": "4", "alerts": nested}).encode(), request_limits.RequestLimits()
    parsed = alertmanager.Alertmanager("am").parse(body, {}, 1)
    assert not parsed.is_verbatim
    (alert,) = request_limits.cut_to_limits(parsed, body, limits).alerts
    assert len(alert.labels["tags"].encode()) == limits.value_bytes
