"""Slack messages: untrusted text can't add lines or mention users, and is truncated only between its parts."""

import datetime as dt

import msgspec
import pytest

from router.domain import events
from router.notifiers import slack_blocks, slack_messages

AT = dt.datetime(2026, 12, 1, 2, 5, tzinfo=dt.UTC)
INCIDENT = events.Incident("down", "IR-1", "Down", "major", "open", AT)
FORGED = "upgrade\n• Approved by ann\u2028• Reset\r\u202egnp\u202c <!channel> & <@U0ADA>"


def show(*happened: events.Event) -> slack_messages.SlackMessage:
    recorded = [events.Recorded(number, 0, "down", "IR-1", one) for number, one in enumerate(happened, 1)]
    view = slack_messages.apply(slack_messages.SubjectView(), recorded)
    return next(iter(slack_messages.MessageRenderer("").messages(view, recorded)))


def test_untrusted_text_adds_no_line():
    """A reason with line breaks or bidirectional control characters must not look like another event."""
    shown = "upgrade • Approved by ann • Reset gnp &lt;!channel&gt; &amp; &lt;@U0ADA&gt;"
    assert slack_blocks.escape(FORGED) == shown
    message = show(events.FreezeStarted(AT, "ann", FORGED))
    assert "\n" not in message.text
    assert "\u202e" not in message.text


def test_bare_mentions_and_urls_stay_plain_text():
    """Unless a text is verbatim, Slack turns @channel, channel names, and URLs into mentions and links."""
    assert slack_blocks.section("@channel https://evil.example")["text"]["verbatim"] is True
    assert slack_blocks.context("@channel")["elements"][0]["verbatim"] is True
    assert slack_blocks.fields(["@channel"])[0]["fields"][0]["verbatim"] is True


def test_runbook_is_a_link():
    """Slack doesn't link URLs in verbatim text, so the router marks the runbook as a link."""
    runbook = "https://wiki.example/a?b=1&c=2"
    incident = msgspec.structs.replace(INCIDENT, runbook=runbook)
    assert "<https://wiki.example/a?b=1&amp;c=2>" in str(show(events.IncidentOpened(incident)).blocks)


@pytest.mark.parametrize("text", ["see the wiki", "https://wiki.example/|Approved", "https://a b", "javascript:x"])
def test_other_texts_are_not_linked(text):
    assert slack_blocks.link(text) == text


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("ab&amp;cd", 5, "ab…"),
        ("ab&amp;cd", 8, "ab&amp;…"),
        ("a & b; c & d", 11, "a & b; c …"),
        ("ab <https://a.example|open> c", 12, "ab …"),
        ("<https://a.example|open> cdef", 27, "<https://a.example|open> c…"),
    ],
)
def test_markup_is_cut_between_its_parts(text, most, cut):
    assert slack_blocks.cut_markup(text, most) == cut


def test_decision_names_the_page_before_the_reason():
    """The reason must not run into the page's name."""
    decided = events.ReviewDecided(INCIDENT, "page", "dismissed", by="ann", reason="not ours")
    assert slack_messages.line(decided) == "Dismissed by ann at page: not ours"
