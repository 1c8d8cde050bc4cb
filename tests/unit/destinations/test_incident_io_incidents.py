"""``incident-io`` destinations: the requests of each operation, and manual changes that are preserved."""

import functools

import pytest

from router.outbound import errors

KIND = "incident-io"
SEVERITIES = {
    "severities": [
        {"id": "sev-minor", "name": "Minor", "rank": 1},
        {"id": "sev-major", "name": "Major", "rank": 2},
        {"id": "sev-critical", "name": "Critical", "rank": 3},
    ]
}
TYPES = {"incident_types": [{"id": "type-1", "name": "Production"}]}
STATUSES = {
    "incident_statuses": [
        {"id": "st-live", "name": "Investigating", "category": "live", "rank": 1},
        {"id": "st-done", "name": "Done", "category": "closed", "rank": 9},
        {"id": "st-closed", "name": "Closed", "category": "closed", "rank": 8},
        {"id": "st-review", "name": "Review", "category": "learning", "rank": 5},
    ]
}
CREATED = {"incident": {"id": "inc-1", "permalink": "https://app.test/1", "status": "triage"}}
FIELDS = {"name": "Checkout is down", "summary": "5xx above 20%"}
SHOW = ("GET", "/v2/incidents/inc-1")
EDIT = "POST /v2/incidents/inc-1/actions/edit"


@pytest.fixture
def account(vendor):
    """A vendor with every named object."""
    vendor.answer("GET", "/v1/severities", SEVERITIES)
    vendor.answer("GET", "/v1/incident_types", TYPES)
    vendor.answer("GET", "/v1/incident_statuses", STATUSES)
    vendor.answer("POST", "/v1/incidents", CREATED)
    vendor.answer("POST", "/v2/incidents", CREATED)
    vendor.answer("POST", "/v2/incidents/inc-1/actions/edit", make_incident())
    return vendor


def make_incident(category="live", **others):
    status = {"id": "st", "name": "Any", "category": category}
    incident = {"id": "inc-1", "permalink": "https://app.test/1", "incident_status": status, "name": FIELDS["name"]}
    return {"incident": {**incident, "severity": SEVERITIES["severities"][1], **others}}


def test_created_incident_has_key_severity_and_reference(account, operation):
    wanted = operation("open", FIELDS)
    result = account.run(KIND, lambda destination: destination.open(wanted))
    assert (result.vendor_id, result.state, result.url) == ("inc-1", "open", "https://app.test/1")
    assert account.body_of("POST /v1/incidents") == {
        "idempotency_key": wanted.key,
        "visibility": "public",
        "name": "Checkout is down",
        "summary": f"5xx above 20%\n\nReference: {wanted.reference}",
        "mode": "real",
        "severity_id": "sev-critical",
    }


def test_every_field_of_the_vendor_can_be_set(account, operation):
    set_by_rule = {
        "visibility": "private",
        "mode": "test",
        "status": "fixing",
        "slack_team_id": "T1",
        "source_message_channel_id": "C1",
        "source_message_timestamp": "1653650280.526509",
        "custom_field_entries": [{"custom_field_id": "cf", "values": [{"value_text": "x"}]}],
        "incident_role_assignments": [{"incident_role_id": "lead", "assignee": {"email": "a@b.test"}}],
    }
    wanted = operation("open", {**FIELDS, **set_by_rule, "severity": "Minor", "incident_type": "production"})
    account.run(KIND, lambda destination: destination.open(wanted))
    sent = account.body_of("POST /v1/incidents")
    assert {key: sent[key] for key in set_by_rule} == set_by_rule
    assert (sent["severity_id"], sent["incident_type_id"]) == ("sev-minor", "type-1")


def test_rule_works_with_api_version_2_unchanged(account, operation):
    fields = {**FIELDS, "status": "investigating", "source_message_channel_id": "C1", "slack_team_id": "T1"}
    account.run(KIND, lambda destination: destination.open(operation("open", fields)), api="v2")
    sent = account.body_of("POST /v2/incidents")
    assert (sent["incident_status_id"], sent["mode"], sent["slack_team_id"]) == ("st-live", "standard", "T1")
    assert "source_message_channel_id" not in sent


TIMESTAMPS = {"incident_timestamps": [{"id": "ts-impact", "name": "Impact started", "rank": 1}]}
STARTED = {"incident_timestamps": {"impact started": "2031-05-01T09:30:00Z"}}
VALUES = [{"incident_timestamp_id": "ts-impact", "value": "2031-05-01T09:30:00+00:00"}]


def test_version_2_sets_timestamps_when_creating(account, operation):
    account.answer("GET", "/v2/incident_timestamps", TIMESTAMPS)
    result = account.run(KIND, lambda destination: destination.open(operation("open", FIELDS | STARTED)), api="v2")
    assert account.body_of("POST /v2/incidents")["incident_timestamp_values"] == VALUES
    assert (EDIT in account.made, result.omitted) == (False, ())


def test_version_1_sets_timestamps_after_creating(account, operation):
    account.answer("GET", "/v2/incident_timestamps", TIMESTAMPS)
    result = account.run(KIND, lambda destination: destination.open(operation("open", FIELDS | STARTED)), api="v1")
    assert "incident_timestamp_values" not in account.body_of("POST /v1/incidents")
    edit = {"incident": {"incident_timestamp_values": VALUES}, "notify_incident_channel": False}
    assert account.body_of(EDIT) == edit
    assert (result.state, result.omitted) == ("open", ())


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, {"incident_timestamps": []}), (403, {"errors": [{"code": "forbidden", "message": "no"}]}), (500, {})],
)
def test_unknown_timestamp_is_omitted_and_reported(account, operation, api, status, answer):
    account.answer("GET", "/v2/incident_timestamps", answer, status=status)
    result = account.run(KIND, lambda destination: destination.open(operation("open", FIELDS | STARTED)), api=api)
    [omitted] = result.omitted
    assert (result.state, omitted.field, omitted.code) == ("open", "incident_timestamps", "left_out")
    assert "incident_timestamp_values" not in account.body_of(f"POST /{api}/incidents")


def test_failed_timestamp_edit_leaves_the_incident_open(account, operation):
    account.answer("GET", "/v2/incident_timestamps", TIMESTAMPS)
    account.forget("POST", "/v2/incidents/inc-1/actions/edit")
    account.answer("POST", "/v2/incidents/inc-1/actions/edit", {}, status=500)
    result = account.run(KIND, lambda destination: destination.open(operation("open", FIELDS | STARTED)), api="v1")
    [omitted] = result.omitted
    assert (result.vendor_id, result.state, omitted.code) == ("inc-1", "open", "refused")


@pytest.mark.parametrize(
    ("value", "code"), [("", "left_out"), ("soon", "left_out"), ("2031-05-01T09:30:00", "left_out")]
)
def test_invalid_timestamp_is_omitted(account, operation, value, code):
    account.answer("GET", "/v2/incident_timestamps", TIMESTAMPS)
    fields = {"incident_timestamps": {"Impact started": value}}
    result = account.run(KIND, lambda destination: destination.open(operation("open", FIELDS | fields)), api="v2")
    assert [(omission.field, omission.code) for omission in result.omitted] == [("incident_timestamps", code)]


def test_check_names_a_timestamp_that_the_account_lacks(account):
    account.answer("GET", "/v2/incident_timestamps", TIMESTAMPS)
    fields = {"incident_timestamps": ["Impact strated"]}
    [problem] = account.run(KIND, lambda destination: destination.check(fields))
    assert 'did you mean "Impact started"' in problem


def test_summary_without_text_contains_the_reference(account, operation):
    wanted = operation("open", {"name": "x"})
    account.run(KIND, lambda destination: destination.open(wanted))
    assert account.body_of("POST /v1/incidents")["summary"] == f"Reference: {wanted.reference}"


def test_severity_is_mapped_as_configured(account, operation):
    wanted = operation("open", FIELDS, severity="info")
    account.run(KIND, lambda destination: destination.open(wanted), severities={"info": "Major"})
    assert account.body_of("POST /v1/incidents")["severity_id"] == "sev-major"


def test_id_is_sent_without_a_lookup(account, operation):
    severity = "01GW2G3V0S59R238FAHPDS1R66"
    account.run(KIND, lambda destination: destination.open(operation("open", {**FIELDS, "severity": severity})))
    assert account.made == ["POST /v1/incidents"]
    assert account.body_of("POST /v1/incidents")["severity_id"] == severity


def test_unknown_severity_is_reported_with_the_nearest_name(account, operation):
    result = account.run(KIND, lambda destination: destination.open(operation("open", {**FIELDS, "severity": "Majr"})))
    [omitted] = result.omitted
    assert (omitted.field, omitted.code) == ("severity", "left_out")
    assert 'did you mean "Major"' in omitted.detail
    assert account.calls[-1].body["severity_id"] == "sev-critical"


async def open_incident(wanted, destination):
    return await destination.open(wanted)


def test_severity_of_equal_rank_replaces_an_unmapped_one(account, operation):
    renamed = {"severities": {"critical": "SEV1", "major": "SEV2", "minor": "SEV3", "info": "SEV4"}}
    for severity, expected in (("critical", "sev-critical"), ("info", "sev-minor")):
        wanted = operation("open", FIELDS, severity=severity)
        result = account.run(KIND, functools.partial(open_incident, wanted), **renamed)
        assert [omitted.code for omitted in result.omitted] == ["left_out", "replaced"]
        assert account.calls[-1].body["severity_id"] == expected


def test_update_sends_only_changed_fields(account, operation):
    wanted = operation("update", {**FIELDS, "name": "All of checkout is down"}, vendor_id="inc-1")
    account.answer(*SHOW, make_incident(summary=f"5xx above 20%\n\nReference: {wanted.reference}"))
    result = account.run(KIND, lambda destination: destination.update(wanted))
    assert result.state == "open"
    assert account.body_of(EDIT) == {
        "incident": {"name": "All of checkout is down", "severity_id": "sev-critical"},
        "notify_incident_channel": True,
    }


def test_update_without_changes_sends_no_request(account, operation):
    wanted = operation("update", FIELDS, severity="major", vendor_id="inc-1")
    account.answer(*SHOW, make_incident(summary=f"5xx above 20%\n\nReference: {wanted.reference}"))
    account.run(KIND, lambda destination: destination.update(wanted))
    assert account.changes == []


def test_unedited_summary_follows_the_rule(account, operation):
    wanted = operation("update", FIELDS, severity="major", vendor_id="inc-1")
    account.answer(*SHOW, make_incident(summary=f"Something older\n\nReference: {wanted.reference}"))
    account.run(KIND, lambda destination: destination.update(wanted), notify_incident_channel=False)
    assert account.body_of(EDIT)["incident"] == {"summary": f"5xx above 20%\n\nReference: {wanted.reference}"}
    assert account.body_of(EDIT)["notify_incident_channel"] is False


def test_manually_edited_summary_is_kept(account, operation):
    account.answer(*SHOW, make_incident(summary="The database fails over. Ada is on it."))
    account.run(KIND, lambda destination: destination.update(operation("update", FIELDS, vendor_id="inc-1")))
    assert "summary" not in account.body_of(EDIT)["incident"]


def test_update_never_lowers_the_severity(account, operation):
    """If a responder has raised the severity above the rule's, the responder's severity is kept."""
    account.answer(*SHOW, make_incident(severity=SEVERITIES["severities"][2]))
    account.run(
        KIND, lambda destination: destination.update(operation("update", FIELDS, severity="minor", vendor_id="inc-1"))
    )
    assert account.changes == []


def test_update_sets_a_missing_severity(account, operation):
    account.answer(*SHOW, make_incident(severity=None))
    account.run(
        KIND, lambda destination: destination.update(operation("update", FIELDS, severity="minor", vendor_id="inc-1"))
    )
    assert account.body_of(EDIT)["incident"] == {"severity_id": "sev-minor"}


def test_response_about_another_incident_is_rejected(account, operation):
    account.forget("POST", "/v1/incidents")
    swapped = {**CREATED["incident"], "summary": "5xx\n\nReference: IR-7F3K2QXM-ABCDEF"}
    account.answer("POST", "/v1/incidents", {"incident": swapped})
    with pytest.raises(errors.Unanswered, match="another incident, with the reference IR-7F3K2QXM-ABCDEF"):
        account.run(KIND, lambda destination: destination.open(operation("open", FIELDS)))


def edited_to(account, category):
    account.forget("POST", "/v2/incidents/inc-1/actions/edit")
    account.answer("POST", "/v2/incidents/inc-1/actions/edit", make_incident(category))


def test_resolution_response_with_old_status_is_not_recorded(account, operation):
    account.answer(*SHOW, make_incident())
    with pytest.raises(errors.Unanswered, match="answered the closing with the status"):
        account.run(KIND, lambda destination: destination.resolve(operation("resolve", FIELDS, vendor_id="inc-1")))


def test_manually_paused_incident_stays_paused(account, operation):
    account.answer(*SHOW, make_incident("paused"))
    with pytest.raises(errors.Conflict, match="a person has paused it"):
        account.run(KIND, lambda destination: destination.resolve(operation("resolve", FIELDS, vendor_id="inc-1")))
    assert account.changes == []


def test_resolution_sets_the_first_closed_status(account, operation):
    account.answer(*SHOW, make_incident())
    edited_to(account, "closed")
    result = account.run(KIND, lambda destination: destination.resolve(operation("resolve", FIELDS, vendor_id="inc-1")))
    assert result.state == "resolved"
    assert account.body_of(EDIT)["incident"] == {"incident_status_id": "st-closed"}


def test_closed_status_can_be_configured(account, operation):
    account.answer(*SHOW, make_incident())
    edited_to(account, "learning")
    wanted = operation("resolve", FIELDS, vendor_id="inc-1")
    account.run(KIND, lambda destination: destination.resolve(wanted), closed_status="review")
    assert account.body_of(EDIT)["incident"] == {"incident_status_id": "st-review"}


@pytest.mark.parametrize("category", ["closed", "declined", "canceled", "merged", "learning"])
@pytest.mark.parametrize("kind", ["update", "resolve"])
def test_manually_ended_incident_is_not_changed(account, operation, category, kind):
    account.answer(*SHOW, make_incident(category))
    result = account.run(
        KIND, lambda destination: getattr(destination, kind)(operation(kind, FIELDS, vendor_id="inc-1"))
    )
    assert result.state == "resolved"
    assert account.changes == []


@pytest.mark.parametrize(
    ("category", "state"), [("live", "open"), ("triage", "open"), ("paused", "open"), ("closed", "resolved")]
)
def test_observe_returns_the_vendor_s_state(account, operation, category, state):
    account.answer(*SHOW, make_incident(category))
    assert (
        account.run(KIND, lambda destination: destination.observe(operation("update", FIELDS, vendor_id="inc-1"))).state
        == state
    )


def test_unknown_incident_is_not_found(account, operation):
    with pytest.raises(errors.NotFound):
        account.run(KIND, lambda destination: destination.observe(operation("update", FIELDS, vendor_id="inc-404")))


def test_unanswered_open_is_repeated_under_the_same_key(account, operation):
    """For a repeated idempotency key, the vendor returns the original response."""
    wanted = operation("open", FIELDS)

    async def body(destination):
        assert destination.repeatable_open
        assert await destination.adopt(wanted) is None
        assert await destination.end_duplicates(wanted) == ()
        return await destination.open(wanted), await destination.open(wanted)

    first, second = account.run(KIND, body)
    assert first == second
    keys = {call.body["idempotency_key"] for call in account.calls if call.method == "POST"}
    assert keys == {wanted.key}


def test_search_finds_the_incident_with_the_reference(account, operation):
    wanted = operation("open", FIELDS)
    status = {"id": "s", "name": "Fixing", "category": "live"}
    others = [{"id": f"i{number}", "name": "x", "summary": "Reference: IR-OTHER", "incident_status": status}
              for number in range(2)]  # fmt: skip
    ours = {**others[0], "id": "ours", "summary": f"Down\n\nReference: {wanted.reference}\n"}
    account.answer("GET", "/v2/incidents", {"incidents": others, "pagination_meta": {"after": "i1"}})
    account.answer("GET", "/v2/incidents", {"incidents": [ours], "pagination_meta": {}})
    result = account.run(KIND, lambda destination: destination.find(wanted))
    assert (result.vendor_id, result.state) == ("ours", "open")
    first, second = [call.query for call in account.calls if call.path == "/v2/incidents"]
    assert first["created_at[gte]"] == "2023-11-14"
    assert second["after"] == "i1"


def test_search_without_the_reference_finds_nothing(account, operation):
    account.answer("GET", "/v2/incidents", {"incidents": []})
    assert account.run(KIND, lambda destination: destination.find(operation("open", FIELDS))) is None


def test_vendor_error_message_is_read(account, operation, vendor):
    envelope = {
        "type": "validation_error",
        "status": 422,
        "request_id": "req-7",
        "errors": [{"code": "invalid", "message": "Name is too odd", "source": {"field": "name", "pointer": "/name"}}],
    }
    account.forget("POST", "/v1/incidents")
    account.answer("POST", "/v1/incidents", envelope, status=422)
    with pytest.raises(errors.Permanent, match="Name is too odd") as caught:
        account.run(KIND, lambda destination: destination.open(operation("open", FIELDS)))
    assert (caught.value.status, caught.value.field, caught.value.request_id) == (422, "name", "req-7")


@pytest.mark.parametrize("date", ["Tue, 14 Nov 2023 22:13:50 GMT", "2023-11-14T22:13:50Z"])
def test_retry_time_of_the_rate_limit_is_read(account, operation, date):
    account.forget("POST", "/v1/incidents")
    account.answer(
        "POST", "/v1/incidents", {"type": "too_many_requests", "rate_limit": {"retry_after": date}}, status=429
    )
    with pytest.raises(errors.Temporary) as caught:
        account.run(KIND, lambda destination: destination.open(operation("open", FIELDS)))
    assert caught.value.retry_after == 30


def test_check_reports_all_unknown_names(account):
    defaults = {"severity": "Majr", "incident_type": "Prod", "status": "Investigatin"}
    problems = account.run(
        KIND,
        lambda destination: destination.check(),
        api="v2",
        defaults=defaults,
        severities={"info": "None"},
        closed_status="Shut",
    )
    assert [problem.split('"')[1] for problem in problems] == ["Shut", "Majr", "None", "Prod", "Investigatin"]


def test_check_of_a_valid_account_reports_nothing(account):
    assert account.run(KIND, lambda destination: destination.check()) == []


def test_check_reports_an_invalid_key(vendor, secret):
    for path in ("/v1/severities", "/v1/incident_statuses"):
        vendor.answer("GET", path, {"type": "authentication_error", "errors": []}, status=401)
    problems = vendor.run(KIND, lambda destination: destination.check())
    assert problems
    assert all("401" in problem and secret not in problem for problem in problems)


def test_account_without_a_closed_status_is_refused(vendor, operation):
    vendor.answer("GET", "/v1/incident_statuses", {"incident_statuses": []})
    vendor.answer(*SHOW, make_incident())
    with pytest.raises(errors.Permanent, match="set closed_status"):
        vendor.run(KIND, lambda destination: destination.resolve(operation("resolve", FIELDS, vendor_id="inc-1")))
