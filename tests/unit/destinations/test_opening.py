"""Reading a rule's fields: defaults are merged, all problems are reported, and no secret is disclosed."""

import pydantic
import pytest

from router.destinations import registry, rule_fields
from router.outbound import errors

REQUIRED = {
    "incident-io": {"name": "Checkout is down"},
    "incident-io-alert": {"title": "Checkout is down"},
    "incident-io-status-page": {"title": "Checkout is down", "message": "We are looking."},
    "devhelm": {"title": "Checkout is down"},
    "devhelm-status-page": {"title": "Checkout is down", "message": "We are looking."},
}
each_kind = pytest.mark.parametrize("kind", registry.KINDS.values(), ids=list(registry.KINDS))


NEEDED = {"incident-io-alert": {"alert_source": "01GW2G3V0S59R238FAHPDS1R66"}}


def make_config(kind, **settings):
    return kind.config(kind=kind.name, api_key="sk-very-secret", **NEEDED.get(kind.name, {}), **settings)


def list_problems(shape, config, fields):
    try:
        rule_fields.parse(shape, config, fields)
    except pydantic.ValidationError as problem:
        return rule_fields._list_problems(problem)
    return []


@each_kind
def test_required_field_may_come_from_the_defaults(kind):
    required = REQUIRED[kind.name]
    assert list_problems(kind.opening, make_config(kind), required) == []
    assert list_problems(kind.opening, make_config(kind, defaults=required), {}) == []
    assert {field for field, _ in list_problems(kind.opening, make_config(kind), {})} == set(required)


@each_kind
def test_rule_overrides_the_defaults(kind):
    required = REQUIRED[kind.name]
    first = next(iter(required))
    read = rule_fields.parse(kind.opening, make_config(kind, defaults=required), {first: "From the rule"})
    assert getattr(read, first) == "From the rule"


@each_kind
def test_unknown_field_is_a_problem(kind):
    problems = list_problems(kind.opening, make_config(kind), {**REQUIRED[kind.name], "titel": "x"})
    assert [field for field, _ in problems] == ["titel"]


@each_kind
def test_defaults_are_checked_when_the_configuration_is_loaded(kind):
    with pytest.raises(pydantic.ValidationError, match=r"defaults\.titel"):
        make_config(kind, defaults={"titel": "x"})


@each_kind
def test_invalid_configuration_does_not_reveal_its_key(kind):
    with pytest.raises(pydantic.ValidationError) as caught:
        kind.config(api_key="sk-very", **NEEDED.get(kind.name, {}), defaults={"x": 1})
    assert "sk-very" not in str(caught.value)
    assert "sk-very-secret" not in repr(make_config(kind))


@each_kind
@pytest.mark.parametrize("url", ["ftp://api.test", "api.test", "http://", "http://api.test:port"])
def test_invalid_base_url_is_refused(kind, url):
    with pytest.raises(pydantic.ValidationError, match="base_url"):
        make_config(kind, base_url=url)


@each_kind
def test_undecodable_operation_is_permanent_and_names_its_field(kind, operation):
    with pytest.raises(errors.Permanent, match="there: titel") as caught:
        rule_fields.parse_current(
            kind.opening, make_config(kind), operation("open", {**REQUIRED[kind.name], "titel": "x"})
        )
    assert caught.value.field == "titel"


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("incident-io", "visibility", "secret"),
        ("incident-io", "mode", "tutorial"),
        ("incident-io", "status", "paused"),
        ("incident-io", "incident_role_assignments", [{"incident_role_id": "r", "assignee": {"email": "ada"}}]),
        ("incident-io", "custom_field_entries", [{"custom_field_id": "", "values": []}]),
        ("incident-io", "custom_field_entries", [{"custom_field_id": "two words", "values": []}]),
        ("incident-io", "custom_field_entries", [{"custom_field_id": "f", "values": [{}]}]),
        (
            "incident-io",
            "custom_field_entries",
            [{"custom_field_id": "f", "values": [{"value_text": "a", "value_link": "https://a"}]}],
        ),
        ("incident-io", "custom_field_entries", [{"custom_field_id": "f", "values": [{"value_numeric": "many"}]}]),
        ("incident-io", "custom_field_entries", [{"custom_field_id": "f", "values": [{"value_link": "a"}]}]),
        ("incident-io", "custom_field_entries", [{"custom_field_id": "f", "values": [{"value_timestamp": "now"}]}]),
        ("incident-io", "incident_role_assignments", [{"incident_role_id": "r", "assignee": {}}]),
        ("incident-io", "custom_field_entries", [{"values": []}]),
        ("incident-io", "escalation", {"path": "Primary", "at_least": "P1"}),
        ("incident-io", "escalation", {"users": ["Ada Lovelace"]}),
        ("incident-io-alert", "title", "x" * 501),
        ("incident-io-alert", "source_url", "grafana"),
        ("incident-io-status-page", "title", "x" * 201),
        ("incident-io-status-page", "message", "x" * 4097),
        ("incident-io-status-page", "message", ""),
        ("incident-io-status-page", "status", "resolved"),
        ("incident-io-status-page", "update_status", "resolved"),
        ("incident-io-status-page", "components", {"API": "full_outage"}),
        ("incident-io-status-page", "components", {"API": "under_maintenance"}),
        ("devhelm", "severity", "CRITICAL"),
        ("devhelm", "monitor_id", "42"),
        ("devhelm", "update_status", "RESOLVED"),
        ("devhelm-status-page", "title", "x" * 501),
        ("devhelm-status-page", "impact", "major"),
        ("devhelm-status-page", "status", "RESOLVED"),
        ("devhelm-status-page", "postmortem_url", "ftp://x"),
        ("devhelm-status-page", "postmortem_url", "https://" + "x" * 2048),
        ("devhelm-status-page", "components", 3),
    ],
)
def test_invalid_value_is_found_before_any_call(kind, field, value):
    kind = registry.KINDS[kind]
    problems = list_problems(kind.opening, make_config(kind), {**REQUIRED[kind.name], field: value})
    assert [name.partition(".")[0] for name, _ in problems] == [field]


def test_problem_has_the_path_in_the_rule_file():
    kind = registry.KINDS["devhelm-status-page"]
    fields = {**REQUIRED[kind.name], "components": {"API": "broken"}}
    assert [field for field, _ in list_problems(kind.opening, make_config(kind), fields)] == ["components.API"]


@each_kind
def test_severity_mapping_may_be_partial(kind):
    mappings = {"severities": "X", "impacts": "NONE", "component_statuses": "operational"}
    if kind.name == "devhelm":
        mappings["severities"] = "DEGRADED"
    for name in mappings.keys() & kind.config.model_fields.keys():
        filled = getattr(make_config(kind, **{name: {"major": mappings[name]}}), name)
        assert filled["major"] == mappings[name]
        assert set(filled) == {"critical", "major", "minor", "info"}
        with pytest.raises(pydantic.ValidationError):
            make_config(kind, **{name: {"terrible": mappings[name]}})


ENTRY = {"custom_field_id": "f", "values": [{"value_option_id": "o"}]}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("devhelm", {"monitor_id": ""}),
        ("devhelm", {"monitor_id": "checkout-42"}),
        ("devhelm", {"severity": "BAD"}),
        ("devhelm", {"notify": "perhaps"}),
        ("devhelm-status-page", {"impact": ""}),
        ("devhelm-status-page", {"page": " "}),
        ("devhelm-status-page", {"postmortem_url": "see the wiki"}),
        ("incident-io", {"incident_type": ""}),
        ("incident-io", {"slack_team_id": ""}),
        ("incident-io", {"status": ""}),
        ("incident-io", {"visibility": "secret"}),
        ("incident-io", {"custom_field_entries": [{"custom_field_id": "f", "values": [{"value_option_id": ""}]}]}),
        ("incident-io", {"custom_field_entries": [{"custom_field_id": "f", "values": [{"value_option_id": " "}]}]}),
        ("incident-io", {"custom_field_entries": [{"custom_field_id": "", "values": [{"value_text": "x"}]}]}),
        ("incident-io", {"custom_field_entries": [{"custom_field_id": "f", "values": [{"value_numeric": "many"}]}]}),
        ("incident-io", {"incident_role_assignments": [{"incident_role_id": "r", "assignee": {"email": ""}}]}),
        ("incident-io", {"incident_role_assignments": [{"incident_role_id": "", "assignee": {"email": "a@b"}}]}),
        ("incident-io", {"incident_role_assignments": [{"incident_role_id": "r", "assignee": {"email": "nobody"}}]}),
        ("incident-io-status-page", {"update_status": ""}),
        ("incident-io-status-page", {"page": ""}),
    ],
)
def test_invalid_rendered_value_is_omitted_and_reported(kind, fields, operation):
    kind, (name,) = registry.KINDS[kind], fields
    read, omitted = rule_fields.parse_fitted(
        kind.opening, make_config(kind), operation("open", {**REQUIRED[kind.name], **fields})
    )
    assert getattr(read, name) == kind.opening.model_fields[name].get_default(call_default_factory=True)
    assert [(one.field, one.code) for one in omitted] == [(name, "left_out")]


def test_invalid_entry_does_not_affect_the_others(operation):
    kind = registry.KINDS["incident-io"]
    bad = {"custom_field_id": "f", "values": [{"value_numeric": "many"}]}
    entries = [{**ENTRY, "custom_field_id": str(at)} for at in range(12)]
    for at in (2, 9, 11):
        entries[at] = bad
    fields = {**REQUIRED[kind.name], "custom_field_entries": entries}
    read, omitted = rule_fields.parse_fitted(kind.opening, make_config(kind), operation("open", fields))
    kept = [entry.custom_field_id for entry in read.custom_field_entries]
    assert kept == ["0", "1", "3", "4", "5", "6", "7", "8", "10"]
    assert len(omitted) == 3


@pytest.mark.parametrize(
    ("components", "kept"),
    [
        (["API", "", "Web"], ("API", "Web")),
        ({"API": "major_outage", "Web": "", "Search": "broken"}, {"API": "major_outage"}),
    ],
)
def test_only_components_without_name_or_status_are_omitted(components, kept, operation):
    kind = registry.KINDS["devhelm-status-page"]
    fields = {**REQUIRED[kind.name], "components": components}
    read, omitted = rule_fields.parse_fitted(kind.opening, make_config(kind), operation("open", fields))
    assert read.components == kept
    assert {one.field for one in omitted} == {"components"}


def test_previously_sent_fields_are_read_as_sent(operation):
    kind = registry.KINDS["devhelm"]
    sent = operation("open", {**REQUIRED[kind.name], "monitor_id": "checkout-42"}).content
    update = operation("update", REQUIRED[kind.name], before=sent)
    before = rule_fields.parse_previous(kind.opening, make_config(kind), update)
    assert (before.title, before.monitor_id) == ("Checkout is down", None)


@pytest.mark.parametrize("text", ["{{ alert.labels.team }}", "{% if alert.title %}x{% endif %}"])
@each_kind
def test_template_in_configuration_defaults_is_refused(kind, text):
    name = next(iter(REQUIRED[kind.name]))
    with pytest.raises(pydantic.ValidationError, match=rf"defaults\.{name}: no template is rendered here"):
        make_config(kind, defaults={name: text})
