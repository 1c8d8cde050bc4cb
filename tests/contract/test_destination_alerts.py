"""Known failures of other products with alert events: keys, order, flapping, and lost responses.

Each test's docstring describes the failure that users reported.
"""

import msgspec
import pytest

from router.destinations import registry
from router.outbound import errors
from router.simulator.incident_io import alerts
from tests.contract import simulated_destinations
from tests.unit.destinations import scripted

KIND = "incident-io-alert"
WITHOUT_KEY = {"account_key": None}
world = simulated_destinations.world


@pytest.fixture
def vendor_alerts(world):
    return world.simulator.app.state.vendors["incident-io"].paging.alerts


def perform(world, operation, *, settings=None, **fields):
    """Perform an operation with these ``fields``."""
    known = {**simulated_destinations.FIELDS[KIND], **fields.pop("fields", {})}
    asked = scripted.operation("update" if operation == "observe" else operation, known, **fields)
    return world.run(KIND, lambda destination: getattr(destination, operation)(asked), **(settings or {}))


def events(world):
    return [call.body for call in world.simulator.app.state.calls.all if "/alert_events/" in call.path]


def test_key_is_short_for_long_titles(world):
    """Keys made of labels exceeded the vendor's limit, so no responder was paged."""
    opened = world.do(KIND, "open", {"title": "x" * 5000})
    assert len(opened.vendor_id) <= 33
    assert [omission.field for omission in opened.omitted] == ["title"]


def test_every_event_has_the_publication_s_key(world):
    """The first event had no key, and the vendor refused it."""
    opened = world.do(KIND, "open")
    world.do(KIND, "update", severity="critical", at=opened.vendor_id)
    world.do(KIND, "resolve", at=opened.vendor_id)
    assert {event["deduplication_key"] for event in events(world)} == {opened.vendor_id}


def test_next_episode_pages_again(world, vendor_alerts):
    """The key identified the problem, so the vendor treated its next occurrence as the resolved alert."""
    first = perform(world, "open")
    perform(world, "resolve", vendor_id=first.vendor_id)
    second = perform(world, "open", episode="00000000000000000000000000000002")
    assert second.vendor_id != first.vendor_id
    assert [one.status for one in vendor_alerts.known.values()] == ["resolved", "firing"]


def test_two_destinations_open_separate_alerts(world, vendor_alerts):
    """Two teams shared a key, and the resolution for one team ended the alert of the other."""
    keys = {perform(world, "open", destination=name).vendor_id for name in ("there", "elsewhere")}
    assert len(keys) == len(vendor_alerts.known) == 2


def test_key_survives_a_restart(world, vendor_alerts):
    """The key was only in memory, so a restart left the alert open and created another one."""
    first, second = world.do(KIND, "open"), world.do(KIND, "open")
    assert (first.vendor_id, len(vendor_alerts.known)) == (second.vendor_id, 1)


def test_resolution_with_another_title_resolves_the_alert(world, vendor_alerts):
    """The title was the key, so a changed title in the resolution created a second alert."""
    opened = world.do(KIND, "open")
    assert world.do(KIND, "resolve", {"title": "[RESOLVED] Checkout works"}, at=opened.vendor_id).state == "resolved"
    assert [one.status for one in vendor_alerts.known.values()] == ["resolved"]


def test_resolution_without_an_alert_opens_nothing(world, vendor_alerts):
    """A resolution that arrived before the alert, or without one, opened a new alert."""
    assert world.do(KIND, "resolve", at="IR-1.abcdef00000000").state == "resolved"
    assert vendor_alerts.known == {}


def test_alert_reopened_by_late_event_is_resolved_again(world, vendor_alerts):
    """A firing event that was processed after the resolution paged for a resolved problem."""
    vendor_alerts.refires = True
    opened = world.do(KIND, "open")
    world.do(KIND, "resolve", at=opened.vendor_id)
    world.do(KIND, "open")
    assert world.observe(KIND, opened.vendor_id).state == "open"
    world.do(KIND, "resolve", at=opened.vendor_id)
    assert world.observe(KIND, opened.vendor_id).state == "resolved"


def test_update_never_reopens_an_alert_resolved_by_hand(world, vendor_alerts):
    """A repeated firing event paged again for an alert that a responder had already resolved."""
    vendor_alerts.refires = True
    opened = world.do(KIND, "open")
    vendor_alerts.by_key(opened.vendor_id).resolved_at = scripted.OPENED_AT
    seen = world.do(KIND, "update", severity="critical", at=opened.vendor_id)
    assert (seen.state, len(events(world))) == ("resolved", 1)


def test_flapping_within_an_episode_pages_once(world, vendor_alerts):
    """Each flap was a new alert."""
    opened = world.do(KIND, "open")
    for severity in ("minor", "critical", "minor", "critical"):
        world.do(KIND, "update", severity=severity, at=opened.vendor_id)
    (alert,) = vendor_alerts.known.values()
    assert (alert.pages, alert.metadata["severity"]) == (1, "critical")


def test_filtered_event_is_reported_and_sent_again(world, vendor_alerts):
    """An accepted event was dropped without a report."""
    vendor_alerts.drops = True
    opened = world.do(KIND, "open")
    state = world.observe(KIND, opened.vendor_id)
    assert state.state == "open"
    assert "dropped" in state.differs
    vendor_alerts.drops = False
    assert world.do(KIND, "update", at=opened.vendor_id).state == "open"
    assert world.observe(KIND, opened.vendor_id).differs == ""


def test_event_in_processing_is_no_difference(world, vendor_alerts):
    vendor_alerts.drops = True
    opened = world.do(KIND, "open")
    seen = perform(world, "observe", vendor_id=opened.vendor_id, lags=True)
    assert (seen.is_stale, seen.differs) == (True, "")


def test_severity_reference_and_the_rules_metadata_are_sent(world):
    world.do(KIND, "open", {"metadata": {"team": ["payments"], "severity": "P1", "service": ""}}, severity="critical")
    (event,) = events(world)
    assert event["metadata"] == {
        "severity": "P1", "reference": scripted.operation("open", {}).reference, "team": ["payments"],
    }  # fmt: skip


def test_invalid_link_is_omitted(world):
    opened = world.do(KIND, "open", {"source_url": "grafana"})
    assert ([omission.field for omission in opened.omitted], opened.state) == (["source_url"], "open")


@pytest.mark.parametrize("operation", ["open", "update", "resolve"])
def test_limit_of_the_source_pauses_no_other_endpoint(world, operation):
    """Integrations that didn't retry dropped alerts beyond 120 per minute."""
    world.fault(KIND, "429", limit="alert_source", retry_after=3)
    with pytest.raises(errors.Throttled) as caught:
        world.do(KIND, operation, at="" if operation == "open" else "IR-1.x")
    assert (caught.value.limit, caught.value.is_account_wide) == ("alert_source", False)


def test_unknown_source_is_not_found(world):
    with pytest.raises(errors.NotFound):
        world.do(KIND, "open", alert_source="01NOBODY")


def test_token_of_another_source_is_refused(world, vendor_alerts):
    vendor_alerts.token = "another-token"
    with pytest.raises(errors.Denied) as caught:
        world.do(KIND, "open")
    assert caught.value.status == 401
    vendor_alerts.token = scripted.SECRET
    assert world.do(KIND, "open").state == "open"


def test_destination_without_account_key_reads_nothing(world):
    opened = perform(world, "open", settings=WITHOUT_KEY)
    for operation in ("update", "observe"):
        assert perform(world, operation, vendor_id=opened.vendor_id, settings=WITHOUT_KEY).state == "open"
    assert perform(world, "resolve", vendor_id=opened.vendor_id, settings=WITHOUT_KEY).state == "resolved"
    assert perform(world, "find", settings=WITHOUT_KEY) is None
    assert world.run(KIND, lambda destination: destination.list_open(), **WITHOUT_KEY) == []
    assert world.run(KIND, lambda destination: destination.check(), **WITHOUT_KEY) == []
    assert [call.method for call in world.simulator.app.state.calls.all] == ["POST"] * 3


def test_alert_of_another_destination_is_not_listed(world):
    perform(world, "open", destination="elsewhere")
    for key in ("foreign", "IR-7F3K2QXM.abc", "x.y.z"):
        perform(world, "update", vendor_id=key, settings=WITHOUT_KEY)
    assert world.run(KIND, lambda destination: destination.list_open()) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"alert_source": alerts.OTHER_SOURCE}, "is of type email"),
        ({"alert_source": "01NOBODY"}, "does not exist"),
        ({"account_key": "another"}, "401"),
    ],
)
def test_check_reports_problems_of_the_alert_source(world, settings, problem):
    (found,) = world.run(KIND, lambda destination: destination.check(), **settings)
    assert problem in found


def test_check_reports_a_token_of_another_source(world, vendor_alerts):
    vendor_alerts.token = "of-another-source"
    (found,) = world.run(KIND, lambda destination: destination.check())
    assert found == '"api_key" is not the token of alert source "incident-router by http"'


ATTACHED = {"attach_to": "incidents"}


def attach(world, opened, incident, *, view=None):
    """Update the alert after the incident has opened, as the worker does when it finds the alert unattached."""
    content = scripted.operation("open", simulated_destinations.FIELDS[KIND]).content
    operation = scripted.operation(
        "update", simulated_destinations.FIELDS[KIND], vendor_id=opened.vendor_id, linked_id=incident, before=content
    )
    operation = msgspec.structs.replace(operation, view=view or opened.view)
    return world.run(KIND, lambda destination: destination.update(operation), **ATTACHED)


def test_alert_is_attached_after_the_incident_opens(world):
    opened = perform(world, "open", settings=ATTACHED)
    assert opened.differs == ""
    incident = world.do("incident-io", "open").vendor_id
    seen = perform(world, "observe", vendor_id=opened.vendor_id, linked_id=incident, settings=ATTACHED)
    assert "not attached" in seen.differs
    after = attach(world, opened, incident)
    assert (after.differs, world.state(KIND)["incident_alerts"][0][1]) == ("", incident)
    assert len(events(world)) == 1, "attaching sends no event"
    attach(world, opened, incident, view=after.view)
    assert [call for call in world.changes() if call.endswith("incident_alerts")] == ["POST /v2/incident_alerts"]


def test_alert_opened_after_its_incident_awaits_attachment(world):
    """The vendor processes the event later, so the alert can't be attached immediately."""
    incident = world.do("incident-io", "open").vendor_id
    opened = perform(world, "open", linked_id=incident, settings=ATTACHED)
    assert (opened.state, "not attached" in opened.differs) == ("open", True)


def test_alert_detached_by_a_person_stays_detached(world, vendor_alerts):
    opened = perform(world, "open", settings=ATTACHED)
    incident = world.do("incident-io", "open").vendor_id
    vendor_alerts.unrelated.add((vendor_alerts.by_key(opened.vendor_id).id, incident))
    seen = attach(world, opened, incident)
    assert ([omission.field for omission in seen.omitted], seen.differs, seen.state) == (["attach_to"], "", "open")


def test_attachment_to_a_locked_incident_is_retried(world, vendor_alerts):
    opened = perform(world, "open", settings=ATTACHED)
    incident = world.do("incident-io", "open").vendor_id
    vendor_alerts.busy = True
    with pytest.raises(errors.Conflict):
        attach(world, opened, incident)
    vendor_alerts.busy = False
    assert attach(world, opened, incident).differs == ""


def test_attachment_requires_an_account_key():
    with pytest.raises(ValueError, match="attach_to needs account_key"):
        registry.KINDS[KIND].config(api_key="k", alert_source="01A", attach_to="incidents")


@pytest.mark.parametrize("has_arrived", [True, False])
def test_unconfirmed_alert_of_a_resolved_incident_is_resolved(world, vendor_alerts, has_arrived):
    """The outcome of a firing event was unknown, and its repetition after the end paged a responder."""
    if has_arrived:
        perform(world, "open")
    seen = perform(world, "open", is_repeated=True, is_over=True, failures=1)
    assert (seen.state, seen.ended) == ("resolved", True)
    assert [one.status for one in vendor_alerts.known.values()] == ["resolved"] * has_arrived
    assert [event["status"] for event in events(world)] == ["firing"] * has_arrived + ["resolved"]
