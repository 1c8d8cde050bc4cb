"""Every text field of a destination accepts a template, in the loader and in the schema."""

from typing import Any

import pytest

from router.rules import rule_parser
from router.yaml_source import documents
from tests.unit.destinations import accounts
from tests.unit.rules import test_schema

TEMPLATE = "{{ alert.labels.team }}"
LITERAL = {"components_from"}  # The value names fields and components.
NAMES = {kind: name for name, config in test_schema.CONFIGURED.items() for kind in [config["kind"]]}
CASES = [
    (kind, field)
    for kind, account in accounts.ACCOUNTS.items()
    for field in account.fields
    if field not in LITERAL and not test_schema.REAL[NAMES[kind]].opening.model_fields[field].is_required()
]


def add_templates(value: Any) -> Any:
    """Replace every text and Boolean in the value with a template."""
    if isinstance(value, dict):
        return {key: add_templates(inner) for key, inner in value.items()}
    return [add_templates(inner) for inner in value] if isinstance(value, list) else TEMPLATE


def read(kind: str, fields: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the problems from the loader and from the schema for a rule with these fields."""
    account = accounts.ACCOUNTS[kind]
    opening = test_schema.REAL[NAMES[kind]].opening.model_fields
    needed = {name: account.fields[name] for name in account.fields if opening[name].is_required()}
    public = {"alert.labels.team": {"values": ["a"]}}
    entry = {"at": NAMES[kind], **needed, **fields}
    rule = {"name": "r", "when": {"source": "x"}, "public": public, "open": [entry]}
    document = documents.Document("rules.yaml", data={"rules": [rule]})
    reader = rule_parser.RuleFileParser(test_schema.REAL)
    reader.read(document)
    return [problem.message for problem in reader.problems], test_schema.list_problems(test_schema.SHOP, document.data)


@pytest.mark.parametrize(("kind", "field"), CASES)
def test_text_fields_accept_a_template(kind, field):
    assert read(kind, {field: add_templates(accounts.ACCOUNTS[kind].fields[field])}) == ([], [])


@pytest.mark.parametrize(("kind", "field"), CASES)
def test_text_without_template_must_be_valid(kind, field):
    """Fields that accept any text have no invalid value."""
    value = accounts.ACCOUNTS[kind].fields[field]
    fits_anything = isinstance(value, str) and test_schema.REAL[NAMES[kind]].opening.model_fields[field].annotation in {
        str | None, str
    }  # fmt: skip
    if not fits_anything and field not in {"update_message", "resolve_message", "components"}:
        wrong = {"custom_field_entries": "none", "incident_role_assignments": "none"}.get(field, "no such thing")
        assert read(kind, {field: wrong})[0]
