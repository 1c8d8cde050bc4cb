"""Runs the tests of rules: loads their folder, reads their tests, and creates simulations to run them in."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from router import configuration
from router.bootstrap import factories, notification_delivery, public_pages
from router.domain import subscriptions
from router.domain.times import Timestamp
from router.dry_run import rule_test_runner, simulation
from router.rules import load, rule_tests, ruleset
from router.yaml_source import problems


@dataclass(frozen=True)
class Suite:
    """The tests of a rule folder, and the rules that they are run against."""

    folder: Path
    tests: list[rule_tests.RuleTest]
    rules: ruleset.RuleSet
    places: dict[str, public_pages.ConfiguredPage]
    hosts: tuple[str, ...] = ()
    subscribed: subscriptions.Subscriptions = field(default_factory=subscriptions.Subscriptions)

    def run(self, case: rule_tests.RuleTest) -> rule_test_runner.Result:
        """Run one test."""
        return rule_test_runner.run(case, self.world)

    def world(self, now: Timestamp) -> simulation.Simulation:
        """Return an empty simulation with these rules."""
        return simulation.Simulation(
            self.rules.decide,
            self.places,
            public_pages.render,
            render_public=public_pages.make_public_renderer(self.hosts),
            examine=public_pages.make_examiner(self.hosts),
            preview=public_pages.make_preview(self.places),
            now=now,
            subscribed=self.subscribed,
        )


def suite(settings: configuration.Settings, folder: Path | None = None) -> Suite:
    """Load rules and tests. Raises ``load.RulesRefused`` if any of them is invalid."""
    path = folder or settings.rules
    rule_set = factories.load_rules(settings, path)
    all_problems: list[problems.LocatedProblem] = []
    read = list(_read(settings, path, all_problems))
    # All problems of all files are reported together, so the author fixes them in one pass.
    if all_problems:
        raise load.RulesRefused(all_problems)
    places, subscribed = public_pages.configured_pages(settings), notification_delivery.make_subscriptions(settings)
    return Suite(path, read, rule_set, places, settings.pages.allowed_hosts, subscribed)


def _read(
    settings: configuration.Settings, folder: Path, all_problems: list[problems.LocatedProblem]
) -> Iterator[rule_tests.RuleTest]:
    configured = factories.known_destinations(settings)
    for document in load.files(folder, all_problems):
        yield from rule_tests.read(document, configured, all_problems)
