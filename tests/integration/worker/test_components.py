"""Components of a page are reference-counted: none is shown as operational while another incident affects it."""

import asyncio

import pytest

from router.destinations import components
from router.domain import decisions, plan
from router.outbound import errors
from router.store import publishing_state
from router.worker import not_found, publishing_guard
from tests.end_to_end import harness
from tests.integration import vendor, workers


def on_page(**said: str) -> decisions.Response:
    return workers.rule(decisions.Target("page", {"title": "Down", "message": "Sorry.", "components": said}, "auto"))


def test_component_status_is_shared_until_withdrawn(with_redis):
    async def body(store):
        assert (
            await store.components.set_statuses(
                "page", "e1", {"Checkout API": "major_outage", "Search": "partial_outage"}
            )
            == []
        )
        assert await store.components.set_statuses("other page", "e9", {"Checkout API": "degraded_performance"}) == []
        heard = await store.components.set_statuses("page", "e2", {"Checkout API": "degraded_performance"})
        assert sorted(heard) == [("Checkout API", "major_outage"), ("Search", "partial_outage")]
        assert await store.components.set_statuses("page", "e1", {"Search": "operational"}) == [
            ("Checkout API", "degraded_performance")
        ]
        assert await store.components.set_statuses("page", "e1", {}) == [("Checkout API", "degraded_performance")]
        assert await store.components.set_statuses("page", "e2", {}) == []
        assert not await store.redis.exists("ir:{pages}:components:page")

    with_redis(body)


def test_last_of_two_resolutions_restores_component(with_redis):
    async def body(store):
        for episode in ("e1", "e2"):
            await store.components.set_statuses("page", episode, {"API": "major_outage"})
        heard = await asyncio.gather(*(store.components.set_statuses("page", episode, {}) for episode in ("e1", "e2")))
        assert sorted(map(len, heard)) == [0, 1]

    with_redis(body)


@pytest.mark.parametrize(
    ("said", "worst"),
    [
        ([], {}),
        (
            [("a", "partial_outage"), ("a", "major_outage"), ("b", "operational")],
            {"a": "major_outage", "b": "operational"},
        ),
        ([("a", "no status"), ("a", "degraded_performance")], {"a": "degraded_performance"}),
    ],
)
def test_worst_component_status_counts(said, worst):
    assert components.worst_status(said) == worst


def test_component_shows_its_worst_status():
    """Components of other incidents don't count."""
    own = {"a": "degraded_performance", "b": "major_outage"}
    others = {"a": "major_outage", "b": "operational", "c": "major_outage"}
    assert components.merge_statuses(own, others) == {"a": "major_outage", "b": "major_outage"}


def test_operations_include_component_statuses_of_other_incidents(with_redis):
    page = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing("a"), key="one", response=on_page(API="major_outage"))
        await on.turn()
        await on.deliver(
            workers.firing("b"), key="two", response=on_page(API="degraded_performance", Web="major_outage")
        )
        await on.turn()
        await on.deliver(workers.resolved("a"), key="one", response=on_page(API="major_outage"))
        await on.turn()
        await on.deliver(workers.resolved("b"), key="two", response=on_page(API="degraded_performance"))
        await on.turn()
        assert [(call.kind, call.others) for call in page.calls] == [
            ("open", {}),
            ("open", {"API": "major_outage"}),
            ("resolve", {"API": "degraded_performance", "Web": "major_outage"}),
            ("resolve", {}),
        ]

    workers.run(with_redis, play, vendor.place("page", page, public=True))


RULES = """
rules:
  - name: by-service
    when: {labels.env: shop}
    group_by: [labels.service]
    open:
      - {at: devhelm-page, publish: auto, title: Checkout is unavailable, message: Sorry., components: [Checkout API]}
"""


def test_devhelm_component_recovers_with_its_last_incident(tmp_path):
    with harness.vendors() as at, harness.router(tmp_path, harness.configure(tmp_path, at, rules=RULES)) as router:
        for service, severity in (("pay", "critical"), ("cart", "warning")):
            router.send_alert(dedup_key=service, severity=severity, labels={"env": "shop", "service": service})
        harness.eventually("both are open", lambda: at.incidents()["devhelm-page"] == ["open", "open"])
        router.send_alert(dedup_key="pay", status="resolved", labels={"env": "shop", "service": "pay"})
        harness.eventually("one is over", lambda: "resolved" in at.incidents()["devhelm-page"])
        (ending,) = [call["body"] for call in at.calls("POST", "/updates") if call["body"].get("status") == "RESOLVED"]
        assert [component["status"] for component in ending["affectedComponents"]] == ["DEGRADED_PERFORMANCE"]
        router.send_alert(dedup_key="cart", status="resolved", labels={"env": "shop", "service": "cart"})
        harness.eventually("the component is operational", lambda: at.component("Checkout API") == "OPERATIONAL")
        assert at.incidents()["devhelm-page"] == ["resolved", "resolved"]


LIMITS = publishing_guard.GuardLimits(
    publishing_state.Limit(9, workers.HOUR), publishing_state.Limit(9, workers.HOUR), observe_interval=10_000
)


def check_released(with_redis, at, end):
    """Open a post that affects a component, end it, and check that it affects none afterwards."""

    async def play(on):
        await on.deliver(workers.firing("a"), key="first", response=on_page(Checkout="major_outage"))
        await on.turn()
        await end(on)
        before = len(at.calls)
        await on.deliver(workers.firing("b"), key="second", response=on_page(Checkout="degraded_performance"))
        await on.wait_until(lambda: [call.kind for call in at.calls[before:]] == ["open"])
        assert at.calls[-1].others == {}

    workers.run(with_redis, play, vendor.place("page", at, public=True), limits=LIMITS)


def test_post_that_was_never_created_affects_no_component(with_redis):
    """The vendor was overloaded until the alert had resolved."""
    at = vendor.Vendor()
    at.before = [errors.Temporary("503", 3600)]

    async def end(on):
        await on.deliver(workers.resolved("a"), key="first", response=on_page(Checkout="major_outage"))
        await on.turn()
        assert at.incidents == {}

    check_released(with_redis, at, end)


def test_refused_post_affects_no_component(with_redis):
    at = vendor.Vendor()
    at.before = [errors.Permanent("400")]

    async def end(_on):
        assert at.incidents == {}

    check_released(with_redis, at, end)


def test_post_that_a_person_resolved_affects_no_component(with_redis):
    at = vendor.Vendor()

    async def end(on):
        at.incidents["v1"]["state"] = "resolved"

        async def is_noticed():
            return all(known.settled for known in await on.publications.look("first"))

        await on.wait_until_async(is_noticed)

    check_released(with_redis, at, end)


def test_deleted_post_affects_no_component(with_redis, monkeypatch):
    monkeypatch.setattr(not_found, "PROOF", 0)
    monkeypatch.setattr(plan, "MAX_MISSING_INTERVAL", 5_000)
    at = vendor.Vendor()

    async def end(on):
        at.incidents.clear()

        async def is_noticed():
            return all(known.settled for known in await on.publications.look("first"))

        await on.wait_until_async(is_noticed)

    check_released(with_redis, at, end)
