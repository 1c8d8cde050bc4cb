"""docs/reference/rules.md matches the program: its examples load, and its tables are complete."""

import pathlib
import re

import pytest

import router.destinations.registry
from router.bootstrap import public_pages
from router.domain import severities
from router.dry_run import rule_test_runner, simulation
from router.rules import destination_info, fields, load, model, parse_when, rule_tests, severity_aliases, templates
from router.rules.conditions import registry
from router.yaml_source import documents

TEXT = (pathlib.Path(__file__).parents[3] / "docs" / "reference" / "rules.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
NAMES = {
    "on-call": "incident-io",
    "public-page": "incident-io-status-page",
    "devhelm": "devhelm",
    "devhelm-page": "devhelm-status-page",
}
DESTINATIONS = {
    name: destination_info.DestinationInfo(
        router.destinations.registry.KINDS[kind].opening,
        router.destinations.registry.KINDS[kind].public,
        kind,
        monitoring=router.destinations.registry.KINDS[kind].monitoring,
        retrospective=router.destinations.registry.KINDS[kind].retrospective,
    )
    for name, kind in NAMES.items()
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("name: ")[-1].split("\n")[0])
def test_every_example_loads(example, folder):
    assert load.load(folder(example=example), DESTINATIONS).rules


@pytest.mark.parametrize("example", [text for text in EXAMPLES if "tests:" in text])
def test_every_documented_rule_test_passes(example):
    ruleset = load.from_document(documents.parse(example.encode(), "r"), DESTINATIONS)
    follows = {"devhelm-page": "devhelm"}
    places = {
        name: public_pages.ConfiguredPage(router.destinations.registry.KINDS[kind], follows.get(name, ""))
        for name, kind in NAMES.items()
    }
    found = []
    for case in rule_tests.read(documents.parse(example.encode(), "r"), DESTINATIONS, found):
        result = rule_test_runner.run(
            case, lambda now: simulation.Simulation(ruleset.decide, places, public_pages.render, now=now)
        )
        assert result.passed, "\n".join(map(str, result.problems))
    assert found == []


@pytest.mark.parametrize(
    "shape", [rule_tests.RuleTestShape, rule_tests.OperatorAction, rule_tests.ExpectedResult, rule_tests.Notification]
)
def test_every_test_key_is_documented(shape):
    for name, field in shape.model_fields.items():
        assert f"| `{field.alias or name}` | {field.description} |" in TEXT


def test_every_rule_key_has_an_example():
    for name, field in model.RuleShape.model_fields.items():
        key = field.alias or name
        assert any(f"{key}:" in example for example in EXAMPLES), key
        assert f"`{key}`" in TEXT, key


def test_every_file_and_defaults_key_has_an_example():
    for key in [
        *model.FileShape.model_fields,
        *model.DefaultsShape.model_fields,
        *model.TimingShape.model_fields,
        *model.InhibitShape.model_fields,
    ]:
        assert any(f"{key}:" in example for example in EXAMPLES), key
        assert f"`{key}`" in TEXT, key


def test_every_group_is_documented():
    for word, meaning in parse_when.GROUPS.items():
        assert f"| `{word}` | {meaning} |" in TEXT


def test_every_condition_is_documented():
    for name, kind in registry.CONDITIONS.items():
        assert f"| `{name}` | {kind.summary} |" in TEXT


def test_every_variable_is_documented():
    for root, inner in templates.NAMES.items():
        for part, meaning in inner.items():
            assert f"| `{root}.{part}` | {meaning} |" in TEXT


def test_every_field_is_documented():
    for name in ("title", "source", "severity", "labels.<name>", "annotations.<name>"):
        assert f"`{name}`" in TEXT
    assert fields.parse("labels.x").part == "labels"


def test_every_severity_alias_is_documented():
    for severity in severities.Severity:
        own = sorted(word for word, meant in severity_aliases.WORDS.items() if meant is severity)
        assert f"| `{severity.word}` | {', '.join(own)} |" in TEXT


def test_documented_error_message_is_correct(folder):
    shown = re.search(r"^```text\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL).group(1)
    wrong = (
        "rules:\n  - name: checkout-down\n    when: {labels.service: checkout}\n    sevrity: critical\n    open: []\n"
    )
    with pytest.raises(load.RulesRefused) as refused:
        load.load(folder(**{"20-checkout": wrong}), DESTINATIONS)
    (problem,) = refused.value.problems
    assert str(problem).replace(problem.file, "rules/20-checkout.yaml") == shown.rstrip("\n")


def test_documented_filters_exist():
    (match,) = re.findall(r"The filters are those of Liquid: (.*?) and others", TEXT, re.DOTALL)
    matches = re.findall(r"`(\w+)`", match)
    assert len(matches) > 10
    for name in matches:
        assert not any("unknown filter" in said for said in templates.problems(f"{{{{ alert.title | {name} }}}}")), name
