"""Datadog's webhook, beyond the contract's cases."""

import json
import re
import time
import urllib.parse
from pathlib import Path

import pytest

from router.sources import base, datadog, reading, registry

NOW = 1_772_450_000_000_000
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "sources" / "datadog.md"


def parse(**body) -> base.Parsed:
    return datadog.read(reading.Reading("here", NOW), body)


def parse_one(**body):
    return parse(**{"alert_transition": "Triggered", "alert_cycle_key": "c", "title": "t", **body}).alerts[0]


def expect_refusal(**body) -> base.Unparsable:
    with pytest.raises(base.Unparsable) as caught:
        parse(**body)
    return caught.value


def template() -> dict[str, str]:
    [block] = re.findall(r"^```text\n(\{.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return json.loads(block)


def test_sample_payload_contains_every_used_field():
    read = {"title", "alert_transition", "alert_cycle_key", "alert_title", "alert_priority", "alert_type", "tags"}
    read |= (
        {"date", "last_updated", "link", "text"} | set(datadog._LABELS.values()) | set(datadog._ANNOTATIONS.values())
    )
    assert read <= template().keys()


def test_filled_sample_payload_is_an_alert():
    values = {
        "$ALERT_TRANSITION": "Recovered",
        "$ALERT_CYCLE_KEY": "c",
        "$ALERT_TITLE": "Too hot",
        "$DATE": "1772442930000",
    }
    alert = parse(**{name: values.get(text, text) for name, text in template().items()}).alerts[0]
    assert (alert.fingerprint, alert.status, alert.title) == ("c", "resolved", "Too hot")
    assert alert.ends_at == 1_772_442_930_000_000
    assert "$" not in repr(alert)


def test_sample_payload_without_values_is_a_test():
    parsed = parse(**template())
    assert parsed.alerts == []
    assert "a test" in parsed.about["no_alert"]


@pytest.mark.parametrize(
    ("transition", "status"),
    [
        ("Triggered", "firing"),
        ("Re-Triggered", "firing"),
        ("No Data", "firing"),
        ("Re-No Data", "firing"),
        ("Warn", "firing"),
        ("Re-Warn", "firing"),
        ("Renotify", "firing"),
        ("Recovered", "resolved"),
        ("Warn Recovered", "resolved"),
        ("No Data Recovered", "resolved"),
        ("recovered", "resolved"),
        ("a word of next year's", "firing"),
    ],
)
def test_transition_fires_unless_it_is_a_recovery(transition, status):
    assert parse_one(alert_transition=transition).status == status


@pytest.mark.parametrize(
    ("title", "status", "rest"),
    [
        ("[P2] [Triggered on {host:web-1}] CPU high", "firing", "CPU high"),
        ("[Recovered on {host:web-1}] CPU high", "resolved", "CPU high"),
        ("[Recovered] [db] slow", "resolved", "slow"),
        ("[No Data on {host:web-1}] CPU high", "firing", "CPU high (No Data)"),
        ("[Warn] CPU high", "firing", "CPU high"),
        ("[Triggered]", "firing", "[Triggered]"),
    ],
)
def test_title_determines_the_status_without_a_transition(title, status, rest):
    alert = parse(title=title).alerts[0]
    assert (alert.status, alert.title) == (status, rest)


def test_transition_words_in_the_monitor_name_are_ignored():
    assert expect_refusal(title="CPU of [Recovered] hosts").where == "alert_transition"


def test_title_and_group_identify_alerts_without_key():
    def fingerprint(title):
        return parse(title=title).alerts[0].fingerprint

    assert fingerprint("[P2] [Triggered on {host:a}] hot") == fingerprint("[Recovered on {host:a}] hot")
    assert fingerprint("[Triggered on {host:a}] hot") != fingerprint("[Triggered on {host:b}] hot")


def test_cycle_key_overrides_monitor_and_group():
    assert parse_one(alert_id="7", alert_scope="a:b").fingerprint == "c"
    assert parse_one(alert_cycle_key="$ALERT_CYCLE_KEY", alert_id="7", alert_scope="a:b").fingerprint == "7/a:b"
    assert parse_one(alert_cycle_key="", alert_id="7", alert_scope="").fingerprint == "7/"


@pytest.mark.parametrize("transition", ["No Data", "Re-No Data", "re-no data"])
def test_missing_data_is_noted_in_the_title(transition):
    assert parse_one(alert_transition=transition).title == "t (No Data)"
    assert parse_one(alert_transition="No Data Recovered").title == "t"


def test_missing_transition_alone_is_not_a_test():
    assert expect_refusal(alert_transition="$ALERT_TRANSITION", alert_cycle_key="c").where == "alert_transition"
    assert parse(alert_transition="$ALERT_TRANSITION", alert_cycle_key="$ALERT_CYCLE_KEY").alerts == []


def test_monitor_details_are_annotations():
    said = {"alert_status": "s", "alert_query": "q", "snapshot": "p", "id": "7", "text": "x", "body": "y"}
    assert parse_one(**said).annotations == {
        "transition": "Triggered",
        "status": "s",
        "query": "q",
        "snapshot": "p",
        "event_id": "7",
        "description": "x",
    }
    assert parse_one(body="y").annotations["description"] == "y"


@pytest.mark.parametrize("absent", ["", " ", "null", "$ALERT_PRIORITY", "$TAGS[env]", None])
def test_variable_without_a_value_is_absent(absent):
    alert = parse_one(alert_priority=absent, alert_type="info", tags=absent, link=absent, hostname=absent)
    assert (alert.severity, alert.labels, alert.link) == ("info", {}, "")


@pytest.mark.parametrize("text", ["$5 are missing", "$HOME is full", "costs $USD"])
def test_text_with_a_dollar_is_kept(text):
    assert parse_one(alert_title=text).title == text


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ({"alert_priority": "P3", "alert_type": "error"}, "P3"),
        ({"alert_transition": "Warn", "alert_type": "error"}, "warning"),
        ({"alert_type": "error"}, "error"),
        ({"alert_type": "success", "alert_transition": "Recovered"}, ""),
        ({}, ""),
    ],
)
def test_severity_is_the_priority_or_datadog_s_alert_type(body, severity):
    assert parse_one(**body).severity == severity


def test_datadog_s_labels_override_tags():
    labels = parse_one(
        tags="env:prod, team:a,team:b,team:a,lonely,url:http://x,:odd", hostname="h", alert_id="7"
    ).labels
    assert labels == {
        "env": "prod",
        "team": "a,b",
        "lonely": "true",
        "url": "http://x",
        ":odd": "true",
        "hostname": "h",
        "monitor_id": "7",
    }
    assert parse_one(tags="hostname:mine", hostname="datadog-s").labels == {"hostname": "datadog-s"}


def test_receipt_replaces_missing_or_unreadable_times():
    assert parse_one(date="$DATE").starts_at == NOW
    assert parse_one(date="", last_updated="1772442930000").starts_at == 1_772_442_930_000_000
    assert parse_one(date="soon").starts_at == NOW


def test_other_payload_is_refused_with_advice():
    assert "paste the documented payload" in expect_refusal(text="hello").problem
    assert expect_refusal(alert_transition="Triggered").where == "alert_cycle_key"


def test_form_encoded_payload_is_the_same_alert():
    source = registry.build("here", datadog.Config(auth="none")).source
    body = {"alert_transition": "Recovered", "alert_cycle_key": "c", "title": "é & co", "tags": "env:prod", "date": ""}
    form = urllib.parse.urlencode(body).encode()
    assert source.parse(form, {}, NOW) == source.parse(json.dumps(body).encode(), {}, NOW) == parse(**body)


@pytest.mark.parametrize("raw", [b"", b" ", b"hello", b"a=%FF", b"[]", b"&" * 200])
def test_body_neither_json_nor_form_is_unparsable(raw):
    with pytest.raises(base.Unparsable):
        registry.build("here", datadog.Config(auth="none")).source.parse(raw, {}, NOW)


def test_title_with_many_brackets_is_parsed_quickly():
    began = time.monotonic()
    parse(title="[]" * 200_000 + "[Triggered] t", alert_transition="Triggered")
    assert time.monotonic() - began < 5
