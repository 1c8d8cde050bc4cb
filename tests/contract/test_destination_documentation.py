"""Every kind of destination has a page with every setting, and the page's examples work."""

import re
from pathlib import Path

import pytest
from ruamel import yaml

from router.destinations import registry, rule_fields, severity_mapping
from router.domain import severities

PAGES = Path(__file__).parent.parent.parent / "docs" / "how-to" / "destinations"
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The keys of a rule in addition to the destination's own fields.
OF_RULES = {"at", "publish", "resolve", "retrospective"}
each_kind = pytest.mark.parametrize("kind", registry.KINDS)


def page(kind):
    return (PAGES / f"{kind}.md").read_text()


def load_blocks(kind):
    return [yaml.YAML(typ="safe").load(text) for text in BLOCK.findall(page(kind))]


# The settings that a kind requires in addition to the key.
NEEDED = {"incident-io-alert": {"alert_source": "01GW2G3V0S59R238FAHPDS1R66"}}


def list_configured(kind):
    found = {}
    for block in load_blocks(kind):
        for name, settings in block.get("destinations", {}).items():
            model = registry.KINDS[settings["kind"]].config
            keys = dict.fromkeys({"api_key", "account_key"} & settings.keys(), "key")
            found[name] = model(**{**settings, **keys})
    return found


@each_kind
def test_documented_settings_are_accepted(kind):
    assert kind in {config.kind for config in list_configured(kind).values()}


@each_kind
def test_documented_rules_are_valid_for_documented_settings(kind):
    known = list_configured(kind)
    entries = [entry for block in load_blocks(kind) for entry in block.get("open", ())]
    assert kind in {known[entry["at"]].kind for entry in entries}
    for entry in entries:
        fields = {name: value for name, value in entry.items() if name not in OF_RULES}
        config = known[entry["at"]]
        rule_fields.parse(registry.KINDS[config.kind].opening, config, fields)


@each_kind
def test_page_documents_every_setting_and_field(kind):
    names = {*registry.KINDS[kind].config.model_fields, *registry.KINDS[kind].opening.model_fields} - {"kind"}
    assert [name for name in sorted(names) if f"`{name}`" not in page(kind)] == []


@each_kind
def test_page_documents_only_existing_settings(kind):
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", page(kind), re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    names = {*registry.KINDS[kind].config.model_fields, *registry.KINDS[kind].opening.model_fields}
    assert documented <= names


@each_kind
def test_documented_defaults_match_the_code(kind):
    """The mappings on the page equal the defaults."""
    (pasted,) = [config for config in list_configured(kind).values() if config.kind == kind]
    plain = registry.KINDS[kind].config(api_key="key", **NEEDED.get(kind, {}))
    for name in ("severities", "impacts", "component_statuses"):
        if name in registry.KINDS[kind].config.model_fields:
            assert getattr(pasted, name) == getattr(plain, name)
            assert {severity_mapping.map_severity(getattr(plain, name), one) for one in severities.Severity}
    for name in ("update_message", "resolve_message"):
        text = getattr(plain, name, "")
        assert not text or f"*{text}*" in page(kind)


@each_kind
def test_registry_knows_public_and_drafting_kinds(kind):
    entry = registry.KINDS[kind]
    assert entry.name == kind
    assert entry.public == kind.endswith("status-page")
    assert entry.adopts == (kind == "devhelm-status-page")
    assert entry.config(api_key="key", **NEEDED.get(kind, {})).kind == kind
