"""Checks a rule folder before a change is deployed: errors, and lint warnings."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from router.rules import destination_info, lint, lint_public_texts, lint_warnings, load, rule_tests, ruleset
from router.yaml_source import documents, problems


@dataclass(frozen=True)
class CheckReport:
    """The problems in the order of files and lines. ``rules`` is None if the rules can't be used."""

    problems: list[problems.LocatedProblem]
    files: int
    tests: int
    rules: ruleset.RuleSet | None

    def count(self, level: str) -> int:
        """Return the number of errors or warnings."""
        return sum(problem.level == level for problem in self.problems)


def check_folder(
    folder: Path, destinations: destination_info.Destinations, world: lint_warnings.LintContext = lint_warnings.NOTHING
) -> CheckReport:
    """Check the rules and their tests. Return warnings only if the rules can be used."""
    all_problems: list[problems.LocatedProblem] = []
    rules = None
    try:
        rules = load.load(folder, destinations)
    except load.RulesRefused as refused:
        all_problems += refused.problems
    # Loading keeps no documents, and the tests of refused rules are checked, too. So the files are read again.
    read = load.files(folder, [])
    tests = sum(1 for document in read for _ in rule_tests.read(document, destinations, all_problems))
    if rules is not None:
        all_problems += warnings_of(lint.lint(rules.rules, world), read)
        all_problems += warnings_of(lint_public_texts.lint_public_texts(rules.rules, destinations), read)
    return CheckReport(sorted(all_problems, key=lambda problem: problem.order), len(read), tests, rules)


def warnings_of(
    warnings: Iterable[lint_warnings.LintWarning], read: Iterable[documents.Document]
) -> list[problems.LocatedProblem]:
    """Convert lint warnings into problems with positions in the files."""
    # Rules don't know their position in a file, and warnings must point to lines.
    places = {
        data["name"]: (document, ("rules", index))
        for document in read
        for index, data in enumerate((document.data or {}).get("rules") or ())
    }
    converted = []
    for warning in warnings:
        document, at = places[warning.rule.name]
        problem = document.problem(f'rule "{warning.rule.name}": {warning.message}', (*at, *warning.path))
        converted.append(dataclasses.replace(problem, level="warning"))
    return converted
