"""Customers read only text that a rule declares public, whatever alerts carry and rule authors write."""

import pathlib

import msgspec
import pytest

from router.bootstrap import public_pages
from router.destinations import base
from router.domain import alerts, decisions, incidents, plan, publications, severities, steps
from router.rules import leak_guard, public_texts, templates
from router.worker import configured_destinations, desired_state
from tests.unit.rules import hostile

NOW = 1_700_000_000_000_000
EACH_KIND = 80
ORDINARY = (pathlib.Path(__file__).parent / "ordinary.txt").read_text().splitlines()
KIND = base.Kind("test", base.Config, base.Opening, public=True, adopts=False, connect=None, make=None)
PAGE = configured_destinations.ConfiguredDestination("page", KIND, None, "")
DECLARED = {
    "alert.labels.listed": decisions.Allowed(("Europe", "Asia", "db.internal is fine here")),
    "alert.labels.region": decisions.Allowed(pattern="^[a-z]{2}-[a-z]+-[0-9]$"),
    "alert.labels.version": decisions.Allowed(pattern=r"^v?[0-9]{1,3}(\.[0-9]{1,3}){0,2}$"),
    "alert.labels.plan": decisions.Allowed(pattern="^(Gold|Silver|Bronze) plan( [0-9]{1,2})?$"),
    "alert.annotations.zone": decisions.Allowed(pattern="^(eu|us|ap)-[a-z]+( [A-Z]{1,2})?$"),
}
LITERAL = "Down: "


def opened(value: str, name: str = "", **more) -> tuple[decisions.Target, incidents.Incident]:
    _, part, key = (name or "alert.labels.listed").split(".")
    variable = name or "alert.labels.listed"
    fields = {"title": f"{LITERAL}{{{{ {variable} }}}}", "message": "Sorry."}
    target = decisions.Target("page", fields, "auto", public=DECLARED, **more)
    first = alerts.Alert("am", "a", "firing", 1, 0, title="t", **{part: {key: value}})
    response = decisions.Response("r", "f:1", "v", (target,))
    return target, incidents.Incident(
        key="k", status="open", episode="e1", severity=severities.Severity.MAJOR, opened_at=NOW,
        response=response, opening_alert=first,
    )  # fmt: skip


def render_post(target: decisions.Target, incident: incidents.Incident) -> dict | None:
    """Return the fields that the worker would publish automatically now, or None."""
    incident = msgspec.structs.replace(incident, response=msgspec.structs.replace(incident.response, targets=(target,)))
    desires = desired_state.DesiredStateBuilder(public_pages.render, public_pages.make_public_renderer(["acme.com"]))
    publication = publications.Publication("e1", "page", opened_at=NOW)
    desired = desires.build(incident, publication, [], PAGE)
    step = plan.plan(desired, publication, now=NOW)
    return desired.content.fields if isinstance(step, steps.Execute) else None


def test_none_of_12000_hostile_values_reaches_the_page():
    assert len(hostile.KINDS) >= 120
    values = list(hostile.generate_corpus(-(-12_000 // len(hostile.KINDS))))
    assert len(values) >= 12_000
    leaks = []
    for kind, value in values:
        for name in DECLARED:
            shown = render_post(*opened(value, name))
            if shown is not None:
                leaks.append((kind, name, value, shown))
    print(f"{len(values)} values of {len(hostile.KINDS)} kinds for {len(DECLARED)} variables: {len(leaks)} leaks")
    assert leaks == []


def test_fallback_post_contains_no_trace_of_the_value():
    for kind, value in hostile.generate_corpus(4, seed=7):
        shown = render_post(*opened(value, fallback={"title": "An outage"}))
        assert shown == {"title": "An outage", "message": "Sorry."}, kind


def test_none_of_200_ordinary_sentences_is_held_back():
    assert len(ORDINARY) >= 200
    _, one = opened("Europe")
    held = []
    for sentence in ORDINARY:
        target = decisions.Target("page", {"title": sentence, "message": sentence}, "auto")
        if render_post(target, one) != {"title": sentence, "message": sentence}:
            held.append(sentence)
    warned = [sentence for sentence in ORDINARY if leak_guard.objections(sentence, ["acme.com"])]
    print(f"{len(ORDINARY)} sentences: {len(held)} held back, {len(warned)} warned of when rules are checked")
    assert held == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alert.labels.listed", "Europe"),
        ("alert.labels.listed", "db.internal is fine here"),
        ("alert.labels.listed", ""),
        ("alert.labels.region", "eu-west-1"),
        ("alert.labels.version", "v2.14.1"),
        ("alert.labels.plan", "Gold plan 2"),
        ("alert.annotations.zone", "eu-central A"),
    ],
)
def test_declared_value_is_published(name, value):
    assert render_post(*opened(value, name)) == {"title": LITERAL + value, "message": "Sorry."}


@pytest.mark.parametrize("value", ["europe", "Europe ", " Europe", "Europe\n", "Europe\u200b", "Europa", "EuropeAsia"])
def test_near_miss_of_declared_value_is_not_shown(value):
    assert render_post(*opened(value)) is None


def make_context(labels):
    first = alerts.Alert("am", "a", "firing", 1, 0, title="secret title", labels=labels)
    return templates.context(
        first, decisions.Response("rule-name", "f:1", "v", owner="team"), key="key{a=b}",
        severity=severities.Severity.MAJOR, reference="IR-1", opened_at=0,
    )  # fmt: skip


def render(fields, labels, allowed=DECLARED):
    return public_texts.render(fields, make_context(labels), allowed, ("acme.com",))


def test_router_variables_need_no_declaration():
    text = "{{ incident.reference }} {{ incident.severity }} {{ incident.opened_at | date: '%H:%M' }}"
    assert render({"title": text}, {}) == ({"title": "IR-1 major 00:00"}, "")


@pytest.mark.parametrize(
    "text",
    [
        "{{ alert.title }}",
        "{{ alert.labels.other }}",
        "{% if true %}{{ alert.labels.other }}{% endif %}",
        "{% if false %}{{ alert.labels.other }}{% endif %}",
        "{{ alert.labels[alert.labels.listed] }}",
        "{% assign all = alert.labels %}{% for pair in all %}{{ pair }}{% endfor %}",
        "{% assign all = alert %}{{ all.labels.other }}",
        "{% capture x %}{{ alert.labels.other }}{% endcapture %}{{ x }}",
        "{{ alert.labels | json }}",
        "{{ incident.key }}",
        "{{ rule.owner }}",
        "{% for x in alert.labels %}{{ x[1] }}{% endfor %}",
    ],
)
def test_no_template_renders_an_undeclared_value(text):
    labels = {"other": "hunter2", "listed": "Europe", "Europe": "hunter2"}
    rendered = render({"title": text}, labels)
    assert "which the rule does not declare as public" in rendered.objection
    # Even without the objection, the template must not render the value.
    seen = public_texts._restrict(make_context(labels), DECLARED)
    assert "hunter2" not in str(templates.render({"title": text}, seen, leak_guard.BROKEN))


def test_reviewer_sees_the_final_text_and_the_reason():
    rendered = render({"title": "In {{ alert.labels.listed }}"}, {"listed": "10.0.0\u200b.7"})
    assert rendered == ({"title": "In 10.0.0.7"}, "alert.labels.listed, which the rule does not allow")


def test_value_matching_its_pattern_is_still_searched():
    rendered = render({"title": "{{ alert.labels.region }}"}, {"region": "db-primary-1"})
    assert rendered.objection == "the name of a machine in alert.labels.region"


def test_nested_fields_are_checked_for_undeclared_variables():
    for fields in (
        {"postmortem_url": "https://acme.com/{{ alert.labels.other }}"},
        {"components": ["{{ alert.labels.other }}"]},
        {"anything": {"deep": [{"down": "{{ alert.labels.other }}"}]}},
    ):
        assert render(fields, {"other": "x"}).objection


@pytest.mark.parametrize(
    ("link", "label", "objected"),
    [
        ("https://{{ alert.labels.host }}/pm", "wiki", True),
        ("https://{{ alert.labels.host }}.acme.com/pm", "wiki", False),
        ("https://{{ alert.labels.host }}acme.com/pm", "evil", True),
        ("https://acme.com@{{ alert.labels.host }}", "evil", True),
        ("https://acme.com/{{ alert.labels.host }}", "pm", False),
        ("https://partner.example/{{ alert.labels.host }}", "pm", False),
        ("//{{ alert.labels.host }}.io", "evil", True),
    ],
)
def test_link_with_variable_must_have_an_allowed_host(link, label, objected):
    allowed = {"alert.labels.host": decisions.Allowed((label,))}
    rendered = render({"postmortem_url": link}, {"host": label}, allowed)
    assert rendered.objection == ("a link to a host that is not allowed" if objected else "")


def test_failing_template_gives_an_objection():
    allowed = {"alert.labels.n": decisions.Allowed(("x",))}
    rendered = render({"title": "{{ alert.labels.n | divided_by: 0 }}"}, {"n": "x"}, allowed)
    assert rendered == ({"title": leak_guard.BROKEN}, "a part that could not be rendered")


def test_invisible_characters_of_literal_text_are_removed():
    assert render({"title": "Do\u200bwn \u202e", "components": ["A\u2060PI"]}, {}) == (
        {"title": "Down ", "components": ["API"]},
        "",
    )


def test_incident_of_an_earlier_version_waits_for_review():
    target = decisions.Target("page", {"title": "In {{ alert.labels.region }}"}, "auto")
    _, one = opened("eu-west-1", "alert.labels.region")
    assert render_post(target, one) is None
