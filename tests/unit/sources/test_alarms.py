"""CloudWatch alarms in either envelope, beyond the contract's cases."""

import json
from typing import Any

import pytest

from router.sources import alarms, base, cloudwatch, eventbridge, reading

NOW = 1_772_450_000_000_000
DELIVERY = reading.Reading("here", NOW)
ARN = "arn:aws:cloudwatch:eu-north-1:1:alarm:a name"
MESSAGE = {"AlarmName": "a name", "NewStateValue": "ALARM", "AWSAccountId": "1", "Region": "EU (Stockholm)"}
EVENT = {"detail-type": eventbridge.DETAIL_TYPE, "resources": [ARN], "detail": {"alarmName": "a name"}}


def parse_sns(body: dict, **settings) -> base.Parsed:
    source = cloudwatch.CloudWatch(cloudwatch.Config(auth="none", **settings))
    return source.read(reading.Reading("here", NOW), body)


def envelope(message: Any, **fields) -> dict:
    text = message if isinstance(message, str) else json.dumps(message)
    return {"Type": "Notification", "TopicArn": "t", "Message": text, **fields}


def parse_eventbridge(state: Any, **settings) -> base.Parsed:
    source = eventbridge.EventBridge(eventbridge.Config(auth="none", **settings))
    return source.read(reading.Reading("here", NOW), {**EVENT, "detail": {"alarmName": "a name", "state": state}})


def expect_refusal(call, *arguments, **settings) -> base.Unparsable:
    with pytest.raises(base.Unparsable) as caught:
        call(*arguments, **settings)
    return caught.value


@pytest.mark.parametrize(
    ("body", "where", "problem"),
    [
        ({}, "", "not an alarm"),
        (envelope("the deploy is done"), "Message", "plain text"),
        (envelope("[1]"), "Message", "plain text"),
        (envelope({"ok": True}), "Message", "not an alarm"),
        (envelope({**MESSAGE, "NewStateValue": "BROKEN"}), "state", "'BROKEN' is not ALARM, OK"),
        (envelope({**MESSAGE, "NewStateValue": None}), "Message.NewStateValue", "missing or empty"),
        (envelope({**MESSAGE, "AlarmName": ""}), "Message.AlarmName", "missing or empty"),
        ({"Type": "Notification"}, "Message", "plain text"),
    ],
)
def test_invalid_body_is_refused_with_its_field(body, where, problem):
    error = expect_refusal(parse_sns, body)
    assert error.where == where
    assert problem in error.problem


def test_other_message_is_refused_unless_ignored():
    assert "other_messages: ignore" in expect_refusal(parse_sns, envelope("the deploy is done")).problem
    parsed = parse_sns(envelope("the deploy is done"), other_messages="ignore")
    assert (parsed.alerts, parsed.about["topic"]) == ([], "t")
    assert parse_sns({"anything": 1}, other_messages="ignore").alerts == []


URL = "https://sns.eu-north-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=t&Token=00"


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("SubscriptionConfirmation", "waits for the confirmation of this subscription"),
        ("UnsubscribeConfirmation", "has been ended"),
    ],
)
def test_sns_confirmation_message_reports_the_manual_step(kind, what):
    for settings in ({}, {"other_messages": "ignore"}):
        error = expect_refusal(parse_sns, envelope("You have chosen to", Type=kind, SubscribeURL=URL), **settings)
        assert error.where == "Type"
        assert what in error.problem
        assert error.problem.endswith(f": open {URL}")


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "http://sns.eu-north-1.amazonaws.com/?a",
        "https://sns.eu-north-1.amazonaws.com.evil.example/?a",
        "https://evil.example/?sns.eu-north-1.amazonaws.com/",
        "https://sns.eu-north-1.amazonaws.com@evil.example/?a",
        "https://sns.eu-north-1.amazonaws.com/?a\nb",
        "https://sns.eu-north-1.amazonaws.com/?" + "a" * 2001,
    ],
)
def test_url_of_another_host_is_not_repeated(url):
    error = expect_refusal(parse_sns, envelope("x", Type="SubscriptionConfirmation", SubscribeURL=url))
    assert error.problem.endswith("open the URL in SubscribeURL, if it belongs to SNS")


def test_all_formats_of_an_alarm_are_one_alert():
    ways = [
        parse_sns(envelope({**MESSAGE, "AlarmArn": ARN})),
        parse_sns({**MESSAGE, "AlarmArn": ARN}),
        parse_sns(envelope({**EVENT, "detail": {"alarmName": "a name", "state": {"value": "OK"}}})),
        parse_eventbridge({"value": "OK"}),
    ]
    assert {way.alerts[0].identity for way in ways} == {f"here/{ARN}"}


def test_alarm_without_arn_is_identified_without_link():
    alert = parse_sns(envelope(MESSAGE)).alerts[0]
    assert alert.fingerprint == "1/EU (Stockholm)/a name"
    assert alert.labels["region"] == "EU (Stockholm)"
    assert alert.link == ""


def test_link_opens_the_alarm_in_the_console():
    alert = parse_sns(envelope({**MESSAGE, "AlarmArn": ARN})).alerts[0]
    expected = "eu-north-1.console.aws.amazon.com/cloudwatch/home?region=eu-north-1#alarmsV2:alarm/a%20name"
    assert alert.link == f"https://{expected}"
    elsewhere = parse_sns(envelope({**MESSAGE, "AlarmArn": ARN.replace("arn:aws:", "arn:aws-cn:")})).alerts[0]
    assert (elsewhere.link, elsewhere.labels["region"]) == ("", "eu-north-1")


@pytest.mark.parametrize(("setting", "statuses"), [("ignore", []), ("firing", ["firing"]), ("resolved", ["resolved"])])
def test_insufficient_data_follows_the_settings(setting, statuses):
    found = parse_eventbridge({"value": "INSUFFICIENT_DATA"}, insufficient_data=setting)
    assert [alert.status for alert in found.alerts] == statuses
    message = {**MESSAGE, "NewStateValue": "INSUFFICIENT_DATA"}
    found = parse_sns(envelope(message), insufficient_data=setting)
    assert [alert.status for alert in found.alerts] == statuses
    assert all(alert.title == "a name (insufficient data)" for alert in found.alerts)


def test_insufficient_data_is_ignored_by_default():
    assert parse_eventbridge({"value": "INSUFFICIENT_DATA"}).alerts == []
    assert parse_sns(envelope({**MESSAGE, "NewStateValue": "INSUFFICIENT_DATA"})).alerts == []


def test_alarm_order_follows_its_own_times():
    fired = parse_eventbridge({"value": "ALARM", "timestamp": "2026-03-02T12:00:00.000+0000"}).alerts[0]
    over = parse_eventbridge({"value": "OK", "timestamp": "2026-03-02T12:00:01.000+0000"}).alerts[0]
    assert fired.starts_at < over.starts_at == over.ends_at
    assert parse_eventbridge({"value": "OK"}).alerts[0].ends_at == NOW


@pytest.mark.parametrize(
    ("event", "where", "problem"),
    [
        ({}, "detail-type", "missing: an input transformer"),
        ({"detail-type": "EC2 Instance State-change Notification"}, "detail-type", "is not an alarm"),
        ({"detail-type": eventbridge.DETAIL_TYPE}, "detail", "missing"),
        (EVENT, "detail.state", "missing"),
        ({**EVENT, "detail": {"state": {"value": "OK"}}}, "detail.alarmName", "missing or empty"),
        ({**EVENT, "detail": {"alarmName": "a", "state": {}}}, "detail.state.value", "missing or empty"),
    ],
)
def test_event_without_alarm_is_reported_with_its_path(event, where, problem):
    error = expect_refusal(eventbridge.alarm, DELIVERY, event)
    assert error.where == where
    assert problem in error.problem


@pytest.mark.parametrize("resources", [None, [], {}, {"0": ARN}, "x", [None]])
def test_event_without_arn_has_region_and_account(resources):
    state = {"value": "OK"}
    event = {**EVENT, "resources": resources, "account": "1", "region": "eu-north-1"}
    alarm = eventbridge.alarm(DELIVERY, {**event, "detail": {"alarmName": "a", "state": state}})
    assert (alarm.arn, alarm.region, alarm.account) == ("", "eu-north-1", "1")
    alert = alarms.parse(DELIVERY, alarm, "ignore").alerts[0]
    assert (alert.fingerprint, alert.labels["region"], alert.link) == ("1/eu-north-1/a", "eu-north-1", "")


def test_event_details_are_annotations():
    configuration = {"description": "d", "alarmRule": "ALARM(b)"}
    detail = {"alarmName": "a", "state": {"value": "OK", "reason": "r"}, "configuration": configuration}
    alarm = eventbridge.alarm(DELIVERY, {**EVENT, "detail": detail, "time": "2026-03-02T12:00:00Z"})
    assert alarm.annotations == {"description": "d", "reason": "r", "alarm_rule": "ALARM(b)"}
    assert alarm.changed_at == 1_772_452_800_000_000


def labels(*metrics: alarms.Metric) -> dict[str, str]:
    alarm = alarms.Alarm("n", "OK", ARN, metrics=list(metrics))
    return alarms.parse(DELIVERY, alarm, "ignore").alerts[0].labels


def test_labels_are_common_to_all_metrics():
    first = alarms.Metric("ns", "m", {"Host": "a", "Zone": "z"})
    assert labels(first) == {
        "Host": "a",
        "Zone": "z",
        "namespace": "ns",
        "metric": "m",
        "alarm": "n",
        "region": "eu-north-1",
    }
    second = alarms.Metric("ns", "n", {"Host": "b", "Zone": "z"})
    assert labels(first, second) == {"Zone": "z", "namespace": "ns", "alarm": "n", "region": "eu-north-1"}
    third = alarms.Metric("ns", "m", {"Host": "a", "Zone": "z"})
    assert labels(first, second, third) == labels(first, second)
    assert labels() == {"alarm": "n", "region": "eu-north-1"}


def test_dimension_does_not_replace_identifying_labels():
    assert labels(alarms.Metric(dimensions={"alarm": "x", "region": "y"})) == {"alarm": "n", "region": "eu-north-1"}


@pytest.mark.parametrize("odd", [None, "x", 7, [], [None], ["x"], [{"Expression": "a-b"}], [{"MetricStat": "x"}]])
def test_malformed_metrics_are_ignored(odd):
    assert list(alarms.metrics(odd)) == []
    assert parse_sns(envelope({**MESSAGE, "Trigger": {"Metrics": odd, "Dimensions": odd}})).alerts
