"""Reading alerts, cluster status, and receivers from Alertmanager's API."""

import msgspec
import pytest

from router.outbound import alertmanager, errors

ALERT = {
    "annotations": {"summary": "S"},
    "endsAt": "2023-11-14T23:13:20.000Z",
    "fingerprint": "f1",
    "receivers": [{"name": "a"}, {"name": "b"}],
    "startsAt": "2023-11-15T00:13:20.123+02:00",
    "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
    "updatedAt": "2023-11-14T22:13:20.000Z",
    "generatorURL": "http://prometheus/graph",
    "labels": {"alertname": "Down"},
}
BEGAN = 1_700_000_000_123_000


def answer_with(wire, ask, said: object):
    wire.answer(200, msgspec.json.encode(said), "content-type: application/json")
    return wire.run(ask)


def test_alert_has_receivers_and_start(wire):
    (one,) = answer_with(wire, alertmanager.read_alerts, [ALERT])
    assert one == alertmanager.Listed(
        "f1", BEGAN, True, ("a", "b"), {"alertname": "Down"}, {"summary": "S"}, "http://prometheus/graph"
    )
    assert b"/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true" in wire.received[0]


@pytest.mark.parametrize("state", ["suppressed", "unprocessed"])
def test_suppressed_alert_is_listed_as_inactive(wire, state):
    (one,) = answer_with(wire, alertmanager.read_alerts, [{**ALERT, "status": {"state": state}}])
    assert not one.active


@pytest.mark.parametrize(
    "wrong", [{"alerts": []}, [{}], [{**ALERT, "fingerprint": ""}], [{**ALERT, "startsAt": "now"}]]
)
def test_invalid_response_is_not_read_as_empty(wire, wrong):
    with pytest.raises(errors.Temporary, match="unexpected response"):
        answer_with(wire, alertmanager.read_alerts, wrong)


@pytest.mark.parametrize(("word", "settled"), [("ready", True), ("disabled", True), ("settling", False)])
def test_settled_cluster_is_recognized(wire, word, settled):
    said = {"cluster": {"status": word}, "uptime": "2023-11-14T22:13:20.123456Z", "versionInfo": {}}
    assert answer_with(wire, alertmanager.read_status, said) == alertmanager.ServerStatus(BEGAN + 456, settled)


def test_receivers_are_read_by_name(wire):
    assert answer_with(wire, alertmanager.read_receivers, [{"name": "a"}, {"name": "b"}]) == ["a", "b"]
