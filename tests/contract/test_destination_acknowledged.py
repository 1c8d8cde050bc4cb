"""An incident that a responder accepts from triage at incident.io is acknowledged, without additional reads."""

import pytest

from tests.contract.test_destination_followed import life  # noqa: F401 - a fixture


def get_status_id(one, name: str) -> str:
    of = one.simulator.app.state.vendors["incident-io"]._state
    return next(status.id for status in of.statuses if status.name == name)


def accept(one, name: str = "Investigating") -> None:
    one.person(incident_status_id=get_status_id(one, name))


@pytest.mark.parametrize("how", ["looks", "update"])
def test_incident_accepted_from_triage_is_acknowledged(life, how):  # noqa: F811 - the fixture
    assert not life.perform("open").is_acknowledged
    life.observe_incident()
    assert not life.seen.is_acknowledged
    accept(life)
    if how == "looks":
        life.observe_incident()
    else:
        life.perform("update", name="Checkout is still down")
    assert life.seen.is_acknowledged
    life.observe_incident()
    assert life.seen.is_acknowledged


def test_acceptance_before_the_first_read_is_detected(life):  # noqa: F811 - the fixture
    life.perform("open")
    accept(life, "Fixing")
    life.observe_incident()
    assert life.seen.is_acknowledged


def test_incident_opened_as_active_is_not_acknowledged(life):  # noqa: F811 - the fixture
    life.perform("open", status="investigating")
    life.observe_incident()
    accept(life, "Fixing")
    life.observe_incident()
    assert not life.seen.is_acknowledged


@pytest.mark.parametrize("status", ["Declined", "Closed", "Canceled"])
def test_incident_ended_from_triage_is_not_acknowledged(life, status):  # noqa: F811 - the fixture
    life.perform("open")
    accept(life, status)
    life.observe_incident()
    assert (life.seen.state, life.seen.is_acknowledged) == ("resolved", False)


def test_detecting_an_acceptance_needs_no_additional_call(life):  # noqa: F811 - the fixture
    life.perform("open")
    accept(life)
    calls = life.simulator.app.state.calls.all
    before = len(calls)
    life.observe_incident()
    assert [(call.method, call.path.rpartition("/")[0]) for call in list(calls)[before:]] == [("GET", "/v2/incidents")]
