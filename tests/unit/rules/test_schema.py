"""The editor schema agrees with the loader: valid files validate, and structurally wrong ones don't."""

import json
import pathlib
import re

import jsonschema_rs
import pytest

from router.destinations import registry
from router.rules import destination_info, fields, intervals, model, parse_when, rule_parser, rule_tests, schema
from router.rules.conditions.registry import CONDITIONS
from router.yaml_source import documents
from tests.unit.rules import conftest

ROOT = pathlib.Path(__file__).parents[3]
CASES = ROOT / "tests" / "data" / "rules"
TEXT = (ROOT / "docs" / "reference" / "rules.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
CONFIGURED = documents.read(ROOT / "incident-router.yaml").data["destinations"] | {
    "pager": {"kind": "incident-io-alert"}
}
REAL = {
    name: destination_info.DestinationInfo(registry.KINDS[kind].opening, registry.KINDS[kind].public, kind)
    for name, kind in {name: config["kind"] for name, config in CONFIGURED.items()}.items()
}


def validator(destinations):
    made = schema.rule_file_schema(destinations)
    jsonschema_rs.meta.validate(made)
    return jsonschema_rs.Draft202012Validator(made)


TESTED = validator(conftest.DESTINATIONS)
SHOP = validator(REAL)


def list_problems(found, data):
    return [f"{'.'.join(map(str, error.instance_path))}: {error.message}" for error in found.iter_errors(data)]


@pytest.mark.parametrize("path", sorted((ROOT / "rules").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_rule_file_validates(path):
    assert list_problems(SHOP, documents.read(path).data) == []


@pytest.mark.parametrize("path", sorted(CASES.glob("*.good.yaml")), ids=lambda path: path.name)
def test_every_good_case_validates(path):
    assert list_problems(TESTED, documents.read(path).data) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("name: ")[-1].split("\n")[0])
def test_every_example_of_the_manual_validates(example):
    names = {"on-call": "incident-io", "public-page": "incident-io-status-page", "devhelm": "devhelm"}
    kinds = {**names, "devhelm-page": "devhelm-status-page"}
    destinations = {
        name: destination_info.DestinationInfo(registry.KINDS[kind].opening, registry.KINDS[kind].public, kind)
        for name, kind in kinds.items()
    }
    assert list_problems(validator(destinations), documents.parse(example.encode(), "x").data) == []


@pytest.mark.parametrize(
    "name", ["shape", "defaults", "ignore", "timing", "during", "severity", "gt", "exists", "open"]
)
def test_structurally_invalid_cases_do_not_validate(name):
    data = documents.read(CASES / f"{name}.bad.yaml").data
    assert data is not None
    if name == "gt":  # A schema can't require a number in a text, but it can reject a list.
        data["rules"][0]["when"] = {"labels.d": data["rules"][0]["when"]["labels.d"]}
    assert list_problems(TESTED, data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rule": []},
        {"rules": [{"name": "x", "when": {}}]},
        {"rules": [{"name": "x", "when": {}, "open": [], "ignore": "both"}]},
        {"rules": [{"name": "x", "when": {"label.a": "b"}, "open": []}]},
        {"rules": [{"name": "x", "when": {"labels.a": {"begins": "b"}}, "open": []}]},
        {"rules": [{"name": "x", "when": {"labels.a": {}}, "open": []}]},
        {"rules": [{"name": "x", "when": {"any": []}, "open": []}]},
        {"rules": [{"name": "x", "when": {}, "open": [{"at": "nowhere"}]}]},
        {"rules": [{"name": "x", "when": {}, "open": [{"at": "on-call", "nmae": "y"}]}]},
        {"rules": [{"name": "x", "when": {}, "open": [{"at": "page", "publish": "always"}]}]},
        {"rules": [{"name": "x", "when": {}, "open": [], "during": {"weekday": ["monday"]}}]},
        {"tests": [{"name": "t", "alerts": [{"lables": {}}]}]},
        {"tests": [{"name": "t", "alerts": [{}], "expect": {"severity": "bad"}}]},
        {"defaults": {"open": {"nowhere": {}}}},
        {"lists": {"a": "b"}},
        {"rules": [{"name": "a b", "when": {}, "open": []}]},
        {"rules": [{"name": "x", "when": {"labels.a b": "c"}, "open": []}]},
        {"rules": [{"name": "x", "when": {"any": [{}]}, "open": []}]},
        {"rules": [{"name": "x", "when": {}, "unless": {}, "open": []}]},
        {"rules": [{"name": "x", "when": {}, "group_by": ["service"], "open": []}]},
        {"rules": [{"name": "x", "when": {}, "severity": {"from": "x", "map": {"a": "minor"}}, "open": []}]},
        {"rules": [{"name": "x", "when": {}, "labels": {"a": {"from": "label.b"}}, "open": []}]},
        {"rules": [{"name": "x", "when": {}, "timing": {"open_after": 90}, "open": []}]},
        {"tests": [{"name": "t", "alerts": [{"at": "soon"}]}]},
    ],
)
def test_invalid_structure_does_not_validate(wrong):
    assert list_problems(TESTED, wrong)


RIGHT = """
defaults:
lists:
time_intervals:
rules:
  - name: x
    when: {labels.build: 7, labels.canary: true, labels.version: {matches: 5}}
    timing: {open_after: 0, resolve_after: 1h30m}
    group_by: [title, labels.service]
    during:
    open: []
tests:
  - name: 5
    until: 0
    alerts:
      - {at: 0, title: 5, severity: 1, labels: {build: 7, canary: true}}
"""


def test_everything_the_loader_accepts_validates():
    document = documents.parse(RIGHT.encode(), "right.yaml")
    reader = rule_parser.RuleFileParser(conftest.DESTINATIONS)
    assert len(reader.read(document)) == 1
    assert len(list(rule_tests.read(document, conftest.DESTINATIONS, reader.problems))) == 1
    assert reader.problems == []
    assert list_problems(TESTED, document.data) == []


@pytest.mark.parametrize("name", [*fields.PLAIN, *(f"{part}.a-b.c/d" for part in fields.NAMED)])
def test_loader_and_schema_accept_the_same_fields(name):
    assert fields.parse(name).name == name
    assert list_problems(TESTED, {"rules": [{"name": "x", "when": {name: "y"}, "group_by": [name], "open": []}]}) == []


def keys(part, path=""):
    """Return every key in the schema, with its own schema."""
    for index, inner in enumerate(part if isinstance(part, list) else ()):
        yield from keys(inner, f"{path}/{index}")
    for name, inner in part.items() if isinstance(part, dict) else ():
        if name in {"properties", "patternProperties"}:
            yield from ((f"{path}/{key}", one) for key, one in inner.items())
        yield from keys(inner, f"{path}/{name}")


def test_every_key_of_the_schema_has_a_description():
    offered = list(keys(schema.rule_file_schema(REAL)))
    assert len(offered) > 100
    assert [path for path, one in offered if not one.get("description")] == []


def test_every_condition_and_group_is_described():
    made = schema.rule_file_schema(conftest.DESTINATIONS)["$defs"]
    words = made["condition"]["anyOf"][2]["properties"]
    assert {word: inner["description"] for word, inner in words.items()} == {
        word: kind.summary for word, kind in CONDITIONS.items()
    }
    assert made["when"]["properties"].keys() >= parse_when.GROUPS.keys()


@pytest.mark.parametrize(
    "shape",
    [
        model.FileShape, model.FolderShape, model.RuleShape, model.DefaultsShape, model.OpenShape, model.MappedShape,
        model.CopiedShape, model.TimingShape, intervals.Shape, intervals.TimeShape, rule_tests.RuleTestShape,
        rule_tests.ScheduledAlert, rule_tests.OperatorAction, rule_tests.ExpectedResult, rule_tests.ExpectedOperation,
    ],
)  # fmt: skip
def test_every_field_of_the_shapes_has_a_description(shape):
    assert all(field.description for field in shape.model_fields.values())
    assert all(not field.description.endswith(".") for field in shape.model_fields.values())


def test_destination_has_its_own_optional_fields():
    (page,) = [
        entry
        for entry in schema.rule_file_schema(REAL)["$defs"]["rule"]["properties"]["open"]["items"]["anyOf"]
        if entry["properties"]["at"]["const"] == "public-page"
    ]
    assert {"at", "publish", "title", "message", "components"} <= page["properties"].keys()
    assert page["required"] == ["at"]


def test_schema_without_destinations_accepts_any_destination():
    made = validator({})
    assert list_problems(made, {"rules": [{"name": "x", "when": {}, "open": [{"at": "y", "z": 1}]}]}) == []


def test_schema_has_a_title_and_a_dialect():
    made = schema.rule_file_schema({})
    assert (made["title"], made["$schema"]) == (
        "incident-router rule file",
        "https://json-schema.org/draft/2020-12/schema",
    )


def test_all_references_in_the_schema_resolve():
    for destinations in (REAL, conftest.DESTINATIONS, {}):
        made = schema.rule_file_schema(destinations)
        wanted = set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(made)))
        assert wanted <= made["$defs"].keys()
