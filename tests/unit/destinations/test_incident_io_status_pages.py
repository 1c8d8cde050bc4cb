"""``incident-io-status-page`` destinations: each update is published once, and manual changes are preserved."""

import pytest

from router.outbound import errors

KIND = "incident-io-status-page"
PAGES = {"status_pages": [{"id": "page-1", "name": "Public", "public_url": "https://status.test"}]}
STRUCTURE = {
    "current_structure": {
        "items": [
            {"component": {"component_id": "c-web", "name": "Website"}},
            {"group": {"id": "g", "name": "EU", "components": [{"component_id": "c-eu", "name": "API"}]}},
            {
                "sub_page": {
                    "id": "s",
                    "name": "Partners",
                    "items": [{"component": {"component_id": "c-partners", "name": "API"}}],
                }
            },
        ]
    }
}
FIELDS = {"title": "Checkout is down", "message": "Payments may fail.", "components": {"Website": "major_outage"}}
CREATE = "POST /v2/status_page_incidents"
UPDATE = "POST /v2/status_page_incident_updates"
RENAME = "PUT /v2/status_page_incidents/post-1"
SHOW = ("GET", "/v2/status_page_incidents/post-1")
FULL = [{"component_id": "c-web", "component_status": "full_outage"}]


def post(status="investigating", updates=(), impacts=(), name="Checkout is down"):
    shown = {"id": "post-1", "status_page_id": "page-1", "name": name, "incident_status": status}
    return {"status_page_incident": {**shown, "updates": list(updates), "component_impacts": list(impacts)}}


def make_update(message, status="investigating", statuses=()):
    return {"message": message, "incident_status": status, "component_statuses": list(statuses)}


@pytest.fixture
def account(vendor):
    """A vendor with one page."""
    vendor.answer("GET", "/v2/status_pages", PAGES)
    vendor.answer("GET", "/v2/status_page_structures/page-1", STRUCTURE)
    vendor.answer("POST", "/v2/status_page_incidents", post(), status=201)
    vendor.answer("POST", "/v2/status_page_incident_updates", {"status_page_incident_update": {}}, status=201)
    vendor.answer("PUT", "/v2/status_page_incidents/post-1", post())
    return vendor


def test_created_post_has_key_and_components(account, operation):
    wanted = operation("open", FIELDS)
    result = account.run(KIND, lambda destination: destination.open(wanted), page="Public")
    assert (result.vendor_id, result.state, result.url) == ("post-1", "open", "https://status.test")
    assert account.body_of(CREATE) == {
        "idempotency_key": wanted.key,
        "status_page_id": "page-1",
        "name": "Checkout is down",
        "message": "Payments may fail.",
        "incident_status": "investigating",
        "notify_subscribers": True,
        "component_statuses": FULL,
    }


def test_created_post_sets_subscriber_notification_explicitly(account, operation):
    account.run(
        KIND, lambda destination: destination.open(operation("open", {**FIELDS, "notify": False})), page="Public"
    )
    assert account.body_of(CREATE)["notify_subscribers"] is False


def test_listed_components_follow_the_severity(account, operation):
    fields = {**FIELDS, "components": ["Website", "EU / API"], "status": "identified"}
    account.run(KIND, lambda destination: destination.open(operation("open", fields, severity="major")), page="public")
    assert account.body_of(CREATE)["component_statuses"] == [
        {"component_id": "c-web", "component_status": "partial_outage"},
        {"component_id": "c-eu", "component_status": "partial_outage"},
    ]


@pytest.mark.parametrize(("called", "id_"), [("EU / API", "c-eu"), ("Partners / API", "c-partners"), ("c-eu", "c-eu")])
def test_components_in_groups_and_sub_pages_are_found(account, operation, called, id_):
    fields = {**FIELDS, "components": {called: "operational"}}
    account.run(KIND, lambda destination: destination.open(operation("open", fields)), page="Public")
    assert account.body_of(CREATE)["component_statuses"][0]["component_id"] == id_


@pytest.mark.parametrize(
    ("components", "said"), [(["Websit"], '"Website"'), (["API"], "EU / API"), (["x"], "there are")]
)
def test_missing_component_is_omitted(account, operation, components, said):
    wanted = operation("open", {**FIELDS, "components": components})
    [omitted] = account.run(KIND, lambda destination: destination.open(wanted), page="Public").omitted
    assert (omitted.field, omitted.code) == ("components", "left_out")
    assert said in omitted.detail
    assert "component_statuses" not in account.body_of(CREATE)


def test_rule_must_name_page_if_account_does_not(account, operation):
    account.run(
        KIND, lambda destination: destination.open(operation("open", {**FIELDS, "page": "Public"})), page="Elsewhere"
    )
    assert account.body_of(CREATE)["status_page_id"] == "page-1"
    with pytest.raises(errors.Permanent, match="names a page"):
        account.run(KIND, lambda destination: destination.open(operation("open", FIELDS)))


def test_unlisted_page_is_used_by_its_id(account, operation):
    page_id = "01FCNDV6P870EA6S7TK1DSYDG0"
    account.run(
        KIND, lambda destination: destination.open(operation("open", {**FIELDS, "components": {}})), page=page_id
    )
    assert account.body_of(CREATE)["status_page_id"] == page_id


def test_all_pages_of_the_list_are_read(vendor, operation):
    vendor.answer("GET", "/v2/status_pages", {"status_pages": [], "pagination_meta": {"after": "page-0"}})
    vendor.answer("GET", "/v2/status_pages", PAGES)
    vendor.answer("POST", "/v2/status_page_incidents", post(), status=201)
    vendor.run(
        KIND, lambda destination: destination.open(operation("open", {**FIELDS, "components": {}})), page="Public"
    )
    assert [call.query.get("after") for call in vendor.calls if call.path == "/v2/status_pages"] == [None, "page-0"]


def test_update_has_text_status_and_components(account, operation):
    account.answer(*SHOW, post(updates=[make_update("Payments may fail.")]))
    fields = {**FIELDS, "update_message": "It is worse.", "update_status": "identified", "notify": False}
    result = account.run(KIND, lambda destination: destination.update(operation("update", fields, vendor_id="post-1")))
    assert (result.vendor_id, result.state) == ("post-1", "open")
    assert account.changes == [UPDATE]
    assert account.body_of(UPDATE) == {
        "status_page_incident_id": "post-1",
        "message": "It is worse.",
        "notify_subscribers": False,
        "incident_status": "identified",
        "component_statuses": FULL,
    }


def test_update_without_a_status_keeps_the_current_one(account, operation):
    account.answer(*SHOW, post(status="monitoring"))
    account.run(KIND, lambda destination: destination.update(operation("update", FIELDS, vendor_id="post-1")))
    assert "incident_status" not in account.body_of(UPDATE)
    assert account.body_of(UPDATE)["message"] == "We are continuing to investigate this issue."


HOLDS = [{**FULL[0], "start_at": "2023-11-14T22:13:20Z"}]


@pytest.mark.parametrize(("statuses", "impacts"), [(FULL, None), ([], HOLDS)], ids=["said", "holds"])
def test_update_of_an_earlier_attempt_is_not_repeated(account, operation, statuses, impacts):
    there_already = make_update("It is worse.", statuses=statuses)
    shown = post(updates=[make_update("Payments may fail."), there_already])
    shown["status_page_incident"]["component_impacts"] = impacts
    account.answer(*SHOW, shown)
    fields = {**FIELDS, "update_message": "It is worse."}
    account.run(KIND, lambda destination: destination.update(operation("update", fields, vendor_id="post-1")))
    assert account.changes == []


AT = "2023-11-14T22:13:%sZ"


@pytest.mark.parametrize("listed", [1, -1], ids=["oldest first", "newest first"])
def test_equal_earlier_update_does_not_suppress_the_next(account, operation, listed):
    """After down, recovered, and down again, the page needs a second "down" update."""
    well = [{"component_id": "c-web", "component_status": "operational"}]
    said = [make_update("Still looking.", statuses=FULL), make_update("Still looking.", statuses=well)]
    said = [{**one, "id": str(number), "published_at": AT % (20 + number)} for number, one in enumerate(said)]
    ended = [{**HOLDS[0], "end_at": AT % 21}]
    account.answer(*SHOW, post(updates=said[::listed], impacts=ended))
    fields = {**FIELDS, "update_message": "Still looking."}
    account.run(KIND, lambda destination: destination.update(operation("update", fields, vendor_id="post-1")))
    assert account.body_of(UPDATE)["component_statuses"] == FULL


@pytest.mark.parametrize(
    "there_already",
    [
        make_update("It is worse.", statuses=[{"component_id": "c-web", "component_status": "partial_outage"}]),
        make_update("It is worse.", status="monitoring", statuses=FULL),
        make_update("It was worse.", statuses=FULL),
    ],
    ids=["other components", "other status", "other words"],
)
def test_update_that_differs_from_the_latest_is_posted(account, operation, there_already):
    account.answer(*SHOW, post(updates=[there_already]))
    fields = {**FIELDS, "update_message": "It is worse.", "update_status": "investigating"}
    account.run(KIND, lambda destination: destination.update(operation("update", fields, vendor_id="post-1")))
    assert account.changes == [UPDATE]


@pytest.mark.parametrize(
    ("count", "changes", "told"),
    [
        (93, [UPDATE], ""),
        (94, [UPDATE], "it is the last update before the resolution, because the vendor accepts 100"),
        (95, [], "no further update is posted before the resolution, because the vendor accepts 100"),
        (99, [], "no further update is posted before the resolution, because the vendor accepts 100"),
    ],
)
def test_last_of_hundred_updates_is_reserved_for_resolution(account, operation, count, changes, told):
    account.answer(*SHOW, post(updates=[make_update(f"Update {n}") for n in range(count)]))
    result = account.run(KIND, lambda at: at.update(operation("update", FIELDS, vendor_id="post-1")))
    assert (account.changes, result.note) == (changes, told)
    account.run(KIND, lambda at: at.resolve(operation("resolve", FIELDS, vendor_id="post-1")))
    assert account.changes == [*changes, UPDATE]


@pytest.mark.parametrize(("impacts", "changes"), [([], [UPDATE]), ([{**FULL[0]}], [])])
def test_update_without_text_is_sent_only_for_components(account, operation, impacts, changes):
    account.answer(*SHOW, post(impacts=impacts))
    wanted = operation("update", {**FIELDS, "update_message": ""}, vendor_id="post-1")
    account.run(KIND, lambda destination: destination.update(wanted))
    assert account.changes == changes


def test_changed_title_renames_the_post(account, operation):
    account.answer(*SHOW, post(name="Something is down"))
    fields = {"title": "Checkout is down", "message": "x", "update_message": ""}
    account.run(KIND, lambda destination: destination.update(operation("update", fields, vendor_id="post-1")))
    assert account.changes == [RENAME]
    assert account.body_of(RENAME) == {"name": "Checkout is down"}


def test_resolution_leaves_components_to_the_vendor(account, operation):
    account.answer(*SHOW, post())
    wanted = operation("resolve", {**FIELDS, "resolve_message": "All is well."}, vendor_id="post-1")
    assert account.run(KIND, lambda destination: destination.resolve(wanted)).state == "resolved"
    assert account.body_of(UPDATE) == {
        "status_page_incident_id": "post-1",
        "message": "All is well.",
        "notify_subscribers": True,
        "incident_status": "resolved",
    }


def test_account_s_resolve_message_is_the_default(account, operation):
    account.answer(*SHOW, post())
    wanted = operation("resolve", FIELDS, vendor_id="post-1")
    account.run(KIND, lambda destination: destination.resolve(wanted), resolve_message="Over.")
    assert account.body_of(UPDATE)["message"] == "Over."


@pytest.mark.parametrize("kind", ["update", "publish", "resolve", "dismiss"])
def test_manually_resolved_post_is_not_changed(account, operation, kind):
    account.answer(*SHOW, post(status="resolved", name="Other"))
    result = account.run(
        KIND, lambda destination: getattr(destination, kind)(operation(kind, FIELDS, vendor_id="post-1"))
    )
    assert result.state == "resolved"
    assert account.changes == []


def test_unanswered_open_is_repeated_under_the_same_key(account, operation):
    wanted = operation("open", FIELDS)

    async def body(destination):
        assert destination.repeatable_open
        assert await destination.end_duplicates(wanted) == ()
        assert await destination.adopt(wanted) is None
        await destination.open(wanted)
        await destination.open(wanted)

    account.run(KIND, body, page="Public")
    assert {call.body["idempotency_key"] for call in account.calls if call.method == "POST"} == {wanted.key}


def test_search_finds_the_oldest_equal_unowned_post(account, operation):
    def listed(identity: str, published_at: str, **more):
        made = post(**more)["status_page_incident"]
        update = {"message": FIELDS["message"], "incident_status": "investigating"}
        return {**made, "id": identity, "name": FIELDS["title"], "published_at": published_at, "updates": [update]}

    at = "2023-11-14T22:{}:00Z"
    posts = [listed("newer", at.format(30)), listed("other", at.format(14)), listed("ours", at.format(20))]
    posts += [listed("too old", "2023-11-14T20:00:00Z"), {**listed("named", at.format(16)), "name": "Else"}]
    account.answer("GET", "/v2/status_page_incidents", {"status_page_incidents": posts})
    wanted = operation("open", FIELDS, taken=frozenset({"other"}))
    assert account.run(KIND, lambda destination: destination.find(wanted), page="Public").vendor_id == "ours"
    account.forget("GET", "/v2/status_page_incidents")
    account.answer("GET", "/v2/status_page_incidents", {"status_page_incidents": posts[1:2]})
    assert account.run(KIND, lambda destination: destination.find(wanted), page="Public") is None


@pytest.mark.parametrize(("status", "state"), [("monitoring", "open"), ("resolved", "resolved")])
def test_observe_returns_the_vendor_s_state(account, operation, status, state):
    account.answer(*SHOW, post(status=status))
    assert (
        account.run(
            KIND, lambda destination: destination.observe(operation("update", FIELDS, vendor_id="post-1"))
        ).state
        == state
    )
    with pytest.raises(errors.NotFound):
        account.run(KIND, lambda destination: destination.observe(operation("update", FIELDS, vendor_id="post-404")))


def test_check_reports_missing_pages_and_components(account):
    assert account.run(KIND, lambda destination: destination.check()) == []
    assert (
        account.run(KIND, lambda destination: destination.check(), page="Public", defaults={"components": ["Website"]})
        == []
    )
    (problem,) = account.run(KIND, lambda destination: destination.check(), page="Publik")
    assert 'did you mean "Public"' in problem
    (problem,) = account.run(
        KIND, lambda destination: destination.check(), page="Public", defaults={"components": ["Web"]}
    )
    assert '"Web" does not exist' in problem
