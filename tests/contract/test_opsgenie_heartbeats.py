"""A heartbeat ping of an Opsgenie client is a heartbeat for the rule on the page."""

import json
import re

import router.destinations.registry
from router.bootstrap import public_pages
from router.dry_run import rule_test_runner, simulation
from router.rules import destination_info, load, rule_tests
from router.sources import registry
from router.yaml_source import documents
from tests.contract import test_sources_documentation

NAMES = {"on-call": "incident-io"}
DESTINATIONS = {
    name: destination_info.DestinationInfo(
        router.destinations.registry.KINDS[kind].opening, router.destinations.registry.KINDS[kind].public, kind
    )
    for name, kind in NAMES.items()
}


def read_documented_rule() -> bytes:
    """The rule on the page, with its test."""
    (text,) = re.findall(
        r"^```yaml\n(rules:.*?)^```$", test_sources_documentation.page("opsgenie-api"), re.MULTILINE | re.DOTALL
    )
    return text.encode()


def test_documented_rule_test_passes():
    document = documents.parse(read_documented_rule(), "r")
    ruleset = load.from_document(document, DESTINATIONS)
    places = {
        name: public_pages.ConfiguredPage(router.destinations.registry.KINDS[kind], "") for name, kind in NAMES.items()
    }
    problems = []
    (case,) = rule_tests.read(document, DESTINATIONS, problems)
    result = rule_test_runner.run(
        case, lambda now: simulation.Simulation(ruleset.decide, places, public_pages.render, now=now)
    )
    assert (problems, list(map(str, result.problems))) == ([], [])


def test_documented_rule_matches_a_ping():
    config = registry.KINDS["opsgenie-api"].config(auth="none", heartbeats=True)
    source = registry.build("opsgenie-clients", config).source
    ping = json.dumps({"body": None, "request": "GET /v2/heartbeats/nightly-backup/ping"}).encode()
    (alert,) = source.parse(ping, {}, 1_772_450_000_000_000).alerts
    decision = load.from_document(documents.parse(read_documented_rule(), "r"), DESTINATIONS).decide(
        alert, 1_772_450_000_000_000
    )
    assert decision.response is not None
    assert (decision.response.rule, decision.response.timing.heartbeat) == ("backup-is-missing", 25 * 3_600_000_000)
