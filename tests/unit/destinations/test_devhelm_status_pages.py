"""``devhelm-status-page`` destinations: one post per incident, with text only from a rule or a person."""

import pytest

from router.outbound import errors
from tests.unit.destinations import scripted

KIND = "devhelm-status-page"
PAGE = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
POST = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
LINKED = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
WEB = "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
API = "eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee"
VENDOR_ID = f"{PAGE}/{POST}"
POSTS = f"/api/v1/status-pages/{PAGE}/incidents"
ONE = f"{POSTS}/{POST}"
CREATE, PUT, UPDATE = f"POST {POSTS}", f"PUT {ONE}", f"POST {ONE}/updates"
PUBLISH, DISMISS = f"POST {ONE}/publish", f"POST {ONE}/dismiss"
FIELDS = {"title": "Checkout is down", "message": "Payments may fail.", "components": {"Website": "major_outage"}}
AT = "2023-11-14T22:13:25Z"
DOWN = [{"statusPageComponentId": WEB, "componentStatus": "MAJOR_OUTAGE", "componentName": "Website"}]


def page(mode="MANUAL"):
    return {"id": PAGE, "name": "Public", "slug": "public", "incidentMode": mode}


def make_signed_timeline(*updates):
    """Return a timeline whose first message carries the router's reference."""
    reference = scripted.operation("open", {}).reference
    return [*updates, {"status": "INVESTIGATING", "body": f"Payments may fail.\n\nReference: {reference}"}]


def post(published=AT, **others):
    shown = {"id": POST, "statusPageId": PAGE, "title": "Checkout is down", "status": "INVESTIGATING"}
    shown |= {"impact": "CRITICAL", "createdAt": AT, "publishedAt": published, "affectedComponents": DOWN}
    return {**shown, "updates": make_signed_timeline() if published else [], **others}


def make_list(*entries, more=False):
    return {"data": list(entries), "hasNext": more, "hasPrev": False}


@pytest.fixture
def account(vendor):
    """A vendor with one page that accepts every change."""
    vendor.answer("GET", "/api/v1/status-pages", make_list(page()))
    components = [{"id": WEB, "name": "Website"}, {"id": API, "name": "API"}]
    vendor.answer("GET", f"/api/v1/status-pages/{PAGE}/components", make_list(*components))
    vendor.answer("POST", POSTS, {"data": post()}, status=201)
    for path in (f"{ONE}/updates", f"{ONE}/publish"):
        vendor.answer("POST", path, {"data": post()})
    vendor.answer("PUT", ONE, {"data": post()})
    vendor.answer("POST", f"{ONE}/dismiss", status=204)
    return vendor


def put_answers(account, one):
    account.forget("PUT", ONE)
    account.answer("PUT", ONE, {"data": one})


def perform(account, wanted, **settings):
    return account.run(
        KIND, lambda destination: getattr(destination, wanted.kind)(wanted), **{"page": "Public", **settings}
    )


def test_created_post_has_its_link_and_reference(account, operation):
    account.answer("GET", POSTS, make_list())
    wanted = operation("open", FIELDS, linked_id=LINKED)
    seen = perform(account, wanted)
    assert (seen.vendor_id, seen.state) == (VENDOR_ID, "open")
    assert account.body_of(CREATE) == {
        "title": "Checkout is down",
        "impact": "CRITICAL",
        "body": f"Payments may fail.\n\nReference: {wanted.reference}",
        "notifySubscribers": True,
        "status": "INVESTIGATING",
        "affectedComponents": [{"componentId": WEB, "status": "MAJOR_OUTAGE"}],
        "monitoringIncidentId": LINKED,
    }


def test_post_without_an_incident_is_not_linked(account, operation):
    perform(account, operation("open", {**FIELDS, "notify": False, "components": ["API"]}, severity="major"))
    sent = account.body_of(CREATE)
    assert "monitoringIncidentId" not in sent
    assert (sent["notifySubscribers"], sent["impact"]) == (False, "MAJOR")
    assert sent["affectedComponents"] == [{"componentId": API, "status": "PARTIAL_OUTAGE"}]
    assert account.changes == [CREATE]


@pytest.mark.parametrize("called", ["Public", "public", PAGE])
def test_page_is_found_by_name_slug_or_id(account, operation, called):
    assert perform(account, operation("open", FIELDS), page=called).vendor_id == VENDOR_ID


def test_open_without_a_page_is_refused(account, operation):
    with pytest.raises(errors.Permanent, match="names a page") as caught:
        perform(account, operation("open", FIELDS), page="")
    assert (caught.value.field, account.made) == ("page", [])


def test_missing_component_is_omitted(account, operation):
    seen = perform(account, operation("open", {**FIELDS, "components": ["Websit", "Website"]}))
    [omitted] = seen.omitted
    assert (omitted.field, omitted.code) == ("components", "left_out")
    assert 'did you mean "Website"' in omitted.detail
    [shown] = account.body_of(f"POST {POSTS}")["affectedComponents"]
    assert shown["componentId"]


@pytest.mark.parametrize(
    ("changes", "state"), [({"publishedAt": None}, "draft"), ({}, "open"), ({"status": "RESOLVED"}, "resolved")]
)
def test_post_created_by_the_page_is_found_unchanged(account, operation, changes, state):
    linked = post(incidentId=LINKED, title="HTTP check failed", **{"status": "MONITORING", **changes})
    account.answer("GET", POSTS, make_list(post(incidentId=None), linked))
    account.answer("GET", ONE, {"data": linked})
    seen = perform(account, operation("adopt", FIELDS, linked_id=LINKED))
    assert (seen.vendor_id, seen.state) == (VENDOR_ID, state)
    assert account.changes == []


def test_adopted_draft_gets_the_rule_s_texts(account, operation):
    draft = post(None, incidentId=LINKED, title="HTTP check failed", impact="MINOR", affectedComponents=None)
    account.answer("GET", ONE, {"data": draft})
    put_answers(account, draft)
    seen = perform(account, operation("update", {**FIELDS, "status": "IDENTIFIED"}, vendor_id=VENDOR_ID))
    assert seen.state == "draft"
    assert account.changes == [PUT]
    assert account.body_of(PUT) == {
        "title": "Checkout is down",
        "status": "IDENTIFIED",
        "impact": "CRITICAL",
        "affectedComponents": [{"componentId": WEB, "status": "MAJOR_OUTAGE"}],
    }


@pytest.mark.parametrize("kind", ["update", "publish"])
def test_post_published_by_page_gets_the_rule_s_message(account, operation, kind):
    automatic = [{"status": "INVESTIGATING", "body": "HTTP check failed"}]
    account.answer("GET", ONE, {"data": post(incidentId=LINKED, title="HTTP check failed", updates=automatic)})
    wanted = operation(kind, FIELDS, vendor_id=VENDOR_ID)
    perform(account, wanted)
    message = f"Payments may fail.\n\nReference: {wanted.reference}"
    assert account.changes == [PUT, UPDATE]
    assert account.body_of(UPDATE)["body"] == message


def test_draft_without_a_linked_incident_is_not_adopted(account, operation):
    account.answer("GET", POSTS, make_list(post(incidentId=WEB)))
    assert perform(account, operation("adopt", FIELDS, linked_id=LINKED)) is None
    assert perform(account, operation("adopt", FIELDS)) is None
    assert account.changes == []


def test_late_draft_is_published_instead_of_second_post(account, operation):
    draft = post(None, incidentId=LINKED)
    account.answer("GET", POSTS, make_list(draft))
    account.answer("GET", ONE, {"data": draft})
    incident = {"id": LINKED, "status": "CONFIRMED", "severity": "DOWN", "createdAt": AT}
    own = {"incident": incident, "statusPageIncidents": [{"id": POST, "connectionMode": "AUTO"}]}
    account.answer("GET", f"/api/v1/incidents/{LINKED}", {"data": own})
    assert perform(account, operation("open", FIELDS, linked_id=LINKED)).state == "open"
    assert account.changes == [PUBLISH]


def test_publish_sends_all_fields_of_the_rule(account, operation):
    account.answer("GET", ONE, {"data": post(None, title="Old", affectedComponents=[])})
    wanted = operation("publish", {**FIELDS, "notify": False}, vendor_id=VENDOR_ID)
    assert perform(account, wanted).state == "open"
    assert account.body_of(PUBLISH) == {
        "title": "Checkout is down",
        "impact": "CRITICAL",
        "status": "INVESTIGATING",
        "body": f"Payments may fail.\n\nReference: {wanted.reference}",
        "notifySubscribers": False,
        "affectedComponents": [{"componentId": WEB, "status": "MAJOR_OUTAGE"}],
    }


def test_published_post_is_not_published_again(account, operation):
    account.answer("GET", ONE, {"data": post()})
    assert perform(account, operation("publish", FIELDS, vendor_id=VENDOR_ID)).state == "open"
    assert account.changes == []


def test_draft_is_updated_without_notifications(account, operation):
    account.answer("GET", ONE, {"data": post(None, impact="MINOR")})
    put_answers(account, post(None))
    assert perform(account, operation("update", FIELDS, vendor_id=VENDOR_ID)).state == "draft"
    assert account.changes == [PUT]
    assert account.body_of(PUT) == {"impact": "CRITICAL"}


def test_update_changes_the_post_and_adds_text(account, operation):
    account.answer("GET", ONE, {"data": post(impact="MINOR")})
    fields = {**FIELDS, "update_message": "It is worse.", "update_status": "IDENTIFIED"}
    perform(account, operation("update", fields, vendor_id=VENDOR_ID))
    assert account.changes == [PUT, UPDATE]
    assert account.body_of(PUT) == {"status": "IDENTIFIED", "impact": "CRITICAL"}
    assert account.body_of(UPDATE) == {"status": "IDENTIFIED", "body": "It is worse.", "notifySubscribers": True}


def test_manually_added_components_are_kept(account, operation):
    added = {"statusPageComponentId": API, "componentStatus": "UNDER_MAINTENANCE", "componentName": "API"}
    account.answer("GET", ONE, {"data": post(affectedComponents=[added])})
    perform(account, operation("update", {**FIELDS, "update_message": ""}, vendor_id=VENDOR_ID))
    assert account.body_of(PUT)["affectedComponents"] == [
        {"componentId": API, "status": "UNDER_MAINTENANCE"},
        {"componentId": WEB, "status": "MAJOR_OUTAGE"},
    ]


def test_update_keeps_the_status_and_is_posted_once(account, operation):
    said = {"status": "MONITORING", "body": "We are continuing to investigate this issue."}
    account.answer("GET", ONE, {"data": post(status="MONITORING")})
    perform(account, operation("update", FIELDS, vendor_id=VENDOR_ID))
    assert account.body_of(UPDATE) == {**said, "notifySubscribers": True}
    account.calls.clear()
    account.forget("GET", ONE)
    account.answer(
        "GET",
        ONE,
        {
            "data": post(
                status="MONITORING", updates=[*make_signed_timeline({"status": "MONITORING", "body": "x"}), said]
            )
        },
    )
    perform(account, operation("update", FIELDS, vendor_id=VENDOR_ID))
    assert account.changes == []
