"""Component states: the worst state of all open posts, and operational without open posts."""

import itertools

import pytest

from router.simulator.devhelm import state

WORST_FIRST = ["MAJOR_OUTAGE", "PARTIAL_OUTAGE", "DEGRADED_PERFORMANCE", "UNDER_MAINTENANCE", "OPERATIONAL"]
OVER = {"status": "RESOLVED", "body": "It is over."}


@pytest.mark.parametrize("states", list(itertools.product(WORST_FIRST, repeat=2)))
def test_component_shows_the_worse_of_two_states(states):
    assert state.worst(states) == WORST_FIRST[min(WORST_FIRST.index(one) for one in states)]


def test_component_without_posts_is_operational():
    assert state.worst([]) == "OPERATIONAL"


def test_new_page_has_only_operational_components(account):
    for slug in ("acme", "acme-eu", "acme-auto"):
        assert set(account.components(slug)) == {"Checkout API", "Payments", "Web shop", "Search"}
        assert account.shown(slug) == {}
        assert account.page(slug)["overallStatus"] == "OPERATIONAL"


def test_post_sets_and_resets_component_statuses(account):
    affected = account.affected("acme", Payments="PARTIAL_OUTAGE", Web_shop="DEGRADED_PERFORMANCE")
    post = account.post(affectedComponents=affected)
    assert account.shown("acme") == {"Payments": "PARTIAL_OUTAGE", "Web shop": "DEGRADED_PERFORMANCE"}
    assert account.page("acme")["overallStatus"] == "PARTIAL_OUTAGE"
    account.expect(201, "POST", f"{account.posts_of('acme')}/{post}/updates", OVER)
    assert account.shown("acme") == {}
    assert account.page("acme")["overallStatus"] == "OPERATIONAL"


def test_resolved_post_keeps_its_affected_components(account):
    post = account.post(affectedComponents=account.affected("acme", Payments="PARTIAL_OUTAGE"))
    over = account.expect(201, "POST", f"{account.posts_of('acme')}/{post}/updates", OVER)
    assert [component["componentName"] for component in over["affectedComponents"]] == ["Payments"]


def test_update_can_change_the_affected_components(account):
    post = account.post(affectedComponents=account.affected("acme", Payments="PARTIAL_OUTAGE"))
    path = f"{account.posts_of('acme')}/{post}/updates"
    body = {"status": "IDENTIFIED", "body": "It is the search."}
    account.expect(201, "POST", path, body)
    assert account.shown("acme") == {"Payments": "PARTIAL_OUTAGE"}
    account.expect(201, "POST", path, {**body, "affectedComponents": account.affected("acme", Search="MAJOR_OUTAGE")})
    assert account.shown("acme") == {"Search": "MAJOR_OUTAGE"}
    account.expect(201, "POST", path, {**body, "affectedComponents": []})
    assert account.shown("acme") == {}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_component_has_the_worst_state_of_open_posts(account, order):
    states = ["DEGRADED_PERFORMANCE", "MAJOR_OUTAGE", "UNDER_MAINTENANCE"]
    posts = [account.post(affectedComponents=account.affected("acme", Payments=one)) for one in states]
    path = account.posts_of("acme")
    going_on = dict(enumerate(states))
    assert account.shown("acme") == {"Payments": "MAJOR_OUTAGE"}
    for ended in order:
        account.expect(201, "POST", f"{path}/{posts[ended]}/updates", OVER)
        del going_on[ended]
        worst = min(going_on.values(), key=WORST_FIRST.index, default=None)
        assert account.shown("acme") == ({"Payments": worst} if worst else {})


@pytest.mark.parametrize("way", ["update", "put", "delete", "unpublish"])
def test_every_way_to_end_a_post_resets_components(account, way):
    post = account.post(affectedComponents=account.affected("acme", Payments="MAJOR_OUTAGE", Search="MAJOR_OUTAGE"))
    account.post(affectedComponents=account.affected("acme", Search="DEGRADED_PERFORMANCE"))
    path = f"{account.posts_of('acme')}/{post}"
    if way == "update":
        account.expect(201, "POST", f"{path}/updates", OVER)
    elif way == "put":
        account.expect(200, "PUT", path, {"status": "RESOLVED"})
    elif way == "unpublish":
        account.expect(200, "PUT", path, {"published": False})
    else:
        account.expect(204, "DELETE", path)
        account.expect(404, "GET", path)
    assert account.shown("acme") == {"Search": "DEGRADED_PERFORMANCE"}


def test_post_created_as_resolved_affects_nothing(account):
    account.post(status="RESOLVED", affectedComponents=account.affected("acme", Payments="MAJOR_OUTAGE"))
    assert account.shown("acme") == {}
    assert account.posts("acme")[0]["resolvedAt"]


def test_pages_do_not_affect_one_another(account):
    account.post("acme", affectedComponents=account.affected("acme", Payments="MAJOR_OUTAGE"))
    assert account.shown("acme-eu") == {}
    assert account.shown("acme-auto") == {}


def test_page_shows_components_and_posts_in_words(account):
    post = account.post(affectedComponents=account.affected("acme", Checkout_API="MAJOR_OUTAGE"))
    body = {"status": "MONITORING", "body": "A fix is out."}
    account.expect(201, "POST", f"{account.posts_of('acme')}/{post}/updates", body)
    page = next(page for page in account.vendor.pages() if page.slug == "acme")
    assert page.name == "Acme"
    assert ("", "Checkout API", "major outage") in page.components
    assert ("", "Search", "operational") in page.components
    (shown,) = page.posts
    assert (shown.id, shown.title, shown.status, shown.impact) == (post, "Checkout fails", "monitoring", "major")
    assert not shown.resolved
    assert shown.components == (("Checkout API", "major outage"),)
    assert [(update.status, update.text) for update in shown.updates] == [
        ("monitoring", "A fix is out."),
        ("investigating", "We are looking into it."),
    ]
    assert shown.updates[0].at > shown.updates[1].at
