"""Operations in rule tests carry the published component statuses."""

from router.bootstrap import public_pages
from router.destinations import registry
from router.dry_run import rule_test_runner, simulation
from router.rules import destination_info, load, rule_tests
from router.yaml_source import documents

FILE = """rules:
  - name: shop-down
    when: {labels.service: shop}
    severity: critical
    open:
      - at: page
        publish: auto
        title: Down
        message: Looking.
        components_from: {labels.part: {cart: Web shop}}
tests:
  - name: t
    alerts: [{labels: {service: shop, part: cart}}]
    expect: {operations: [{open: page, components: {Web shop: STATUS}}]}
"""
KIND = registry.KINDS["incident-io-status-page"]
PLACES = {"page": public_pages.ConfiguredPage(KIND, "", KIND.config(kind=KIND.name, api_key="key", page="Acme"))}
DESTINATIONS = {"page": destination_info.DestinationInfo(KIND.opening, public=True, kind=KIND.name)}


def run(status):
    document = documents.parse(FILE.replace("STATUS", status).encode(), "r.yaml")
    ruleset = load.from_document(document, DESTINATIONS)
    (case,) = rule_tests.read(document, DESTINATIONS, [])

    def make(now):
        return simulation.Simulation(
            ruleset.decide, PLACES, public_pages.render, preview=public_pages.make_preview(PLACES), now=now
        )

    return rule_test_runner.run(case, make)


def test_operation_shows_the_component_status_not_the_severity():
    assert run("major_outage").passed
    (problem,) = run("critical").problems
    assert "got {'Web shop': 'major_outage'}" in problem.message


def test_printed_operations_contain_the_component_statuses():
    result = run("major_outage")
    (line,) = rule_test_runner.format_calls(result.calls, result.started_at)
    assert '"Web shop": "major_outage"' in line


def test_reviewers_see_the_vendor_s_status_names():
    document = documents.parse(FILE.replace("publish: auto", "publish: review").encode(), "r.yaml")
    ruleset = load.from_document(document, DESTINATIONS)
    played = simulation.Simulation(
        ruleset.decide, PLACES, public_pages.render, preview=public_pages.make_preview(PLACES), now=1
    )
    (case,) = rule_tests.read(document, DESTINATIONS, [])
    played.arrive([rule_test_runner.alert(case.shape.alerts[0], 1, {})])
    (review,) = played.awaiting()
    assert (review.title, review.message, dict(review.components)) == ("Down", "Looking.", {"Web shop": "full outage"})
    assert review.fields["components"] == {"Web shop": "critical"}
