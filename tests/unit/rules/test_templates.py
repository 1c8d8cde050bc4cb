import re

import hypothesis
import pytest
from hypothesis import strategies as st

from router.domain import alerts, decisions, severities
from router.rules import templates

ALERT = alerts.Alert(
    source="am",
    fingerprint="f",
    status="firing",
    starts_at=1,
    ends_at=0,
    title="5xx",
    labels={"service": "checkout", "a.b": "dotted"},
    annotations={"summary": "many errors"},
    severity="page",
    link="http://prometheus/graph",
)
RESPONSE = decisions.Response(
    "checkout-down", "f:1", "v", labels={"team": "shop", "a.b": "set"},
    copied={"copy": "labels.service", "none": "labels.no"}, owner="team-shop", runbook="https://wiki/shop",
)  # fmt: skip
CONTEXT = templates.context(
    ALERT,
    RESPONSE,
    key="rule{x}",
    severity=severities.Severity.MAJOR,
    reference="IR-7F3K2QXM",
    opened_at=1_935_480_600_000_000,
)


def render_text(text):
    return templates.render({"text": text}, CONTEXT)["text"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ alert.title }}", "5xx"),
        ("{{ alert.source }} {{ alert.severity }} {{ alert.link }}", "am page http://prometheus/graph"),
        ("{{ alert.labels.service }}: {{ alert.annotations.summary }}", "checkout: many errors"),
        ("{{ alert.labels['a.b'] }}", "set"),
        ("{{ alert.labels.team }}, {{ alert.labels.copy }}{{ alert.labels.none }}", "shop, checkout"),
        ("{{ rule.name }} {{ rule.owner }} {{ rule.runbook }}", "checkout-down team-shop https://wiki/shop"),
        ("{{ incident.key }} {{ incident.severity }} {{ incident.reference }}", "rule{x} major IR-7F3K2QXM"),
        ("{{ incident.opened_at }}", "2031-05-02T09:30:00Z"),
        ("{{ alert.starts_at }}", "1970-01-01T00:00:00Z"),
        ("{{ incident.opened_at | date: '%H:%M' }}", "09:30"),
        ("{{ alert.labels.missing | default: alert.title | upcase }}", "5XX"),
        ("{% if alert.labels.service == 'checkout' %}yes{% else %}no{% endif %}", "yes"),
        (
            "{% for label in alert.labels %}{{ label[0] }}={{ label[1] }};{% endfor %}",
            "service=checkout;a.b=set;team=shop;copy=checkout;",
        ),
        ("{% assign x = alert.title %}{{ x }}", "5xx"),
        ("no variables at all", "no variables at all"),
        ("{% raw %}{{ literal }}{% endraw %}", "{{ literal }}"),
    ],
)
def test_templates_are_rendered(text, result):
    assert templates.problems(text) == ()
    assert render_text(text) == result


def test_every_variable_is_accepted_in_templates():
    for root, parts in templates.NAMES.items():
        assert set(CONTEXT[root]) == set(parts)
        for part in parts:
            assert (
                templates.problems(f"{{{{ {root}.{part}{'.x' if part in {'labels', 'annotations'} else ''} }}}}") == ()
            )


def test_missing_label_renders_as_empty_text():
    assert render_text("in {{ alert.labels.region }}{{ alert.annotations.nothing.at.all }}!") == "in !"


def test_nested_templates_are_rendered():
    fields = {"a": [{"b": "{{ alert.title }}"}, 5], "c": True, "d": None, "e": ("{{ alert.source }}",), "f": "x"}
    assert templates.render(fields, CONTEXT) == {"a": [{"b": "5xx"}, 5], "c": True, "d": None, "e": ["am"], "f": "x"}
    assert fields["a"][0]["b"] == "{{ alert.title }}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ alert.titel }}", 'unknown name "alert.titel" in a template; did you mean "alert.title"?'),
        ("{{ alerts.title }}", 'unknown name "alerts.title" in a template; did you mean "alert"?'),
        ("{{ now }}", 'unknown name "now" in a template; valid here: alert, incident'),
        ("{{ alert }}", '"alert" is not a text; use one of its parts:'),
        ("{{ alert.title.size }}", '"alert.title" is a text and has no parts'),
        ("{{ alert.labels.a.b }}", "a name with dots is written alert.labels['a.b']"),
        ("{{ alert[alert.title] }}", 'unknown name "alert.[…]"'),
        ("{% if alert.nothing %}x{% endif %}", 'unknown name "alert.nothing"'),
        ("{{ alert.title | upcas }}", 'unknown filter "upcas"; did you mean "upcase"?'),
        ("{{ alert.title", "the template is broken: expected '}}', found end of file"),
        ("{% if alert.title %}x", "the template is broken: "),
        ("{% include 'x' %}", "the template is broken: unexpected tag 'include'"),
        ("{% render 'x' %}", "the template is broken: unexpected tag 'render'"),
        ("{{ alert.title | divided_by: 0 }}", "the template fails for an alert without labels: "),
        ("{% for n in (1..10000000) %}x{% endfor %}", "the template fails for an alert without labels: loop"),
    ],
)
def test_template_error_is_reported_on_load(text, problem):
    assert any(told.startswith(problem) for told in templates.problems(text)), templates.problems(text)


def test_all_template_errors_are_reported_together():
    assert len(templates.problems("{{ a }}{{ b.c }}{{ alert.title | d | e }}")) == 4


def test_text_that_fails_for_alert_becomes_its_title():
    assert templates.problems("{{ 6 | divided_by: alert.labels.n }}") != ()
    assert render_text("{% if alert.labels.service %}{{ 6 | divided_by: 0 }}{% endif %}") == "5xx"


def test_template_cannot_read_the_current_time():
    assert render_text("{{ 'now' | date: '%Y' }}{{ 'today' | date: '%Y' }}") == "nowtoday"
    assert render_text("{{ '10:00' | date: '%Y' }}") == "10:00"


@pytest.mark.parametrize("text", ["{{ alert.title.__class__ }}", "{{ alert.labels.__class__.__mro__ }}"])
def test_template_cannot_access_python_attributes(text):
    assert render_text(text) == ""


def test_alert_without_title_is_named_by_incident_key():
    nameless = alerts.Alert("am", "f", "firing", 1, 0)
    context = templates.context(
        nameless, RESPONSE, key="the-key", severity=severities.Severity.INFO, reference="IR-1", opened_at=0
    )
    assert templates.render({"name": "{{ alert.title }}"}, context) == {"name": "the-key"}


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(
    text=st.text(max_size=30),
    name=st.sampled_from(sorted(templates._ENVIRONMENT.filters)),
    argument=st.sampled_from(["", ": 'x'", ": 5", ": alert.labels", ": alert.title, 2"]),
)
def test_failing_filter_does_not_prevent_rendering(text, name, argument):
    odd = alerts.Alert("am", "f", "firing", 1, 0, title="title", labels={"x": text})
    context = templates.context(odd, RESPONSE, key="k", severity=severities.Severity.INFO, reference="", opened_at=0)
    for given in ("alert.labels.x", "alert.labels", "alert.labels.none"):
        assert isinstance(templates.render({"t": f"{{{{ {given} | {name}{argument} }}}}"}, context)["t"], str)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("alert.title", ("alert", "title")),
        ("alert.labels.region", ("alert", "labels", "region")),
        ("alert.labels['a.b']", ("alert", "labels", "a.b")),
        ("incident.reference", ("incident", "reference")),
    ],
)
def test_variable_name_is_parsed_as_in_templates(name, way):
    assert templates.variable(name) == way
    assert templates.variables(f"x {{{{ {name} | upcase }}}} y") == (way,)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("labels.region", 'did you mean "alert.labels.region"?'),
        ("alert.titel", 'did you mean "alert.title"?'),
        ("alert.labels", "name each: alert.labels.region"),
        ("alert", "is not a text"),
        ("alert.title | upcase", "not the name of a variable"),
        ("}} {{", "not the name of a variable"),
        ("", "not the name of a variable"),
    ],
)
def test_invalid_variable_is_refused_with_advice(name, said):
    with pytest.raises(templates.UnknownVariable, match=re.escape(said)):
        templates.variable(name)


def test_every_variable_of_a_text_is_found():
    text = "{% if alert.labels.x %}{{ alert.title | append: alert.link }}{% endif %}{{ alert.labels[alert.source] }}"
    assert set(templates.variables(text)) == {
        ("alert", "labels", "x"), ("alert", "title"), ("alert", "link"), ("alert", "labels", "[…]"),
        ("alert", "source"),
    }  # fmt: skip
    assert templates.variables("no variable { here }") == ()
    assert templates.variables("{{ alert.title | }} {% if %}") == ()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain", ["plain"]),
        ("In {{ alert.title }}: {% if x %}yes{% endif %}", ["In ", ": ", "yes", ""]),
        ("{{ a", ["{{ a"]),
        ("{{{{", ["{{{{"]),
    ],
)
def test_literal_parts_lie_between_variables_and_tags(text, parts):
    assert templates.literals(text) == parts
