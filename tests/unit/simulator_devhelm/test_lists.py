"""Lists of the simulated DevHelm: filters, order, paging, and stability between runs."""

import datetime as dt
import json

import pytest

from tests.unit.simulator_devhelm import accounts


def list_titles(account, **query):
    """Return the titles of a list of incidents."""
    return [item["title"] for item in account.expect(200, "GET", "/incidents", params=query)["data"]]


@pytest.fixture
def three_incidents(account):
    """Three incidents, the second of which is resolved. Their IDs are ``three.ids``."""
    account.ids = [account.open("Checkout is down"), account.open("Search is slow", "DEGRADED"), account.open("Mail")]
    account.expect(200, "POST", f"/incidents/{account.ids[1]}/resolve", {"body": "Restarted."})
    return account


def test_all_incidents_are_listed_newest_first_by_default(three_incidents):
    assert list_titles(three_incidents) == ["Mail", "Search is slow", "Checkout is down"]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({"status": "RESOLVED"}, ["Search is slow"]),
        ({"status": "CONFIRMED"}, ["Mail", "Checkout is down"]),
        ({"status": "WATCHING"}, []),
        ({"severity": "DEGRADED"}, ["Search is slow"]),
        ({"source": "MANUAL", "severity": "DOWN"}, ["Mail", "Checkout is down"]),
        ({"source": "MONITORS"}, []),
        ({"search": "IS "}, ["Search is slow", "Checkout is down"]),
        ({"search": "nothing like it"}, []),
        ({"monitorId": "11111111-1111-4111-8111-111111111111"}, []),
    ],
)
def test_incidents_are_filtered_by_the_query(three_incidents, query, titles):
    assert list_titles(three_incidents, **query) == titles


def test_search_finds_an_id_and_filter_excludes_it(three_incidents):
    assert list_titles(three_incidents, search=three_incidents.ids[0][:13]) == ["Checkout is down"]
    assert list_titles(three_incidents, excludeId=three_incidents.ids[0]) == ["Mail", "Search is slow"]


def test_time_range_includes_its_bounds(three_incidents):
    began = three_incidents.expect(200, "GET", f"/incidents/{three_incidents.ids[1]}")["incident"]["startedAt"]
    assert list_titles(three_incidents, startedFrom=began, startedTo=began) == ["Search is slow"]
    assert list_titles(three_incidents, startedFrom=began) == ["Mail", "Search is slow"]
    assert list_titles(three_incidents, startedTo=began) == ["Search is slow", "Checkout is down"]
    moment = dt.datetime.fromisoformat(began)
    assert list_titles(three_incidents, startedTo=(moment - dt.timedelta(microseconds=1)).isoformat()) == [
        "Checkout is down"
    ]
    assert list_titles(three_incidents, startedFrom=(moment + dt.timedelta(microseconds=1)).isoformat()) == ["Mail"]
    elsewhere = moment.astimezone(dt.timezone(dt.timedelta(hours=5))).isoformat()
    assert list_titles(three_incidents, startedFrom=elsewhere, startedTo=elsewhere) == ["Search is slow"]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "OPEN"},
        {"severity": "critical"},
        {"source": "HUMAN"},
        {"startedFrom": "yesterday"},
        {"startedFrom": "2026-01-01T00:00:00"},
        {"search": "x" * 201},
        {"page": -1},
        {"page": "one"},
        {"size": 0},
        {"size": 201},
        {"monitorId": "checkout"},
    ],
)
def test_invalid_query_is_refused_with_its_field(account, query):
    told = account.expect(400, "GET", "/incidents", params=query)
    assert [entry["field"] for entry in told["errors"]] == list(query)


@pytest.mark.parametrize(
    ("page", "numbers", "before", "after"),
    [(0, [6, 5, 4], False, True), (1, [3, 2, 1], True, True), (2, [0], True, False), (3, [], True, False)],
)
def test_incidents_are_listed_by_pages(account, page, numbers, before, after):
    for number in range(7):
        account.open(f"{number}")
    told = account.expect(200, "GET", "/incidents", params={"page": page, "size": 3})
    assert [int(one["title"]) for one in told.pop("data")] == numbers
    assert told == {"hasNext": after, "hasPrev": before, "totalElements": 7, "totalPages": 3}


def test_page_of_incidents_has_ten_by_default(account):
    for number in range(11):
        account.open(f"{number}")
    assert len(list_titles(account)) == 10
    assert len(list_titles(account, size=200)) == 11


def test_posts_are_filtered_by_several_statuses(account):
    for status in ("INVESTIGATING", "IDENTIFIED", "RESOLVED"):
        account.post(title=status.title(), status=status)
    path = account.posts_of("acme")

    def titles(query):
        return [item["title"] for item in account.expect(200, "GET", f"{path}{query}")["data"]]

    assert titles("") == ["Resolved", "Identified", "Investigating"]
    assert titles("?status=IDENTIFIED") == ["Identified"]
    assert titles("?status=IDENTIFIED&status=INVESTIGATING") == ["Identified", "Investigating"]
    assert titles("?status=RESOLVED,IDENTIFIED") == ["Resolved", "Identified"]
    assert titles("?status=MONITORING") == []
    assert titles("?size=1&page=1") == ["Identified"]
    account.expect(400, "GET", f"{path}?status=OPEN")


def test_incident_has_a_timeline_of_its_statuses(account):
    incident = account.open(body="5xx above 20%")
    path = f"/incidents/{incident}"
    account.expect(201, "POST", f"{path}/updates", {"body": "Still looking.", "notifySubscribers": True})
    account.expect(200, "POST", f"{path}/resolve", {"body": "Restarted."})
    told = account.expect(200, "GET", path)
    assert [(update["oldStatus"], update["newStatus"], update["body"]) for update in told["updates"]] == [
        (None, "CONFIRMED", "5xx above 20%"),
        ("CONFIRMED", "CONFIRMED", "Still looking."),
        ("CONFIRMED", "RESOLVED", "Restarted."),
    ]
    assert [update["notifySubscribers"] for update in told["updates"]] == [False, True, False]
    incident = told["incident"]
    assert (incident["resolutionReason"], incident["resolutionNote"]) == ("MANUAL", "Restarted.")
    assert incident["resolvedAt"] == incident["updatedAt"] > incident["startedAt"]


def test_returning_incident_is_counted_and_open(account):
    path = f"/incidents/{account.open()}"
    account.expect(200, "POST", f"{path}/resolve", {"body": "Restarted."})
    over = account.expect(200, "GET", path)["incident"]
    note = {"body": "It was the disk.", "notifySubscribers": False}
    noted = account.expect(201, "POST", f"{path}/updates", note)["incident"]
    assert (noted["resolvedAt"], noted["resolutionNote"]) == (over["resolvedAt"], "Restarted.")
    back = account.expect(201, "POST", f"{path}/updates", {**note, "newStatus": "TRIGGERED"})["incident"]
    assert (back["status"], back["reopenCount"], back["resolvedAt"]) == ("TRIGGERED", 1, None)
    assert (back["resolutionReason"], back["resolutionNote"]) == (None, None)
    assert account.expect(200, "POST", f"{path}/resolve")["incident"]["status"] == "RESOLVED"


def test_same_seed_gives_the_same_ids():
    def ids(seed):
        account = accounts.Account(seed)
        return [account.components("acme"), account.page("acme-eu")["id"], account.open(), account.post()]

    assert ids(1) == ids(1)
    assert not [one for one, other in zip(ids(1), ids(2), strict=True) if one == other]


def test_reset_deletes_created_items_and_keeps_pages(account):
    before = json.dumps(account.vendor.state())
    components = account.components("acme")
    account.open()
    account.post(affectedComponents=account.affected("acme", Payments="MAJOR_OUTAGE"))
    assert json.dumps(account.vendor.state()) != before
    account.vendor.reset()
    assert json.dumps(account.vendor.state()) == before
    assert account.components("acme") == components


def test_state_contains_all_items_as_plain_data(account):
    incident = account.open()
    account.post(affectedComponents=account.affected("acme", Payments="MAJOR_OUTAGE"))
    document = json.loads(json.dumps(account.vendor.state()))
    assert [one["incident"]["id"] for one in document["incidents"]] == [incident]
    pages = {page["slug"]: page for page in document["pages"]}
    assert pages["acme"]["components"]["Payments"] == "MAJOR_OUTAGE"
    assert {slug: len(page["incidents"]) for slug, page in pages.items()} == {"acme": 1, "acme-eu": 1, "acme-auto": 1}
