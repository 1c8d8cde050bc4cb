"""Every kind of destination completes a life cycle at a validating vendor: opened once, observed, resolved."""

import re

import pytest

from router.destinations import registry
from router.outbound import errors
from tests.contract import simulated_destinations
from tests.unit.destinations import scripted

world = simulated_destinations.world


@simulated_destinations.each_kind
def test_incident_is_opened_updated_and_resolved(world, kind):
    opened = world.do(kind, "open")
    assert opened.state == "open"
    assert world.observe(kind, opened.vendor_id).state == "open"
    assert world.do(kind, "update", severity="critical", at=opened.vendor_id).state == "open"
    assert world.do(kind, "resolve", severity="critical", at=opened.vendor_id).state == "resolved"
    assert world.observe(kind, opened.vendor_id).state == "resolved"
    assert len(world.objects(kind)) == 1


@simulated_destinations.each_kind
def test_unanswered_executed_open_leaves_one_object(world, kind):
    """The worker repeats the open under its key or searches for the object, as the destination requires."""
    world.fault(kind, "act-then-drop")
    with pytest.raises(errors.Unanswered):
        world.do(kind, "open")
    again = "open" if registry.KINDS[kind].make.repeatable_open else "find"
    seen = world.do(kind, again)
    assert seen.state == "open"
    assert len(world.objects(kind)) == 1


@simulated_destinations.each_kind
def test_open_without_effect_is_not_found(world, kind):
    world.fault(kind, "drop")
    with pytest.raises(errors.Unanswered):
        world.do(kind, "open")
    assert world.do(kind, "find") is None
    assert world.objects(kind) == []


@simulated_destinations.each_kind
@pytest.mark.parametrize("operation", ["update", "resolve"])
def test_unanswered_executed_change_is_not_repeated(world, kind, operation):
    opened = world.do(kind, "open")
    world.fault(kind, "act-then-drop")
    with pytest.raises(errors.Unanswered):
        world.do(kind, operation, severity="critical", at=opened.vendor_id)
    before = world.state(kind)
    world.do(kind, operation, severity="critical", at=opened.vendor_id)
    assert world.state(kind) == before


@simulated_destinations.each_kind
def test_resolved_object_is_not_changed(world, kind):
    opened = world.do(kind, "open")
    world.do(kind, "resolve", at=opened.vendor_id)
    before = world.state(kind)
    for operation in ("update", "resolve"):
        assert world.do(kind, operation, severity="critical", at=opened.vendor_id).state == "resolved"
    assert world.state(kind) == before


@simulated_destinations.each_kind
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("429", errors.Throttled),
        ("500", errors.Unanswered),
        ("503", errors.Unanswered),
        ("drop", errors.Unanswered),
        ("truncate", errors.Unanswered),
        ("hang", errors.Unanswered),
    ],
)
def test_each_fault_raises_its_failure(world, kind, action, expected):
    world.fault(kind, action, retry_after=7, hang_seconds=30)
    with pytest.raises(errors.Failure) as caught:
        world.do(kind, "open", **({"timeout_seconds": 0.3} if action == "hang" else {}))
    assert type(caught.value) is expected
    assert scripted.SECRET not in str(caught.value)
    if action == "429":
        # The simulator's date has whole seconds, and its clock is one second ahead of the test's.
        assert 6 <= caught.value.retry_after <= 9


@simulated_destinations.each_kind
def test_rejection_contains_the_vendor_s_message(world, kind):
    with pytest.raises(errors.Denied) as caught:
        world.do(kind, "open", api_key="another")
    assert caught.value.status == 401
    assert caught.value.message.partition("401: ")[2]
    assert caught.value.request_id
    assert "another" not in str(caught.value)


@simulated_destinations.each_kind
def test_check_of_a_valid_account_reports_nothing(world, kind):
    assert world.run(kind, lambda destination: destination.check()) == []


def test_incident_io_version_2_opens_and_resolves(world):
    fields = {"status": "investigating", "mode": "test", "incident_type": "default"}
    opened = world.do("incident-io", "open", fields, api="v2")
    assert world.do("incident-io", "resolve", fields, at=opened.vendor_id, api="v2").state == "resolved"


def test_incident_io_components_follow_the_severity_and_recover(world):
    kind = "incident-io-status-page"
    opened = world.do(kind, "open")
    assert world.state(kind)["components"]["Payments"] == "partial_outage"
    world.do(kind, "update", severity="critical", at=opened.vendor_id)
    assert world.state(kind)["components"]["Payments"] == "full_outage"
    world.do(kind, "resolve", at=opened.vendor_id)
    assert set(world.state(kind)["components"].values()) == {"operational"}


def test_components_at_devhelm_follow_the_severity_and_recover(world):
    kind = "devhelm-status-page"

    def shown():
        return next(page["components"] for page in world.state(kind)["pages"] if page["name"] == "Acme")

    opened = world.do(kind, "open")
    assert shown()["Payments"] == "PARTIAL_OUTAGE"
    world.do(kind, "update", severity="critical", at=opened.vendor_id)
    assert shown()["Payments"] == "MAJOR_OUTAGE"
    world.do(kind, "resolve", at=opened.vendor_id)
    assert set(shown().values()) == {"OPERATIONAL"}


def test_draft_is_adopted_changed_published_and_resolved(world):
    kind, page = "devhelm-status-page", {"page": "Acme EU", "follows": "devhelm"}
    linked = world.do("devhelm", "open").vendor_id
    adopted = world.do(kind, "adopt", linked_id=linked, **page)
    assert adopted.state == "draft"
    assert world.do(kind, "update", {"title": "Other"}, at=adopted.vendor_id, **page).state == "draft"
    assert world.do(kind, "publish", at=adopted.vendor_id, **page).state == "open"
    assert world.do(kind, "publish", at=adopted.vendor_id, **page).state == "open"
    assert world.do(kind, "resolve", {"postmortem_body": "Why"}, at=adopted.vendor_id, **page).state == "resolved"
    (post,) = next(one["incidents"] for one in world.state(kind)["pages"] if one["name"] == "Acme EU")
    assert (post["title"], post["postmortemBody"], post["incidentId"]) == ("Checkout fails", "Why", linked)


def test_self_publishing_page_is_adopted_with_a_warning(world):
    kind, page = "devhelm-status-page", {"page": "acme-auto"}
    linked = world.do("devhelm", "open").vendor_id
    assert world.do(kind, "adopt", linked_id=linked, **page).state == "open"
    assert world.do(kind, "open", linked_id=linked, **page).state == "open"
    (post,) = next(one["incidents"] for one in world.state(kind)["pages"] if one["slug"] == "acme-auto")
    assert post["title"] == "Checkout fails"
    (problem,) = world.run(kind, lambda destination: destination.check(), **page)
    assert "AUTOMATIC" in problem


WRONG = {
    "incident-io": {"severity": "Criticl"},
    "incident-io-status-page": {"components": ["Paymnts", "Payments"]},
    "devhelm": {"severity": "CRITICAL"},
    "devhelm-status-page": {"components": ["Paymnts", "Payments"]},
}


@pytest.mark.parametrize("kind", WRONG)
def test_unknown_name_is_reported_and_omitted_alone(world, kind):
    seen = world.do(kind, "open", WRONG[kind])
    assert (seen.state, len(world.objects(kind))) == ("open", 1)
    [omitted] = seen.omitted
    assert (omitted.field, omitted.code) == (next(iter(WRONG[kind])), "left_out")


ID = "11111111-1111-4111-8111-111111111111"
# The values that a rule may set, and the vendor's names of them.
OPTIONAL = [
    ("incident-io", "severity_id", {}),
    ("incident-io", "incident_type_id", {"incident_type": "Security"}),
    ("incident-io", "slack_team_id", {"slack_team_id": "T1"}),
    ("incident-io", "status", {"status": "fixing"}),
    ("incident-io-alert", "description", {}),
    ("incident-io-alert", "metadata", {}),
    ("incident-io-alert", "source_url", {"source_url": "https://grafana.example/d/1"}),
    ("incident-io-status-page", "component_statuses", {}),
    ("devhelm", "monitorId", {"monitor_id": ID}),
    ("devhelm", "body", {}),
    ("devhelm-status-page", "affectedComponents", {}),
]


@pytest.mark.parametrize(("kind", "field", "fields"), OPTIONAL)
def test_rejected_optional_field_is_omitted_alone(world, kind, field, fields):
    world.fault(kind, "refuse-field", field=field, count=100)
    seen = world.do(kind, "open", fields)
    assert (seen.state, len(world.objects(kind))) == ("open", 1)
    [omitted] = seen.omitted
    assert omitted.code == "refused"
    assert omitted.field == re.sub(r"(?<=[a-z])(?=[A-Z])", "_", field).lower()
    assert len(world.changes()) == 2


@simulated_destinations.each_kind
def test_rejection_without_field_omits_optional_fields(world, kind):
    world.fault(kind, "status", status=422)
    seen = world.do(kind, "open")
    assert (seen.state, len(world.objects(kind))) == ("open", 1)
    assert {omitted.code for omitted in seen.omitted} == {"refused"}


@simulated_destinations.each_kind
def test_rejected_required_field_fails_permanently(world, kind):
    needed = "name" if kind in {"incident-io", "incident-io-status-page"} else "title"
    world.fault(kind, "refuse-field", field=needed, count=100)
    with pytest.raises(errors.Permanent) as caught:
        world.do(kind, "open")
    assert caught.value.field == needed
    assert world.objects(kind) == []


@pytest.mark.parametrize("kind", ["incident-io", "incident-io-status-page"])
def test_repeated_open_omits_no_rejected_field(world, kind):
    """While the outcome is unknown, a different body would be a different request."""
    world.fault(kind, "status", status=422)
    operation = scripted.operation("open", simulated_destinations.FIELDS[kind], severity="major", is_repeated=True)
    with pytest.raises(errors.Permanent):
        world.run(kind, lambda destination: destination.open(operation))
    assert len(world.changes()) == 1


def test_too_many_subscribers_are_not_notified(world):
    kind = "incident-io-status-page"
    world.simulator.app.state.vendors["incident-io"].subscribers = 1001
    try:
        opened = world.do(kind, "open")
        [omitted] = opened.omitted
        assert omitted.field == "notify_subscribers"
        assert world.do(kind, "resolve", at=opened.vendor_id).state == "resolved"
    finally:
        world.simulator.app.state.vendors["incident-io"].subscribers = 12


def test_rejected_postmortem_keeps_the_resolution(world):
    kind = "devhelm-status-page"
    opened = world.do(kind, "open")
    world.fault(kind, "refuse-field", method="PUT", field="postmortemBody", count=10)
    seen = world.do(kind, "resolve", {"postmortem_body": "Why"}, at=opened.vendor_id)
    assert seen.state == "resolved"
    assert [(omitted.field, omitted.code) for omitted in seen.omitted] == [("postmortem", "refused")]


@pytest.mark.parametrize(
    ("kind", "field", "most"), [("incident-io-status-page", "title", 200), ("devhelm-status-page", "title", 500)]
)
def test_rendered_title_is_cut_to_the_vendor_s_limit(world, kind, field, most):
    seen = world.do(kind, "open", {field: "x" * (most + 1)})
    [omitted] = seen.omitted
    assert (omitted.field, omitted.code) == (field, "cut")
    [made] = world.objects(kind)
    assert made.get("name", made.get("title")) == "x" * (most - 1) + "…"
    assert world.do(kind, "open", {field: "x" * most}, at="").omitted == ()


def test_overlong_url_is_omitted(world):
    seen = world.do("devhelm-status-page", "open", {"postmortem_url": "https://pm.example/" + "x" * 3000})
    assert [(omitted.field, omitted.code) for omitted in seen.omitted] == [("postmortem_url", "left_out")]


def test_custom_fields_and_roles_without_value_are_omitted(world):
    state = world.simulator.app.state.vendors["incident-io"]._state
    entry = {"custom_field_id": state.custom_field.id}
    fields = {
        "custom_field_entries": [{**entry, "values": [{"value_catalog_entry_id": ""}, {"value_text": ""}]}],
        "incident_role_assignments": [{"incident_role_id": state.role.id, "assignee": {"email": ""}}],
    }
    seen = world.do("incident-io", "open", fields)
    assert [omitted.field for omitted in seen.omitted] == ["custom_field_entries", "incident_role_assignments"]
    [made] = world.objects("incident-io")
    assert (made["custom_field_entries"], made["incident_role_assignments"]) == ([], [])


def test_only_the_faulty_custom_field_is_omitted(world):
    state = world.simulator.app.state.vendors["incident-io"]._state
    value = [{"value_text": "checkout"}]
    entries = [
        {"custom_field_id": "01UNKNOWN", "values": value},
        {"custom_field_id": state.custom_field.id, "values": value},
    ]
    seen = world.do("incident-io", "open", {"custom_field_entries": entries})
    assert [omitted.field for omitted in seen.omitted] == ["custom_field_entries"]
    [made] = world.objects("incident-io")
    assert [entry["custom_field"]["id"] for entry in made["custom_field_entries"]] == [state.custom_field.id]


def check(world, **fields):
    return world.run("incident-io", lambda destination: destination.check(fields))


def test_check_verifies_custom_fields_options_and_roles(world):
    state = world.simulator.app.state.vendors["incident-io"]._state
    option = {"custom_field_id": state.select_field.id, "values": [{"value_option_id": state.options[0].id}]}
    role = {"incident_role_id": state.role.id, "assignee": {"email": "ada@example.com"}}
    assert check(world, custom_field_entries=[option], incident_role_assignments=[role]) == []

    unknown = {"custom_field_id": "01UNKNOWN", "values": []}
    other = {**option, "values": [{"value_option_id": "01UNKNOWN"}]}
    text = {**option, "values": [{"value_text": "Deployment"}]}
    problems = check(
        world,
        custom_field_entries=[unknown, other, text],
        incident_role_assignments=[{"incident_role_id": "01UNKNOWN", "assignee": {"id": "u"}}],
    )
    assert [problem.partition(";")[0] for problem in problems] == [
        'custom field "01UNKNOWN" does not exist',
        'custom field "Cause": option "01UNKNOWN" does not exist',
        'custom field "Cause" is of type single_select: it takes value_catalog_entry_id or value_option_id, '
        "not value_text",
        'incident role "01UNKNOWN" does not exist',
    ]


def remove_version_1(world, **more):
    """Remove version 1 of the vendor's incidents API."""
    world.fault("incident-io", "status", method="", path="/v1/incidents", status=404, count=1000, **more)


def test_version_1_is_used_while_available(world):
    assert world.do("incident-io", "open").state == "open"
    assert world.changes() == ["POST /v1/incidents"]


def test_version_2_replaces_a_removed_version_1(world):
    remove_version_1(world)
    assert world.do("incident-io", "open").state == "open"
    assert world.changes() == ["POST /v1/incidents", "POST /v2/incidents"]


def test_check_detects_the_available_version(world):
    remove_version_1(world)
    operation = scripted.operation("open", simulated_destinations.FIELDS["incident-io"], severity="major")

    async def life(destination):
        assert await destination.check() == []
        await destination.open(operation)

    world.run("incident-io", life)
    assert world.changes() == ["POST /v2/incidents"]


def test_stray_404_does_not_change_the_version(world):
    world.fault("incident-io", "status", path="/v1/incidents", status=404)
    with pytest.raises(errors.NotFound):
        world.do("incident-io", "open")
    assert world.changes() == ["POST /v1/incidents"]


def test_unknown_open_outcome_never_changes_the_version(world):
    remove_version_1(world)
    operation = scripted.operation(
        "open", simulated_destinations.FIELDS["incident-io"], severity="major", is_repeated=True
    )

    async def life(destination):
        await destination.check()
        await destination.open(operation)

    with pytest.raises(errors.NotFound):
        world.run("incident-io", life)
    assert world.changes() == ["POST /v1/incidents"]


def test_configured_version_is_used(world):
    remove_version_1(world)
    with pytest.raises(errors.NotFound):
        world.do("incident-io", "open", api="v1")
    assert world.do("incident-io", "open", api="v2").state == "open"
    assert world.changes() == ["POST /v1/incidents", "POST /v2/incidents"]


def update_devhelm(world, vendor_id, severity, title="Checkout fails", before=("major", "Checkout fails")):
    level, said = before
    known = scripted.operation("update", {"title": said}, severity=level).content
    operation = scripted.operation("update", {"title": title}, severity=severity, vendor_id=vendor_id, before=known)
    return world.run("devhelm", lambda destination: destination.update(operation))


def test_devhelm_update_changes_severity_and_title(world):
    opened = world.do("devhelm", "open", severity="minor")
    update_devhelm(world, opened.vendor_id, "critical", "All of checkout fails", before=("minor", "Checkout fails"))
    [made] = world.objects("devhelm")
    assert made["incident"]["severity"] == "DOWN"
    assert made["incident"]["title"].endswith("All of checkout fails")
    assert [update["body"] for update in made["updates"]][-1] == "Severity is now critical."


def test_severity_and_title_edited_at_devhelm_stay(world):
    opened = world.do("devhelm", "open", severity="minor")
    [incident] = world.simulator.app.state.vendors["devhelm"]._state.incidents.values()
    incident.title, incident.severity = "A person's", "MAINTENANCE"
    update_devhelm(world, opened.vendor_id, "critical", "All of checkout fails", before=("minor", "Checkout fails"))
    assert (incident.title, incident.severity) == ("A person's", "MAINTENANCE")


def test_severity_devhelm_cannot_change_is_described_in_text(world):
    opened = world.do("devhelm", "open", severity="minor")
    world.fault("devhelm", "status", method="PATCH", status=405)
    seen = update_devhelm(world, opened.vendor_id, "critical", before=("minor", "Checkout fails"))
    assert [(omitted.field, omitted.code) for omitted in seen.omitted] == [("severity", "refused")]
    [made] = world.objects("devhelm")
    assert "critical (DOWN; opened as DEGRADED)" in made["updates"][-1]["body"]
