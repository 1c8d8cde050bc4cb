"""Components of a page recover one by one as their alerts resolve, while the incident stays open."""

from router.domain import decisions
from tests.end_to_end import harness
from tests.integration import vendor, workers

PARTS = {"title": {"a is down": "Checkout", "b is down": "Search"}}


def on_page(publish: str = "auto") -> decisions.Response:
    return workers.rule(decisions.Target("page", {"title": "Down", "message": "Sorry."}, publish, parts=PARTS))


def test_each_alert_sets_and_restores_its_component(with_redis):
    page = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing("a"), response=on_page())
        await on.turn()
        await on.deliver(workers.firing("b"), response=on_page())
        await on.turn()
        await on.deliver(workers.firing("c"), response=on_page())
        await on.turn()
        await on.deliver(workers.resolved("a"), response=on_page())
        await on.turn()
        await on.deliver(workers.resolved("b"), workers.resolved("c"), response=on_page())
        await on.turn()
        assert [(call.kind, call.content.fields["components"]) for call in page.calls] == [
            ("open", {"Checkout": "major"}),
            ("update", {"Checkout": "major", "Search": "major"}),
            ("update", {"Checkout": "operational", "Search": "major"}),
            ("resolve", {"Checkout": "operational", "Search": "major"}),
        ]

    workers.run(with_redis, play, vendor.place("page", page, public=True))


RULES = """
rules:
  - name: shop
    when: {labels.env: shop}
    open:
      - at: devhelm-page
        publish: auto
        title: The shop has problems
        message: Sorry.
        components_from: {labels.service: {pay: Checkout API, site: Web shop}}
"""


def test_devhelm_component_recovers_while_incident_is_open(tmp_path):
    with harness.vendors() as at, harness.router(tmp_path, harness.configure(tmp_path, at, rules=RULES)) as router:
        for service in ("pay", "site"):
            router.send_alert(dedup_key=service, severity="critical", labels={"env": "shop", "service": service})
        harness.eventually("both components are down", lambda: at.component("Web shop") == "MAJOR_OUTAGE")
        harness.eventually("both components are down", lambda: at.component("Checkout API") == "MAJOR_OUTAGE")
        router.send_alert(dedup_key="pay", status="resolved", labels={"env": "shop", "service": "pay"})
        harness.eventually("one is well", lambda: at.component("Checkout API") == "OPERATIONAL")
        assert at.component("Web shop") == "MAJOR_OUTAGE"
        assert at.incidents()["devhelm-page"] == ["open"]
        router.send_alert(dedup_key="site", status="resolved", labels={"env": "shop", "service": "site"})
        harness.eventually("the component is operational", lambda: at.component("Web shop") == "OPERATIONAL")
        assert at.incidents()["devhelm-page"] == ["resolved"]
