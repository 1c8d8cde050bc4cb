"""``devhelm`` destinations: at most one open incident per reference, and manually closed incidents stay closed."""

import pytest

from router.outbound import errors

KIND = "devhelm"
PATH = "/api/v1/incidents"
ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
FIELDS = {"title": "Checkout is down", "body": "5xx above 20%"}
SHOW = ("GET", f"{PATH}/{ID}")
UPDATE = f"POST {PATH}/{ID}/updates"
RESOLVE = f"POST {PATH}/{ID}/resolve"


def incident(id_=ID, *, status="TRIGGERED", severity="DOWN", title="Checkout is down", created="2023-11-14T22:13:21Z"):
    shown = {"id": id_, "status": status, "severity": severity, "title": title, "createdAt": created}
    return {**shown, "shortlink": "https://dh.test/1"}


def detail(updates=(), **others):
    return {"data": {"incident": incident(**others), "updates": [{"body": body} for body in updates]}}


@pytest.fixture
def account(vendor):
    """A vendor that accepts every change."""
    vendor.answer("POST", PATH, detail(), status=201)
    vendor.answer("POST", f"{PATH}/{ID}/updates", detail(), status=201)
    vendor.answer("POST", f"{PATH}/{ID}/resolve", detail(status="RESOLVED"))
    vendor.answer("POST", f"{PATH}/{OTHER}/resolve", detail(status="RESOLVED"))
    return vendor


def test_created_incident_has_the_reference_before_its_title(account, operation):
    wanted = operation("open", FIELDS)
    result = account.run(KIND, lambda destination: destination.open(wanted))
    assert (result.vendor_id, result.state, result.url) == (ID, "open", "https://dh.test/1")
    assert account.body_of(f"POST {PATH}") == {
        "title": f"[{wanted.reference}] Checkout is down",
        "severity": "DOWN",
        "body": "5xx above 20%",
    }


def test_every_field_of_the_vendor_can_be_set(account, operation):
    fields = {**FIELDS, "monitor_id": OTHER, "severity": "MAINTENANCE"}
    account.run(KIND, lambda destination: destination.open(operation("open", fields)))
    sent = account.body_of(f"POST {PATH}")
    assert (sent["monitorId"], sent["severity"]) == (OTHER, "MAINTENANCE")


@pytest.mark.parametrize(
    ("severity", "word"), [("critical", "DOWN"), ("major", "DOWN"), ("minor", "DEGRADED"), ("info", "MAINTENANCE")]
)
def test_severity_is_mapped_as_configured(account, operation, severity, word):
    wanted = operation("open", FIELDS, severity=severity)
    account.run(KIND, lambda destination: destination.open(wanted), severities={"info": "MAINTENANCE"})
    assert account.body_of(f"POST {PATH}")["severity"] == word


def test_organisation_and_workspace_headers_are_sent_if_set(account, operation):
    account.run(KIND, lambda destination: destination.open(operation("open", FIELDS)), org_id="7", workspace_id="42")
    account.run(KIND, lambda destination: destination.open(operation("open", FIELDS)))
    first, second = [call.headers for call in account.calls]
    assert (first["x-phelm-org-id"], first["x-phelm-workspace-id"]) == ("7", "42")
    assert not [name for name in second if name.startswith("x-phelm")]


def test_update_describes_the_severity_in_words(account, operation):
    """The vendor's API can't change a severity."""
    account.answer(*SHOW, detail(severity="DEGRADED"))
    fields = {**FIELDS, "update_message": "It has spread.", "update_status": "CONFIRMED", "notify": True}
    account.run(KIND, lambda destination: destination.update(operation("update", fields, vendor_id=ID)))
    assert account.body_of(UPDATE) == {
        "notifySubscribers": True,
        "body": "It has spread.\n\nSeverity is now critical (DOWN; opened as DEGRADED).",
        "newStatus": "CONFIRMED",
    }


def test_update_notifies_subscribers_only_on_request(account, operation):
    account.answer(*SHOW, detail())
    account.run(KIND, lambda destination: destination.update(operation("update", FIELDS, vendor_id=ID)))
    assert account.body_of(UPDATE) == {"notifySubscribers": False, "body": "Severity is now critical."}


def test_update_of_an_earlier_attempt_is_not_repeated(account, operation):
    account.answer(*SHOW, detail(updates=["Severity is now critical."]))
    account.run(KIND, lambda destination: destination.update(operation("update", FIELDS, vendor_id=ID)))
    assert account.changes == []


def test_equal_text_before_latest_update_is_posted_again(account, operation):
    account.answer(*SHOW, detail(updates=["Severity is now critical.", "Severity is now minor."]))
    account.run(KIND, lambda destination: destination.update(operation("update", FIELDS, vendor_id=ID)))
    assert account.body_of(UPDATE)["body"] == "Severity is now critical."


def test_resolution_contains_the_resolve_message(account, operation):
    account.answer(*SHOW, detail())
    wanted = operation("resolve", {**FIELDS, "resolve_message": "The fix is out."}, vendor_id=ID)
    assert account.run(KIND, lambda destination: destination.resolve(wanted)).state == "resolved"
    assert account.body_of(RESOLVE) == {"body": "The fix is out."}


def test_resolution_may_omit_the_message(account, operation):
    account.answer(*SHOW, detail())
    wanted = operation("resolve", {**FIELDS, "resolve_message": ""}, vendor_id=ID)
    account.run(KIND, lambda destination: destination.resolve(wanted))
    assert account.body_of(RESOLVE) == {}


@pytest.mark.parametrize("kind", ["update", "publish", "resolve", "dismiss"])
def test_manually_resolved_incident_is_not_changed(account, operation, kind):
    account.answer(*SHOW, detail(status="RESOLVED"))
    result = account.run(KIND, lambda destination: getattr(destination, kind)(operation(kind, FIELDS, vendor_id=ID)))
    assert result.state == "resolved"
    assert account.changes == []


@pytest.mark.parametrize(("status", "state"), [("WATCHING", "open"), ("CONFIRMED", "open"), ("RESOLVED", "resolved")])
def test_observe_returns_the_vendor_s_state(account, operation, status, state):
    account.answer(*SHOW, detail(status=status))
    assert (
        account.run(KIND, lambda destination: destination.observe(operation("update", FIELDS, vendor_id=ID))).state
        == state
    )
    with pytest.raises(errors.NotFound):
        account.run(KIND, lambda destination: destination.observe(operation("update", FIELDS, vendor_id=OTHER)))


def test_unreadable_incident_is_not_reported_as_deleted(account, operation):
    account.answer(*SHOW, {"message": "no"}, status=403)
    with pytest.raises(errors.Denied):
        account.run(KIND, lambda destination: destination.observe(operation("update", FIELDS, vendor_id=ID)))


def search(account, operation, *pages):
    """Search pages of (id, changes) for incidents. ``TAG`` in a title stands for the router's reference."""
    wanted = operation("open", FIELDS)
    for number, page in enumerate(pages):
        listed = [incident(**{**one, "title": one["title"].replace("TAG", f"[{wanted.reference}]")}) for one in page]
        account.answer("GET", PATH, {"data": listed, "hasNext": number < len(pages) - 1, "hasPrev": number > 0})
    return wanted, account.run(KIND, lambda destination: destination.find(wanted))


def test_completed_open_is_found_by_its_reference(account, operation):
    wanted, seen = search(
        account, operation, [{"id_": OTHER, "title": "Somebody's"}], [{"id_": ID, "title": "Checkout is down TAG"}]
    )
    assert (seen.vendor_id, seen.state) == (ID, "open")
    assert [call.query for call in account.calls] == [
        {
            "search": wanted.reference,
            "source": "MANUAL",
            "startedFrom": "2023-11-14T21:13:20Z",
            "page": str(page),
            "size": "200",
        }
        for page in (0, 1)
    ]
    assert account.changes == []


def test_open_without_an_effect_is_not_found(account, operation):
    _, seen = search(account, operation, [{"id_": OTHER, "title": "Somebody's, near IR-00000000"}])
    assert seen is None


def test_oldest_duplicate_stays_and_others_are_resolved(account, operation):
    later, earlier = "2023-11-14T22:13:30Z", "2023-11-14T22:13:25Z"
    _, seen = search(
        account,
        operation,
        [{"id_": OTHER, "title": "x TAG", "created": later}, {"id_": ID, "title": "x TAG", "created": earlier}],
    )
    assert seen.vendor_id == ID
    assert account.changes == [f"POST {PATH}/{OTHER}/resolve"]


def test_open_duplicate_is_preferred_to_older_resolved_one(account, operation):
    older, newer = "2023-11-14T22:13:25Z", "2023-11-14T22:13:30Z"
    _, seen = search(
        account,
        operation,
        [
            {"id_": OTHER, "title": "x TAG", "created": older, "status": "RESOLVED"},
            {"id_": ID, "title": "x TAG", "created": newer},
        ],
    )
    assert (seen.vendor_id, seen.state) == (ID, "open")
    assert account.changes == []


def test_search_finds_manually_resolved_incident(account, operation):
    _, seen = search(account, operation, [{"id_": ID, "title": "x TAG", "status": "RESOLVED"}])
    assert seen.state == "resolved"


def test_open_is_not_repeatable_and_adopts_nothing(account, operation):
    async def body(destination):
        return destination.repeatable_open, await destination.adopt(operation("adopt", FIELDS))

    assert account.run(KIND, body) == (False, None)


def test_vendor_error_message_is_read(vendor, operation):
    envelope = {
        "status": 400,
        "code": "VALIDATION_FAILED",
        "message": "Validation failed",
        "timestamp": 1,
        "requestId": "req-7",
        "errors": [None, {"code": "TOO_LONG", "field": "title", "message": "Title is too long"}],
    }
    vendor.answer("POST", PATH, envelope, status=400)
    with pytest.raises(errors.Permanent, match="Validation failed; Title is too long") as caught:
        vendor.run(KIND, lambda destination: destination.open(operation("open", FIELDS)))
    assert (caught.value.field, caught.value.request_id) == ("title", "req-7")


def test_retry_after_and_request_id_are_read(vendor, operation):
    vendor.answer("POST", PATH, {"message": "slow down"}, status=429, Retry_After="12")
    with pytest.raises(errors.Temporary, match="slow down") as caught:
        vendor.run(KIND, lambda destination: destination.open(operation("open", FIELDS)))
    assert caught.value.retry_after == 12


def test_dropped_connection_leaves_the_outcome_unknown(vendor, operation):
    vendor.answer("POST", PATH, status=0)
    with pytest.raises(errors.Unanswered):
        vendor.run(KIND, lambda destination: destination.open(operation("open", FIELDS)))
    assert vendor.made == [f"POST {PATH}"]


def test_response_about_another_incident_is_rejected(vendor, operation):
    """A broken proxy may swap responses. The router then finds the incident by its reference, as after no response."""
    vendor.answer("POST", PATH, detail(title="[IR-7F3K2QXM-ABCDEF] Another is down"), status=201)
    with pytest.raises(errors.Unanswered, match="another incident, with the reference IR-7F3K2QXM-ABCDEF"):
        vendor.run(KIND, lambda destination: destination.open(operation("open", FIELDS)))


def test_check_reports_an_invalid_key(vendor, secret):
    vendor.answer("GET", PATH, {"data": [], "hasNext": False, "hasPrev": False})
    vendor.answer("GET", PATH, {"message": f"{secret} is not a key"}, status=401)
    assert vendor.run(KIND, lambda destination: destination.check()) == []
    (problem,) = vendor.run(KIND, lambda destination: destination.check())
    assert "401: *** is not a key" in problem
