"""A polled Alertmanager: the alerts that count, and their equivalence to webhooks."""

import pydantic
import pytest

from router.outbound.alertmanager import Listed
from router.sources import alertmanager, polled

URL = "http://alertmanager:9093"
BEGAN = 1_700_000_000_123_000


def config(**said) -> polled.Config:
    return polled.Config(url=URL, **said)


def make_listed(*receivers: str, **labels: str) -> Listed:
    return Listed(
        "f1",
        BEGAN,
        True,
        receivers or ("router",),
        {"alertname": "Down", **labels},
        {"summary": "S"},
        "http://prometheus:9090/graph",
    )


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"url": "alertmanager:9093"}, "pattern"),
        ({"url": "https://ann:hunter2@alertmanager"}, "use basic"),
        ({"every": "0s"}, "at least 1s"),
        ({"basic": "hunter2"}, "user:password"),
        ({"receiver": "("}, "not an RE2 pattern"),
        ({"filter": ["env"]}, "not a matcher"),
        ({"filter": ['env=~"("']}, "not an RE2 pattern"),
        ({"bearer": "a", "basic": "b:c"}, "exclude each other"),
        ({"silenced": True}, "Extra inputs"),
    ],
)
def test_contradictory_settings_are_refused_without_secrets(said, problem):
    with pytest.raises(pydantic.ValidationError, match=problem) as refused:
        polled.Config(**{"url": URL, **said})
    assert "hunter2" not in str(refused.value)


def test_secrets_are_masked():
    assert "very-secret" not in repr(config(bearer="very-secret")) + repr(config(basic="ann:very-secret"))


def test_source_without_poll_settings_does_not_poll():
    assert alertmanager.Config(bearer=["x"]).poll is None
    assert alertmanager.Config(bearer=["x"], poll={"url": URL}).poll.every == 60_000_000


@pytest.mark.parametrize(
    ("said", "receivers", "env", "counts"),
    [
        ({}, ("any",), "prod", True),
        ({"receiver": "router"}, ("pager", "router"), "prod", True),
        ({"receiver": "router"}, ("router-eu", "a-router"), "prod", False),
        ({"receiver": "router.*|pager"}, ("router-eu",), "prod", True),
        ({"filter": ['env="prod"', 'alertname=~"Do.*"']}, ("any",), "prod", True),
        ({"filter": ['env="prod"', 'alertname!~"Do.*"']}, ("any",), "prod", False),
        ({"filter": ['absent=""']}, ("any",), "prod", True),
        ({"filter": ['env!="prod"'], "receiver": "any"}, ("any",), "prod", False),
    ],
)
def test_filters_and_receiver_select_alerts(said, receivers, env, counts):
    assert polled.make_selector(config(**said))(make_listed(*receivers, env=env)) is counts


def test_polled_alert_equals_its_webhook():
    body = polled.webhook([polled.firing_alert(make_listed(severity="critical"))], URL)
    (alert,) = alertmanager.Alertmanager("am").parse(body, {}, 5).alerts
    assert (alert.identity, alert.status, alert.starts_at, alert.ends_at) == ("am/f1", "firing", BEGAN, 0)
    assert (alert.title, alert.severity, alert.link) == ("S", "critical", "http://prometheus:9090/graph")
    assert (alert.labels["alertname"], alert.annotations) == ("Down", {"summary": "S"})


@pytest.mark.parametrize(("ended", "said"), [(BEGAN + 7, BEGAN + 7), (BEGAN - 7, BEGAN)])
def test_vanished_alert_is_resolved_after_its_start(ended, said):
    body = polled.webhook([polled.resolved_alert("f1", BEGAN, ended)], URL)
    (alert,) = alertmanager.Alertmanager("am").parse(body, {}, 5).alerts
    assert (alert.identity, alert.status, alert.starts_at, alert.ends_at) == ("am/f1", "resolved", BEGAN, said)
