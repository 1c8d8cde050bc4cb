"""Destinations of every kind, with settings for the simulated vendors that they call."""

import asyncio

import pytest

from router.destinations import registry
from router.simulator import faults
from router.simulator.incident_io import alerts
from tests.unit.destinations import scripted

VENDORS = {
    "incident-io": "incident-io",
    "incident-io-alert": "incident-io",
    "incident-io-status-page": "incident-io",
    "devhelm": "devhelm",
    "devhelm-status-page": "devhelm",
}
POST = {"title": "Checkout fails", "message": "Payments may fail.", "components": ["Checkout API", "Payments"]}
FIELDS = {
    "incident-io": {"name": "Checkout fails", "summary": "5xx above 20%"},
    "incident-io-alert": {"title": "Checkout fails", "description": "5xx above 20%"},
    "incident-io-status-page": POST,
    "devhelm": {"title": "Checkout fails", "body": "5xx above 20%"},
    "devhelm-status-page": POST,
}
PAGES = {"incident-io-status-page": "Acme Status", "devhelm-status-page": "Acme"}
# Settings that a kind requires.
SETTINGS = {"incident-io-alert": {"alert_source": alerts.SOURCE, "account_key": scripted.SECRET}}
each_kind = pytest.mark.parametrize("kind", registry.KINDS)


class World:
    """Both simulated vendors, and destinations that call them."""

    def __init__(self, simulator):
        self.simulator = simulator

    def run(self, kind, body, **settings):
        async def main():
            url = f"{self.simulator.url}/{VENDORS[kind]}"
            page = {"page": PAGES[kind]} if kind in PAGES else SETTINGS.get(kind, {})
            given = {
                "kind": kind,
                "api_key": scripted.SECRET,
                "base_url": url,
                "timeout_seconds": 2,
                **page,
                **settings,
            }
            config = registry.KINDS[kind].config(**given)
            destination = registry.build("there", config, lambda: scripted.OPENED_AT)
            try:
                return await body(destination)
            finally:
                await destination.aclose()

        return asyncio.run(main())

    def do(self, kind, operation, fields=None, *, at="", severity="major", **settings):
        """Perform one operation. ``at`` is the publication's ID at the vendor."""
        linked = settings.pop("linked_id", "")
        said = {**FIELDS[kind], **(fields or {})}
        asked_for = "open" if operation == "find" else operation
        asked = scripted.operation(asked_for, said, severity=severity, vendor_id=at, linked_id=linked)
        return self.run(kind, lambda destination: getattr(destination, operation)(asked), **settings)

    def observe(self, kind, vendor_id):
        operation = scripted.operation("update", FIELDS[kind], vendor_id=vendor_id)
        return self.run(kind, lambda destination: destination.observe(operation))

    def fault(self, kind, action, method="POST", **others):
        fault = faults.Fault(action=action, vendor=VENDORS[kind], method=method, **others)
        self.simulator.app.state.faults.append(fault)

    def state(self, kind):
        return self.simulator.app.state.vendors[VENDORS[kind]].state()

    def objects(self, kind):
        """All objects of the kind at the vendor."""
        state = self.state(kind)
        if kind == "incident-io-status-page":
            return state["status_page_incidents"]
        if kind == "incident-io-alert":
            return state["alerts"]
        if kind == "devhelm-status-page":
            return [post for page in state["pages"] if page["name"] == "Acme" for post in page["incidents"]]
        return state["incidents"]

    def changes(self):
        return [f"{call.method} {call.path}" for call in self.simulator.app.state.calls.all if call.method != "GET"]


def reset(simulator):
    """Delete the vendors' objects, the recorded calls, and the faults."""
    for vendor in simulator.app.state.vendors.values():
        vendor.reset()
    simulator.app.state.calls.all.clear()
    simulator.app.state.faults.clear()


@pytest.fixture
def world(simulator):
    reset(simulator)
    return World(simulator)
