"""Metrics of each request to a vendor, by destination, operation, and outcome."""

import pytest

from router.outbound import call_policy, errors
from router.telemetry import metrics


def count_measured(wire, outcome: str, operation: str = "other") -> float:
    name = "incident_router_vendor_request_duration_seconds_count"
    labels = {"destination": wire.run(_name), "operation": operation, "outcome": outcome}
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


async def _name(http):
    return http.name


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "ok"), (429, "throttled"), (401, "refused"), (404, "refused"), (422, "refused"), (503, "unanswered")],
)
def test_request_is_measured_with_its_outcome(wire, status, outcome):
    wire.answer(status, b"{}")
    before = count_measured(wire, outcome)

    async def call(http):
        with_failure = status != 200
        try:
            await http.call("POST", "/v1/things", json={})
        except errors.Failure:
            assert with_failure

    wire.run(call)
    assert count_measured(wire, outcome) == before + 1


def test_request_without_a_response_is_measured(wire):
    wire.answers.append(None)
    wire.settings["timeout_seconds"] = 0.05
    before = count_measured(wire, "unanswered")

    async def call(http):
        with pytest.raises(errors.Unanswered):
            await http.call("POST", "/v1/things", json={})

    wire.run(call)
    assert count_measured(wire, "unanswered") == before + 1


def test_request_is_measured_under_its_operation(wire):
    wire.answer(200, b"{}")
    before = count_measured(wire, "ok", "resolve")

    async def call(http):
        await http.within(call_policy.CallBudget(operation="resolve")).call("GET", "/v1/things")

    wire.run(call)
    assert count_measured(wire, "ok", "resolve") == before + 1
