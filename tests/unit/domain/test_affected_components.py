"""Component statuses follow the alerts that affect each component."""

import msgspec
import pytest

from router.domain import affected_components, alert_states, alerts, decisions, fold, incidents, severities

NOW = 1_700_000_000_000_000
PAGE = decisions.Target("page", parts={"labels.service": {"pay": "Checkout", "find": "Search"}})
CRITICAL, MINOR = severities.Severity.CRITICAL, severities.Severity.MINOR


def response(*targets: decisions.Target, **more) -> decisions.Response:
    return decisions.Response("r", "rules/a.yaml:1", "v1", targets or (PAGE,), **more)


def route(service: str, status: str = "firing", level=MINOR, of=None, starts_at: int = 100) -> decisions.Routed:
    alert = alerts.Alert("am", service, status, starts_at, 0, title=service, labels={"service": service})
    return decisions.Routed(alert, decisions.Decision("key", level, of or response()))


def fold_alerts(
    *arrived: decisions.Routed, start: incidents.Incident | None = None, now: int = NOW
) -> incidents.Incident:
    return fold.fold(start or incidents.Incident("key"), arrived, now=now, episode="e1")


def get_shown(incident: incidents.Incident, fixed=None, last=None) -> dict[str, str]:
    return affected_components.build_statuses(incident, PAGE, fixed, last)


def test_field_value_selects_the_affected_component():
    assert affected_components.find_affected(route("pay")) == (("page", "Checkout"),)
    assert affected_components.find_affected(route("mail")) == ()
    assert (
        affected_components.find_affected(decisions.Routed(route("pay").alert, decisions.Decision(ignored="no"))) == ()
    )


@pytest.mark.parametrize(
    ("field", "text"),
    [("title", "t"), ("source", "am"), ("severity", "page"), ("annotations.team", "web"), ("labels.a.b", "dotted")],
)
def test_components_are_read_from_every_alert_field(field, text):
    of = response(decisions.Target("page", parts={field: {text: "Website"}}))
    labels = {"a.b": "dotted"}
    alert = alerts.Alert("am", "f", "firing", 1, 0, "t", labels, {"team": "web"}, "page")
    assert affected_components.find_affected(decisions.Routed(alert, decisions.Decision("key", MINOR, of))) == (
        ("page", "Website"),
    )


def test_label_set_by_rule_overrides_the_sender_s_label():
    of = response(labels={"service": "find"})
    assert affected_components.find_affected(route("pay", of=of)) == (("page", "Search"),)


def test_component_has_the_worst_severity_of_firing_alerts():
    other = alerts.Alert("am", "pay-2", "firing", 100, 0, labels={"service": "pay"})
    one = fold_alerts(
        route("pay"), decisions.Routed(other, decisions.Decision("key", CRITICAL, response())), route("find")
    )
    assert affected_components.current_severities(one) == {("page", "Checkout"): CRITICAL, ("page", "Search"): MINOR}
    assert get_shown(one) == {"Checkout": "critical", "Search": "minor"}


def test_component_recovers_with_its_last_resolved_alert():
    one = fold_alerts(route("pay"), route("find"))
    told = get_shown(one)
    after = fold_alerts(route("pay", "resolved"), start=one, now=NOW + 1)
    assert get_shown(after, last=told) == {"Checkout": "operational", "Search": "minor"}
    assert get_shown(after, last=get_shown(after, last=told)) == {"Checkout": "operational", "Search": "minor"}
    again = fold_alerts(route("pay", starts_at=200), start=after, now=NOW + 2)
    assert get_shown(again, last=get_shown(after, last=told)) == {"Checkout": "minor", "Search": "minor"}


def test_quiet_period_keeps_component_statuses():
    patient = response(timing=decisions.Timing(resolve_after=1_000_000))
    one = fold_alerts(route("pay", of=patient))
    after = fold_alerts(route("pay", "resolved", of=patient), start=one, now=NOW + 1)
    assert after.quiet is not None
    assert get_shown(after, last=get_shown(one)) == {"Checkout": "minor"}


def test_component_set_by_rule_is_shown_until_resolution():
    one = fold_alerts(route("pay", level=CRITICAL))
    assert get_shown(one, ["Website"]) == {"Checkout": "critical", "Website": "critical"}
    assert get_shown(one, {"Checkout": "degraded_performance"}) == {"Checkout": "degraded_performance"}


def test_components_without_alerts_are_omitted():
    one = fold_alerts(route("pay"))
    assert get_shown(one, last={"Mail": "major_outage"}) == {"Checkout": "minor"}
    assert get_shown(one, last=["Search"]) == {"Checkout": "minor"}


def test_component_is_shown_only_on_its_page():
    other = decisions.Target("other", parts={"labels.service": {"pay": "Payments"}})
    one = fold_alerts(route("pay", of=response(PAGE, other)))
    assert affected_components.build_statuses(one, other, None, None) == {"Payments": "minor"}
    assert get_shown(one) == {"Checkout": "minor"}


def test_incident_of_an_earlier_version_is_read():
    state = alert_states.AlertState(1, False, 0, MINOR, 5)
    older = msgspec.msgpack.encode(msgspec.msgpack.decode(msgspec.msgpack.encode(state))[:6])
    assert msgspec.msgpack.decode(older, type=alert_states.AlertState) == state
