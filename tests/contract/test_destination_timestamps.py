"""The timestamps of an incident, as the simulated incident.io stores them."""

import pytest

from tests.contract import simulated_destinations


@pytest.fixture
def world(simulator):
    for vendor in simulator.app.state.vendors.values():
        vendor.reset()
    return simulated_destinations.World(simulator)


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_both_incident_io_versions_set_timestamps(world, api):
    fields = {"incident_timestamps": {"Impact started": "2031-05-01T09:30:00Z"}}
    assert world.do("incident-io", "open", fields, api=api).omitted == ()
    [incident] = world.objects("incident-io")
    [value] = incident["incident_timestamp_values"]
    assert value["incident_timestamp"]["name"] == "Impact started"
    assert value["value"] == {"value": "2031-05-01T09:30:00+00:00"}


@pytest.mark.parametrize(("api", "edited"), [("v1", "incident."), ("v2", "")])
def test_rejected_timestamps_are_omitted_alone(world, api, edited):
    world.fault("incident-io", "refuse-field", field=f"{edited}incident_timestamp_values", count=100)
    fields = {"incident_timestamps": {"Impact started": "2031-05-01T09:30:00Z"}}
    seen = world.do("incident-io", "open", fields, api=api)
    assert (seen.state, len(world.objects("incident-io"))) == ("open", 1)
    assert [omission.code for omission in seen.omitted] == ["refused"]
