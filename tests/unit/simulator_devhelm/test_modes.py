"""Each page's automatic actions when an incident opens and resolves, and the life cycle of a draft."""

import pytest

PAGES = ("acme", "acme-eu", "acme-auto")
NOW_WHAT = {"body": "A fix is out.", "status": "MONITORING"}


def get_draft_path(account):
    """Return a draft's path on the page with reviews."""
    account.open("Checkout is down [IR-7]")
    (draft,) = account.posts("acme-eu")
    return f"{account.posts_of('acme-eu')}/{draft['id']}"


def list_visible_titles(account, slug):
    """Return the titles that customers see on a page."""
    return [post.title for page in account.vendor.pages() if page.slug == slug for post in page.posts]


def test_manual_page_creates_no_post(account):
    account.open()
    assert account.page("acme")["incidentMode"] == "MANUAL"
    assert account.posts("acme") == []


def test_review_page_creates_an_invisible_draft(account):
    incident = account.open("Checkout is down")
    assert account.page("acme-eu")["incidentMode"] == "REVIEW"
    (draft,) = account.posts("acme-eu")
    assert draft["publishedAt"] is None
    assert (draft["incidentId"], draft["title"], draft["status"]) == (incident, "Checkout is down", "INVESTIGATING")
    assert draft["updates"][0]["notifySubscribers"] is False
    assert list_visible_titles(account, "acme-eu") == []


def test_automatic_page_publishes_immediately(account):
    incident = account.open("Checkout is down")
    assert account.page("acme-auto")["incidentMode"] == "AUTOMATIC"
    (post,) = account.posts("acme-auto")
    assert post["publishedAt"] == post["startedAt"]
    assert (post["incidentId"], post["title"], post["status"]) == (incident, "Checkout is down", "INVESTIGATING")
    assert list_visible_titles(account, "acme-auto") == ["Checkout is down"]


@pytest.mark.parametrize(("severity", "impact"), [("DOWN", "CRITICAL"), ("DEGRADED", "MINOR"), ("MAINTENANCE", "NONE")])
def test_impact_follows_the_severity(account, severity, impact):
    account.open(severity=severity)
    assert [account.posts(slug)[0]["impact"] for slug in PAGES[1:]] == [impact, impact]


@pytest.mark.parametrize("way", ["resolve", "updates"])
def test_end_of_an_incident_resolves_only_automatic_posts(account, way):
    incident = account.open()
    body = {"newStatus": "RESOLVED", "notifySubscribers": False} if way == "updates" else None
    by_hand = [account.post(slug, monitoringIncidentId=incident) for slug in PAGES]
    account.call("POST", f"/incidents/{incident}/{way}", body).raise_for_status()
    own = {slug: [post for post in account.posts(slug) if post["id"] not in by_hand] for slug in PAGES}
    assert [post["status"] for slug in PAGES for post in own[slug]] == ["INVESTIGATING", "RESOLVED"]
    assert own["acme-auto"][0]["resolvedAt"]
    assert len(own["acme-auto"][0]["updates"]) == 2
    assert own["acme-eu"][0]["publishedAt"] is None
    others = [post for slug in PAGES for post in account.posts(slug) if post["id"] in by_hand]
    assert {post["status"] for post in others} == {"INVESTIGATING"}


def test_resolution_does_not_change_other_incidents_posts(account):
    first, second = account.open("First"), account.open("Second")
    account.expect(200, "POST", f"/incidents/{second}/resolve")
    states = {post["incidentId"]: post["status"] for post in account.posts("acme-auto")}
    assert states == {first: "INVESTIGATING", second: "RESOLVED"}


def test_incident_lists_its_posts_and_their_origin(account):
    incident = account.open()
    account.post("acme", monitoringIncidentId=incident)
    linked = account.expect(200, "GET", f"/incidents/{incident}")["statusPageIncidents"]
    told = {one["statusPageSlug"]: (one["connectionMode"], bool(one["publishedAt"])) for one in linked}
    assert told == {"acme": ("MANUAL", True), "acme-eu": ("AUTO", False), "acme-auto": ("AUTO", True)}


def test_publish_without_text_keeps_the_draft_s_text(account):
    path = get_draft_path(account)
    before = account.expect(200, "GET", path)
    post = account.expect(200, "POST", f"{path}/publish")
    assert post["publishedAt"]
    kept = ("title", "impact", "status", "incidentId", "affectedComponents", "startedAt")
    assert {name: post[name] for name in kept} == {name: before[name] for name in kept}
    (update,) = post["updates"]
    assert (update["body"], update["notifySubscribers"]) == (before["updates"][0]["body"], True)
    assert list_visible_titles(account, "acme-eu") == [before["title"]]


def test_publish_request_overrides_the_draft_s_fields(account):
    path = get_draft_path(account)
    said = {"title": "Checkout fails", "impact": "MINOR", "status": "IDENTIFIED", "body": "We know why."}
    affected = account.affected("acme-eu", Payments="PARTIAL_OUTAGE")
    body = {**said, "notifySubscribers": False, "affectedComponents": affected}
    post = account.expect(200, "POST", f"{path}/publish", body)
    assert (post["title"], post["impact"], post["status"]) == ("Checkout fails", "MINOR", "IDENTIFIED")
    (update,) = post["updates"]
    assert (update["body"], update["status"], update["notifySubscribers"]) == ("We know why.", "IDENTIFIED", False)
    assert post["affectedComponents"] == [
        {
            "statusPageComponentId": affected[0]["componentId"],
            "componentStatus": "PARTIAL_OUTAGE",
            "componentName": "Payments",
        }
    ]
    assert account.shown("acme-eu") == {"Payments": "PARTIAL_OUTAGE"}


def test_draft_cannot_be_published_as_resolved(account):
    path = get_draft_path(account)
    account.expect(400, "POST", f"{path}/publish", {"status": "RESOLVED"})
    account.expect(200, "PUT", path, {"status": "RESOLVED"})
    account.expect(400, "POST", f"{path}/publish")
    assert list_visible_titles(account, "acme-eu") == []
    assert account.expect(200, "POST", f"{path}/publish", {"status": "MONITORING"})["resolvedAt"] is None


@pytest.mark.parametrize("action", ["publish", "dismiss"])
def test_published_draft_cannot_be_published_or_dismissed(account, action):
    path = get_draft_path(account)
    account.expect(200, "POST", f"{path}/publish")
    before = account.expect(200, "GET", path)
    assert account.expect(409, "POST", f"{path}/{action}")["code"] == "CONFLICT"
    assert account.expect(200, "GET", path) == before


def test_dismissed_draft_is_deleted(account):
    path = get_draft_path(account)
    account.expect(204, "POST", f"{path}/dismiss")
    account.expect(404, "GET", path)
    account.expect(404, "POST", f"{path}/dismiss")
    assert account.posts("acme-eu") == []


def test_draft_can_be_changed_before_publishing(account):
    path = get_draft_path(account)
    affected = account.affected("acme-eu", Search="MAJOR_OUTAGE")
    draft = account.expect(
        200, "PUT", path, {"title": "Search fails", "impact": "MAJOR", "affectedComponents": affected}
    )
    assert (draft["title"], draft["impact"], draft["publishedAt"]) == ("Search fails", "MAJOR", None)
    assert account.shown("acme-eu") == {}
    account.expect(200, "POST", f"{path}/publish")
    assert account.shown("acme-eu") == {"Search": "MAJOR_OUTAGE"}


def test_updates_of_a_draft_survive_publishing(account):
    path = get_draft_path(account)
    account.expect(201, "POST", f"{path}/updates", NOW_WHAT)
    post = account.expect(200, "POST", f"{path}/publish", {"body": "It broke."})
    assert [update["body"] for update in post["updates"]] == ["It broke.", "A fix is out."]
    assert post["status"] == "MONITORING"


def test_post_can_be_unpublished_and_republished(account):
    path = (
        f"{account.posts_of('acme')}/{account.post(affectedComponents=account.affected('acme', Search='MAJOR_OUTAGE'))}"
    )
    assert account.expect(200, "PUT", path, {"published": False})["publishedAt"] is None
    assert (list_visible_titles(account, "acme"), account.shown("acme")) == ([], {})
    assert account.expect(200, "PUT", path, {"published": True})["publishedAt"]
    assert (list_visible_titles(account, "acme"), account.shown("acme")) == (
        ["Checkout fails"],
        {"Search": "MAJOR_OUTAGE"},
    )


def test_created_post_is_published_and_linked(account):
    incident = account.open()
    path = f"{account.posts_of('acme')}/{account.post(monitoringIncidentId=incident)}"
    post = account.expect(200, "GET", path)
    assert post["publishedAt"]
    assert (post["incidentId"], post["status"]) == (incident, "INVESTIGATING")
    assert post["updates"][0]["notifySubscribers"] is True


def test_notification_flag_of_each_update_is_stored(account):
    path = f"{account.posts_of('acme')}/{account.post(notifySubscribers=False)}"
    for said in (None, True, False):
        body = NOW_WHAT if said is None else {**NOW_WHAT, "notifySubscribers": said}
        account.expect(201, "POST", f"{path}/updates", body)
    told = [update["notifySubscribers"] for update in account.expect(200, "GET", path)["updates"]]
    assert told == [False, True, True, False]


def test_null_field_is_kept_and_empty_cleared(account):
    path = (
        f"{account.posts_of('acme')}/{account.post(affectedComponents=account.affected('acme', Search='MAJOR_OUTAGE'))}"
    )
    why = {"postmortemBody": "A disk was full.", "postmortemUrl": "https://docs.example.com/why"}
    written = account.expect(200, "PUT", path, why)
    nothing = dict.fromkeys(("title", "status", "impact", "affectedComponents", *why))
    for body in ({}, nothing):
        kept = account.expect(200, "PUT", path, body)
        assert {**kept, "updatedAt": 0} == {**written, "updatedAt": 0}
        assert kept["updatedAt"] > written["updatedAt"]
    cleared = account.expect(200, "PUT", path, {**dict.fromkeys(why, ""), "affectedComponents": []})
    assert (cleared["postmortemBody"], cleared["postmortemUrl"], cleared["affectedComponents"]) == (None, None, [])
    assert account.shown("acme") == {}


def test_change_of_a_post_adds_no_update(account):
    """A change has neither text nor notification. Both are ignored."""
    path = f"{account.posts_of('acme')}/{account.post()}"
    post = account.expect(200, "PUT", path, {"status": "RESOLVED", "body": "Over.", "notifySubscribers": True})
    assert [update["body"] for update in post["updates"]] == ["We are looking into it."]
    assert post["resolvedAt"]


def test_reopened_post_is_not_resolved(account):
    path = f"{account.posts_of('acme')}/{account.post()}"
    over = account.expect(201, "POST", f"{path}/updates", {**NOW_WHAT, "status": "RESOLVED"})
    assert over["resolvedAt"] == over["updates"][-1]["createdAt"]
    later = account.expect(201, "POST", f"{path}/updates", {**NOW_WHAT, "status": "RESOLVED", "body": "Really."})
    assert later["resolvedAt"] == over["resolvedAt"]
    again = account.expect(201, "POST", f"{path}/updates", {**NOW_WHAT, "status": "INVESTIGATING"})
    assert (again["resolvedAt"], again["status"]) == (None, "INVESTIGATING")
