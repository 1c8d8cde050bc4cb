"""Plain-text messages: limited length, consistent wording, and no markup from alerts."""

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import events, times
from router.notifiers import plain_text
from tests.contract import notifier_samples

CONSOLE = "https://console.example"


def render(*found: events.Event) -> plain_text.PlainMessage:
    return plain_text.render(notifier_samples.record(*found), CONSOLE)


def make_incident(title: str, **more) -> events.Incident:
    return events.Incident("down", "IR-1", title, "major", "open", times.to_datetime(notifier_samples.NOW), **more)


@pytest.mark.parametrize("event", notifier_samples.ALL, ids=events.type_of)
def test_every_event_has_a_title_and_a_text(event):
    message = render(event)
    assert message.title
    assert "\n" not in message.title
    assert plain_text.line(event) in message.body


def test_unknown_event_type_is_described_by_its_name():
    class Acknowledged(msgspec.Struct, tag_field="type", tag="incident.acknowledged"):
        incident: events.Incident
        by: str

    message = render(Acknowledged(notifier_samples.INCIDENT, "ann"))
    assert message.body.startswith("Incident acknowledged by ann: Checkout is down\n")


def test_message_about_an_incident_links_to_the_console():
    message = render(notifier_samples.ALL[0])
    assert message.title == "Major: Checkout is down"
    assert message.body.endswith("Reference: IR-1\nhttps://console.example/incident?key=down")
    assert message.tone == "failure"


def test_review_shows_the_text_for_customers():
    review = events.Review(
        "page",
        "opening",
        "d1",
        "why",
        "Checkout fails",
        "We are on it.\n\nMore soon.",
        {"API": "partial outage"},
        deadline=times.to_datetime(notifier_samples.NOW),
        at_deadline="publish",
        later={"resolution": "It works again."},
        began_at=times.to_datetime(notifier_samples.NOW),
        ended_at=times.to_datetime(notifier_samples.NOW + 60_000_000),
    )
    message = render(
        events.IncidentOpened(notifier_samples.INCIDENT), events.ReviewWaiting(notifier_samples.INCIDENT, review)
    )
    assert message.title == "Review: Checkout fails"
    assert "> Checkout fails\n> We are on it.\n> More soon.\nAPI: partial outage\n" in message.body
    assert "It lasted from 2027-01-15 08:00 UTC to 2027-01-15 08:01 UTC." in message.body
    assert "Later, as resolution:\n> It works again.\n" in message.body
    assert "Without a decision it is published at 2027-01-15 08:00 UTC." in message.body


def test_decided_review_shows_no_post():
    waiting = events.ReviewWaiting(notifier_samples.INCIDENT, notifier_samples.REVIEW)
    decided = events.ReviewDecided(notifier_samples.INCIDENT, "page", "dismissed", "d1", "ann")
    message = render(waiting, decided)
    assert "Customers will see" not in message.body
    assert "Dismissed by ann at page" in message.body


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@everyone", "@\u200beveryone"),
        ("@Channel and @HERE", "@\u200bChannel and @\u200bHERE"),
        ("<@U123> <!here>", "<\u200b@U123> <\u200b!here>"),
        ("[free money](https://evil.example)", "[free money]\u200b(https://evil.example)"),
        ("ann@example.com", "ann@example.com"),
        ("a\r\nBcc: b\x00\x1b[31m\u202e", "a Bcc: b [31m"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
    ],
)
def test_markup_in_alert_text_is_disabled(text, shown):
    assert plain_text.plain(text) == shown
    assert render(events.IncidentOpened(make_incident(text))).title == f"Major: {shown}"


@given(st.text(max_size=6000), st.text(max_size=6000), st.integers(1, 60))
def test_lengths_are_limited_and_control_characters_removed(title, text, count):
    incident = make_incident(title, owner=text, runbook=text)
    review = events.Review("page", "opening", "d", "why", title, text, {text: text})
    message = render(*[events.ReviewWaiting(incident, review)] * count)
    assert len(message.title) <= plain_text.TITLE
    assert len(message.body) <= plain_text.BODY
    assert message.body.endswith("https://console.example/incident?key=down")
    unseen = {statement for statement in message.body if unicodedata.category(statement) in {"Cc", "Cs"}}
    assert unseen <= {"\n"}


def test_many_events_show_the_newest():
    message = render(*[events.IncidentEscalated(notifier_samples.INCIDENT, "minor")] * 30, notifier_samples.ALL[4])
    assert message.body.startswith("(11 earlier events)\n")
    assert "Resolved: Checkout is down\n" in message.body
