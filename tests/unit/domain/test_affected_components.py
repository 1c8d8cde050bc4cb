"""Component statuses follow the alerts that affect each component."""

import msgspec
import pytest

from router.domain import affected_components, alert_states, alerts, decisions, fold, incidents, severities

NOW = 1_700_000_000_000_000
PAGE = decisions.Target("page", parts={"labels.service": {"pay": "Checkout", "find": "Search"}})
CRITICAL, MINOR = severities.Severity.CRITICAL, severities.Severity.MINOR


def response(*targets: decisions.Target, **more) -> decisions.Response:
    return decisions.Response("r", "rules/a.yaml:1", "v1", targets or (PAGE,), **more)


def routed(service: str, status: str = "firing", level=MINOR, of=None, starts_at: int = 100) -> decisions.Routed:
    one = alerts.Alert("am", service, status, starts_at, 0, title=service, labels={"service": service})
    return decisions.Routed(one, decisions.Decision("key", level, of or response()))


def folded(*arrived: decisions.Routed, start: incidents.Incident | None = None, now: int = NOW) -> incidents.Incident:
    return fold.fold(start or incidents.Incident("key"), arrived, now=now, episode="e1")


def shown(one: incidents.Incident, fixed=None, last=None) -> dict[str, str]:
    return affected_components.build_statuses(one, PAGE, fixed, last)


def test_field_value_selects_the_affected_component():
    assert affected_components.by(routed("pay")) == (("page", "Checkout"),)
    assert affected_components.by(routed("mail")) == ()
    assert affected_components.by(decisions.Routed(routed("pay").alert, decisions.Decision(ignored="no"))) == ()


@pytest.mark.parametrize(
    ("field", "text"),
    [("title", "t"), ("source", "am"), ("severity", "page"), ("annotations.team", "web"), ("labels.a.b", "dotted")],
)
def test_components_are_read_from_every_alert_field(field, text):
    of = response(decisions.Target("page", parts={field: {text: "Website"}}))
    labels = {"a.b": "dotted"}
    one = alerts.Alert("am", "f", "firing", 1, 0, "t", labels, {"team": "web"}, "page")
    assert affected_components.by(decisions.Routed(one, decisions.Decision("key", MINOR, of))) == (("page", "Website"),)


def test_label_set_by_rule_overrides_the_sender_s_label():
    of = response(labels={"service": "find"})
    assert affected_components.by(routed("pay", of=of)) == (("page", "Search"),)


def test_component_has_the_worst_severity_of_firing_alerts():
    other = alerts.Alert("am", "pay-2", "firing", 100, 0, labels={"service": "pay"})
    one = folded(
        routed("pay"), decisions.Routed(other, decisions.Decision("key", CRITICAL, response())), routed("find")
    )
    assert affected_components.now(one) == {("page", "Checkout"): CRITICAL, ("page", "Search"): MINOR}
    assert shown(one) == {"Checkout": "critical", "Search": "minor"}


def test_component_recovers_with_its_last_resolved_alert():
    one = folded(routed("pay"), routed("find"))
    told = shown(one)
    after = folded(routed("pay", "resolved"), start=one, now=NOW + 1)
    assert shown(after, last=told) == {"Checkout": "operational", "Search": "minor"}
    assert shown(after, last=shown(after, last=told)) == {"Checkout": "operational", "Search": "minor"}
    again = folded(routed("pay", starts_at=200), start=after, now=NOW + 2)
    assert shown(again, last=shown(after, last=told)) == {"Checkout": "minor", "Search": "minor"}


def test_quiet_period_keeps_component_statuses():
    patient = response(timing=decisions.Timing(resolve_after=1_000_000))
    one = folded(routed("pay", of=patient))
    after = folded(routed("pay", "resolved", of=patient), start=one, now=NOW + 1)
    assert after.quiet is not None
    assert shown(after, last=shown(one)) == {"Checkout": "minor"}


def test_component_set_by_rule_is_shown_until_resolution():
    one = folded(routed("pay", level=CRITICAL))
    assert shown(one, ["Website"]) == {"Checkout": "critical", "Website": "critical"}
    assert shown(one, {"Checkout": "degraded_performance"}) == {"Checkout": "degraded_performance"}


def test_components_without_alerts_are_omitted():
    one = folded(routed("pay"))
    assert shown(one, last={"Mail": "major_outage"}) == {"Checkout": "minor"}
    assert shown(one, last=["Search"]) == {"Checkout": "minor"}


def test_component_is_shown_only_on_its_page():
    other = decisions.Target("other", parts={"labels.service": {"pay": "Payments"}})
    one = folded(routed("pay", of=response(PAGE, other)))
    assert affected_components.build_statuses(one, other, None, None) == {"Payments": "minor"}
    assert shown(one) == {"Checkout": "minor"}


def test_incident_of_an_earlier_version_is_read():
    state = alert_states.AlertState(1, False, 0, MINOR, 5)
    older = msgspec.msgpack.encode(msgspec.msgpack.decode(msgspec.msgpack.encode(state))[:6])
    assert msgspec.msgpack.decode(older, type=alert_states.AlertState) == state
