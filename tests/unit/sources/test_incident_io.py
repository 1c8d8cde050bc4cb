"""incident.io's outgoing webhooks about incidents, including incidents that the router opened."""

import pytest

from router.destinations import references
from tests.unit.sources import parsing

CREATED = "public_incident.incident_created_v2"


def make_body(**more: object) -> dict[str, object]:
    incident = parsing.body("incident-io", "created")[CREATED]
    return {"event_type": CREATED, CREATED: {**incident, **more}}


@pytest.mark.parametrize("text", ["", "Checkout is down", "Checkout is down. " * 100])
@pytest.mark.parametrize("rewritten", [str, lambda summary: f"{summary}\r\n", lambda summary: f"<p>{summary}</p>"])
def test_incident_created_by_the_router_makes_no_alert(text, rewritten):
    summary = rewritten(references.add_footer(text, "IR-7F3K2QXM"))
    found = parsing.parse("incident-io", make_body(summary=summary))
    assert found.alerts == []
    assert found.about["no_alert"] == "the router itself opened this incident as IR-7F3K2QXM"


def test_incident_mentioning_a_reference_is_an_alert():
    assert parsing.parse_one("incident-io", make_body(summary="As in IR-7F3K2QXM.\nReference: IR-7F3K2QXM, again"))


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ([{"value_catalog_entry": {"id": "c", "name": "Ferries"}}], "Ferries"),
        ([{"value_option": {"value": "a"}}, {"value_option": {"value": "b"}}], "a,b"),
        ([{"value_numeric": 7}], "7"),
        ([{"value_link": "https://a.example"}, 3, {}], "https://a.example"),
        (None, None),
    ],
)
def test_custom_field_becomes_a_label(values, label):
    entries = [{"custom_field": {"name": "Line"}, "values": values}, 7]
    alert = parsing.parse_one("incident-io", make_body(custom_field_entries=entries))
    assert alert.labels.get("Line") == label


def test_reopened_incident_fires_after_its_end():
    closed = parsing.parse_one("incident-io", parsing.body("incident-io", "status-closed"))
    again = parsing.parse_one("incident-io", make_body(updated_at="2026-03-02T11:00:00Z"))
    assert (again.status, again.fingerprint) == ("firing", closed.fingerprint)
    assert again.starts_at > closed.ends_at


@pytest.mark.parametrize("mode", [None, [], {}, 7, "standard"])
def test_mode_of_another_type_is_ignored(mode):
    assert "test" not in parsing.parse_one("incident-io", make_body(mode=mode)).labels
