"""The log of refused deliveries has enough detail to diagnose a sender, without a line per request of a flood."""

import io
import json

import pytest
import structlog

from router.telemetry import log
from router.web import refusals

NOW = 1_772_450_000_000_000
SECOND = 1_000_000


@pytest.fixture
def log_lines():
    stream = io.StringIO()
    log.configure(stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()


def test_flood_of_refusals_writes_few_lines(log_lines):
    refused = refusals.Refusals()
    for number in range(1000):
        refused.log("prod", NOW + number, is_warning=False, status=401, problem="no token")
    assert len(log_lines()) == refusals.MAX_LINES
    refused.log("prod", NOW + SECOND, is_warning=True, status=503, problem="full")
    last = log_lines()[-1]
    assert (last["event"], last["level"], last["status"]) == ("delivery_refused", "warning", 503)
    assert last["suppressed"] == 1000 - refusals.MAX_LINES
    refused.log("prod", NOW + SECOND + 1, is_warning=False, status=401, problem="no token")
    assert "suppressed" not in log_lines()[-1]


def test_flood_at_one_source_hides_no_other_refusal(log_lines):
    refused = refusals.Refusals()
    for _ in range(100):
        refused.log("", NOW, is_warning=False, status=404, problem="unknown")
    refused.log("prod", NOW, is_warning=False, status=401, problem="no token")
    assert log_lines()[-1]["source"] == "prod"


def test_clock_set_back_starts_a_new_second(log_lines):
    refused = refusals.Refusals()
    for at in (NOW, NOW - 3600 * SECOND):
        for _ in range(50):
            refused.log("prod", at, is_warning=False, status=401, problem="no token")
    assert len(log_lines()) == 2 * refusals.MAX_LINES
