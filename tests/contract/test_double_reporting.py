"""DevHelm's alert channels to incident.io are detected and reported, with both destinations."""

import asyncio

import pytest

from router.destinations import registry
from router.simulator import faults
from router.worker import configured_destinations, double_reports
from tests.contract import sdks
from tests.unit.destinations import scripted

PATH = "/api/v1/alert-channels"
INCIDENT_IO = {"channelType": "incident_io", "apiKey": "k"}


@pytest.fixture
def client(simulator):
    simulator.app.state.vendors["devhelm"].reset()
    url = f"{simulator.url}/devhelm"
    one = sdks.devhelm_client.Client(scripted.SECRET, base_url=url, org_id="4711", workspace_id="1", timeout=10)
    yield one
    one.wire.close()
    simulator.app.state.vendors["devhelm"].reset()


def check_double_reporting(url, kinds, page="", pages=None):
    async def main():
        made = {}
        for name, kind in kinds.items():
            where = url if kind.startswith("devhelm") else url.replace("/devhelm", "/incident-io")
            config = registry.KINDS[kind].config(kind=kind, api_key=scripted.SECRET, base_url=where)
            destination = registry.build(name, config, lambda: scripted.OPENED_AT)
            named = page if kind == "devhelm-status-page" else ""
            made[name] = configured_destinations.ConfiguredDestination(
                name, registry.KINDS[kind], destination, page=named
            )
        try:
            return await double_reports.find(made, pages)
        finally:
            await asyncio.gather(*(one.destination.aclose() for one in made.values()))

    return asyncio.run(main())


BOTH = {"dh": "devhelm", "io": "incident-io", "page": "incident-io-status-page"}


def test_enabled_channel_names_both_destinations(client, simulator):
    mail = {"channelType": "email", "recipients": ["ops@example.com"]}
    client.alert_channels.create({"name": "Mail", "config": mail})
    assert check_double_reporting(f"{simulator.url}/devhelm", BOTH) == []
    client.alert_channels.create({"name": "On call", "config": INCIDENT_IO})
    (text,) = check_double_reporting(f"{simulator.url}/devhelm", BOTH)
    assert 'double reporting: the alert channel "On call" reports incidents of "dh" to incident.io' in text
    assert 'at "io"' in text


def test_channel_without_incident_io_destination_is_not_reported(client, simulator):
    client.alert_channels.create({"name": "On call", "config": INCIDENT_IO})
    assert check_double_reporting(f"{simulator.url}/devhelm", {"dh": "devhelm", "page": "devhelm-status-page"}) == []


def test_disabled_channel_is_not_reported(client, simulator):
    client.alert_channels.create({"name": "On call", "config": INCIDENT_IO})
    simulator.app.state.vendors["devhelm"].channels.known[0].enabled = False
    assert [one.enabled for one in client.alert_channels.list()] == [False]
    assert check_double_reporting(f"{simulator.url}/devhelm", BOTH) == []


def test_unreadable_channels_are_reported(client, simulator):
    simulator.app.state.faults.append(faults.Fault(action="status", vendor="devhelm", method="GET", status=403))
    try:
        (text,) = check_double_reporting(f"{simulator.url}/devhelm", BOTH)
    finally:
        simulator.app.state.faults.clear()
    assert text.startswith("dh: can't check for double reporting: ")


PAGE = {"dh": "devhelm", "page": "devhelm-status-page"}


def test_automatic_page_without_destination_gets_a_warning(client, simulator):
    (text,) = check_double_reporting(f"{simulator.url}/devhelm", PAGE, "Acme", pages=set())
    assert text.startswith('dh: page "Acme Auto" publishes the incidents that the router opens at "dh"')
    assert "incidentMode AUTOMATIC" in text


@pytest.mark.parametrize(("page", "pages"), [("Acme Auto", set()), ("acme-auto", set()), ("Acme", {"Acme Auto"})])
def test_automatic_page_of_destination_is_not_warned_twice(client, simulator, page, pages):
    assert check_double_reporting(f"{simulator.url}/devhelm", PAGE, page, pages=pages) == []


def test_automatic_page_matters_only_with_devhelm_incidents(client, simulator):
    assert (
        check_double_reporting(f"{simulator.url}/devhelm", {"page": "devhelm-status-page"}, "Acme", pages=set()) == []
    )
