"""``devhelm-status-page`` destinations: ending posts, and finding them after an unanswered call."""

import pytest

from router.outbound import errors

KIND = "devhelm-status-page"
PAGE = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
POST = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
SECOND = "bbbbbbbb-bbbb-4bbb-8bbb-cccccccccccc"
LINKED = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
WEB = "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
VENDOR_ID = f"{PAGE}/{POST}"
POSTS = f"/api/v1/status-pages/{PAGE}/incidents"
ONE = f"{POSTS}/{POST}"
PUT, UPDATE, DISMISS = f"PUT {ONE}", f"POST {ONE}/updates", f"POST {ONE}/dismiss"
FIELDS = {"title": "Checkout is down", "message": "Payments may fail."}
AT = "2023-11-14T22:13:25Z"
RESOLVED = {"status": "RESOLVED", "body": "This incident has been resolved."}


def post(id_=POST, *, published=AT, signed=None, **others):
    shown = {"id": id_, "statusPageId": PAGE, "title": "Checkout is down", "status": "INVESTIGATING"}
    shown |= {"impact": "CRITICAL", "createdAt": AT, "publishedAt": published}
    if signed:
        body = f"Payments may fail.\n\nReference: {signed}"
        shown["updates"] = [{"status": "INVESTIGATING", "body": "More."}, {"status": "INVESTIGATING", "body": body}]
    return {**shown, **others}


def make_list(*entries, more=False):
    return {"data": list(entries), "hasNext": more, "hasPrev": False}


@pytest.fixture
def account(vendor):
    """A vendor that accepts every change."""
    for id_ in (POST, SECOND):
        vendor.answer("POST", f"{POSTS}/{id_}/updates", {"data": post(id_)})
        vendor.answer("POST", f"{POSTS}/{id_}/dismiss", status=204)
    vendor.answer("PUT", ONE, {"data": post()})
    return vendor


def perform(account, wanted, **settings):
    return account.run(
        KIND, lambda destination: getattr(destination, wanted.kind)(wanted), **{"page": PAGE, **settings}
    )


def find(account, operation, **others):
    return account.run(KIND, lambda destination: destination.find(operation("open", FIELDS, **others)), page=PAGE)


def test_resolution_posts_text_and_resets_components(account, operation):
    affected = [{"statusPageComponentId": WEB, "componentStatus": "MAJOR_OUTAGE", "componentName": "Website"}]
    account.answer("GET", ONE, {"data": post(affectedComponents=affected)})
    fields = {**FIELDS, "resolve_message": "All is well.", "notify": False}
    assert perform(account, operation("resolve", fields, vendor_id=VENDOR_ID)).state == "resolved"
    assert account.changes == [UPDATE]
    assert account.body_of(UPDATE) == {
        "status": "RESOLVED",
        "body": "All is well.",
        "notifySubscribers": False,
        "affectedComponents": [{"componentId": WEB, "status": "OPERATIONAL"}],
    }


def test_postmortem_is_set_after_the_resolution(account, operation):
    account.answer("GET", ONE, {"data": post(postmortemUrl="https://old.test")})
    fields = {**FIELDS, "postmortem_body": "What happened: …", "postmortem_url": ""}
    perform(account, operation("resolve", fields, vendor_id=VENDOR_ID))
    assert account.changes == [UPDATE, PUT]
    assert account.body_of(PUT) == {"postmortemBody": "What happened: …", "postmortemUrl": ""}


def test_postmortem_lost_in_crash_is_set_on_retry(account, operation):
    account.answer("GET", ONE, {"data": post(status="RESOLVED", updates=[RESOLVED])})
    fields = {**FIELDS, "postmortem_url": "https://pm.test/1"}
    perform(account, operation("resolve", fields, vendor_id=VENDOR_ID))
    assert account.changes == [PUT]
    account.calls.clear()
    account.forget("GET", ONE)
    account.answer("GET", ONE, {"data": post(status="RESOLVED", updates=[RESOLVED], postmortemUrl="https://pm.test/1")})
    perform(account, operation("resolve", fields, vendor_id=VENDOR_ID))
    assert account.changes == []


def test_manually_resolved_post_is_not_changed(account, operation):
    account.answer("GET", ONE, {"data": post(status="RESOLVED", updates=[{**RESOLVED, "body": "Fixed by hand."}])})
    fields = {**FIELDS, "title": "Other", "postmortem_body": "x"}
    for kind in ("update", "publish", "resolve", "dismiss"):
        assert perform(account, operation(kind, fields, vendor_id=VENDOR_ID)).state == "resolved"
    assert account.changes == []


@pytest.mark.parametrize("kind", ["update", "publish", "resolve", "dismiss"])
def test_missing_post_is_not_found_and_not_recreated(account, operation, kind):
    with pytest.raises(errors.NotFound):
        perform(account, operation(kind, FIELDS, vendor_id=VENDOR_ID))
    assert account.changes == []


def make_draft(mode=None, author="USER"):
    """Return a draft that belongs to an incident, and that incident as the vendor returns it."""
    shown = {"id": LINKED, "status": "CONFIRMED", "severity": "DOWN", "createdAt": AT}
    rows = [None, {"id": SECOND, "connectionMode": "AUTO"}]
    rows += [{"id": POST, "connectionMode": mode}] if mode else []
    first = [{"status": "INVESTIGATING", "body": "HTTP check failed", "createdBy": author}]
    detail = {"data": {"incident": shown, "statusPageIncidents": rows}}
    return post(published=None, incidentId=LINKED, updates=first), detail


@pytest.mark.parametrize(("mode", "author"), [("AUTO", "USER"), (None, "SYSTEM")])
def test_draft_of_the_page_is_dismissed(account, operation, mode, author):
    draft, detail = make_draft(mode, author)
    account.answer("GET", ONE, {"data": draft})
    account.answer("GET", f"/api/v1/incidents/{LINKED}", detail)
    seen = perform(account, operation("dismiss", FIELDS, vendor_id=VENDOR_ID))
    assert (seen.vendor_id, seen.state) == (VENDOR_ID, "dismissed")
    assert account.changes == [DISMISS]


@pytest.mark.parametrize(("mode", "author"), [("MANUAL", "SYSTEM"), (None, "USER"), (None, None), ("NEW", "USER")])
def test_manually_created_draft_is_kept(account, operation, mode, author):
    draft, detail = make_draft(mode, author)
    account.answer("GET", ONE, {"data": draft})
    account.answer("GET", f"/api/v1/incidents/{LINKED}", detail)
    seen = perform(account, operation("dismiss", FIELDS, vendor_id=VENDOR_ID))
    assert (seen.state, seen.note) == ("dismissed", "a person has created this draft, so it stays")
    assert account.changes == []


@pytest.mark.parametrize("status", [403, 404])
def test_draft_of_unknown_origin_is_kept(account, operation, status):
    account.answer("GET", ONE, {"data": make_draft()[0]})
    account.answer("GET", f"/api/v1/incidents/{LINKED}", {"code": "NO", "message": "no"}, status=status)
    assert perform(account, operation("dismiss", FIELDS, vendor_id=VENDOR_ID)).state == "dismissed"
    assert account.changes == []


def test_unreadable_origin_is_read_again(account, operation):
    account.answer("GET", ONE, {"data": make_draft("AUTO")[0]})
    account.answer("GET", f"/api/v1/incidents/{LINKED}", {"code": "NO", "message": "no"}, status=503)
    with pytest.raises(errors.Temporary):
        perform(account, operation("dismiss", FIELDS, vendor_id=VENDOR_ID))
    assert account.changes == []


def test_unpublished_post_of_the_router_is_dismissed(account, operation):
    account.answer("GET", ONE, {"data": post(published=None, signed=operation("open", FIELDS).reference)})
    seen = perform(account, operation("dismiss", FIELDS, vendor_id=VENDOR_ID))
    assert (seen.vendor_id, seen.state) == (VENDOR_ID, "dismissed")
    assert account.changes == [DISMISS]


@pytest.mark.parametrize("status", [404, 409])
def test_rejected_dismissal_raises_the_failure(vendor, operation, status):
    draft, detail = make_draft("AUTO")
    vendor.answer("GET", ONE, {"data": draft})
    vendor.answer("GET", f"/api/v1/incidents/{LINKED}", detail)
    vendor.answer("POST", f"{ONE}/dismiss", {"code": "NO", "message": "no"}, status=status)
    with pytest.raises(errors.Failure, match=str(status)):
        perform(vendor, operation("dismiss", FIELDS, vendor_id=VENDOR_ID))


def test_manually_published_draft_is_not_dismissed(account, operation):
    account.answer("GET", ONE, {"data": post()})
    assert perform(account, operation("dismiss", FIELDS, vendor_id=VENDOR_ID)).state == "open"
    assert account.changes == []


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"published": None}, "draft"),
        ({}, "open"),
        ({"status": "MONITORING"}, "open"),
        ({"status": "RESOLVED"}, "resolved"),
    ],
)
def test_observe_returns_the_vendor_s_state(account, operation, changes, state):
    account.answer("GET", ONE, {"data": post(**changes)})
    assert (
        account.run(
            KIND, lambda destination: destination.observe(operation("update", FIELDS, vendor_id=VENDOR_ID))
        ).state
        == state
    )
    with pytest.raises(errors.NotFound):
        account.run(
            KIND, lambda destination: destination.observe(operation("update", FIELDS, vendor_id=f"{PAGE}/{SECOND}"))
        )


def test_post_is_found_by_reference_in_its_footer(account, operation):
    reference = operation("open", FIELDS).reference
    account.answer("GET", POSTS, make_list(post(SECOND, signed="IR-00000000"), post(), more=True))
    account.answer("GET", POSTS, make_list())
    account.answer("GET", ONE, {"data": post(signed=reference)})
    seen = find(account, operation)
    assert (seen.vendor_id, seen.state) == (VENDOR_ID, "open")
    assert account.changes == []


def test_post_without_reference_is_found_by_its_link(account, operation):
    linked = post(published=None, incidentId=LINKED, updates=[{"status": "INVESTIGATING", "body": "Check failed"}])
    account.answer("GET", POSTS, make_list(linked))
    account.answer("GET", ONE, {"data": linked})
    seen = find(account, operation, linked_id=LINKED)
    assert (seen.vendor_id, seen.state) == (VENDOR_ID, "draft")


def test_posts_of_other_incidents_are_not_read_individually(account, operation):
    reference = operation("open", FIELDS).reference
    others = [post(f"00000000-0000-4000-8000-{number:012}", incidentId=f"another-{number}") for number in range(20)]
    account.answer("GET", POSTS, make_list(*others, post(incidentId=LINKED)))
    account.answer("GET", ONE, {"data": post(incidentId=LINKED, signed=reference)})
    assert find(account, operation, linked_id=LINKED).vendor_id == VENDOR_ID
    assert account.made.count(f"GET {ONE}") == 1
    assert len(account.made) <= 3  # The page's name, the list, and the candidate post.


def test_oldest_post_stays_and_others_are_resolved_quietly(account, operation):
    reference = operation("open", FIELDS).reference
    later = post(SECOND, signed=reference, createdAt="2023-11-14T22:13:40Z")
    account.answer("GET", POSTS, make_list(later, post(signed=reference)))
    assert find(account, operation).vendor_id == VENDOR_ID
    assert account.changes == [f"POST {POSTS}/{SECOND}/updates"]
    sent = account.body_of(f"POST {POSTS}/{SECOND}/updates")
    assert (sent["status"], sent["notifySubscribers"]) == ("RESOLVED", False)


def test_superfluous_draft_with_reference_is_deleted(account, operation):
    reference = operation("open", FIELDS).reference
    draft = post(SECOND, signed=reference, published=None, createdAt="2023-11-14T22:13:40Z")
    account.answer("GET", POSTS, make_list(draft, post(signed=reference)))
    assert find(account, operation).vendor_id == VENDOR_ID
    assert account.changes == [f"POST {POSTS}/{SECOND}/dismiss"]


def test_post_of_an_earlier_episode_is_ignored(account, operation):
    long_ago = post(signed=operation("open", FIELDS).reference, createdAt="2023-11-14T20:00:00Z", incidentId=LINKED)
    account.answer("GET", POSTS, make_list(long_ago))
    assert find(account, operation, linked_id=LINKED) is None


@pytest.mark.parametrize(("times", "pages"), [(("20:01", "20:00"), 1), (("20:00", "20:01"), 2), (("20:00",), 2)])
def test_search_of_a_sorted_list_stops_early(account, operation, times, pages):
    old = [post(SECOND, signed="IR-00000000", createdAt=f"2023-11-14T{time}:00Z") for time in times]
    account.answer("GET", POSTS, make_list(*old, more=True))
    account.answer("GET", POSTS, make_list())
    assert find(account, operation) is None
    assert len(account.calls) == pages
    assert account.calls[0].query == {"sort": "createdAt,desc", "page": "0", "size": "200"}


def test_check_reports_the_page_and_its_mode(vendor):
    def page(mode):
        return {"id": PAGE, "name": "Public", "slug": "public", "incidentMode": mode}

    for mode in ("AUTOMATIC", "REVIEW", "REVIEW", "MANUAL"):
        vendor.answer("GET", "/api/v1/status-pages", make_list(page(mode)))
    vendor.answer("GET", f"/api/v1/status-pages/{PAGE}/components", make_list({"id": WEB, "name": "Website"}))

    def check(**settings):
        return vendor.run(KIND, lambda destination: destination.check(), **settings)

    assert check() == []
    assert "AUTOMATIC" in check(page="Public")[0]
    assert "follows" in check(page="Public")[0]
    assert check(page="Public", follows="on-call") == []
    assert check(page="Public", defaults={"components": ["Website"]}) == []
    assert '"Web" does not exist' in check(page="Public", defaults={"components": {"Web": "major_outage"}})[0]
    assert 'did you mean "Public"' in check(page="Publik")[0]
